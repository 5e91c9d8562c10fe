"""What holds of every agent that the front end lowers, and must hold of one that was read from a file.

Names refer to what is there and can name files, formulas are of the declared sorts, numbers are in range. An agent
that passes can be given to every backend and every runtime: what they then refuse, they refuse with a diagnostic.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

from agentc.compiler.agent import (
    AgentIR,
    DeployIR,
    EnvironmentIR,
    ExampleIR,
    ExpectIR,
    MachineIR,
    RewardIR,
    SignalIR,
    TrainIR,
    VerifyIR,
)
from agentc.compiler.logic.ir import Node, Value, postorder
from agentc.compiler.logic.sorts import ANY, BOOL, Sort, check_sorts, sort_of_signal, sort_of_value
from agentc.compiler.planned import ALGORITHMS
from agentc.compiler.settings import Given, TrainerSchema, check_against
from agentc.compiler.systems.wellformed import check_system
from agentc.compiler.training_config import TRAINERS
from agentc.compiler.verify_config import METHODS, SHIELD, SHIELDING


class MalformedError(ValueError):
    """An agent that no spec denotes; ``place`` says where, as ``reward.terms.2``."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place, self.reason = place, reason


def check_agent(agent: AgentIR) -> None:
    """Raise :class:`MalformedError` if no spec could denote the agent."""
    _name(agent.name, "name")
    sorts = _signals(agent)
    names = _distinct((f.name for f in agent.formulas), "formulas")
    if agent.environment is not None:
        _environment(agent.environment)
    if agent.system is not None:
        with _at("system"):
            check_system(agent.system)
    for i, prop in enumerate(agent.propositions):
        _name(prop.name, f"propositions.{i}.name")
        _sorted(prop.formula, sorts, f"propositions.{i}")
    _distinct((p.name for p in agent.propositions), "propositions")
    for i, item in enumerate(agent.formulas):
        _name(item.name, f"formulas.{i}.name")
        _sorted(item.formula, {**sorts, **{name: ANY for name in item.each}}, f"formulas.{i}")
    if agent.reward is not None:
        _reward(agent.reward, sorts, names)
    machines = _distinct((m.name or "" for m in agent.machines), "machines")
    for i, machine in enumerate(agent.machines):
        _name(machine.name or "", f"machines.{i}.name")
        _machine(machine, sorts, f"machines.{i}")
    for i, equality in enumerate(agent.equalities):
        for name in (equality.left, equality.right):
            _must(name in names | machines, f"equalities.{i}", f"there is no machine or formula {name!r}")
    if agent.train is not None:
        _train(agent.train)
    for i, expect in enumerate(agent.expects):
        _expect(expect, names, f"expects.{i}")
    for i, verify in enumerate(agent.verifies):
        _verify(verify, sorts, f"verifies.{i}")
    if agent.deploy is not None:
        _deploy(agent.deploy, agent, names)
    for i, example in enumerate(agent.examples):
        _example(example, agent, sorts, f"examples.{i}")


@contextmanager
def _at(place: str) -> Iterator[None]:
    """A ``ValueError`` from inside is of this place."""
    try:
        yield
    except MalformedError:
        raise
    except ValueError as error:
        raise MalformedError(place, str(error)) from None


def _must(condition: bool, place: str, reason: str) -> None:
    if not condition:
        raise MalformedError(place, reason)


def _name(name: str, place: str) -> None:
    _must(name.isidentifier(), place, f"{name!r} is no name")


def _distinct(names: Iterable[str], place: str) -> frozenset[str]:
    listed = list(names)
    found = frozenset(listed)
    _must(len(found) == len(listed), place, "two have one name")
    return found


def _finite(place: str, *values: float | None) -> None:
    for value in values:
        _must(value is None or math.isfinite(value), place, f"{value} is not finite")


def _sorted(root: Node, sorts: Mapping[str, Sort], place: str) -> None:
    with _at(place):
        check_sorts(postorder(root), sorts)


# ---------------------------------------------------------------- signals and the environment


def _signals(agent: AgentIR) -> dict[str, Sort]:
    _distinct((s.name for s in agent.declared), "signals")
    sorts: dict[str, Sort] = {}
    for signal in agent.declared:
        place = f"signals.{signal.name}"
        _must(all(part.isidentifier() for part in signal.name.split(".")), "signals", f"{signal.name!r} is no name")
        _finite(place, signal.lo, signal.hi)
        if signal.lo is not None and signal.hi is not None:
            _must(signal.lo <= signal.hi, place, "its range is empty")
        if signal.kind == "enum":
            _must(len(signal.members) > 0, place, "an enum has no member")
            _distinct(signal.members, place)
        if signal.size is not None:
            _must(0 <= signal.size[0] <= signal.size[1], place, f"the size {signal.size} is none")
        if signal.kind == "vector":
            _must(signal.size is not None and 0 < signal.size[0] == signal.size[1], place, "a vector has no size")
        sorts[signal.name] = sort_of_signal(signal.kind, signal.size)
    for signal in agent.declared:
        if signal.definition is not None:
            _sorted(signal.definition, sorts, f"signals.{signal.name}")
    return sorts


def _environment(environment: EnvironmentIR) -> None:
    _finite("environment", environment.step)
    _must(environment.step is None or environment.step > 0, "environment.step", f"{environment.step} is no duration")
    horizon = environment.horizon
    _must(horizon is None or horizon > 0, "environment.horizon", f"{horizon} is no number of steps")


# ---------------------------------------------------------------- reward


def _reward(reward: RewardIR, sorts: Mapping[str, Sort], names: frozenset[str]) -> None:
    _must(0 < reward.discount <= 1, "reward.discount", f"{reward.discount} is not in (0, 1]")
    for i, term in enumerate(reward.terms):
        place = f"reward.terms.{i}"
        _finite(place, term.amount, *(term.clip or ()))
        _must(term.clip is None or term.clip[0] <= term.clip[1], place, "its clip is empty")
        if term.kind == "formula":
            _must(term.name in names, place, f"there is no formula {term.name!r}")
        elif term.kind != "step":
            _must(term.formula is not None, place, f"a {term.kind} is of a formula")
        if term.formula is not None:
            _sorted(term.formula, sorts, place)
    if reward.machine is not None:
        _machine(reward.machine, sorts, "reward.machine")
    shaped = names if reward.machine is None or reward.machine.name is None else names | {reward.machine.name}
    for name in reward.shape:
        _must(name in shaped, "reward.shape", f"there is no formula {name!r}")


def _machine(machine: MachineIR, sorts: Mapping[str, Sort], whole: str) -> None:
    states = _distinct((s.name for s in machine.states), f"{whole}.states")
    _must(len(states) > 0, f"{whole}.states", "there is none")
    for state in machine.states:
        place = f"{whole}.states.{state.name}"
        for edge in state.edges:
            _must(edge.target in states, place, f"there is no state {edge.target!r}")
            _finite(place, edge.reward)
            _sorted(edge.guard, sorts, place)


# ---------------------------------------------------------------- training, acceptance, verification


def _train(train: TrainIR) -> None:
    if train.algorithm not in TRAINERS:
        known = train.algorithm in ALGORITHMS
        _must(known, "train.algorithm", f"there is no algorithm {train.algorithm!r}")
        return
    _settings(TRAINERS[train.algorithm], train.settings, "train.settings")


def _settings(schema: TrainerSchema, settings: Mapping[str, object], place: str) -> None:
    given = {}
    for name, value in settings.items():
        setting = schema.setting(name)
        given[name] = Given(value, setting is not None and setting.kind == "duration")
    values, found = check_against(schema, given)
    _must(not found, place, found[0].message if found else "")
    for name, value in values.items():
        _must(name in settings, place, f"{name!r} is missing")
        stated = settings[name]
        # 1.0 for an int would be read as one, and a learner would be given another type than from the spec
        _must(type(stated) is type(value), place, f"{name!r} is {stated!r}, of another type than {value!r}")


def _expect(expect: ExpectIR, names: frozenset[str], place: str) -> None:
    _finite(place, expect.threshold)
    _must(expect.kind == "return" or expect.subject in names, place, f"there is no formula {expect.subject!r}")
    if expect.kind == "satisfaction":
        _must(0 <= expect.threshold <= 1, place, f"{expect.threshold} is no share")
    if expect.kind == "violations":
        _must(expect.threshold >= 0 and expect.threshold == int(expect.threshold), place, "a count is not whole")
    _must(expect.op == ("<=" if expect.kind == "violations" else ">="), place, f"{expect.op} is not of {expect.kind}")
    if expect.confidence is not None:
        _must(0 < expect.confidence < 1, place, f"{expect.confidence} is no confidence")


def _verify(verify: VerifyIR, sorts: Mapping[str, Sort], place: str) -> None:
    _sorted(verify.formula, sorts, place)
    if verify.bound is not None:
        op, p = verify.bound
        most = math.inf if verify.total is not None else 1
        _must(op in (">=", "<=") and 0 <= p <= most, place, f"{op} {p} bounds nothing")
        _finite(place, p)
    if verify.total is not None:
        _must(verify.bound is not None, place, "a sum has no bound")
        _sorted(verify.total, sorts, place)
        _must(verify.total.op not in ("vector",), place, "a sum is of numbers")
    if verify.method is not None:
        _must(verify.method in METHODS, place, f"there is no method {verify.method!r}")
        _settings(METHODS[verify.method], verify.settings, f"{place}.settings")


def _deploy(deploy: DeployIR, agent: AgentIR, names: Collection[str]) -> None:
    for name in (*(r.formula for r in deploy.requires), *(s.formula for s in deploy.shields), *deploy.monitors):
        _must(name in names, "deploy", f"there is no formula {name!r}")
    for i, shield in enumerate(deploy.shields):
        _must(shield.method is None or shield.method in SHIELDING, f"deploy.shields.{i}", "no method makes it")
        _settings(SHIELD, shield.settings, f"deploy.shields.{i}.settings")
    known = ["stop", *(c.name for c in agent.system.controllers)] if agent.system is not None else []
    _must(deploy.fallback is None or deploy.fallback in known, "deploy.fallback", f"no controller {deploy.fallback!r}")


# ---------------------------------------------------------------- examples


def _example(example: ExampleIR, agent: AgentIR, sorts: Mapping[str, Sort], place: str) -> None:
    subject = next((f for f in agent.formulas if f.name == example.subject), None)
    if subject is None:
        raise MalformedError(place, f"there is no formula {example.subject!r}")
    extended = {**sorts, **{name: ANY for name in subject.each}, **{name: BOOL for name in example.opaque}}
    _sorted(example.formula, extended, place)
    _must(len(example.valuations) > 0, place, "a trace has no step")
    declared = {s.name: s for s in agent.declared if s.name not in example.opaque}
    before: frozenset[str] = frozenset()
    for t, valuation in enumerate(example.valuations):
        _must(before <= valuation.keys(), f"{place}.valuations.{t}", "a signal has lost its value")
        before = frozenset(valuation)
        for name, value in valuation.items():
            with _at(f"{place}.valuations.{t}.{name}"):
                _value(value, extended.get(name), declared.get(name))


def _value(value: Value, sort: Sort | None, signal: SignalIR | None) -> None:
    found = sort_of_value(value)
    if sort is not None and sort != ANY and found != sort:
        raise ValueError(f"it is a {found}, not a {sort}")
    if signal is None:
        return
    if signal.kind == "enum" and value not in signal.members:
        raise ValueError(f"{value!r} is no member")
    if signal.kind == "int" and not isinstance(value, int):
        raise ValueError(f"{value!r} is not whole")
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            continue
        if (signal.lo is not None and number < signal.lo) or (signal.hi is not None and number > signal.hi):
            raise ValueError(f"{number} is out of range")
