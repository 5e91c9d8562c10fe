"""Rewards: what is paid for, what shapes it, and explicit machines."""

from __future__ import annotations

from agentc.lang import ast
from agentc.lang.check_context import Context, head, text
from agentc.lang.checked import (
    CheckedEdge,
    CheckedMachine,
    CheckedReward,
    CheckedRewardTerm,
    CheckedState,
)
from agentc.lang.diagnostics import Annotation
from agentc.lang.names import kind_in_words
from agentc.lang.scope import Scope
from agentc.lang.typed import Typed

_JUDGED = ("task", "safe", "behavior")
_MEASURES = ("robustness", "progress")


def check_reward(context: Context, item: ast.Reward, scope: Scope) -> CheckedReward:
    """A reward block."""
    terms: list[CheckedRewardTerm] = []
    shape: list[str] = []
    discount: float | None = None
    settings = [i for i in item.items if isinstance(i, ast.Setting)]
    context.single([s for s in settings if s.word == "discount"], "discount", "the reward")
    machines = [i for i in item.items if isinstance(i, ast.Machine)]
    context.single([i for i in item.items if _is_machine(i, scope)], "machine", "the reward")
    for part in item.items:
        if isinstance(part, ast.RewardTerm):
            term = _term(context, part, scope)
            if term is not None:
                terms.append(term)
        elif isinstance(part, ast.Setting) and part.word == "shape":
            name = _shape(context, part.value, scope)
            if name is not None:
                shape.append(name)
        elif isinstance(part, ast.Setting) and part.word == "discount":
            value = context.number(part.value, scope, "discount", 0, 1, lo_open=True)
            discount = value if discount is None else discount
    for name in dict.fromkeys(term.name for term in terms if term.kind == "formula"):
        context.single([i for i in item.items if _pays(i, name)], name, "the reward")
    machine = check_machine(context, machines[0], scope) if machines else None
    if not item.items:
        context.report("AS0510", head(item), block="the reward", mend="write `task : +1.0`")
    return CheckedReward(tuple(terms), tuple(shape), discount, machine, item.span)


def _is_machine(item: ast.Item, scope: Scope) -> bool:
    """Whether an item of a reward is a machine, written out or by its name."""
    if isinstance(item, ast.RewardTerm) and isinstance(item.subject, ast.Name):
        symbol = scope.lookup(item.subject.id)
        return symbol is not None and symbol.kind == "machine"
    return isinstance(item, ast.Machine)


def _pays(item: ast.Item, name: str) -> bool:
    """Whether an item pays for the formula of that name, which is paid once."""
    return isinstance(item, ast.RewardTerm) and isinstance(item.subject, ast.Name) and item.subject.id == name


def _term(context: Context, item: ast.RewardTerm, scope: Scope) -> CheckedRewardTerm | None:
    amount = context.number(item.amount, scope, "amount")
    subject = item.subject
    ends = None if item.ending is None else item.ending == "ends"
    if isinstance(subject, ast.Name):
        symbol = scope.lookup(subject.id)
        if symbol is None and subject.id == "step":
            return _made(context, item, "step", amount, "", None, ends)
        if symbol is not None and symbol.kind in _JUDGED:
            return _made(context, item, "formula", amount, subject.id, None, ends)
        if symbol is not None and symbol.kind == "machine":
            return _made(context, item, "machine", amount, subject.id, None, ends)
        if symbol is None:
            known = [*scope.names("task", "safe", "behavior", "prop", "machine", "signal", "phase", "tool"), "step"]
            context.unknown("task, safe or proposition", subject.id, known, subject.span, scope)
            return None
        boolean = symbol.type is None or symbol.type.kind in ("bool", "error")
        if symbol.kind not in ("prop", "signal", "phase", "tool", "error", "state", "const", "param") or not boolean:
            context.report("AS0504", subject.span, name=subject.id, found=kind_in_words(symbol))
            return None
    call = subject if isinstance(subject, ast.Call) and isinstance(subject.function, ast.Name) else None
    if call is not None and isinstance(call.function, ast.Name) and call.function.id in _MEASURES:
        return _measure(context, item, call, call.function.id, amount, ends, scope)
    if isinstance(subject, ast.ErrorExpr):
        return None
    typed = context.elaborator.formula(subject, scope)
    if typed.type.kind == "formula":
        context.report("AS0505", subject.span, text=text(subject.span))
        return None
    if typed.type.kind == "error":
        return None
    return _made(context, item, "prop", amount, text(subject.span), typed, ends)


def _made(
    context: Context,
    item: ast.RewardTerm,
    kind: str,
    amount: float | None,
    name: str,
    typed: Typed | None,
    ends: bool | None,
    clip: tuple[float, float] | None = None,
) -> CheckedRewardTerm | None:
    if item.ending is not None and kind != "formula":
        found = {"step": "`step`", "prop": "a proposition", "machine": "a machine"}.get(kind, f"`{kind}(...)`")
        context.report("AS0506", item.span, ending=item.ending, found=found)
        return None
    if amount is None:
        return None
    return CheckedRewardTerm(kind, amount, name, typed, ends, clip, item.span)  # type: ignore[arg-type]


def _measure(
    context: Context,
    item: ast.RewardTerm,
    call: ast.Call,
    kind: str,
    amount: float | None,
    ends: bool | None,
    scope: Scope,
) -> CheckedRewardTerm | None:
    """``robustness(f)`` and ``progress(f)``, of a named formula or one written there."""
    subject: ast.Expr | None = None
    clip: tuple[float, float] | None = None
    for argument in call.arguments:
        if argument.name is None and subject is None:
            subject = argument.value
        elif argument.name is None:
            context.report("AS0304", argument.span, name=kind, wanted="one formula", found="it gets more")
        elif argument.name == "clip" and kind == "robustness":
            clip = _clip(context, argument.value, scope)
            if clip is None:
                return None
        else:
            known = "`clip`" if kind == "robustness" else "no named parameter"
            context.report("AS0305", argument.span, function=kind, name=argument.name, known=known)
            return None
    if subject is None:
        context.report("AS0307", call.span, function=kind, name="formula")
        return None
    if isinstance(subject, ast.ErrorExpr):
        return None
    typed = context.elaborator.formula(subject, scope)
    if typed.type.kind == "error":
        return None
    return _made(context, item, kind, amount, text(subject.span), typed, ends, clip)


def _clip(context: Context, expr: ast.Expr, scope: Scope) -> tuple[float, float] | None:
    """``clip = c`` means between ``-c`` and ``c``; ``clip = [lo, hi]`` says both."""
    items = expr.items if isinstance(expr, ast.ListExpr | ast.TupleExpr) else ()
    if not items:
        value = context.number(expr, scope, "clip", 0, lo_open=True)
        return None if value is None else (-value, value)
    if len(items) != 2:
        context.report("AS0614", expr.span, name="clip", value=text(expr.span), domain="a number or `[lo, hi]`")
        return None
    lo, hi = (context.number(i, scope, "clip") for i in items)
    if lo is None or hi is None:
        return None
    if lo >= hi:
        context.report("AS0314", expr.span, lo=f"{lo:g}", hi=f"{hi:g}")
        return None
    return lo, hi


def _shape(context: Context, expr: ast.Expr, scope: Scope) -> str | None:
    symbol = context.symbol(expr, scope, "a task")
    if symbol is None:
        return None
    if symbol.kind not in ("task", "behavior"):
        context.report("AS0508", expr.span, name=symbol.name, found=kind_in_words(symbol))
        return None
    return symbol.name


# ---------------------------------------------------------------- machines


def check_machine(context: Context, item: ast.Machine, scope: Scope) -> CheckedMachine:
    """An explicit reward machine: its states are known, each named once, and can be reached."""
    block = f"the machine `{item.name}`" if item.name else "the machine"
    items = [s for s in item.states if isinstance(s, ast.MachineState)]
    if not item.states:
        context.report("AS0510", head(item), block=block, mend="write `state u0 { on guard -> u0 : 0 }`")
    known: dict[str, ast.MachineState] = {}
    for state in items:
        if state.name in known:
            first = Annotation(known[state.name].name_span, "first declared here")
            context.report("AS0201", state.name_span, name=state.name, annotations=(first,))
        known.setdefault(state.name, state)
    states = []
    for state in known.values():
        edges = []
        for edge in state.edges:
            if not isinstance(edge, ast.Edge):
                continue
            if edge.target not in known and not any(isinstance(s, ast.ErrorItem) for s in item.states):
                context.unknown("state", edge.target, known, edge.target_span)
            guard = context.elaborator.proposition(edge.guard, scope)
            reward = 0.0 if edge.value is None else context.number(edge.value, scope, "reward")
            edges.append(CheckedEdge(guard, edge.target, reward or 0.0))
        states.append(CheckedState(state.name, state.accepting, tuple(edges)))
    _check_reachable(context, known, states)
    return CheckedMachine(item.name, tuple(states), item.span)


def _check_reachable(context: Context, known: dict[str, ast.MachineState], states: list[CheckedState]) -> None:
    if not states:
        return
    edges = {s.name: [e.target for e in s.edges] for s in states}
    todo = [states[0].name]
    reached = set(todo)
    while todo:
        for target in edges.get(todo.pop(), ()):
            if target not in reached:
                reached.add(target)
                todo.append(target)
    for name, state in known.items():
        if name not in reached:
            context.report("AS0511", state.name_span, kind="state", name=name)
