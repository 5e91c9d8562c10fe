"""The exported graph is the policy: by onnxruntime, for every kind of observation and action."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.architecture import architecture_for
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.policy import Policy

from .test_networks import SPACES, batch_of

onnxruntime = pytest.importorskip("onnxruntime")

BOX = spaces.Box(np.array([-2, 0], np.float32), np.array([1, 5], np.float32))
HEADS = {
    "categorical": (spaces.Discrete(5), "policy"),
    "values": (spaces.Discrete(5), "values"),
    "multi": (spaces.MultiDiscrete([3, 4]), "policy"),
    "gaussian": (BOX, "policy"),
    "squashed": (BOX, "soft"),
    "deterministic": (BOX, "deterministic"),
}


def policy_of(space, action, head="policy", **options):
    architecture = architecture_for(space, action, hidden=8, head=head, **options)
    network = ActorCritic(architecture, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for p in network.actor[-1].parameters():
            p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
        if architecture.normalize:
            network.input_mean.fill_(0.3)
            network.input_scale.fill_(1.7)
    return Policy(network)


def run(path, batch, **more):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds = {k or "observation": a for k, a in batch.items()}
    kinds = {i.name: i.type for i in session.get_inputs()}
    feeds = {k: a.astype(np.float32) if "float" in kinds[k] else a for k, a in feeds.items()}
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, {**feeds, **more}), strict=True))


@pytest.mark.parametrize("encoder", ["dense", "conv"])
@pytest.mark.parametrize("name", SPACES)
def test_every_observation(tmp_path, name, encoder):
    policy = policy_of(
        SPACES[name], spaces.Discrete(5), encoder=encoder, normalize=name in ("vector", "dict", "matrix")
    )
    batch = batch_of(SPACES[name], 40)
    got = run(policy.export(tmp_path / "policy.onnx"), batch)
    network = policy._network
    with torch.no_grad():
        scores = network.actor(network.features(network.normalized(network.inputs(batch)))).numpy()
    np.testing.assert_allclose(got["scores"], scores, atol=1e-5)
    expected = policy.act(batch if name == "dict" else batch[""], None, None)
    np.testing.assert_array_equal(got["action"], expected)


@pytest.mark.parametrize("name", HEADS)
def test_every_action(tmp_path, name):
    action, head = HEADS[name]
    policy = policy_of(SPACES["vector"], action, head, normalize=True)
    batch = batch_of(SPACES["vector"], 60)
    got = run(policy.export(tmp_path / "policy.onnx"), batch)["action"]
    expected = policy.act(batch[""], None, None)
    assert got.dtype == expected.dtype and got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=1e-5)
    alone = policy.predict(batch[""][0])
    np.testing.assert_allclose(alone, expected[0], atol=1e-5)
    again = Policy.read(str(policy.export(tmp_path / "policy.safetensors")))
    np.testing.assert_array_equal(again.act(batch[""], None, None), expected)


def test_the_mask_is_an_input(tmp_path):
    policy = policy_of(SPACES["vector"], spaces.Discrete(5))
    batch = batch_of(SPACES["vector"], 80)
    mask = np.random.default_rng(0).random((80, 5)) < 0.4
    mask[:, 2] |= ~mask.any(1)
    got = run(policy.export(tmp_path / "policy.onnx", mask=True), batch, mask=mask)["action"]
    np.testing.assert_array_equal(got, policy.act(batch[""], mask, None))
    assert mask[np.arange(80), got].all() and (got != policy.act(batch[""], None, None)).any()


def test_privileged_parts_are_not_in_the_graph(tmp_path):
    policy = policy_of(SPACES["dict"], spaces.Discrete(5), privileged=("automaton",))
    batch = batch_of(SPACES["dict"], 10)
    del batch["automaton"]
    run(policy.export(tmp_path / "policy.onnx"), batch)


def test_the_same_policy_makes_the_same_bytes(tmp_path):
    policy = policy_of(SPACES["grid"], spaces.Discrete(5))
    for ending in ("onnx", "safetensors"):
        one, two = (policy.export(tmp_path / f"{n}.{ending}").read_bytes() for n in "ab")
        assert one == two
    scores = run(policy.export(tmp_path / "s.onnx", scores_only=True), batch_of(SPACES["grid"], 3))
    assert list(scores) == ["scores"]


def test_files_that_are_no_policy(tmp_path):
    policy = policy_of(SPACES["vector"], spaces.Discrete(5))
    for path, data, code in (("none", None, "AS0840"), ("bad", b"x" * 40, "AS0841"), ("short", b"", "AS0841")):
        if data is not None:
            (tmp_path / path).write_bytes(data)
        with pytest.raises(AgentcError) as caught:
            Policy.read(tmp_path / path)
        assert caught.value.diagnostics[0].code == code
    whole = policy.export(tmp_path / "p.safetensors").read_bytes()
    for at in range(0, 400, 7):
        (tmp_path / "cut").write_bytes(whole[:at])
        with pytest.raises(AgentcError):
            Policy.read(tmp_path / "cut")
