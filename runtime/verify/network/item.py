"""A ``verify`` item as a property of a network: what its formula's negation asks of states and inputs of one step.

The controller reads the state before a step and gives the inputs of that step: ``prev.x`` is an input of the network,
``action.u`` an output. The formula is a combination of linear comparisons of them, alone or below one ``G``, which
holds at step 0, where these atoms are false (``first | ...`` where need be); the claim is of every step from 1 on.
Arithmetic is exact.
"""

from __future__ import annotations

from fractions import Fraction

from agentc.compiler.logic.ir import CONNECTIVES, Formula, Node, Term, postorder
from agentc.compiler.verify_config import TRAINED
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.verify.problem import Problem

Linear = dict[str, Fraction]
"""Coefficients by variable; the constant has the empty name."""

_FLIPPED = {"<=": ">", "<": ">=", ">=": "<", ">": "<="}


def network_refusal(problem: Problem) -> str | None:
    """Why the item is no property of a network; None if it is one."""
    if problem.item.bound is not None:
        return "it asks for a probability"
    controller = problem.settings("network").get("controller", "")
    if not str(controller).endswith(".onnx") and controller != TRAINED:
        return "it names no controller that is an ONNX file"
    if problem.agent.system is None:
        return "the agent has no declared system"
    body = _body(problem.item.formula)
    for node in postorder(body):
        if isinstance(node, Formula) and node.op not in ("true", "false", "first", "atom", *CONNECTIVES):
            return f"the formula has `{node.op}` below its outermost `G`"
    if not _at_first(body):
        return "it is false at step 0, where `prev` and `action` have no value: write `first | ...`"
    try:
        for form in (form for way in _violations(problem) for form in way):
            _written(form, _names(problem))
    except ValueError as error:
        return str(error)
    return None


def _at_first(f: Formula) -> bool:
    """The truth at step 0."""
    a = [] if f.op == "atom" else [_at_first(x) for x in f.args]
    match f.op:
        case "true" | "first":
            return True
        case "not":
            return not a[0]
        case "and":
            return all(a)
        case "or":
            return any(a)
        case "implies":
            return not a[0] or a[1]
        case "xor" | "iff":
            return (a[0] == a[1]) == (f.op == "iff")
    return False


def property_of(problem: Problem, inputs: int, outputs: int) -> str:
    """The negation of the formula as VNN-LIB. Raises :class:`AgentcError` (AS1316) if the widths do not fit."""
    system = problem.agent.system
    assert system is not None
    wanted = (len(system.states), len(system.inputs))
    if (inputs, outputs) != wanted:
        raise AgentcError(
            [report("AS1316", problem.item.span, path=str(problem.settings("network")["controller"]),
                    network=f"{inputs} inputs and {outputs} outputs", other=f"system `{system.name}`",
                    wanted=f"{wanted[0]} states and {wanted[1]} inputs")]
        )  # fmt: skip
    names = _names(problem)
    lines = [f"(declare-const {name} Real)" for name in dict.fromkeys(names.values())]
    for variable in system.states:
        name = names[f"prev.{variable.name}"]
        for op, limit in ((">=", variable.lo), ("<=", variable.hi)):
            if limit is not None:
                lines.append(f"(assert ({op} {name} {_number(limit)}))")
    ways = " ".join("(and " + " ".join(_written(a, names) for a in way) + ")" for way in _violations(problem))
    lines.append(f"(assert (or {ways}))" if ways else "(assert (<= 1.0 0.0))")  # no way: it cannot fail
    return "\n".join(lines) + "\n"


def _names(problem: Problem) -> dict[str, str]:
    system = problem.agent.system
    assert system is not None
    names = {f"prev.{v.name}": f"X_{i}" for i, v in enumerate(system.states)}
    return names | {f"action.{v.name}": f"Y_{i}" for i, v in enumerate(system.inputs)}


def _body(formula: Formula) -> Formula:
    return formula.args[0] if formula.op == "G" and formula.interval == (0, None) else formula


def _violations(problem: Problem) -> list[list[Linear]]:
    """The disjuncts of the negation: forms that are at most zero. Strict comparisons are closed, which is sound."""
    names = _names(problem)
    return _ways(_body(problem.item.formula), False, names)


def _ways(f: Formula, want: bool, names: dict[str, str]) -> list[list[Linear]]:
    """The ways in which a formula has the truth value ``want``. Raises ``ValueError`` for what is not linear."""
    op = f.op
    if op in ("true", "false", "first"):  # `first` is false from step 1 on
        return [[]] if (op == "true") == want else []
    if op == "not":
        return _ways(f.args[0], not want, names)
    if op == "implies":
        a, b = f.args
        return _either([(a, False), (b, True)], names) if want else _both([(a, True), (b, False)], names)
    if op in ("and", "or"):
        parts = [(a, want) for a in f.args]
        return _both(parts, names) if (op == "and") == want else _either(parts, names)
    if op in ("xor", "iff"):
        a, b = f.args
        same = (op == "iff") == want
        return _both([(a, True), (b, same)], names) + _both([(a, False), (b, not same)], names)
    return _atom(f.predicate, want, names)


def _either(parts: list[tuple[Formula, bool]], names: dict[str, str]) -> list[list[Linear]]:
    return [way for f, want in parts for way in _ways(f, want, names)]


def _both(parts: list[tuple[Formula, bool]], names: dict[str, str]) -> list[list[Linear]]:
    ways: list[list[Linear]] = [[]]
    for f, want in parts:
        ways = [a + b for a in ways for b in _ways(f, want, names)]
        if len(ways) > 10_000:
            raise ValueError("its negation has more than 10000 cases")
    return ways


def _atom(p: Term, want: bool, names: dict[str, str]) -> list[list[Linear]]:
    if p.op == "compare" and p.value in ("<", "<=", ">", ">="):
        op = str(p.value) if want else _FLIPPED[str(p.value)]
        left, right = (_linear(a, names) for a in p.args)
        if op in (">", ">="):
            left, right = right, left
        return [[_minus(left, right)]]
    if p.op == "in_range":
        x, lo, hi = (_linear(a, names) for a in p.args)
        inside = want != (p.value is True)
        below, above = _minus(lo, x), _minus(x, hi)
        return [[below, above]] if inside else [[_minus(x, lo)], [_minus(hi, x)]]
    raise ValueError(f"`{p!r}` is no linear comparison")


def _minus(a: Linear, b: Linear) -> Linear:
    return {key: a.get(key, Fraction()) - b.get(key, Fraction()) for key in {**a, **b}}


def _linear(node: Node, names: dict[str, str]) -> Linear:
    """A term as a linear form over the variables of ``names``."""
    op = node.op
    if op == "const" and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return {"": Fraction(node.value)}
    if op in ("signal", "prev"):
        name = f"prev.{node.value}" if op == "prev" else str(node.value)
        if name in names:
            return {name: Fraction(1)}
        raise ValueError(f"`{name}` is neither the state before a step (`prev.x`) nor an input (`action.u`)")
    if op in ("add", "sub", "neg"):
        parts = [_linear(a, names) for a in node.args]
        if op == "neg":
            return {key: -value for key, value in parts[0].items()}
        return _minus(parts[0], parts[1] if op == "sub" else {key: -v for key, v in parts[1].items()})
    if op in ("mul", "div"):
        a, b = (_linear(x, names) for x in node.args)
        if op == "mul" and set(a) == {""}:
            a, b = b, a
        if set(b) == {""} and b[""]:
            factor = b[""] if op == "mul" else 1 / b[""]
            return {key: value * factor for key, value in a.items()}
    raise ValueError(f"`{node!r}` is not linear")


def _number(value: Fraction | float) -> str:
    """The exact decimal expansion. Raises ``ValueError`` if it does not end."""
    number = Fraction(value)
    twos, fives, rest = 0, 0, number.denominator
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        raise ValueError(f"the number {number} has no decimal expansion that ends")
    places = max(twos, fives, 1)
    digits = str(abs(number.numerator) * 10**places // number.denominator).rjust(places + 1, "0")
    return f"{'-' if number < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _written(form: Linear, names: dict[str, str]) -> str:
    """``form <= 0``. Raises ``ValueError`` for what no property can say."""
    terms = [f"(* {_number(c)} {names[key]})" for key, c in form.items() if key and c]
    bound = _number(-form.get("", Fraction()))
    if not terms:
        return f"(<= 0.0 {bound})"
    if len({key.split(".")[0] for key, c in form.items() if key and c}) > 1:
        raise ValueError("one comparison reads both the state and an input")
    if any(Fraction(float(c)) != c for key, c in form.items() if key):
        raise ValueError("a coefficient is no float64 number")
    left = terms[0] if len(terms) == 1 else "(+ " + " ".join(terms) + ")"
    return f"(<= {left} {bound})"
