"""``SpecEnv``: what it says is what the reference semantics says, and it is a proper Gymnasium environment."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from scripted import Scripted, agent, letters, read

from agentc.compiler.logic.alphabet import admissible_valuations
from agentc.compiler.logic.finality import verdict, violated
from agentc.compiler.logic.ir import atoms
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.spec_env import SHOWN, SpecEnv, compiled_spec, wrap

SPECS = Path(__file__).parents[2] / "specs"

FORMULAS = """
signal p, q, r : bool
signal mode : enum {idle, run, stop}
signal level : int in [0, 3]
prop high = level >= 2
task   t1 = F (p & X (q U r))
task   t2 = G[0, 4] (p -> F[1, 3] q)
task   t3 = (mode == run) R (level < 3 | q)
task   t4 = F (high & (p S q)) | G (level != 1)
task   t5 = G (first | (prev.mode == run -> mode != stop))
safe   s1 = G (p & q -> WX !r)
safe   s2 = (!high) W (O[0, 3] p)
safe   s3 = G !(mode == stop & prev.mode == idle)
behavior b1 = F (last & level == 0) | H q
assume a1 = G !(p & q & r)
"""
# every task and safe goes on, so that episodes are as long as the script
CONTINUING = (
    FORMULAS
    + "reward { "
    + "; ".join(f"{name} : 0.5 continues" for name in ("t1", "t2", "t3", "t4", "t5", "s1", "s2", "s3"))
    + " }"
)


def random_script(rng: np.random.Generator, length: int) -> list[dict[str, object]]:
    stick = rng.random()  # between independent steps and ones that seldom change
    script: list[dict[str, object]] = []
    for _ in range(length):
        fresh = {
            **{name: bool(rng.integers(2)) for name in "pqr"},
            "mode": str(rng.choice(["idle", "run", "stop"])),
            "level": int(rng.integers(4)),
        }
        if script:
            fresh = {k: (script[-1][k] if rng.random() < stick else v) for k, v in fresh.items()}
        script.append(fresh)
    return script


def test_verdicts_are_those_of_the_reference() -> None:
    compiled = agent(CONTINUING)
    rng = np.random.default_rng(7)
    compared = 0
    for _ in range(25):
        script = random_script(rng, int(rng.integers(2, 12)))
        env = SpecEnv(Scripted([script], "terminated"), compiled, signals=read, horizon=100)
        _, info = env.reset(seed=0)
        trace = [dict(env.valuation)]
        for t in range(len(script)):
            said = info["agentc"]
            prefix = Trace(script[: t + 1])
            for item in compiled.agent.formulas:
                holds = evaluate(item.formula, prefix)
                assert said["verdicts"][item.name].endswith("true") is holds
                compared += 1
                if item.role in ("task", "behavior"):
                    assert said["satisfied"][item.name] is holds
            for proposition in compiled.agent.propositions:
                assert said["labels"][proposition.name] is evaluate(proposition.formula, prefix, t)
            if t < len(script) - 1:
                _, _, terminated, truncated, info = env.step(0)
                trace.append(dict(env.valuation))
        assert terminated and not truncated
        assert trace == [{k: v for k, v in step.items() if k in trace[0]} for step in script]
    assert compared > 1000


@pytest.mark.parametrize("name", ["t1", "t3", "t4", "t5", "s1", "s2", "s3", "b1", "a1"])
def test_finality_is_that_of_the_reference(name: str) -> None:
    compiled = agent(CONTINUING)
    f = compiled.agent.formula(name).formula
    choices = (
        admissible_valuations(atoms(f), compiled.agent.declared)
        if name not in ("t5", "s3")
        else [{"mode": mode} for mode in ("idle", "run", "stop")]
    )
    rng = np.random.default_rng(len(name) + ord(name[1]))
    for _ in range(4):
        script = random_script(rng, 6)
        env = SpecEnv(Scripted([script], "terminated"), compiled, signals=read, horizon=100)
        _, info = env.reset(seed=0)
        for t in range(len(script)):
            expected = verdict(f, Trace(script[: t + 1]), choices)
            assert info["agentc"]["verdicts"][name] == SHOWN[expected]
            if compiled.agent.formula(name).role == "safe":
                assert info["agentc"]["violated"][name] is violated(f, Trace(script[: t + 1]), choices)
            if t < len(script) - 1:
                info = env.step(0)[4]


def test_broken_assumptions_are_named() -> None:
    compiled = agent(
        "signal p, q, r : bool\ntask t = F p\nassume calm = G !q\nassume some = F r\nreward { t : +1 continues }"
    )
    env = SpecEnv(Scripted([letters("", "q", "p")], "terminated"), compiled, signals=read)
    assert env.reset(seed=0)[1]["agentc"]["assumptions_broken"] == []
    assert env.step(0)[4]["agentc"]["assumptions_broken"] == ["calm"]
    assert env.step(0)[4]["agentc"]["assumptions_broken"] == ["calm", "some"]


# ---------------------------------------------------------------- Gymnasium


# every wrapped environment gets the first warning from the checker, whatever the wrapper does; the second is said of
# CartPole's own space
@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")
@pytest.mark.filterwarnings("ignore:.*A Box observation space (maximum|minimum) value is")
@pytest.mark.parametrize("mode", ["dict", "flat", "none"])
@pytest.mark.parametrize("spec", ["doorkey", "cartpole", "office_coffee"])
def test_gymnasium_accepts_it(spec: str, mode: str) -> None:
    env = SpecEnv.make(compiled_spec(SPECS / f"{spec}.agentspec"), observation=mode)
    check_env(env, skip_render_check=True)


def test_modes() -> None:
    compiled = compiled_spec(SPECS / "cartpole.agentspec")
    by_mode = {mode: SpecEnv.make(compiled, observation=mode) for mode in ("dict", "flat", "none")}
    seen = {mode: env.reset(seed=3)[0] for mode, env in by_mode.items()}
    for t in range(20):
        assert set(seen["dict"]) == {"observation", "automaton", "time_left"}
        assert np.array_equal(seen["none"], seen["dict"]["observation"])
        together = [seen["dict"][key] for key in ("observation", "automaton", "time_left")]
        assert np.array_equal(seen["flat"], np.concatenate(together))
        assert seen["flat"].dtype == np.float32
        seen = {mode: env.step(t % 2)[0] for mode, env in by_mode.items()}
    door = SpecEnv.make(compiled_spec(SPECS / "doorkey.agentspec"))
    assert set(door.observation_space.spaces) == {"image", "direction", "automaton"}


def test_the_automaton_s_state_is_observed() -> None:
    compiled = agent(
        "signal p, q, r : bool\ntask t = F (p & F q)\nsafe s = G !r\nreward { t : +1 continues; s : -1 continues }"
    )
    env = SpecEnv(Scripted([letters("", "p", "", "pqr")], "none"), compiled, signals=read)
    seen = [env.reset(seed=0)[0]["automaton"]] + [env.step(0)[0]["automaton"] for _ in range(3)]
    for code in seen:
        assert code.sum() == 2 and set(code.tolist()) == {0.0, 1.0}
    assert not np.array_equal(seen[0], seen[1]) and np.array_equal(seen[1], seen[2])
    assert (seen[2] != seen[3]).sum() == 4


def test_large_automata_are_observed_as_digits() -> None:
    compiled = agent("signal p, q, r : bool\ntask t = F[0, 200] p\nreward { t : +1 }")
    size = len(compiled.monitors["t"].parts[0].verdicts)
    assert size > 200
    env = SpecEnv(Scripted([letters(*[""] * 60)], "none"), compiled, signals=read)
    codes = [env.reset(seed=0)[0]["automaton"]] + [env.step(0)[0]["automaton"] for _ in range(59)]
    assert codes[0].shape == ((size - 1).bit_length(),)
    assert len({code.tobytes() for code in codes}) == 60


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")
def test_gymnasium_s_own_wrappers_and_spec() -> None:
    env = SpecEnv.make(compiled_spec(SPECS / "office_coffee.agentspec"))
    recorded = gymnasium.wrappers.RecordEpisodeStatistics(env)
    recorded.reset(seed=0)
    recorded.action_space.seed(0)
    total, ended = 0.0, False
    while not ended:
        _, reward, terminated, truncated, info = recorded.step(recorded.action_space.sample())
        total += float(reward)
        ended = terminated or truncated
    assert info["episode"]["r"] == pytest.approx(total)
    assert info["agentc"]["episode"]["length"] == info["episode"]["l"]


def test_wrap_puts_a_spec_on_a_plain_minigrid() -> None:
    plain = gymnasium.make("MiniGrid-DoorKey-6x6-v0", disable_env_checker=True)
    env = wrap(plain, SPECS / "doorkey.agentspec")
    observation, info = env.reset(seed=0)
    assert set(observation) == {"image", "direction", "mission", "automaton"}
    assert env.horizon == 250  # declared; the environment itself would go on to 360
    assert info["agentc"]["signals"] == {"carrying": "none", "door": "locked", "tile": "empty"}
    for t in range(1, 251):
        _, _, terminated, truncated, _ = env.step(6)
        assert (terminated, truncated) == (False, t == 250)


def test_wrap_reads_foreign_environments_by_a_function() -> None:
    class Lamp(gymnasium.Env):
        observation_space = spaces.Box(-10, 10, (2,), np.float32)
        action_space = spaces.Discrete(3, start=5)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.heat = 0.0
            return np.zeros(2, np.float32), {"hint": 1}

        def step(self, action):
            self.heat += float(action - 6)
            return np.array([self.heat, 0], np.float32), 0.0, False, False, {"hint": 2}

    compiled = agent("""
      signal heat : real in [-100, 100]
      signal lit : bool
      signal place : vec[2]
      signal action : enum {cool, wait, warm}
      task warm = F (heat >= 3)
      safe no_cooling = G (first | action != cool)
      safe near = G (place in box(lo = (-1, -1), hi = (9, 9)))
      reward { warm : +1; no_cooling : -1; near : -1 }""")
    env = wrap(
        Lamp(),
        compiled,
        signals=lambda env, observation: {
            "heat": observation[0],
            "lit": observation[0] > 1,
            "place": observation,
            "unused": object(),
        },
    )
    _, info = env.reset(seed=0)
    assert info["hint"] == 1 and info["agentc"]["signals"] == {"heat": 0.0, "place": (0.0, 0.0)}
    for expected in (False, False, True):
        _, reward, terminated, _, info = env.step(7)
        assert terminated is expected and info["agentc"]["signals"]["action"] == "warm"
    assert reward == 1 and info["hint"] == 2
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step(5)
    assert terminated and reward == -1 and info["agentc"]["violated"] == {"no_cooling": True, "near": False}


# ---------------------------------------------------------------- what is wrong


def codes(error: pytest.ExceptionInfo[AgentcError]) -> list[str]:
    return [d.code for d in error.value.diagnostics]


def test_a_time_limit_that_nobody_knows() -> None:
    compiled = agent("signal p, q, r : bool\ntask stay = G p\nreward { stay : +1 }")
    with pytest.raises(AgentcError) as error:
        SpecEnv(Scripted([letters("p", "p")]), compiled, signals=read)
    assert codes(error) == ["AS0915"] and "stay" in error.value.diagnostics[0].message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5, 7.5, "much", None, True])
def test_values_that_are_not_of_the_declared_type(value: object) -> None:
    compiled = agent("signal x : real in [0, 5]\ntask t = F (x > 4)\nreward { t : +1 }")
    env = SpecEnv(Scripted([[{"x": 1.0}, {"x": value}]]), compiled, signals=read)
    env.reset(seed=0)
    with pytest.raises(AgentcError) as error:
        env.step(0)
    assert codes(error) == ["AS0908"]
    assert error.value.diagnostics[0].help == "the spec declares it as real in [0, 5]"


def test_a_member_that_is_not_declared() -> None:
    compiled = agent("signal m : enum {a, b}\ntask t = F (m == b)\nreward { t : +1 }")
    with pytest.raises(AgentcError) as error:
        SpecEnv(Scripted([[{"m": "c"}, {"m": "a"}]]), compiled, signals=read).reset(seed=0)
    assert codes(error) == ["AS0908"]


def test_a_signal_that_the_function_forgets() -> None:
    compiled = agent("signal speed : real\ntask t = F (speed > 4)\nreward { t : +1 }")
    with pytest.raises(AgentcError) as error:
        SpecEnv(Scripted([[{"sped": 1.0}]]), compiled, signals=read).reset(seed=0)
    assert codes(error) == ["AS0907"] and error.value.diagnostics[0].help == "did you mean `sped`?"


def test_another_environment_than_the_spec_s() -> None:
    with pytest.raises(AgentcError) as error:
        wrap(gymnasium.make("CartPole-v1"), SPECS / "doorkey.agentspec")
    assert codes(error) == ["AS0909"]


def test_not_a_spec(tmp_path: Path) -> None:
    with pytest.raises(AgentcError) as error:
        compiled_spec(42)  # type: ignore[arg-type]
    assert codes(error) == ["AS0917"]
    empty = tmp_path / "none.agentspec"
    empty.write_text("const c = 1\n")
    with pytest.raises(AgentcError) as error:
        compiled_spec(empty)
    assert codes(error) == ["AS0917"]
    empty.write_text("agent {\n")
    with pytest.raises(AgentcError):
        compiled_spec(str(empty))
    with pytest.raises(AgentcError) as error:
        compiled_spec(tmp_path / "nowhere.agentspec")
    assert codes(error) == ["AS0140"]


def test_extern_is_refused_unless_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentc.compiler.pipeline import check
    from agentc.lang.source import Source
    from agentc.runtime.compiled import CompiledAgent

    (tmp_path / "labels_of_a_test.py").write_text("def bright(env, observation):\n    return observation[0] > 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = """
    environment script() { engine script }
    agent A {
      env script
      signal bright : bool = extern "labels_of_a_test:bright"
      task t = F bright
      reward { t : +1 }
    }"""
    result = check(Source("<test>", text), allow_extern=["labels_of_a_test"])
    assert result.ok
    scripts = [[{}, {}, {}, {}]]
    with pytest.raises(AgentcError) as error:
        SpecEnv(Scripted(scripts), CompiledAgent.from_ir(result.agents[0]), signals=read)
    assert codes(error) == ["AS0916"]
    allowed = CompiledAgent.from_ir(result.agents[0], allow_extern=["labels_of_a_test"])
    env = SpecEnv(Scripted(scripts), allowed, signals=read)
    env.reset(seed=0)
    assert [env.step(0)[1] for _ in range(2)] == [0.0, 1.0]


def test_keys_that_are_taken_and_observations_that_cannot_be_flat() -> None:
    class Clash(Scripted):
        def __init__(self) -> None:
            super().__init__([letters("", "")])
            self.observation_space = spaces.Dict({"automaton": spaces.Discrete(2)})

    compiled = agent("signal p, q, r : bool\ntask t = F p\nreward { t : +1 }")
    with pytest.raises(AgentcError) as error:
        SpecEnv(Clash(), compiled, signals=read)
    assert codes(error) == ["AS0914"]
    grid = gymnasium.make("MiniGrid-DoorKey-6x6-v0", disable_env_checker=True)
    grid.observation_space = spaces.Sequence(spaces.Discrete(2))
    with pytest.raises(AgentcError) as error:
        wrap(grid, SPECS / "doorkey.agentspec", observation="flat")
    assert codes(error) == ["AS0913"]


def test_step_before_reset() -> None:
    compiled = agent("signal p, q, r : bool\ntask t = F p\nreward { t : +1 }")
    with pytest.raises(gymnasium.error.ResetNeeded):
        SpecEnv(Scripted([letters("", "")]), compiled, signals=read).step(0)


def test_what_is_not_built_yet_is_refused() -> None:
    compiled = agent("signal x : real in [0, 5]\ntask t = F count(x > 4) > 3\nreward { t : +1 }")
    with pytest.raises(AgentcError) as error:
        SpecEnv(Scripted([[{"x": 1.0}]]), compiled, signals=read)
    assert codes(error) == ["AS0714"]


def shortest_delivery() -> list[int]:
    """Actions of a shortest way in the office from the start to a coffee and on to the office, around the plants."""
    from collections import deque

    from agentc.runtime.envs.office_world import PLACES, START, WIDTH, transitions

    table = transitions()
    start = (START[0] + WIDTH * START[1], 0)
    queue, came = deque([start]), {start: (start, -1)}
    while queue:
        state = queue.popleft()
        if state[1] == 2:
            break
        for action, cell in enumerate(table[state[0]].tolist()):
            tile = PLACES.get((cell % WIDTH, cell // WIDTH), "")
            following = (cell, state[1] + (tile == ("coffee", "office", "")[state[1]]))
            if tile != "plant" and following not in came:
                came[following] = (state, action)
                queue.append(following)
    actions = []
    while state != start:
        state, action = came[state]
        actions.append(action)
    return actions[::-1]


def test_the_office_is_served_by_a_script(tmp_path: Path) -> None:
    text = (SPECS / "office_coffee.agentspec").read_text()
    assert "random_start = true" in text
    spec = tmp_path / "from_the_door.agentspec"
    spec.write_text(text.replace("random_start = true", "random_start = false"))
    env = SpecEnv.make(compiled_spec(spec), shaping=False)
    env.reset(seed=0)
    actions = shortest_delivery()
    assert len(actions) == 15  # the optimal length that was published
    for action in actions[:-1]:
        _, _, terminated, truncated, info = env.step(action)
        assert not terminated and not truncated
    assert info["agentc"]["verdicts"] == {"deliver": "presumably false", "tidy": "presumably true"}
    _, _, terminated, _, info = env.step(actions[-1])
    said = info["agentc"]
    assert terminated and said["verdicts"]["deliver"] == "true" and said["violated"] == {"tidy": False}
    assert said["reward"]["deliver"] == 1.0
    assert said["episode"]["return"] == pytest.approx(1.0 - 15 * 0.001)
