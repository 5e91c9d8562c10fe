"""What a declared system means after checking: its variables and its dynamics, every number in SI units.

``check_system`` makes these from the syntax tree and ``agentc.compiler.lower`` turns them into a ``SystemIR``, part
by part. Everything is frozen and in source order; an input is read by its own name (``v``), not as ``action.v``.
"""

from __future__ import annotations

from agentc.lang.records import dataclass
from agentc.lang.source import Span
from agentc.lang.typed import Typed, Value
from agentc.lang.types import Type


@dataclass(frozen=True, slots=True)
class Variable:
    """A state, an input or a disturbance."""

    name: str
    kind: str
    type: Type
    span: Span
    unit: str | None


@dataclass(frozen=True, slots=True)
class CheckedEquation:
    """``target' = value``: a rate or, in a difference equation, a reset, an update, the next value."""

    target: str
    value: Typed
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedJump:
    """``on guard -> target { resets }`` of a mode."""

    guard: Typed
    target: str
    resets: tuple[CheckedEquation, ...]


@dataclass(frozen=True, slots=True)
class CheckedMode:
    """A mode; its equations include those of the system that it does not give itself."""

    name: str
    equations: tuple[CheckedEquation, ...]
    jumps: tuple[CheckedJump, ...]
    invariants: tuple[Typed, ...]


@dataclass(frozen=True, slots=True)
class CheckedBranch:
    """``probability : updates`` of a command; None where it was reported."""

    probability: float | None
    updates: tuple[CheckedEquation, ...]


@dataclass(frozen=True, slots=True)
class CheckedCommand:
    """A guarded command."""

    name: str
    guard: Typed | None
    branches: tuple[CheckedBranch, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedController:
    """A feedback law: the value of every input."""

    name: str
    laws: tuple[CheckedEquation, ...]


@dataclass(frozen=True, slots=True)
class CheckedStart:
    """Where a state begins; kinds and values are those of ``agentc.compiler.agent.StartIR``."""

    variable: str
    kind: str
    values: tuple[Value, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedComponent:
    """One component of a mixture of initial distributions: its weight as written, and constraints on its states."""

    weight: float
    starts: tuple[CheckedStart, ...]
    constraints: tuple[Typed, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckedInitial:
    """The initial distribution: a mixture, mostly of one component."""

    components: tuple[CheckedComponent, ...]


@dataclass(frozen=True, slots=True)
class CheckedSystem:
    """A checked system, whole; ``outputs`` are the states that are seen, all of them where none is declared."""

    name: str
    variables: tuple[Variable, ...]
    step: float | None
    integrator: str
    equations: tuple[CheckedEquation, ...]
    modes: tuple[CheckedMode, ...]
    commands: tuple[CheckedCommand, ...]
    outputs: tuple[str, ...]
    initial: CheckedInitial
    controllers: tuple[CheckedController, ...]
    span: Span

    def of_kind(self, kind: str) -> tuple[Variable, ...]:
        """The variables of a kind, in source order."""
        return tuple(v for v in self.variables if v.kind == kind)
