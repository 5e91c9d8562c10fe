"""Every backend under the one suite: what it answers, which formulas it accepts, how it is run.

A backend is registered by a function that builds it from the modules under test. It must get those through its
argument ``load`` and not by import, because the mutation tests hand it mutated ones::

    @backend("desugar", "boolean", "agentc.compiler.logic.rewrite")
    def _desugar(load):
        rewrite = load("agentc.compiler.logic.rewrite")
        return Implementation(everything, lambda case: [evaluate(rewrite.desugar(case.formula), t) for t in ...])
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic import ir
from agentc.compiler.logic.finality import verdict
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.semantics import course, evaluate, robustness
from agentc.compiler.logic.trace import Trace, Valuation
from agentc.compiler.logic.verdict import Verdict

Kind = Literal["boolean", "robust", "prefixes", "online", "safe", "labels", "same"]
"""What a backend answers for a trace: a Boolean, a robustness, a Boolean for each prefix, a :class:`Verdict` for each
prefix. ``safe``: whether no prefix is finally false, and the first step at which the verdict is final (None: at none).
``labels``: at each step a tuple of Booleans, one for each of the
formula's atoms (``ir.atoms``). ``same``: for the formula alone, the formula that it must be."""

Load = Callable[[str], ModuleType]


@dataclass
class Case:
    """A formula with the traces that it is judged on. ``letters``: the possible valuations, None if not known."""

    formula: Formula
    traces: Sequence[Trace]
    signals: Mapping[str, SignalIR]
    letters: tuple[Valuation, ...] | None
    _expected: dict[str, list[Any]] = field(default_factory=dict, repr=False)

    def expected(self, kind: Kind) -> list[Any]:
        """What the reference says, for each trace."""
        if kind not in self._expected:
            self._expected[kind] = list(self._oracle(kind))
        return self._expected[kind]

    def _oracle(self, kind: Kind) -> Iterable[Any]:
        f = self.formula
        match kind:
            case "boolean":
                return (evaluate(f, trace) for trace in self.traces)
            case "robust":
                return (robustness(f, trace) for trace in self.traces)
            case "prefixes":
                return ([evaluate(f, prefix) for prefix in prefixes(trace)] for trace in self.traces)
            case "online":
                assert self.letters is not None
                return ([verdict(f, prefix, self.letters) for prefix in prefixes(trace)] for trace in self.traces)
            case "safe":
                return (
                    (Verdict.FALSE not in course, next((t for t, v in enumerate(course) if v.final), None))
                    for course in self.expected("online")
                )
            case "labels":
                atoms = ir.atoms(f)
                return (list(zip(*(course(a, t) for a in atoms), strict=True)) or [()] * len(t) for t in self.traces)
            case "same":
                return (f for _ in self.traces)


def prefixes(trace: Trace) -> Iterable[Trace]:
    """The non-empty prefixes, shortest first."""
    return (Trace(trace.valuations[: n + 1]) for n in range(len(trace)))


class RefusedError(Exception):
    """A backend says while it works that it cannot do a formula (its budget has run out): not accepted."""


@dataclass(frozen=True)
class Implementation:
    """``accepts(case)`` says whether the backend takes the case's formula; ``run(case)`` gives a value per trace.

    ``run`` may raise :class:`RefusedError`.
    """

    accepts: Callable[[Case], bool]
    run: Callable[[Case], Sequence[Any]]


@dataclass(frozen=True)
class Backend:
    """A registered backend.

    ``modules`` are those whose meaning it shows: their mutants are run through it. ``least`` is the share of the
    offered formulas that it must accept; it is offered every ``every``-th one
    (odd, since the profiles come in turn and there are eight). ``tolerance`` is relative, for
    robustness in another arithmetic.
    """

    name: str
    kind: Kind
    modules: tuple[str, ...]
    build: Callable[[Load], Implementation]
    least: float
    every: int = 1
    tolerance: float = 0.0

    def takes(self, number: int) -> bool:
        """Whether the formula of this number in a sample is run through the backend."""
        # the reference's verdicts are costly: all that answer them answer for the same formulas
        key = "verdicts" if self.kind in ("online", "safe") else self.name
        return number % self.every == sum(map(ord, key)) % self.every

    def agrees(self, expected: Any, found: Any) -> bool:
        """Whether a value is what the reference says."""
        if self.kind == "same":
            return expected is found
        if self.kind in ("prefixes", "online", "labels"):
            return len(found) == len(expected) and all(a == b for a, b in zip(expected, found, strict=True))
        if self.kind == "robust" and self.tolerance and expected != found:
            return abs(expected - found) <= self.tolerance * max(1.0, abs(expected))
        return bool(expected == found)


BACKENDS: dict[str, Backend] = {}


def backend(
    name: str, kind: Kind, *modules: str, least: float = 0.97, every: int = 7, tolerance: float = 0.0
) -> Callable[[Callable[[Load], Implementation]], Callable[[Load], Implementation]]:
    """Registers the decorated builder."""

    def register(build: Callable[[Load], Implementation]) -> Callable[[Load], Implementation]:
        if name in BACKENDS:
            raise ValueError(f"a backend {name!r} is registered already")
        BACKENDS[name] = Backend(name, kind, modules, build, least, every, tolerance)
        return build

    return register


def everything(case: Case) -> bool:
    """Accepts every formula."""
    return True


def load(name: str) -> ModuleType:
    """The module as it is."""
    return importlib.import_module(name)
