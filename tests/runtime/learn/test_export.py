"""The exported graph is the policy: by onnxruntime, for every kind of observation and action."""

import json
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.architecture import architecture_for
from agentc.runtime.learn.context.returns import conditioned_space
from agentc.runtime.learn.context.window import windowed_space
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


# ---------------------------------------------------------------- memory, step by step


class Walk(gymnasium.Env):
    """Shows random numbers, in parts; what is paid depends on the action."""

    def __init__(self, space, action):
        self.observation_space, self.action_space = space, action

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._look(), {}

    def step(self, action):
        return self._look(), float(np.sum(action)) * 0.5 + 0.25, False, False, {}

    def _look(self):
        def drawn(space):
            if isinstance(space, spaces.Dict):
                return {k: drawn(part) for k, part in space.spaces.items()}
            if isinstance(space, spaces.Discrete):
                return int(self.np_random.integers(space.n))
            return self.np_random.standard_normal(space.shape).astype(np.float32)

        return drawn(self.observation_space)


VECTOR = spaces.Box(-1, 1, (3,), np.float32)
PARTS = spaces.Dict({"a": VECTOR, "b": spaces.Discrete(4), "c": spaces.Box(-1, 1, (2, 2), np.float32)})


def remembering(path, env, policy, given, steps=9):
    """Follow a policy in its environment and its graph beside it: each step's actions, and the scores of the graph."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = {i.name: i for i in session.get_inputs()}
    outputs = [o.name for o in session.get_outputs()]
    state = json.loads(session.get_modelmeta().custom_metadata_map["state"])
    seen = policy.within(env)
    for seed in (1, 2):  # a second episode begins with the first state again
        held = {s["input"]: np.full((1, *s["shape"]), s["start"], np.float32) for s in state}
        observed, _ = seen.reset(seed=seed)
        paid = 0.0
        for _ in range(steps):
            action = policy.predict(observed)
            raw = given(env)
            feeds = {k: np.asarray(a)[None] for k, a in raw.items()}
            feeds |= {"reward": np.array([paid], np.float32)} if "reward" in inputs else {}
            assert {*feeds, *held} == set(inputs)
            got = dict(zip(outputs, session.run(None, {**feeds, **held}), strict=True))
            held = {s["input"]: got[s["output"]] for s in state}
            yield action, got["action"][0], observed, held
            observed, paid, *_ = seen.step(action)


class Watched(gymnasium.Wrapper):
    """Keeps the latest observation."""

    def reset(self, **options):
        self.now, info = self.env.reset(**options)
        return self.now, info

    def step(self, action):
        self.now, *rest = self.env.step(action)
        return self.now, *rest


@pytest.mark.parametrize("space", [VECTOR, PARTS], ids=["vector", "parts"])
@pytest.mark.parametrize("memory", ["gru", "transformer", "flat"])
def test_a_policy_with_history_step_by_step(tmp_path, memory, space):
    policy = policy_of(windowed_space(space, 4), BOX, memory=memory, sequences=True)
    env = Watched(Walk(space, BOX))

    def given(env):
        if space is VECTOR:
            return {"observation": env.now}
        return {"a": env.now["a"], "b": np.int64(env.now["b"]), "c": env.now["c"].ravel()}

    path, count = policy.export(tmp_path / "policy.onnx"), 0
    for action, got, observed, held in remembering(path, env, policy, given):
        np.testing.assert_allclose(got, action, atol=1e-5)
        for name, window in held.items():
            key = name.removesuffix(".window")
            np.testing.assert_array_equal(window[0], observed if space is VECTOR else observed[key])
        count += 1
    assert count == 18


@pytest.mark.parametrize("action", [spaces.Discrete(3), BOX], ids=["choice", "numbers"])
def test_a_decision_transformer_step_by_step(tmp_path, action):
    seen = spaces.Dict({"a": VECTOR, "c": spaces.Box(-1, 1, (2, 2), np.float32)})
    made = policy_of(
        conditioned_space(seen, action, 3), action, memory="decision", layers=2, sequences=True, critic=False
    )
    network = ActorCritic(
        replace(made.architecture, target_return=6.0, return_scale=2.0), torch.Generator().manual_seed(2)
    )
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(3)))
    policy = Policy(network)
    env, count, different = Watched(Walk(seen, action)), 0, set()
    path = policy.export(tmp_path / "policy.onnx")
    given = lambda env: {"observation": np.concatenate([env.now["a"], env.now["c"].ravel()])}
    for chosen, got, observed, held in remembering(path, env, policy, given):
        np.testing.assert_allclose(got, chosen, atol=1e-4)
        (window,) = held.values()
        np.testing.assert_allclose(window[0, -1, :1], observed[-1, :1], atol=1e-5)  # the return to go
        np.testing.assert_allclose(window[0, :-1], observed[:-1], atol=1e-4)
        different.add(np.asarray(chosen).tobytes())
        count += 1
    assert count == 18 and len(different) > 1


def test_scores_alone_have_the_window_as_an_input_alone(tmp_path):
    policy = policy_of(windowed_space(VECTOR, 4), spaces.Discrete(2), memory="gru", sequences=True)
    path = policy.export(tmp_path / "policy.onnx", scores_only=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [o.name for o in session.get_outputs()] == ["scores"]
    assert [i.name for i in session.get_inputs()] == ["observation", "observation.window"]
