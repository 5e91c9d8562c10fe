"""Whether declared equations are linear: what ``step ... by exact`` asks, said of a spec."""

from __future__ import annotations

from collections.abc import Iterable

from agentc.compiler.agent import EquationIR, SystemIR
from agentc.compiler.logic.ir import Formula, signals
from agentc.compiler.systems.derivatives import NotSmoothError, derivative
from agentc.lang.diagnostics import Diagnostic, report


def not_linear(system: SystemIR) -> list[Diagnostic]:
    """The first equation that is not linear (AS1102), of a system that is stepped ``by exact``."""
    if system.integrator != "exact":
        return []
    names = [v.name for v in system.variables]
    for equation in (*system.equations, *(e for mode in system.modes for e in mode.equations)):
        if not is_linear(equation, names):
            return [report("AS1102", equation.span, name=system.name)]
    return []


def is_linear(equation: EquationIR, names: Iterable[str]) -> bool:
    """Whether the right-hand side is an affine function of the variables."""
    if isinstance(equation.value, Formula):
        return False
    try:
        slopes = [derivative(equation.term, name) for name in names]
    except NotSmoothError:
        return False
    return not any(signals(slope) for slope in slopes)
