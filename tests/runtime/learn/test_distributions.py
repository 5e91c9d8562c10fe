"""Masked categoricals and Gaussians against brute force."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentc.runtime.learn.distributions import Categorical, DiagonalGaussian


def masked_softmax(logits, mask):
    weights = [math.exp(x - max(logits)) if legal else 0.0 for x, legal in zip(logits, mask, strict=True)]
    return [w / sum(weights) for w in weights]


rows = st.integers(1, 5).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(-8, 8, width=32), min_size=n, max_size=n),
        st.lists(st.floats(-8, 8, width=32), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n).filter(any),
    )
)


@settings(max_examples=200, deadline=None)
@given(rows)
def test_masked_categorical_is_the_softmax_over_the_legal_actions(row):
    logits, others, mask = row
    p, q = masked_softmax(logits, mask), masked_softmax(others, mask)
    tensor_mask = torch.tensor([mask])
    mine, other = (Categorical.of(torch.tensor([x], dtype=torch.float64), tensor_mask) for x in (logits, others))
    legal = [i for i, m in enumerate(mask) if m]
    for i in range(len(mask)):
        log_prob = mine.log_prob(torch.tensor([i])).item()
        assert log_prob == (pytest.approx(math.log(p[i])) if mask[i] else -math.inf)
    assert mine.entropy().item() == pytest.approx(-sum(p[i] * math.log(p[i]) for i in legal), abs=1e-12)
    assert mine.kl(other).item() == pytest.approx(sum(p[i] * math.log(p[i] / q[i]) for i in legal), abs=1e-12)
    assert mine.mode().item() in legal
    assert p[mine.mode().item()] == pytest.approx(max(p), rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(rows)
def test_gradients_are_those_of_finite_differences_and_zero_at_illegal_actions(row):
    logits, others, mask = row
    tensor_mask = torch.tensor([mask])
    action = torch.tensor([mask.index(True)])
    other = Categorical.of(torch.tensor([others], dtype=torch.float64), tensor_mask)

    def value(x):
        d = Categorical.of(x, tensor_mask)
        return (d.log_prob(action) + 0.7 * d.entropy() + 0.3 * d.kl(other)).sum()

    x = torch.tensor([logits], dtype=torch.float64, requires_grad=True)
    value(x).backward()
    assert torch.isfinite(x.grad).all()
    for i, legal in enumerate(mask):
        if not legal:
            assert x.grad[0, i].item() == 0.0
            continue
        step = torch.zeros_like(x)
        step[0, i] = 1e-6
        with torch.no_grad():
            slope = (value(x + step) - value(x - step)).item() / 2e-6
        assert x.grad[0, i].item() == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_forced_row_passes_exactly_no_gradient(n):
    for forced in range(n):
        mask = torch.zeros(1, n, dtype=torch.bool)
        mask[0, forced] = True
        logits = torch.linspace(-3, 40, n).reshape(1, n).requires_grad_()
        d = Categorical.of(logits, mask)
        log_prob, entropy = d.log_prob(torch.tensor([forced])), d.entropy()
        assert log_prob.item() == 0.0
        assert entropy.item() == 0.0
        (3.0 * log_prob + 5.0 * entropy).sum().backward()
        assert logits.grad.abs().max().item() == 0.0


def test_an_unmasked_categorical_is_one_where_all_is_legal():
    logits = torch.randn(7, 4, generator=torch.Generator().manual_seed(1))
    assert torch.equal(
        Categorical.of(logits).log_probs, Categorical.of(logits, torch.ones(7, 4, dtype=torch.bool)).log_probs
    )


def test_sampling_inverts_the_cumulative_distribution():
    mask = torch.tensor([[False, True, True, False, True]])
    d = Categorical.of(torch.tensor([[9.0, 0.0, 1.0, 9.0, 2.0]]), mask)
    p = d.log_probs.double().exp()[0]
    for noise in (0.0, 0.05, 0.1, 0.3, 0.34, 0.9, 1 - 2**-24):
        drawn = d.sample(torch.tensor([noise], dtype=torch.float32)).item()
        expected = next(i for i in range(5) if p[: i + 1].sum() > noise)
        assert drawn == expected
        assert mask[0, drawn]


def test_no_noise_draws_an_illegal_action():
    extremes = torch.tensor([0.0, 1 - 2**-24, 0.5], dtype=torch.float32)
    for n in (1, 2, 3, 4):
        for bits in itertools.product([False, True], repeat=n):
            if not any(bits):
                continue
            mask = torch.tensor([bits] * 3)
            d = Categorical.of(torch.linspace(-30, 30, n).expand(3, n), mask)
            drawn = d.sample(extremes)
            assert mask[torch.arange(3), drawn].all()


def test_frequencies_of_samples_are_the_probabilities():
    d = Categorical.of(torch.tensor([[0.0, 1.0, -1.0]]), torch.tensor([[True, True, True]]))
    n = 40_000
    noise = torch.from_numpy(np.random.default_rng(3).random(n, np.float32))
    drawn = Categorical(d.log_probs.expand(n, 3)).sample(noise)
    counts = torch.bincount(drawn, minlength=3) / n
    p = d.log_probs.exp()[0]
    assert ((counts - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all()


def test_gaussian_against_torch():
    g = torch.Generator().manual_seed(2)
    mean, other_mean = torch.randn(6, 3, generator=g).double(), torch.randn(6, 3, generator=g).double()
    log_std, other_log_std = torch.randn(3, generator=g).double(), torch.randn(3, generator=g).double()
    actions = torch.randn(6, 3, generator=g).double()
    mine, other = DiagonalGaussian(mean, log_std), DiagonalGaussian(other_mean, other_log_std)
    theirs = torch.distributions.Normal(mean, log_std.exp().expand_as(mean))
    their_other = torch.distributions.Normal(other_mean, other_log_std.exp().expand_as(mean))
    torch.testing.assert_close(mine.log_prob(actions), theirs.log_prob(actions).sum(-1))
    torch.testing.assert_close(mine.entropy(), theirs.entropy().sum(-1))
    torch.testing.assert_close(mine.kl(other), torch.distributions.kl_divergence(theirs, their_other).sum(-1))
    torch.testing.assert_close(mine.sample(actions), mean + log_std.exp() * actions)
    assert torch.equal(mine.mode(), mean)
