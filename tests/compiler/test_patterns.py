"""The property patterns of the standard library against what their documentation says, step by step."""

import itertools
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import agentc.stdlib
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check
from agentc.lang.source import Source

FILE = Path(next(iter(agentc.stdlib.__path__))) / "patterns.agentspec"

Column = list[bool]
Scope = Callable[[Column, Column], list[tuple[int, int, bool]]]


def first(column: Column, start: int = 0) -> int | None:
    return next((t for t in range(start, len(column)) if column[t]), None)


def before(q: Column, r: Column) -> list[tuple[int, int, bool]]:
    end = first(r)
    return [] if end is None else [(0, end, True)]


def after(q: Column, r: Column) -> list[tuple[int, int, bool]]:
    start = first(q)
    return [] if start is None else [(start, len(q), False)]


def segments(q: Column, r: Column, closed: bool) -> list[tuple[int, int, bool]]:
    """From every `q` (where no `r` holds) to the next `r`; without one only if it need not come."""
    found = []
    for start in range(len(q)):
        if q[start] and not r[start]:
            end = first(r, start + 1)
            if end is not None:
                found.append((start, end, True))
            elif not closed:
                found.append((start, len(q), False))
    return found


SCOPES: dict[str, Scope] = {
    "": lambda q, r: [(0, len(q), False)],
    "_before": before,
    "_after": after,
    "_between": lambda q, r: segments(q, r, True),
    "_after_until": lambda q, r: segments(q, r, False),
}
"""The parts ``[start, stop)`` of a trace in which a pattern has to hold; True if they end with an `r`."""


def holds(kind: str, p: Column, s: Column, part: tuple[int, int, bool]) -> bool:
    start, stop, _ = part
    inside = range(start, stop)
    match kind:
        case "absence":
            return not any(p[t] for t in inside)
        case "existence":
            return any(p[t] for t in inside)
        case "universality":
            return all(p[t] for t in inside)
        case "precedence":  # whatever comes first of the two is not `p` alone
            return all(not p[t] or any(s[u] for u in range(start, t + 1)) for t in inside)
        case _:
            return all(not p[t] or any(s[u] for u in range(t, stop)) for t in inside)


def meaning(kind: str, scope: str, columns: dict[str, Column]) -> bool:
    p, s, q, r = (columns[n] for n in "psqr")
    parts = SCOPES[scope](q, r)
    if kind == "existence" and scope == "_before" and first(r) is None:
        return True
    return all(holds(kind, p, s, part) for part in parts)


def compiled(*tasks: str) -> list[Formula]:
    names = sorted({re.split(r"\W", t)[0] for t in tasks})
    body = "\n".join(f"task t{i} = {text}" for i, text in enumerate(tasks))
    text = f"import std.patterns: {', '.join(names)}\nagent A {{ signal a, b, c, d, e, p, q, r, s : bool\n{body}\n}}"
    result = check(Source("spec.agentspec", text))
    assert result.ok, result.diagnostics
    return [f.formula for f in result.agents[0].formulas]


CASES = [
    (kind, scope, f"{kind}{scope}({', '.join(['p', *(['s'] if kind in ('precedence', 'response') else []), *extra])})")
    for kind in ("absence", "existence", "universality", "precedence", "response")
    for scope, extra in (("", ()), ("_before", "r"), ("_after", "q"), ("_between", "qr"), ("_after_until", "qr"))
]


@pytest.mark.parametrize(("kind", "scope", "call"), CASES, ids=[c for _, _, c in CASES])
def test_dwyer(kind: str, scope: str, call: str) -> None:
    [f] = compiled(call)
    rng = random.Random(11)
    outcomes = set()
    for _ in range(500):
        length = rng.randint(1, 6)
        columns = {n: [rng.random() < rng.choice((0.2, 0.5, 0.8)) for _ in range(length)] for n in "psqr"}
        trace = Trace({n: columns[n][t] for n in "psqr"} for t in range(length))
        wanted = meaning(kind, scope, columns)
        outcomes.add(wanted)
        assert evaluate(f, trace) == wanted, (call, columns)
    assert outcomes == {True, False}


def all_traces(names: str, longest: int) -> list[tuple[Trace, dict[str, Column]]]:
    found = []
    for length in range(1, longest + 1):
        for values in itertools.product([False, True], repeat=length * len(names)):
            columns = {n: list(values[i * length : (i + 1) * length]) for i, n in enumerate(names)}
            found.append((Trace({n: columns[n][t] for n in names} for t in range(length)), columns))
    return found


OTHERS: list[tuple[str, str, Callable[..., bool]]] = [
    ("ordered(a, b)", "ab", lambda a, b: any(a[i] and any(b[i:]) for i in range(len(a)))),
    ("strictly_ordered(a, b)", "ab", lambda a, b: any(a[i] and any(b[i + 1 :]) for i in range(len(a)))),
    ("visits(a, b)", "ab", lambda a, b: any(a) and any(b)),
    ("reach_avoid(a, b)", "ab", lambda a, b: any(a[i] and not any(b[:i]) for i in range(len(a)))),
    ("never(a)", "a", lambda a: not any(a)),
    ("exclusive(a, b)", "ab", lambda a, b: not any(x and y for x, y in zip(a, b, strict=True))),
    ("at_most_once(a)", "a", lambda a: sum(a) <= 1),
    ("stable(a)", "a", lambda a: a == sorted(a)),
    ("persistence(a)", "a", lambda a: a[-1]),
    ("recurrence(a, 1)", "a", lambda a: all(any(a[i : i + 2]) for i in range(len(a)))),
    ("response_within(a, b, 1)", "ab", lambda a, b: all(any(b[i : i + 2]) for i in range(len(a)) if a[i])),
]


@pytest.mark.parametrize(("call", "names", "wanted"), OTHERS, ids=[c for c, _, _ in OTHERS])
def test_the_other_patterns(call: str, names: str, wanted: Callable[..., bool]) -> None:
    [f] = compiled(call)
    for trace, columns in all_traces(names, 4):
        assert evaluate(f, trace) == wanted(*(columns[n] for n in names)), (call, columns)


def test_every_pattern_is_tested_and_documented() -> None:
    text = FILE.read_text()
    names = re.findall(r"^pattern (\w+)", text, re.M)
    tested = {re.split(r"\W", c)[0] for _, _, c in CASES} | {re.split(r"\W", c)[0] for c, _, _ in OTHERS}
    assert set(names) == tested
    documented = re.findall(r'    (?:task|safe) \w+ = (\w+)\([^)]*\)\s+# (.+)\n"""\npattern (\w+)', text)
    assert [used for used, _, name in documented] == names == [name for _, _, name in documented]


def test_the_documented_expansions_are_the_expansions() -> None:
    """What stands behind the `#` in the documentation of a pattern means what the pattern means."""
    for match in re.finditer(r"    (?:task|safe) \w+ = (\w+\([^)]*\))\s+# (.+)\n", FILE.read_text()):
        call, written = match[1], match[2]
        names = sorted(set(re.findall(r"[a-z]\w*", call.split("(", 1)[1])))
        body = f"task one = {call}\ntask two = {written}"
        head = f"import std.patterns: {call.split('(')[0]}\nagent A {{ signal {', '.join(names)} : bool\n"
        result = check(Source("spec.agentspec", head + body + "\n}"))
        assert result.ok, (call, [d.message for d in result.diagnostics])
        one, two = (f.formula for f in result.agents[0].formulas)
        rng = random.Random(5)
        for _ in range(200):
            trace = Trace({n: rng.random() < 0.5 for n in names} for _ in range(rng.randint(1, 5)))
            assert evaluate(one, trace) == evaluate(two, trace), (call, written)
