"""The declarations of the standard library and the bindings say the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from agentc.compiler.agent import EnvironmentIR, SignalIR
from agentc.compiler.logic.ir import Value
from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.envs.listing import list_environments
from agentc.runtime.envs.registry import (
    ENGINES,
    SYSTEM,
    binding,
    horizon_of,
    installed,
    make_environment,
    signal_reader,
)

EVERY = [entry for entry in list_environments() if entry.built]
LISTED = {
    entry.name: entry
    for entry in EVERY
    if entry.engine != SYSTEM and (installed(entry.engine) or not ENGINES[entry.engine].alone)
}

# how to call each environment, with the parameters that have no default
CALLS = {
    "minigrid": [
        'minigrid("MiniGrid-DoorKey-6x6-v0", max_steps = 60)',
        'minigrid("MiniGrid-LavaGapS5-v0")',
        'minigrid("MiniGrid-Dynamic-Obstacles-Random-5x5-v0", view = full)',
        'minigrid("MiniGrid-MultiRoom-N4-S5-v1")',
        'minigrid("BabyAI-GoToImpUnlock-v0", max_steps = 40)',
        'minigrid("BabyAI-PutNextS5N2Carrying-v0")',
        'minigrid("MiniGrid-Playground-v0")',
    ],
    "office": ["office", "office(max_steps = 70, slip = 0.2, random_start = true)"],
    "craft": ["craft", "craft(map = 3, max_steps = 50, slip = 0.2)"],
    "water": ["water", "water(map = 2, max_steps = 40)"],
    "letters": ["letters"],
    "zones": ["zones(max_steps = 100)"],
    "half_cheetah": ["half_cheetah(max_steps = 200)"],
    "cartpole": ["cartpole", "cartpole(max_steps = 30)"],
    "pendulum": ["pendulum"],
    "mountain_car": ["mountain_car"],
    "mountain_car_continuous": ["mountain_car_continuous(max_steps = 300)"],
    "acrobot": ["acrobot"],
    "corpus_qa": ["corpus_qa", 'corpus_qa(split = "test", max_steps = 5)'],
    "retail": ["retail"],
    "airline": ["airline"],
    "form": ["form"],
}
if "textworld" in LISTED:
    CALLS["textworld"] = ["textworld(rooms = 1, things = 1, length = 1, max_steps = 100)"]


def declared(call: str, name: str) -> EnvironmentIR:
    module = LISTED[name].module
    result = check(Source("<test>", f"import {module}: {name}\nagent A {{\n  env {call}\n}}\n"))
    assert result.ok, [d.message for d in result.diagnostics]
    environment = result.agents[0].environment
    assert environment is not None
    return environment


def rollout(environment: EnvironmentIR, steps: int) -> Iterator[dict[str, Value]]:
    """Valuations under random actions, the first of each episode without an action."""
    env = make_environment(environment)
    names = [s.name for s in environment.signals]
    reader = signal_reader(environment.engine, env, names)
    env.action_space.seed(1)
    env.reset(seed=1)
    yield dict(zip(names, reader.reset(), strict=True))
    length = 0
    for _ in range(steps):
        action = env.action_space.sample()
        _, reward, terminated, truncated, _ = env.step(action)
        length += 1
        yield dict(zip(names, reader.step(action, float(reward)), strict=True))
        if terminated or truncated:
            assert length <= (horizon_of(environment) or length)
            length = 0
            env.reset()
            yield dict(zip(names, reader.reset(), strict=True))


def belongs(value: Value, signal: SignalIR) -> bool:
    match signal.kind:
        case "bool":
            return isinstance(value, bool)
        case "enum":
            return value in signal.members
        case "text":
            return isinstance(value, str)
        case "int":
            within = type(value) is int
        case _:
            within = type(value) is float and bool(np.isfinite(value))
    assert isinstance(value, int | float)
    return within and (signal.lo is None or value >= signal.lo) and (signal.hi is None or value <= signal.hi)


def test_every_declaration_is_tried() -> None:
    assert set(CALLS) == set(LISTED)


@pytest.mark.parametrize("call", [c for calls in CALLS.values() for c in calls])
def test_values_are_of_the_declared_types(call: str) -> None:
    environment = declared(call, call.partition("(")[0])
    absent = 0
    for valuation in rollout(environment, 600):
        for signal in environment.signals:
            value = valuation[signal.name]
            if value is None:  # only what the last action set is missing, at the reset
                assert signal.name == "action"
                absent += 1
            else:
                assert belongs(value, signal), f"{signal.name} is {value!r}"
    assert bool(absent) == any(s.name == "action" for s in environment.signals)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is out of date")
@pytest.mark.parametrize("name", binding("minigrid").ids())
def test_minigrid_everywhere(name: str) -> None:
    from agentc.lang.diagnostics import AgentcError

    environment = declared(f'minigrid("{name}")', "minigrid")
    try:
        for valuation in rollout(environment, 1500):
            for signal in environment.signals:
                value = valuation[signal.name]
                assert signal.name == "action" or belongs(value, signal), f"{signal.name} is {value!r}"
    except AgentcError as error:
        assert [d.code for d in error.diagnostics] == ["AS0910"] and "WFC" in name


def test_bindings_offer_what_is_declared() -> None:
    for engine in {entry.engine for entry in LISTED.values()}:
        names = {s.name for entry in LISTED.values() if entry.engine == engine for s in entry.signals}
        assert names == set(binding(engine).signals)


def test_declared_arguments_are_the_engine_s() -> None:
    for name, calls in CALLS.items():
        environment = declared(calls[0], name)
        known = {argument.name: argument for argument in binding(environment.engine).arguments}
        assert set(environment.arguments) == set(known)
        for key, value in environment.arguments.items():
            assert known[key].admits(value)


def test_members_that_occur_are_the_declared_ones() -> None:
    # every member of `carrying`, `door` and `tile` but the floor occurs somewhere in MiniGrid
    seen: dict[str, set[object]] = {"carrying": set(), "door": set(), "tile": set()}
    for call in CALLS["minigrid"]:
        for valuation in rollout(declared(call, "minigrid"), 3000):
            for key, values in seen.items():
                values.add(valuation[key])
    environment = declared(CALLS["minigrid"][0], "minigrid")
    members = {s.name: set(s.members) for s in environment.signals}
    assert seen["door"] == members["door"]
    assert {"none", "key", "ball"} <= seen["carrying"] <= members["carrying"]
    assert {"empty", "door", "lava"} <= seen["tile"] <= members["tile"]


def test_units_are_in_the_declarations() -> None:
    units = {s.name: s.unit for s in declared("cartpole", "cartpole").signals}
    assert units == {"x": "m", "x_dot": "m/s", "theta": "rad", "theta_dot": "rad/s", "action": None}
    assert declared("cartpole", "cartpole").step == 0.02
    torque = next(s for s in declared("pendulum", "pendulum").signals if s.name == "action")
    assert (torque.unit, torque.lo, torque.hi) == ("N*m", -2.0, 2.0)


def test_listing_says_what_a_person_needs() -> None:
    entry = LISTED["minigrid"]
    assert entry.usage == "minigrid(id : text, max_steps : int = 250, view : enum {partial, full} = partial)"
    assert "MiniGrid-DoorKey-6x6-v0" in entry.ids and entry.install is None
    assert all(e.doc and e.signals and all(s.type for s in e.signals) for e in EVERY)
    assert all(s.doc for e in LISTED.values() for s in e.signals)
    assert {e.module for e in EVERY if e.engine == SYSTEM} >= {"std.systems.cars", "std.systems.grid_world"}
    assert LISTED["cartpole"].ids == ("CartPole-v1",)
    assert next(s for s in entry.signals if s.name == "carrying").type == "enum {none, key, ball, box}"


def test_families_without_an_engine_are_listed_as_that() -> None:
    waiting = [entry for entry in list_environments() if not entry.built]
    assert all(entry.engine not in ENGINES and entry.ids == () for entry in waiting)


def test_listing_without_minigrid(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "agentc.runtime.envs.minigrid", raising=False)
    monkeypatch.setitem(sys.modules, "minigrid", None)
    entry = next(e for e in list_environments() if e.name == "minigrid")
    assert entry.ids == () and entry.install == "pip install agentspec-compiler[minigrid]"
    assert len(entry.signals) == 17
