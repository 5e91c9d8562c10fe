"""The meaning of one agent as plain data: what the front end lowers a spec to, and what every backend reads.

Formulas and terms are nodes of :mod:`agentc.compiler.logic.ir`; numbers are in SI base units, intervals in
steps. Everything is frozen, comes in source order and has no place for a default that the spec could not state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from agentc.compiler.logic.ir import Formula, Term, Value
from agentc.compiler.writer import WriterIR
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
class EqualityIR:
    """``expect a == b``: two named machines or formulas hold of the same traces."""

    left: str
    right: str
    source: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RewardIR:
    """The reward: its terms, the formulas whose potential shapes it, the one discount there is."""

    terms: tuple[RewardTermIR, ...] = ()
    shape: tuple[str, ...] = ()
    discount: float = 0.99
    machine: MachineIR | None = None


@dataclass(frozen=True, slots=True)
class CostIR:
    """What each step costs, and the ``limit`` of its expected sum over an episode; None where no budget bounds it.

    ``value`` is a number, or a proposition that costs 1 where it holds. It is charged for the step that was led to:
    step 0 costs nothing, nor does a step at which a term has no value.
    """

    name: str
    value: Formula | Term
    limit: float | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


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
    """A verification item; ``bound`` is ``(">=", p)`` for ``verify P >= p [f]``.

    With ``total`` it bounds an expected value: of the sum of ``total`` over the steps that begin before ``formula``
    (``F g``) is true.
    """

    formula: Formula
    source: str
    name: str | None = None
    bound: tuple[str, float] | None = None
    method: str | None = None
    settings: Mapping[str, Literalish] = field(default_factory=dict)
    total: Term | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


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
class VariableIR:
    """A state, input or disturbance of a declared system.

    ``lo`` and ``hi`` are in SI base units (``unit`` is what was written), None is unbounded; ``members`` only of
    ``enum``.
    """

    name: str
    role: Literal["state", "input", "disturbance"]
    kind: Literal["real", "int", "bool", "enum"]
    members: tuple[str, ...] = ()
    lo: float | None = None
    hi: float | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class EquationIR:
    """``target' = value``: a rate per second, or the next value in a difference equation, a reset or an update.

    In a controller it is the value of the input ``target``. ``value`` reads the variables of the system by their
    own names; it is a formula exactly where ``target`` is Boolean.
    """

    target: str
    value: Formula | Term
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def term(self) -> Term:
        """The value of a number or an enum. Raises ``TypeError`` for that of a Boolean."""
        if not isinstance(self.value, Term):
            raise TypeError(f"{self.target} is Boolean: its value is a formula")
        return self.value


@dataclass(frozen=True, slots=True)
class TransitionIR:
    """``on guard -> target { resets }``: tried in order after every step; what no reset names keeps its value."""

    guard: Formula
    target: str
    resets: tuple[EquationIR, ...] = ()


@dataclass(frozen=True, slots=True)
class ModeIR:
    """A mode with an equation for every state (those of the system that it does not give itself included)."""

    name: str
    equations: tuple[EquationIR, ...]
    invariant: Formula | None = None
    transitions: tuple[TransitionIR, ...] = ()


@dataclass(frozen=True, slots=True)
class BranchIR:
    """What a command does with a probability; what no update names keeps its value."""

    probability: float
    updates: tuple[EquationIR, ...]


@dataclass(frozen=True, slots=True)
class CommandIR:
    """A guarded command; its updates happen at once, all of the values before it."""

    name: str
    guard: Formula
    branches: tuple[BranchIR, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class StartIR:
    """Where a state begins.

    ``values`` are ``(v,)`` of a ``point``, ``(lo, hi)`` of a ``range`` (a set, sampled uniformly) and of
    ``uniform``, the members of a ``set``, ``(mean, deviation)`` of ``normal``.
    """

    variable: str
    kind: Literal["point", "range", "set", "uniform", "normal"]
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class ComponentIR:
    """A component of a mixture: its probability, a start for every state, and what the states then meet."""

    weight: float
    starts: tuple[StartIR, ...]
    constraint: Formula | None = None


@dataclass(frozen=True, slots=True)
class InitialIR:
    """The initial distribution: a mixture, mostly of one component; weights sum to 1."""

    components: tuple[ComponentIR, ...]


@dataclass(frozen=True, slots=True)
class ControllerIR:
    """A feedback law: a value for every input, of the present state; the simulator clips it to the input's range."""

    name: str
    laws: tuple[EquationIR, ...]


@dataclass(frozen=True, slots=True)
class SystemIR:
    """A declared system.

    It has either ``commands`` (a transition system) or dynamics: ``modes``, of which the first is the initial one,
    or without modes ``equations``. ``integrator`` is ``euler midpoint heun rk4 rk45 exact`` of differential
    equations and ``difference`` where the equations give next values; ``step`` is in seconds, None where none is
    declared. ``outputs`` are the states that are observed. Parameters are folded into the terms.
    """

    name: str
    variables: tuple[VariableIR, ...]
    equations: tuple[EquationIR, ...]
    modes: tuple[ModeIR, ...]
    commands: tuple[CommandIR, ...]
    outputs: tuple[str, ...]
    step: float | None
    integrator: str
    initial: InitialIR
    controllers: tuple[ControllerIR, ...]

    def of_role(self, role: str) -> tuple[VariableIR, ...]:
        """The variables of a role, in source order."""
        return tuple(v for v in self.variables if v.role == role)

    @property
    def states(self) -> tuple[VariableIR, ...]:
        """The states, in source order."""
        return self.of_role("state")

    @property
    def inputs(self) -> tuple[VariableIR, ...]:
        """The inputs, in source order."""
        return self.of_role("input")

    @property
    def disturbances(self) -> tuple[VariableIR, ...]:
        """The disturbances, in source order."""
        return self.of_role("disturbance")

    def controller(self, name: str) -> ControllerIR:
        """The controller of that name. Raises ``KeyError``."""
        for item in self.controllers:
            if item.name == name:
                return item
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class RequireIR:
    """What must hold before an agent is run: a formula is ``proved``, or what is expected of it is ``met``.

    ``unchecked`` accepts a proof that no checker has seen.
    """

    what: Literal["proved", "met"]
    formula: str
    unchecked: bool = False
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ShieldIR:
    """A formula that a shield enforces; ``settings`` are those of ``SHIELD``, complete."""

    formula: str
    method: str | None
    settings: Mapping[str, Literalish]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DeployIR:
    """The gate that ``agentc run`` obeys; ``monitors`` are formulas by name, ``fallback`` a controller's name."""

    requires: tuple[RequireIR, ...] = ()
    shields: tuple[ShieldIR, ...] = ()
    monitors: tuple[str, ...] = ()
    fallback: str | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OutlineIR:
    """A construct whose backend is not built yet: its checked content as data, and the backend it waits for.

    ``content`` maps keys to configuration values; formulas and terms inside are written in ``show`` syntax.
    """

    construct: Literal["role"]
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
    writer: WriterIR | None = None
    outlines: tuple[OutlineIR, ...] = ()
    system: SystemIR | None = None
    parameters: Mapping[str, Literalish] = field(default_factory=dict)
    machines: tuple[MachineIR, ...] = ()
    equalities: tuple[EqualityIR, ...] = ()
    deploy: DeployIR | None = None
    costs: tuple[CostIR, ...] = ()

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

    @property
    def budgets(self) -> dict[str, float]:
        """The limits of the costs that have one, by their names."""
        return {cost.name: cost.limit for cost in self.costs if cost.limit is not None}

    @property
    def trains_each(self) -> bool:
        """Whether every task has episodes of its own (``train ... { tasks = each }``), and they are alternatives."""
        return self.train is not None and self.train.settings.get("tasks") == "each"

    @property
    def reads_machines(self) -> bool:
        """Whether the policy observes the states of a table of the reward machines, as its training says."""
        if self.train is None:
            return False
        counterfactual = self.train.settings.get("counterfactual") is True
        return self.trains_each or counterfactual or self.train.algorithm in ("q", "crm")

    @property
    def judged_on_traces(self) -> bool:
        """Whether its learner reads whole traces of a declared system, and not automata (``train tgpo``, ``npc``)."""
        return self.train is not None and self.train.algorithm in ("tgpo", "npc")
