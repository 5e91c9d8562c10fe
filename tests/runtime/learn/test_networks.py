"""Encoders and the architecture as data."""

import json

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.architecture import GRID_CODES, Architecture, architecture_for
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.networks.encoders import GridOneHot, check_codes

SPACES = {
    "vector": spaces.Box(-1, 1, (3,), np.float32),
    "matrix": spaces.Box(-1, 1, (3, 2), np.float64),
    "integer": spaces.Discrete(4, start=-1),
    "bits": spaces.MultiBinary(3),
    "grid": spaces.Box(0, 255, (7, 7, 3), np.uint8),
    "pixels": spaces.Box(0, 255, (40, 44, 3), np.uint8),
    "icon": spaces.Box(0, 255, (12, 12, 1), np.uint8),
    "dict": spaces.Dict(
        {"observation": spaces.Box(0, 255, (7, 7, 3), np.uint8), "automaton": spaces.Box(0, 1, (4,), np.float32)}
    ),
}


def batch_of(space, n, seed=0):
    rng = np.random.default_rng(seed)
    if isinstance(space, spaces.Dict):
        return {k: batch_of(s, n)[""] for k, s in space.spaces.items()}
    if isinstance(space, spaces.Discrete):
        return {"": rng.integers(space.start, space.start + space.n, n)}
    if space.dtype == np.uint8 and space.shape[-1] == 3 and max(space.shape) < 33:
        return {"": rng.integers(0, GRID_CODES, (n, *space.shape)).astype(np.uint8)}
    if space.dtype in (np.uint8, np.int8):
        return {"": rng.integers(0, 2, (n, *space.shape)).astype(space.dtype)}
    return {"": rng.standard_normal((n, *space.shape)).astype(space.dtype)}


@pytest.mark.parametrize("encoder", ["dense", "conv"])
@pytest.mark.parametrize("name", SPACES)
def test_every_space_has_a_network_that_its_data_rebuilds(name, encoder):
    architecture = architecture_for(SPACES[name], spaces.Discrete(5), encoder=encoder, hidden=8)
    again = Architecture.from_data(json.loads(json.dumps(architecture.to_data())))
    assert again == architecture
    network = ActorCritic(again, torch.Generator().manual_seed(0))
    inputs = network.inputs(batch_of(SPACES[name], 6))
    policy, value = network.both(inputs)
    assert policy.log_probs.shape == (6, 5)
    assert value.shape == (6,)
    torch.testing.assert_close(network.value(inputs), value)
    torch.testing.assert_close(network.policy(inputs).log_probs, policy.log_probs)
    (policy.log_probs.square().sum() + value.square().sum()).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_gaussian_policies_have_the_shape_of_their_space():
    architecture = architecture_for(SPACES["vector"], spaces.Box(-2, 3, (2, 2), np.float32))
    assert (architecture.action.size, architecture.action.shape) == (4, (2, 2))
    policy = ActorCritic(architecture).policy((torch.zeros(5, 3),))
    assert policy.sample(torch.zeros(5, 4)).shape == (5, 4)


def test_weights_depend_on_the_generator_alone():
    architecture = architecture_for(SPACES["dict"], spaces.Discrete(2))
    torch.manual_seed(1)
    first = ActorCritic(architecture, torch.Generator().manual_seed(3)).state_dict()
    torch.manual_seed(2)
    again = ActorCritic(architecture, torch.Generator().manual_seed(3)).state_dict()
    other = ActorCritic(architecture, torch.Generator().manual_seed(4)).state_dict()
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def test_grid_one_hot_against_a_direct_one():
    part = architecture_for(SPACES["grid"], spaces.Discrete(2)).parts[0]
    cells = batch_of(SPACES["grid"], 3)[""]
    got = GridOneHot(part)(torch.from_numpy(cells)).numpy().reshape(3, 7, 7, sum(GRID_CODES))
    for i, y, x in np.ndindex(3, 7, 7):
        expected = np.concatenate([np.eye(n)[cells[i, y, x, c]] for c, n in enumerate(GRID_CODES)])
        np.testing.assert_array_equal(got[i, y, x], expected)


def test_an_unknown_grid_code_is_named():
    architecture = architecture_for(SPACES["dict"], spaces.Discrete(2))
    grid = np.zeros((4, 2, 7, 7, 3), np.uint8)
    check_codes(architecture, {"observation": grid})
    grid[3, 1, 6, 0, 1] = 6
    with pytest.raises(AgentcError) as caught:
        check_codes(architecture, {"observation": grid})
    (found,) = caught.value.diagnostics
    assert (found.code, found.values["env"], found.values["value"], found.values["channel"]) == ("AS0944", 1, 6, 1)


@pytest.mark.parametrize(
    ("observation", "action", "role"),
    [
        (spaces.Text(5), spaces.Discrete(2), "observation"),
        (spaces.Dict({"mission": spaces.Text(5)}), spaces.Discrete(2), "observation"),
        (SPACES["vector"], spaces.MultiBinary(2), "action"),
        (SPACES["vector"], spaces.Box(0, 9, (1,), np.int64), "action"),
    ],
)
def test_spaces_that_no_learner_can_use(observation, action, role):
    with pytest.raises(AgentcError) as caught:
        architecture_for(observation, action)
    assert caught.value.diagnostics[0].code == "AS0940"
    assert caught.value.diagnostics[0].values["role"] == role


@pytest.mark.parametrize(
    "change",
    [
        {"parts": []},
        {"parts": [{"key": "", "kind": "sound", "shape": [3], "size": 3}]},
        {"hidden": -1},
        {"hidden": True},
        {"activation": "sine"},
        {"surprise": 1},
        {"action": {"kind": "categorical"}},
        {"action": 3},
        {"layers": "2"},
    ],
)
def test_data_that_is_no_architecture(change):
    data = {**architecture_for(SPACES["vector"], spaces.Discrete(2)).to_data(), **change}
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        Architecture.from_data(json.loads(json.dumps(data)))


def test_normalised_inputs():
    architecture = architecture_for(SPACES["vector"], spaces.Discrete(2), normalize=True)
    network = ActorCritic(architecture, torch.Generator().manual_seed(0))
    plain = network.value((torch.tensor([[1.0, -1.0, 0.5]]),))
    network.input_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    network.input_scale.copy_(torch.tensor([0.5, 2.0, 1.0]))
    torch.testing.assert_close(network.value((torch.tensor([[3.0, 1.5, 3.5]]),)), plain)
