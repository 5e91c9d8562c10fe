"""The formatter: parse after format is the identity, format after format changes nothing, comments stay."""

import pytest
from hypothesis import HealthCheck, given, settings

from agentc.lang import ast
from agentc.lang.parser import parse, parse_formula
from agentc.lang.printer import format_expr, format_module
from agentc.lang.source import Source

from .corpus import texts
from .test_parser import PRECEDENCE
from .trees import AT, BODIES, MODULES, NAMED


def format_text(text):
    source = Source("f", text)
    result = parse(source)
    assert result.diagnostics == ()
    return format_module(result.module, source)


@given(BODIES)
def test_formulas_come_back(expr):
    written = format_expr(expr)
    back, diagnostics = parse_formula(Source("<formula>", written))
    assert diagnostics == (), written
    assert back == expr, written


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(MODULES)
def test_modules_come_back(module):
    written = format_module(module)
    source = Source("f", written)
    result = parse(source)
    assert result.diagnostics == (), written
    assert result.module == module, written
    formatted = format_module(result.module, source)
    again = parse(Source("f", formatted))
    assert again.diagnostics == () and again.module == module, formatted
    assert format_module(again.module, Source("f", formatted)) == formatted


@pytest.mark.slow
@settings(max_examples=3000, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(MODULES)
def test_many_modules_come_back(module):
    test_modules_come_back.hypothesis.inner_test(module)


@pytest.mark.parametrize("name", sorted(texts()))
def test_corpus(name):
    text = texts()[name]
    formatted = format_text(text)
    assert parse(Source("f", formatted)).module == parse(Source("f", text)).module
    assert format_text(formatted) == formatted
    assert comments(formatted) == comments(text)
    assert all(line == line.rstrip() for line in formatted.split("\n"))


def name(id_):
    return ast.Name(id_, **AT)


def one(value, count=None):
    return ast.Bound(value, count, **AT)


MAKERS = {
    **{f"unary {op}": (1, lambda a, op=op: ast.Unary(op, a, **AT)) for op in "!-+"},
    **{
        f"binary {op}": (2, lambda a, b, op=op: ast.Binary(op, a, b, **AT))
        for op in ("-", "/", "**", "->", "<->", "xor")
    },
    **{f"chain {op}": (3, lambda a, b, c, op=op: ast.Nary(op, (a, b, c), **AT)) for op in "&|+*"},
    **{f"temporal {op}": (1, lambda a, op=op: ast.Temporal(op, None, a, **AT)) for op in ast.UNARY_TEMPORAL},
    **{
        f"temporal {op}": (2, lambda a, b, op=op: ast.TemporalBinary(op, None, a, b, **AT))
        for op in ast.BINARY_TEMPORAL
    },
    "F[a, b]": (3, lambda a, b, c: ast.Temporal("F", ast.Interval("closed", one(a), one(b), **AT), c, **AT)),
    "X[a]": (2, lambda a, b: ast.Temporal("X", ast.Interval("count", one(a, "steps"), one(a, "steps"), **AT), b, **AT)),
    "S[a, inf)": (3, lambda a, b, c: ast.TemporalBinary("S", ast.Interval("up", one(a), None, **AT), b, c, **AT)),
    "compare": (3, lambda a, b, c: ast.Compare(("<", "=="), (a, b, c), **AT)),
    "in": (2, lambda a, b: ast.Member(a, b, **AT)),
    "not in set": (3, lambda a, b, c: ast.Member(a, ast.SetExpr((b, c), **AT), True, **AT)),
    "in range": (3, lambda a, b, c: ast.Member(a, ast.Range(b, c, **AT), **AT)),
    "from": (2, lambda a, b: ast.From(a, b, **AT)),
    "attribute": (1, lambda a: ast.Attribute(a, "x", **NAMED)),
    "index": (2, lambda a, b: ast.Index(a, b, **AT)),
    "call": (3, lambda a, b, c: ast.Call(a, (ast.Argument(None, b, **AT), ast.Argument("k", c, **AT)), **AT)),
    "when": (3, lambda a, b, c: ast.Call(a, (ast.Argument(None, b, c, **AT),), **AT)),
    "window": (
        2,
        lambda a, b: ast.Call(a, (), ast.Interval("at_most", None, one(b, "turns"), **AT), **AT),
    ),
    "tuple": (2, lambda a, b: ast.TupleExpr((a, b), **AT)),
    "number": (0, lambda: ast.Number(3, "3", **AT)),
    "quantity": (0, lambda: ast.Quantity(3, "s", "3s", **AT)),
    "name": (0, lambda: name("p")),
}


@pytest.mark.parametrize("outer", MAKERS)
def test_every_operator_in_every_place_of_every_other(outer):
    arity, make = MAKERS[outer]
    for inner_arity, make_inner in MAKERS.values():
        inner = make_inner(*map(name, "xyz"[:inner_arity]))
        for place in range(arity):
            operands = [name(letter) for letter in "abc"[:arity]]
            operands[place] = inner
            expr = make(*operands)
            written = format_expr(expr)
            back, diagnostics = parse_formula(Source("<formula>", written))
            assert diagnostics == () and back == expr, written


def comments(text):
    """Comments without the blanks around them (no string of the corpus holds `# `)."""
    return sorted("".join(part.split()) for line in text.split("\n") for part in line.split("# ")[1:])


CASES = [
    # alignment and one item to a line
    ("agent A { prop a=b;prop cc = d }", "agent A {\n  prop a  = b\n  prop cc = d\n}\n"),
    ("agent A {\n prop a=b\n\n\n\n prop cc = d }", "agent A {\n  prop a = b\n\n  prop cc = d\n}\n"),
    (
        "agent A {\nreward { a : 1\n bcd : 2 } }",
        "agent A {\n  reward {\n    a   : 1\n    bcd : 2\n  }\n}\n",
    ),
    ("agent A { train ppo{a=1;bc=2} }", "agent A {\n  train ppo { a = 1; bc = 2 }\n}\n"),
    ("agent A { train ppo{a=1\nbc=2} }", "agent A {\n  train ppo {\n    a  = 1\n    bc = 2\n  }\n}\n"),
    # comments
    ("#a\nprop a = b#c\n#d", "# a\nprop a = b  # c\n# d\n"),
    ("agent A { # here\n prop a = b\n # there\n}", "agent A {  # here\n  prop a = b\n  # there\n}\n"),
    ("agent A # header\n{\n prop a = b }", "# header\nagent A {\n  prop a = b\n}\n"),
    ("agent A {\n# only\n}", "agent A {\n  # only\n}\n"),
    (
        "prop a = b   # one\nprop ccc = d # two\nprop e = f",
        "prop a   = b  # one\nprop ccc = d  # two\nprop e   = f\n",
    ),
    (
        "agent A {\n task t = G (a &   # first\n      b)  # second\n}",
        "agent A {\n  task t = G (a &   # first\n       b)  # second\n}\n",
    ),
    # blocks at the top stand apart
    ("import a\nagent A {}\nagent B {}", "import a\n\nagent A {}\n\nagent B {}\n"),
    ("# of A\nagent A {}", "# of A\nagent A {}\n"),
    # parentheses, words, names
    ("prop a = ((b) and (c or (d)))", "prop a = b & (c | d)\n"),
    ("prop a = not(b == c)", "prop a = !(b == c)\n"),
    ("prop a = `task` & `G`", "prop a = task & `G`\n"),
    ("pattern p(x : prop) = always(x) until y", "pattern p(x : prop) = always x until y\n"),
    ("", ""),
    ("# nothing else", "# nothing else\n"),
    ('agent A { """Doc.\n      more\n  """ }', 'agent A {\n  """Doc.\n  more\n  """\n}\n'),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[repr(text)[:60] for text, _ in CASES])
def test_style(text, expected):
    assert format_text(text) == expected
    assert format_text(expected) == expected


LONG = [
    "task t = " + " & ".join(f"(some_proposition_{i} -> F other_{i})" for i in range(9)),
    "task t = G (" + " -> ".join(f"some_proposition_{i}" for i in range(9)) + ")",
    "task t = " + " U ".join(f"some_proposition_{i}" for i in range(9)),
    "task t = pattern_name(" + ", ".join(f"some_proposition_{i}" for i in range(9)) + ")",
    "prop p = " + " + ".join(f"some_number_{i}" for i in range(9)) + " >= 3",
    "cost c = " + " + ".join(f"some_number_{i}" for i in range(9)),
    "const c = [" + ", ".join(f"some_number_{i}" for i in range(15)) + "]",
    "safe s = each i : G !(" + " | ".join(f"some_proposition_{i}" for i in range(9)) + ")",
    "behavior b = " + " xor ".join(f"some_proposition_{i}" for i in range(9)),
    'phase p = regex("a") where ' + " & ".join(f"some_proposition_{i}" for i in range(9)),
    "phase p = " + " & ".join(f'regex("some_expression_{i}")' for i in range(9)),
    "expect " + " & ".join(f"satisfaction(some_task_{i}) >= 0.9" for i in range(9)) + " with confidence 0.95",
    "verify G (" + " & ".join(f"some_proposition_{i}" for i in range(9)) + ") by reach { horizon = 3s }",
]


@pytest.mark.parametrize("item", LONG, ids=[item[:30] for item in LONG])
def test_long_lines_are_broken(item):
    text = f"agent A {{ {item} }}"
    formatted = format_text(text)
    assert parse(Source("f", formatted)).module == parse(Source("f", text)).module
    assert format_text(formatted) == formatted
    if not item.startswith(("prop", "verify")):  # a comparison and a block's head stay on their line
        assert max(map(len, formatted.split("\n"))) <= 100


@pytest.mark.parametrize("written", [written for written, _ in PRECEDENCE])
def test_parentheses_are_minimal(written):
    expr, _ = parse_formula(Source("<formula>", written))
    shown = format_expr(expr)
    needless = shown.count("!(") - written.count("!(")  # the one place where they are kept for the reader
    assert shown.count("(") - max(0, needless) <= written.count("(")
