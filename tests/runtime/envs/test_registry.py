"""Making environments by name, and what a wrong name, argument or installation gets."""

from __future__ import annotations

import sys

import gymnasium
import pytest

from agentc.compiler.agent import EnvironmentIR
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.envs.registry import (
    ENGINES,
    EngineArgument,
    binding,
    horizon_of,
    installed,
    make_environment,
    signal_reader,
)


def environment(engine: str, **arguments: object) -> EnvironmentIR:
    return EnvironmentIR("e", engine, arguments, ())  # type: ignore[arg-type]


def codes(error: pytest.ExceptionInfo[AgentcError]) -> list[str]:
    return [d.code for d in error.value.diagnostics]


def test_every_engine_has_a_binding() -> None:
    for name, row in ENGINES.items():
        if row.alone and not installed(name):  # what no extra brings may be missing
            continue
        found = binding(name)
        assert found.engine == name and found.signals and installed(name)


def test_unknown_engine_gets_a_suggestion() -> None:
    with pytest.raises(AgentcError) as error:
        binding("minigird")
    assert codes(error) == ["AS0901"]
    assert error.value.diagnostics[0].help == "did you mean `minigrid`?"


@pytest.mark.parametrize(
    ("engine", "name", "meant"),
    [
        ("minigrid", "MiniGrid-DorKey-6x6-v0", "MiniGrid-DoorKey-6x6-v0"),
        ("minigrid", "minigrid-doorkey-6x6-v0", "MiniGrid-DoorKey-6x6-v0"),
        ("minigrid", "BabyAI-GoToLocall-v0", "BabyAI-GoToLocal-v0"),
        ("classic", "Cartpole-v1", "CartPole-v1"),
    ],
)
def test_unknown_id_gets_a_suggestion(engine: str, name: str, meant: str) -> None:
    with pytest.raises(AgentcError) as error:
        make_environment(environment(engine, id=name, max_steps=10))
    assert codes(error) == ["AS0903"]
    assert error.value.diagnostics[0].help == f"did you mean `{meant}`?"


def test_every_wrong_argument_is_reported() -> None:
    with pytest.raises(AgentcError) as error:
        make_environment(environment("minigrid", max_step=3, view="whole", max_steps=2.5))
    assert codes(error) == ["AS0904", "AS0905", "AS0905", "AS0905"]
    helps = [d.help for d in error.value.diagnostics]
    assert helps[0] == "did you mean `max_steps`?" and helps[3] == "it is a text"


@pytest.mark.parametrize(
    ("argument", "good", "bad"),
    [
        (EngineArgument("a", "int", low=1), [1, 3.0], [0, 1.5, True, "1", None, float("nan"), float("inf")]),
        (EngineArgument("a", "real", low=0, high=1), [0, 0.5, 1.0], [-0.1, 1.1, "x", False, float("nan")]),
        (EngineArgument("a", "bool"), [True, False], [0, 1, "true"]),
        (EngineArgument("a", "text", choices=("u", "v")), ["u"], ["w", 3, ""]),
    ],
)
def test_arguments_admit(argument: EngineArgument, good: list[object], bad: list[object]) -> None:
    assert all(argument.admits(v) for v in good)  # type: ignore[arg-type]
    assert not any(argument.admits(v) for v in bad)  # type: ignore[arg-type]


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "agentc.runtime.envs.minigrid", raising=False)
    monkeypatch.setitem(sys.modules, "minigrid", None)
    with pytest.raises(AgentcError) as error:
        binding("minigrid")
    assert codes(error) == ["AS0902"]
    assert error.value.diagnostics[0].help == "pip install agentspec-compiler[minigrid]"
    assert not installed("minigrid")


def test_horizon() -> None:
    assert horizon_of(environment("minigrid", id="MiniGrid-Empty-5x5-v0")) == 250
    assert horizon_of(environment("classic", id="CartPole-v1", max_steps=77)) == 77
    assert horizon_of(environment("office")) == 1000
    assert horizon_of(EnvironmentIR("e", "office", {}, (), horizon=12)) == 12


def test_readers_refuse_what_they_cannot_read() -> None:
    cartpole = gymnasium.make("CartPole-v1")
    with pytest.raises(AgentcError) as error:
        signal_reader("minigrid", cartpole, ["door"])
    assert codes(error) == ["AS0909"]
    with pytest.raises(AgentcError) as error:
        signal_reader("classic", cartpole, ["x", "thta"])
    assert codes(error) == ["AS0906"]
    assert error.value.diagnostics[0].help == "did you mean `theta`?"
    with pytest.raises(AgentcError) as error:
        signal_reader("classic", cartpole, ["x", "position"])  # of another problem of the family
    assert codes(error) == ["AS0906"]


@pytest.mark.parametrize(
    ("engine", "arguments", "steps"),
    [
        ("minigrid", {"id": "MiniGrid-Empty-5x5-v0", "max_steps": 7}, 7),
        ("classic", {"id": "Pendulum-v1", "max_steps": 9}, 9),
        ("office", {"max_steps": 5}, 5),
    ],
)
def test_episodes_are_cut_at_the_horizon(engine: str, arguments: dict[str, object], steps: int) -> None:
    env = make_environment(environment(engine, **arguments))
    env.reset(seed=0)
    action = 0 if engine != "classic" else env.action_space.sample() * 0
    cuts = [env.step(action)[3] for _ in range(steps)]
    assert cuts == [False] * (steps - 1) + [True]
