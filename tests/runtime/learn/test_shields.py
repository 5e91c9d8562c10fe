"""Densities in boxes: they integrate to one, and their gradients are those of the expectation."""

import numpy as np
import pytest
import torch
from scipy import integrate

from agentc.runtime.learn.shields.box import BoxedGaussian, BoxSchedule, ProjectedGaussian


def one(kind, mean, log_std, low, high):
    return kind(*(torch.tensor([[x]], dtype=torch.float64) for x in (mean, log_std, low, high)))


CASES = [(0.3, -0.7, -0.2, 0.9), (2.0, 0.1, -1.0, 1.0), (-0.5, -1.5, 0.0, 3.0)]


@pytest.mark.parametrize("case", CASES)
def test_they_integrate_to_one(case):
    low, high = case[2:]

    def density(kind):
        policy = one(kind, *case)
        return lambda a: float(policy.log_prob(torch.tensor([[a]], dtype=torch.float64)).exp())

    total, _ = integrate.quad(density(BoxedGaussian), low, high, limit=200)
    assert total == pytest.approx(1.0, abs=1e-4)
    projected = density(ProjectedGaussian)
    inside, _ = integrate.quad(projected, low + 1e-12, high - 1e-12, limit=200)
    assert inside + projected(low) + projected(high) == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("kind", [BoxedGaussian, ProjectedGaussian])
def test_the_score_function_is_unbiased(kind):
    """``E[grad log p(a) f(a)]`` over samples is the derivative of ``E[f(a)]``, by finite differences."""
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((400_000, 1)))
    mean = torch.full((400_000, 1), 0.4, dtype=torch.float64, requires_grad=True)
    rest = tuple(torch.full((400_000, 1), x, dtype=torch.float64) for x in (-0.3, -0.5, 1.2))
    actions = kind(mean, *rest).sample(noise).detach()
    assert (actions >= -0.5).all() and (actions <= 1.2).all()
    kind(mean, *rest).log_prob(actions).sum().backward()
    score = float((mean.grad * actions.square()).mean())

    def expected(shift):
        return float(kind(mean.detach() + shift, *rest).sample(noise).square().mean())

    assert score == pytest.approx((expected(1e-4) - expected(-1e-4)) / 2e-4, abs=0.01)


def test_the_box_of_a_controller_grows_to_the_whole_range():
    schedule = BoxSchedule(lambda o: o["x"], np.array([-1.0]), np.array([1.0]), start=0.2, steps=100)
    low, high = schedule.bounds({"x": np.array([[0.0], [0.95]], np.float32)}, 0)
    np.testing.assert_allclose(low, [[-0.2], [0.75]], atol=1e-6)
    np.testing.assert_allclose(high, [[0.2], [1.0]], atol=1e-6)
    low, high = schedule.bounds({"x": np.array([[0.5]], np.float32)}, 100)
    assert (low, high) == (-1.0, 1.0) and schedule.epsilon(50) == pytest.approx(0.6)
