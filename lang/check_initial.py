"""Initial values of a system: sets, distributions, mixtures, and constraints.

``init { x in [0, 1]; y = normal(0, 0.1); x + y <= 1 }`` is a value, a set or a distribution for each state, and
propositions that the states then meet (by rejection when they are sampled). A list of such records is a mixture;
each has its ``weight``, or all weigh the same. What an agent gives wins: its record over the system's entries for
the same states, its list over all that the system says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agentc.lang import ast
from agentc.lang.check_context import Context, text
from agentc.lang.checked_system import CheckedComponent, CheckedInitial, CheckedStart, Variable
from agentc.lang.diagnostics import Annotation
from agentc.lang.scope import Scope
from agentc.lang.source import Span
from agentc.lang.typed import Typed, Value
from agentc.lang.types import Type, unbounded

DISTRIBUTIONS = ("uniform", "normal")
"""Distributions of initial values; each has two parameters."""


class InitialValues:
    """Reads what the system and the agent say of where the states begin."""

    def __init__(self, context: Context, scope: Scope, variables: Mapping[str, Variable]) -> None:
        self._context, self._scope = context, scope
        self._states = {name: v for name, v in variables.items() if v.kind == "state"}
        self._reported = False

    def check(self, inside: ast.Expr | None, given: ast.Expr | None, used: Span | None) -> CheckedInitial:
        """What the system (``inside``) and the agent (``given``) say; ``used`` is where a state must have a value."""
        components = (CheckedComponent(1.0, ()),) if inside is None else self._read(inside)
        if given is not None:
            own = self._read(given)
            mixture = isinstance(given, ast.ListExpr)
            components = own if mixture else tuple(_overridden(component, own[0]) for component in components)
        for component in components if used is not None and not self._reported else ():
            said = {start.variable for start in component.starts}
            for state in self._states.values():
                if state.name not in said and state.type.kind != "error":
                    there = (Annotation(state.span, "declared here"),)
                    self._context.report("AS0546", used, name=state.name, annotations=there)
        return CheckedInitial(components)

    def _read(self, value: ast.Expr) -> tuple[CheckedComponent, ...]:
        """The components of a record or of a list of them; at least one."""
        records = value.items if isinstance(value, ast.ListExpr) else (value,)
        components = []
        for record in records:
            if isinstance(record, ast.Record):
                components.append(self._record(record, weighted=len(records) > 1))
                continue
            if not isinstance(record, ast.ErrorExpr):
                self._context.report("AS0547", record.span)
            self._reported = True
        if not records:
            self._context.report("AS0547", value.span)
            self._reported = True
        return tuple(components) or (CheckedComponent(1.0, ()),)

    def _record(self, record: ast.Record, *, weighted: bool) -> CheckedComponent:
        weight = 1.0
        found: dict[str, CheckedStart] = {}
        constraints: list[Typed] = []
        for entry in record.entries:
            if weighted and entry.key == "weight" and "weight" not in self._states:
                weight = self._weight(entry.value)
                continue
            if self._is_constraint(entry):
                constraints.append(self._context.elaborator.proposition(entry.value, self._scope))
                continue
            start = self._entry(entry)
            if start is None:
                self._reported = True
                continue
            if start.variable in found:
                self._context.report("AS0609", entry.span, name=start.variable)
            found[start.variable] = start
        return CheckedComponent(weight, tuple(found.values()), tuple(constraints))

    def _weight(self, value: ast.Expr) -> float:
        weight = self._context.number(value, self._scope, "weight", 0, lo_open=True)
        self._reported = self._reported or weight is None
        return 1.0 if weight is None else weight

    def _is_constraint(self, entry: ast.Entry) -> bool:
        """An entry without a key is a constraint, unless it says where one state begins."""
        if entry.key is not None or isinstance(entry.value, ast.ErrorExpr | ast.Name):
            return False
        value = entry.value
        member = isinstance(value, ast.Member) and not value.negated and isinstance(value.item, ast.Name)
        return not member

    def _entry(self, entry: ast.Entry) -> CheckedStart | None:
        context = self._context
        value: ast.Expr = entry.value
        name, name_span = entry.key, entry.key_span or entry.span
        if isinstance(value, ast.ErrorExpr):
            return None
        member = value if entry.key is None and isinstance(value, ast.Member) else None
        if member is not None and isinstance(member.item, ast.Name):
            name, name_span = member.item.id, member.item.span
        if name is None:
            context.report("AS0547", entry.span)
            return None
        variable = self._states.get(name)
        if variable is None:
            context.unknown("state", name, self._states, name_span)
            return None
        if variable.type.kind == "error":
            return None
        if member is not None:
            return self._member(variable, member, entry.span)
        if isinstance(value, ast.Call) and isinstance(value.function, ast.Name) and value.function.id in DISTRIBUTIONS:
            return self._distribution(variable, value.function.id, value, entry.span)
        point = self._number(value, variable.type)
        return None if point is None else CheckedStart(name, "point", (point,), entry.span)

    def _number(self, expr: ast.Expr, type_: Type) -> Value:
        return self._context.elaborator.constant(expr, self._scope, type_)

    def _member(self, variable: Variable, member: ast.Member, span: Span) -> CheckedStart | None:
        """``x in [lo, hi]`` or ``x in {members}``."""
        domain = member.domain
        if isinstance(domain, ast.Range):
            lo, hi = self._number(domain.lo, variable.type), self._number(domain.hi, variable.type)
            if lo is None or hi is None:
                return None
            if lo > hi:  # type: ignore[operator]  # both are numbers of the state's type
                self._context.report("AS0314", domain.span, lo=text(domain.lo.span), hi=text(domain.hi.span))
                return None
            return CheckedStart(variable.name, "range", (lo, hi), span)
        if isinstance(domain, ast.SetExpr):
            members = tuple(self._number(m, variable.type) for m in domain.items)
            return None if None in members else CheckedStart(variable.name, "set", members, span)
        self._context.report("AS0547", span)
        return None

    def _distribution(self, variable: Variable, kind: str, call: ast.Call, span: Span) -> CheckedStart | None:
        """``uniform(lo, hi)`` or ``normal(mean, deviation)``; a deviation is above zero and in no range."""
        context, arguments = self._context, call.arguments
        if len(arguments) != 2 or any(a.name or a.when for a in arguments) or not variable.type.is_number:
            context.report("AS0547", span)
            return None
        first, second = arguments[0].value, arguments[1].value
        type_ = variable.type
        spread = replace(unbounded(type_), kind="real") if kind == "normal" else type_
        a, b = self._number(first, type_), self._number(second, spread)
        if not isinstance(a, int | float) or not isinstance(b, int | float):
            return None
        if kind == "uniform" and a > b:
            context.report("AS0314", call.span, lo=text(first.span), hi=text(second.span))
            return None
        if kind == "normal" and b <= 0:
            domain = "a number above 0"
            context.report("AS0614", second.span, name="deviation", value=text(second.span), domain=domain)
            return None
        return CheckedStart(variable.name, kind, (a, b), span)


def _overridden(component: CheckedComponent, own: CheckedComponent) -> CheckedComponent:
    """A component with what an agent says of some of its states, under the constraints of both."""
    starts = {start.variable: start for start in (*component.starts, *own.starts)}
    return CheckedComponent(component.weight, tuple(starts.values()), (*component.constraints, *own.constraints))
