"""Policies with a symmetry: exactly equivariant whatever their weights, before and after training, and as graphs."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agentc.compiler.symmetry import parse
from agentc.compiler.training_checks import conflicts
from agentc.compiler.training_config import TRAINERS
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.architecture import Architecture, architecture_for
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.off_policy_config import SACConfig
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.train import train

from .environments import Target, vector_of

SEEN = spaces.Box(-9, 9, (5,), np.float32)
PLANE = spaces.Box(-2, 2, (3,), np.float32)
FOUR = spaces.Discrete(5)
TURN = np.array([[0, -1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, -1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]], np.float32)
MIRROR = np.diag([1, -1, 1, -1, 1]).astype(np.float32)
TURNED = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
MIRRORED = np.diag([1, -1, 1]).astype(np.float32)
ROUND = np.eye(5, dtype=np.float32)[[3, 0, 1, 2, 4]]  # choice 0 becomes 1, 1 becomes 2, 2 becomes 3, 3 becomes 0
SWAPPED = np.eye(5, dtype=np.float32)[[1, 0, 2, 3, 4]]
CASES = {
    "turn, numbers": ("turn 0,1 2,3 > 0,1", PLANE, TURN, TURNED),
    "mirror, numbers": ("mirror 1 3 > 1", PLANE, MIRROR, MIRRORED),
    "turn, choices": ("turn 0,1 2,3 > 0,1,2,3", FOUR, TURN, ROUND),
    "mirror, choices": ("mirror 1 3 > 0,1", FOUR, MIRROR, SWAPPED),
}
HEADS = {True: ("policy", "values"), False: ("policy", "soft", "deterministic")}


def network(symmetry, action, head="policy"):
    made = ActorCritic(
        architecture_for(SEEN, action, hidden=8, head=head, symmetry=symmetry), torch.Generator().manual_seed(0)
    )
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.5 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    return made


def outputs(made, x):
    """What a policy says of each row, means and deviations apart."""
    with torch.no_grad():
        said = made.policy(made.inputs({"": x}))
        raw = made.output(torch.from_numpy(x)).numpy()
        mean = raw[:, : made.architecture.action.size]
        log_std = getattr(said, "log_std", None)
    return mean, None if log_std is None else log_std.detach().expand(mean.shape).numpy()


def is_equivariant(made, seen, done, tolerance=1e-6):
    x = np.random.default_rng(0).standard_normal((64, 5)).astype(np.float32)
    mean, log_std = outputs(made, x)
    moved, log_std_moved = outputs(made, x @ seen.T)
    np.testing.assert_allclose(moved, mean @ done.T, atol=tolerance * max(1.0, np.abs(mean).max()))
    assert np.abs(mean - moved).max() > 1e-3  # it does depend on what is moved
    if log_std is not None:
        np.testing.assert_allclose(log_std_moved, log_std @ np.abs(done).T, atol=1e-5)
    with torch.no_grad():
        worth = made.value(made.inputs({"": x})).numpy()
        again = made.value(made.inputs({"": x @ seen.T})).numpy()
    np.testing.assert_allclose(again, worth, atol=tolerance * max(1.0, np.abs(worth).max()))


@pytest.mark.parametrize("case", CASES)
def test_whatever_the_weights(case):
    symmetry, action, seen, done = CASES[case]
    for head in HEADS[isinstance(action, spaces.Discrete)]:
        made = network(symmetry, action, head)
        is_equivariant(made, seen, done)
        with pytest.raises(AssertionError):
            is_equivariant(network("", action, head), seen, done)


@pytest.mark.parametrize("case", CASES)
def test_the_graph_is_equivariant_and_the_policy(tmp_path, case):
    onnxruntime = pytest.importorskip("onnxruntime")
    symmetry, action, seen, _ = CASES[case]
    x = np.random.default_rng(1).standard_normal((32, 5)).astype(np.float32)
    for head in HEADS[isinstance(action, spaces.Discrete)]:
        policy = Policy(network(symmetry, action, head))
        path = policy.export(tmp_path / "policy.onnx")
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        for rows in (x, x @ seen.T):
            (got,) = session.run(["action"], {"observation": rows})
            np.testing.assert_allclose(got, policy.act(rows, None, None), atol=1e-5)
        again = Policy.read(policy.export(tmp_path / "policy.safetensors"))
        np.testing.assert_array_equal(again.act(x, None, None), policy.act(x, None, None))
        assert Architecture.from_data(policy.architecture.to_data()) == policy.architecture


class Signed(Target):
    """Says the number that is shown: a mirror changes the sign of both."""


@pytest.mark.parametrize(
    "config",
    [
        PPOConfig(steps=1024, envs=4, rollout=64, hidden=8, minibatches=2, symmetry="mirror 0 > 0", learning_rate=1e-2),
        SACConfig(
            steps=300, envs=2, rollout=50, hidden=8, batch=8, warmup=60, symmetry="mirror 0 > 0", learning_rate=1e-2
        ),
    ],
    ids=["ppo", "sac"],
)
def test_training_keeps_it(tmp_path, config):
    train(vector_of(config.envs, Signed), config, tmp_path)
    policy = Policy.load(tmp_path)
    x = np.linspace(-1, 1, 21, dtype=np.float32)[:, None]
    action = policy.act(x, None, None).ravel()
    np.testing.assert_allclose(action, -action[::-1], atol=1e-6)
    assert np.ptp(action) > 0.05


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("spin 0 > 0", "it is written"),
        ("mirror 0 1", "it is written"),
        ("mirror x > 0", "no number"),
        ("mirror 0 0 > 0", "twice"),
        ("mirror > 0", "no number of the observation"),
        ("turn 0 > 0,1", "pairs"),
    ],
)
def test_texts_that_say_none(text, said):
    with pytest.raises(ValueError, match=said):
        parse(text)
    values = {**TRAINERS["ppo"].defaults(), "symmetry": text}
    assert said in conflicts(values)[0]


def test_what_else_is_refused():
    values = {**TRAINERS["ppo"].defaults(), "symmetry": "mirror 0 > 0"}
    assert conflicts(values) == []
    for name, value in (("history", 3), ("normalize_observations", True), ("privileged", "a")):
        assert name in conflicts({**values, name: value})[0]
    lopsided = spaces.Box(np.array([-1, -1, -1], np.float32), np.array([1, 2, 1], np.float32))
    for text, action, head in (
        ("mirror 7 > 0", PLANE, "policy"),
        ("mirror 0 > 7", PLANE, "policy"),
        ("mirror 0 > 0,1", PLANE, "policy"),
        ("turn 0,1 > 0,1", FOUR, "policy"),
        ("mirror 0 > 0", spaces.MultiDiscrete([2, 2]), "policy"),
        ("mirror 0 > 1", lopsided, "soft"),
        ("turn 0,1 > 0,1", lopsided, "soft"),
    ):
        with pytest.raises(AgentcError) as caught:
            network(text, action, head)
        assert caught.value.diagnostics[0].code == "AS0940"
