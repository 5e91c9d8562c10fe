"""The meaning of one agent as plain data: what the front end lowers a spec to, and what every backend reads.

Formulas and terms are nodes of :mod:`agentc.compiler.logic.ir`; numbers are in SI base units, intervals in
steps. Everything is frozen, comes in source order and has no place for a default that the spec could not state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from agentc.compiler.logic.ir import Formula, Term, Value
from agentc.lang.records import dataclass
from agentc.lang.source import Span

Literalish = Value | tuple["Literalish", ...] | Mapping[str, "Literalish"]
"""Configuration values: scalars, lists (as tuples) and records."""


@dataclass(frozen=True, slots=True)
class SignalIR:
    """A signal: its type, range and unit. ``members`` only for ``enum``; ``size`` for vectors and texts.

    ``lo`` and ``hi`` are in SI base units (``unit`` is what was written); None is unbounded. ``definition``
    is the formula or term of a defined signal, ``extern`` the ``module:function`` that labels it; formulas speak
    of what defines a signal in its place. ``phase`` says that it belongs to a phase or a tool of a language-model
    agent: a phase that is called ``action`` has a value at step 0, as the action of an environment has not.
    """

    name: str
    kind: Literal["bool", "int", "real", "enum", "text", "vector"]
    members: tuple[str, ...] = ()
    lo: float | None = None
    hi: float | None = None
    size: tuple[int, int] | None = None
    unit: str | None = None
    definition: Formula | Term | None = None
    extern: str | None = None
    doc: str | None = None
    phase: bool = False


@dataclass(frozen=True, slots=True)
class EnvironmentIR:
    """The environment of an agent: which family (``engine``), made with which arguments.

    ``engine`` is ``("minigrid", {...})``: the name of a runtime binding and its arguments after defaults and
    the agent's own have been filled in. ``step`` is the duration of a step in seconds if declared, ``horizon``
    the greatest number of steps of an episode if known. ``controls`` names the signals that the agent sets.
    """

    name: str
    engine: str
    arguments: Mapping[str, Literalish]
    signals: tuple[SignalIR, ...]
    step: float | None = None
    horizon: int | None = None
    controls: tuple[str, ...] = ("action",)


@dataclass(frozen=True, slots=True)
class FormulaIR:
    """A named formula with its role. ``formula`` has surface operators; ``source`` is its text as written.

    ``each`` names the parameters of a formula that is monitored for every value that occurs.
    """

    name: str
    role: Literal["task", "safe", "behavior", "assume"]
    formula: Formula
    source: str
    reading: str = ""
    each: tuple[str, ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PropositionIR:
    """A named proposition: a formula without temporal operators."""

    name: str
    formula: Formula
    source: str


@dataclass(frozen=True, slots=True)
class RewardTermIR:
    """One payment.

    ``kind`` says of what: ``formula`` (by name: a task when true, a safe when violated), ``prop`` (each step on
    which ``formula`` holds), ``step`` (every step), ``robustness`` and ``progress`` (of ``formula``, times
    ``amount``). ``ends`` None is the default of the role.
    """

    kind: Literal["formula", "prop", "step", "robustness", "progress"]
    amount: float
    name: str = ""
    formula: Formula | None = None
    ends: bool | None = None
    clip: tuple[float, float] | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MachineEdgeIR:
    """``on guard -> target : reward``; guards are tried in order, no match means stay and pay nothing."""

    guard: Formula
    target: str
    reward: float = 0.0


@dataclass(frozen=True, slots=True)
class MachineStateIR:
    """A state of an explicit reward machine."""

    name: str
    accepting: bool
    edges: tuple[MachineEdgeIR, ...]


@dataclass(frozen=True, slots=True)
class MachineIR:
    """An explicit reward machine; the first state is the initial one."""

    states: tuple[MachineStateIR, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class RewardIR:
    """The reward: its terms, the formulas whose potential shapes it, the one discount there is."""

    terms: tuple[RewardTermIR, ...] = ()
    shape: tuple[str, ...] = ()
    discount: float = 0.99
    machine: MachineIR | None = None


@dataclass(frozen=True, slots=True)
class TrainIR:
    """``train algorithm { ... }`` with every field of the algorithm's schema filled in."""

    algorithm: str
    settings: Mapping[str, Literalish]
    until: str | None = None


@dataclass(frozen=True, slots=True)
class ExpectIR:
    """An acceptance criterion: ``satisfaction(subject) >= threshold``, ``return >= r``, ``violations(f) <= n``."""

    kind: Literal["satisfaction", "return", "violations"]
    op: Literal[">=", "<="]
    threshold: float
    subject: str = ""
    confidence: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class VerifyIR:
    """A verification item; ``bound`` is ``(">=", p)`` for ``verify P >= p [f]``."""

    formula: Formula
    source: str
    name: str | None = None
    bound: tuple[str, float] | None = None
    method: str | None = None
    settings: Mapping[str, Literalish] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExampleIR:
    """An example trace.

    ``formula`` is the subject with the propositions in ``opaque`` left as Boolean signals of their own names
    (those that the steps speak of); ``valuations`` are the steps with carried-over values filled in.
    """

    title: str
    subject: str
    satisfies: bool
    formula: Formula
    valuations: tuple[Mapping[str, Value], ...]
    opaque: tuple[str, ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OutlineIR:
    """A construct whose backend is not built yet: its checked content as data, and the backend it waits for.

    ``content`` maps keys to configuration values; formulas and terms inside are written in ``show`` syntax.
    """

    construct: Literal["system", "phase", "tool", "model", "prompt", "role", "deploy", "decode", "cost", "budget"]
    name: str
    backend: str
    content: Mapping[str, Literalish]


@dataclass(frozen=True, slots=True)
class AgentIR:
    """One agent, whole."""

    name: str
    doc: str | None
    environment: EnvironmentIR | None
    signals: tuple[SignalIR, ...]
    propositions: tuple[PropositionIR, ...]
    formulas: tuple[FormulaIR, ...]
    reward: RewardIR | None
    train: TrainIR | None
    expects: tuple[ExpectIR, ...] = ()
    verifies: tuple[VerifyIR, ...] = ()
    examples: tuple[ExampleIR, ...] = ()
    outlines: tuple[OutlineIR, ...] = ()
    parameters: Mapping[str, Literalish] = field(default_factory=dict)

    @property
    def declared(self) -> tuple[SignalIR, ...]:
        """Every signal that a formula may read: those of the environment, then the agent's own."""
        return (*(self.environment.signals if self.environment else ()), *self.signals)

    def formula(self, name: str) -> FormulaIR:
        """The formula of that name. Raises ``KeyError``."""
        for item in self.formulas:
            if item.name == name:
                return item
        raise KeyError(name)

    def signal(self, name: str) -> SignalIR:
        """The signal of that name. Raises ``KeyError``."""
        for item in self.signals:
            if item.name == name:
                return item
        raise KeyError(name)

    def of_role(self, *roles: str) -> tuple[FormulaIR, ...]:
        """The formulas with one of these roles, in source order."""
        return tuple(item for item in self.formulas if item.role in roles)
