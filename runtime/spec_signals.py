"""From one environment to the valuations that the monitors of a spec read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.alphabet import is_action
from agentc.compiler.logic.ir import Formula, Node, Term, Value, postorder, signals
from agentc.compiler.logic.semantics import _term_table as term_table
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.envs.registry import SignalReader, nearest, signal_reader

SignalFunction = Callable[[gymnasium.Env[Any, Any], Any], Mapping[str, Any]]
"""Reads the signals of a foreign environment: called with the environment and its observation after every step."""


class SignalSource:
    """Reads the signals ``names`` of one environment, the computed ones included, as checked values.

    Signals come from the binding of the environment's engine or, with ``function``, from that function; those with
    an ``extern`` from the function that it names; defined ones are computed. Raises :class:`AgentcError` for signals
    that nobody offers, and on reading for values that are not of the declared type.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        compiled: CompiledAgent,
        names: Iterable[str],
        function: SignalFunction | None = None,
    ) -> None:
        agent = compiled.agent
        self._env = env
        declared = {s.name: s for s in agent.declared}
        self._defined, every = _definitions(tuple(names), declared)
        self._externs = [
            (n, _extern(n, declared[n].extern or "", compiled.allow_extern))
            for n in every
            if n in declared and declared[n].extern
        ]
        fixed = {name for name, _ in self._defined} | {name for name, _ in self._externs}
        self._more = bool(fixed)
        self._base = tuple(name for name in every if name not in fixed)
        self.names = (*self._base, *(n for n, _ in self._externs), *(n for n, _ in self._defined))
        """The names in the order in which values are returned."""
        self.signals = tuple(declared.get(n, SignalIR(n, "bool")) for n in self.names)
        self._checks = [(s, _admits(s)) for s in self.signals]
        self._function = function
        self._reader: SignalReader | None = None
        if function is None:
            if agent.environment is None:
                raise AgentcError([report("AS0911", None, name=agent.name)])
            self._reader = signal_reader(agent.environment.engine, env, self._base)
        self._action = _action_value(env, declared.get("action"))
        self._before: Mapping[str, Value] | None = None
        self._step = 0

    @property
    def repeats(self) -> bool:
        """Whether the values come from the environment's own binding and are few enough to be met again and again."""
        few = all(s.kind in ("bool", "enum", "int", "text") for s in self.signals)
        return few and self._reader is not None and not self._externs

    def reset(self, observation: Any) -> list[Value]:
        """The values at step 0; None for what has none there. They are still to be checked."""
        self._step = 0
        self._before = None
        values = self._reader.reset() if self._reader is not None else self._called(observation, None)
        return self._completed(values, observation) if self._more else values

    def step(self, action: Any, reward: float, observation: Any) -> list[Value]:
        """The values after ``env.step(action)``. They are still to be checked."""
        self._step += 1
        values = self._called(observation, action) if self._reader is None else self._reader.step(action, reward)
        return self._completed(values, observation) if self._more else values

    def check(self, values: Sequence[Value]) -> None:
        """Raise :class:`AgentcError` (AS0908) for a value that is not of its signal's type."""
        for value, (signal, admits) in zip(values, self._checks, strict=True):
            if not admits(value) and not (value is None and (signal.definition is not None or self._absent(signal))):
                domain = domain_of(signal)
                raise AgentcError(
                    [report("AS0908", None, name=signal.name, value=value, step=self._step, domain=domain)]
                )

    def _called(self, observation: Any, action: Any) -> list[Value]:
        """The base signals by the function that was given."""
        assert self._function is not None
        given = self._function(self._env, observation)
        values: list[Value] = []
        for name in self._base:
            if name in given:
                values.append(plain(given[name]))
            elif name == "action" and self._action is not None:
                values.append(None if action is None else self._action(action))
            else:
                suggestion = nearest(name, given)
                raise AgentcError([report("AS0907", None, name=name, step=self._step, suggestion=suggestion)])
        return values

    def _completed(self, values: list[Value], observation: Any) -> list[Value]:
        """With external and defined signals added."""
        for _, function in self._externs:
            values.append(plain(function(self._env, observation)))
        if self._defined:
            now = {name: v for name, v in zip(self.names, values, strict=False) if v is not None}
            for name, term in self._defined:
                value = _evaluated(term, now, self._before)
                values.append(value)
                if value is not None:
                    now[name] = value
            self._before = now
        return values

    def _absent(self, signal: SignalIR) -> bool:
        return self._step == 0 and is_action(signal.name)


def needed_signals(formulas: Iterable[Formula]) -> tuple[str, ...]:
    """The signals that formulas read."""
    return signals(*formulas)


def domain_of(signal: SignalIR) -> str:
    """What the values of a signal may be, as a phrase."""
    if signal.kind == "enum":
        return f"one of {', '.join(signal.members)}"
    if signal.lo is not None or signal.hi is not None:
        lo = "(-inf" if signal.lo is None else f"[{signal.lo:g}"
        hi = "inf)" if signal.hi is None else f"{signal.hi:g}]"
        return f"{signal.kind} in {lo}, {hi}"
    return signal.kind


def plain(value: Any) -> Value:
    """A value of numpy's as Python's own; arrays become tuples."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple):
        return tuple(plain(v) for v in value)
    return value  # type: ignore[no-any-return]


def bounds(signal: SignalIR) -> tuple[float, float]:
    """What a signal of numbers lies between: NaN is in no interval, infinity in none between finite numbers."""
    lo = -sys.float_info.max if signal.lo is None else signal.lo
    return lo, sys.float_info.max if signal.hi is None else signal.hi


def _admits(signal: SignalIR) -> Callable[[Value], bool]:
    lo, hi = bounds(signal)

    def number(value: Value) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and lo <= value <= hi

    match signal.kind:
        case "bool":
            return lambda value: value is True or value is False
        case "enum":
            return frozenset(signal.members).__contains__
        case "text":
            return lambda value: isinstance(value, str)
        case "int":
            return lambda value: number(value) and value == int(value)  # type: ignore[arg-type]
        case "vector":
            return lambda value: isinstance(value, tuple) and all(number(v) for v in value)
        case _:
            return number


def _definitions(
    names: Sequence[str], declared: Mapping[str, SignalIR]
) -> tuple[list[tuple[str, Node]], tuple[str, ...]]:
    """The defined signals among those needed, each behind what it reads, and all that is needed."""
    order: dict[str, None] = {}
    entered: set[str] = set()
    stack = [(name, False) for name in reversed(names)]
    while stack:
        name, done = stack.pop()
        if done:
            order[name] = None
        elif name not in entered:
            entered.add(name)
            stack.append((name, True))
            definition = declared[name].definition if name in declared else None
            if definition is not None:
                stack.extend((n, False) for n in reversed(signals(definition)))
    defined: list[tuple[str, Node]] = []
    for name in order:
        definition = declared[name].definition if name in declared else None
        if definition is not None:
            beyond = next((n for n in postorder(definition) if isinstance(n, Formula) or n.op.endswith("_seen")), None)
            if beyond is not None:
                raise AgentcError([report("AS0720", None, term=str(definition))])
            defined.append((name, definition))
    return defined, tuple(order)


def _evaluated(term: Node, now: Mapping[str, Value], before: Mapping[str, Value] | None) -> Value:
    """A term at the present step, by the reference semantics."""
    trace = Trace([now]) if before is None else Trace([before, now])
    table: dict[Node, list[Any]] = {}
    for node in postorder(term):
        assert isinstance(node, Term)
        table[node] = term_table(node, trace, table, table)
    return plain(table[term][-1])


def _extern(name: str, function: str, allowed: frozenset[str]) -> Callable[[Any, Any], Any]:
    """The labelling function of a signal: called with environment and observation. Only of modules that are allowed."""
    module, _, attribute = function.partition(":")
    if module not in allowed:
        mend = f"allow it by name: `--allow-extern {module}`"
        raise AgentcError([report("AS0916", None, name=name, function=function, mend=mend)])
    try:
        found: Any = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise AgentcError([report("AS0916", None, name=name, function=function, mend=str(error))]) from error
    return found  # type: ignore[no-any-return]


def _action_value(env: gymnasium.Env[Any, Any], signal: SignalIR | None) -> Callable[[Any], Value] | None:
    """How an action becomes the value of the signal ``action``, where the environment's own reader is not used."""
    if signal is None:
        return None
    space = env.action_space
    if signal.kind == "enum" and isinstance(space, spaces.Discrete):
        first, members = int(space.start), signal.members
        return lambda action: members[int(action) - first]
    if signal.kind in ("int", "real"):
        number = int if signal.kind == "int" else float
        return lambda action: number(np.asarray(action).reshape(-1)[0])
    return plain
