"""What a file means after checking: every name resolved, every expression typed, every number in SI units.

The checker makes these from the syntax tree and ``agentc.compiler.lower`` turns them into the IR. Settings are
kept as they were given, with their places: which ones an algorithm or a method has is compiled knowledge, so
the compiler checks them. Everything is frozen and in source order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from agentc.lang.checked_system import CheckedSystem
from agentc.lang.diagnostics import Diagnostic, Severity
from agentc.lang.records import dataclass
from agentc.lang.scope import Scope
from agentc.lang.source import Span
from agentc.lang.typed import Typed, Value
from agentc.lang.types import Type

Content = Value | Typed | tuple["Content", ...] | Mapping[str, "Content"]
"""Configuration: scalars, lists as tuples, records; expressions where a construct has them."""


@dataclass(frozen=True, slots=True)
class CheckedSetting:
    """``name = value`` of a block of settings; ``is_duration`` if it was written in a unit of time (now seconds)."""

    name: str
    value: Content
    is_duration: bool
    key_span: Span
    value_span: Span


@dataclass(frozen=True, slots=True)
class CheckedSignal:
    """A signal with its type; ``definition`` if other signals define it, ``extern`` if a Python function does.

    ``phase`` if it belongs to a phase or a tool.
    """

    name: str
    type: Type
    span: Span | None
    unit: str | None = None
    definition: Typed | None = None
    extern: str | None = None
    doc: str | None = None
    phase: bool = False


@dataclass(frozen=True, slots=True)
class CheckedEnvironment:
    """The environment of an agent with its arguments filled in; ``step`` in seconds, ``horizon`` in steps."""

    name: str
    engine: str
    arguments: Mapping[str, Content]
    signals: tuple[CheckedSignal, ...]
    step: float | None
    horizon: int | None
    controls: tuple[str, ...]
    span: Span
    system: CheckedSystem | None = None


@dataclass(frozen=True, slots=True)
class CheckedProposition:
    """A named proposition."""

    name: str
    typed: Typed
    source: str
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedFormula:
    """A named formula with its role; ``each`` names the parameters of one monitored for every value."""

    name: str
    role: Literal["task", "safe", "behavior", "assume"]
    typed: Typed
    source: str
    reading: str
    each: tuple[str, ...]
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True)
class CheckedRewardTerm:
    """A payment; see ``agentc.compiler.agent.RewardTermIR``, of which this is the checked form."""

    kind: Literal["formula", "prop", "step", "robustness", "progress", "machine"]
    amount: float
    name: str
    typed: Typed | None
    ends: bool | None
    clip: tuple[float, float] | None
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedEdge:
    """``on guard -> target : reward``."""

    guard: Typed
    target: str
    reward: float


@dataclass(frozen=True, slots=True)
class CheckedState:
    """A state of a machine."""

    name: str
    accepting: bool
    edges: tuple[CheckedEdge, ...]


@dataclass(frozen=True, slots=True)
class CheckedMachine:
    """A reward machine; its first state is the initial one."""

    name: str | None
    states: tuple[CheckedState, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedEquality:
    """``expect a == b`` of two named machines or formulas: they hold of the same traces."""

    left: str
    right: str
    source: str
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedReward:
    """A reward: its terms in order, what shapes it, its discount, a machine if one was written."""

    terms: tuple[CheckedRewardTerm, ...]
    shape: tuple[str, ...]
    discount: float | None
    machine: CheckedMachine | None
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedTrain:
    """``train algorithm [until condition] { settings }``."""

    algorithm: str
    algorithm_span: Span
    until: str | None
    settings: tuple[CheckedSetting, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedExpect:
    """An acceptance criterion."""

    kind: Literal["satisfaction", "return", "violations"]
    op: Literal[">=", "<="]
    threshold: float
    subject: str
    confidence: float | None
    source: str
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedVerify:
    """A verification item; ``bound`` is ``(">=", p)`` for ``verify P >= p [f]``.

    For ``verify E <= b [x until g]``, ``total`` is ``x`` and ``typed`` is ``F g`` (``F false`` without ``until``).
    """

    typed: Typed
    source: str
    name: str | None
    bound: tuple[str, float] | None
    method: str | None
    method_span: Span | None
    settings: tuple[CheckedSetting, ...]
    span: Span
    total: Typed | None = None


@dataclass(frozen=True, slots=True)
class CheckedLiteral:
    """What a step of an example says: a proposition or Boolean signal is true or false, a signal has a value."""

    kind: Literal["proposition", "signal"]
    name: str
    value: Value
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedExample:
    """An example trace; each step is what was written, the empty step nothing."""

    title: str
    subject: str
    satisfies: bool
    steps: tuple[tuple[CheckedLiteral, ...], ...]
    step_spans: tuple[Span, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedRequirement:
    """``require proved(f)`` or ``met(f)``; ``unchecked`` accepts a proof that no checker has seen."""

    what: Literal["proved", "met"]
    formula: str
    unchecked: bool
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedShield:
    """``shield f [by method] { ... }``."""

    formula: str
    method: str | None
    settings: tuple[CheckedSetting, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedDeploy:
    """The gate that ``agentc run`` obeys; ``monitors`` are formulas, ``fallback`` a controller."""

    requires: tuple[CheckedRequirement, ...]
    shields: tuple[CheckedShield, ...]
    monitors: tuple[str, ...]
    fallback: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedOutline:
    """A construct that no backend reads yet: its checked content as data."""

    construct: str
    name: str
    content: Mapping[str, Content]
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedAgent:
    """One agent, whole."""

    name: str
    doc: str | None
    environment: CheckedEnvironment | None
    signals: tuple[CheckedSignal, ...]
    propositions: tuple[CheckedProposition, ...]
    formulas: tuple[CheckedFormula, ...]
    reward: CheckedReward | None
    machines: tuple[CheckedMachine, ...]
    train: CheckedTrain | None
    expects: tuple[CheckedExpect, ...]
    equalities: tuple[CheckedEquality, ...]
    verifies: tuple[CheckedVerify, ...]
    examples: tuple[CheckedExample, ...]
    outlines: tuple[CheckedOutline, ...]
    deploy: CheckedDeploy | None
    parameters: Mapping[str, Value]
    name_span: Span

    def formula(self, name: str) -> CheckedFormula | None:
        """The formula of that name, if there is one."""
        return next((f for f in self.formulas if f.name == name), None)


@dataclass(frozen=True, slots=True)
class CheckedSpec:
    """A checked file: its agents (those that have a meaning), what was found, the scope of each block, its recipes."""

    agents: tuple[CheckedAgent, ...]
    diagnostics: tuple[Diagnostic, ...]
    scopes: Mapping[str, Scope] = field(default_factory=dict)
    recipes: tuple[CheckedTrain, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing found is an error."""
        return all(d.severity is not Severity.ERROR for d in self.diagnostics)
