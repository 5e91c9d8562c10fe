"""Each construct of the language makes the node it should."""

import pytest

from agentc.lang import ast
from agentc.lang.parser import parse, parse_formula
from agentc.lang.source import Source

from .corpus import EVERYTHING, shipped, texts


def formula(text):
    expression, diagnostics = parse_formula(Source("<formula>", text))
    assert diagnostics == (), diagnostics
    return expression


def module(text):
    result = parse(Source("f", text))
    assert result.diagnostics == (), result.diagnostics
    return result.module


def item(text, block="agent A"):
    """The only item of a block (``file`` for none)."""
    if block == "file":
        (only,) = module(text).items
        return only
    (outer,) = module(f"{block} {{\n{text}\n}}").items
    (only,) = outer.items
    return only


@pytest.mark.parametrize("name", sorted(texts()))
def test_shipped_specs_parse(name):
    assert module(texts()[name]).items


def test_there_are_specs():
    assert {"doorkey", "courier", "researcher"} <= {path.stem for path in shipped()}


def test_the_spec_with_everything_has_every_kind_of_node():
    seen = set()
    pending = [module(EVERYTHING.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Node):
            seen.add(type(node))
            pending += [getattr(node, name) for name in node.__dataclass_fields__]
        elif isinstance(node, tuple):
            pending += node
    every = {kind for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.Node)}
    assert every - seen == {ast.Node, ast.Expr, ast.Item, ast.ErrorExpr, ast.ErrorItem}


# Written, and written with all parentheses.
PRECEDENCE = [
    ("!a == b", "!(a == b)"),
    ("!a & b", "(!a) & b"),
    ("not a in s", "!(a in s)"),
    ("a not in s & b", "(a not in s) & b"),
    ("G a == b", "G (a == b)"),
    ("G a & b", "(G a) & b"),
    ("G F a U b", "(G (F a)) U b"),
    ("!a U !b", "(!a) U (!b)"),
    ("a U b U c", "a U (b U c)"),
    ("a U b R c W d", "a U (b R (c W d))"),
    ("a S b T c", "a S (b T c)"),
    ("a M b & c", "(a M b) & c"),
    ("a & b U c", "a & (b U c)"),
    ("a & b | c & d", "(a & b) | (c & d)"),
    ("a | b xor c", "(a | b) xor c"),
    ("a xor b | c", "a xor (b | c)"),
    ("a xor b xor c", "(a xor b) xor c"),
    ("a xor b -> c", "(a xor b) -> c"),
    ("a -> b xor c", "a -> (b xor c)"),
    ("a -> b -> c", "a -> (b -> c)"),
    ("a <-> b <-> c", "(a <-> b) <-> c"),
    ("a <-> b -> c", "a <-> (b -> c)"),
    ("a -> b <-> c", "(a -> b) <-> c"),
    ("a and b or c", "(a & b) | c"),
    ("a or b and c", "a | (b & c)"),
    ("X a -> b", "(X a) -> b"),
    ("X[3] a & b", "(X[3] a) & b"),
    ("G !a", "G (!a)"),
    ("!G a", "!(G a)"),
    ("! !a", "!(!a)"),
    ("F [0, 5] a", "F[0, 5] (a)"),
    ("F[0, 5] (a & b) | c", "(F[0, 5] (a & b)) | c"),
    ("a U [0, 5] b", "a U[0, 5] (b)"),
    ("always a until b", "(G a) U b"),
    ("eventually not a", "F (!a)"),
    ("a + b == c - d", "(a + b) == (c - d)"),
    ("a + b + c", "(a + b + c)"),
    ("a - b - c", "(a - b) - c"),
    ("a - b + c", "(a - b) + c"),
    ("a + b - c", "(a + b) - c"),
    ("a + b * c", "a + (b * c)"),
    ("a * b + c", "(a * b) + c"),
    ("a / b / c", "(a / b) / c"),
    ("a / b * c", "(a / b) * c"),
    ("a * b / c", "(a * b) / c"),
    ("-a + b", "(-a) + b"),
    ("-a * b", "(-a) * b"),
    ("-a ** b", "-(a ** b)"),
    ("a ** -b", "a ** (-b)"),
    ("a ** b ** c", "a ** (b ** c)"),
    ("a ** b * c", "(a ** b) * c"),
    ("- -a", "-(-a)"),
    ("a.b.c", "(a.b).c"),
    ("a.b(c).d[e]", "(((a.b)(c)).d)[e]"),
    ("-a.b", "-(a.b)"),
    ("a.b ** c", "(a.b) ** c"),
    ("a + b in s", "(a + b) in s"),
    ("a in s & b", "(a in s) & b"),
    ("a in s U b", "(a in s) U b"),
    ("(x, y) in r + s", "(x, y) in (r + s)"),
    ("a from b & c", "(a from b) & c"),
    ("G a from b", "G (a from b)"),
    ("0 <= x < 5 & y", "(0 <= x < 5) & y"),
    ("a < b U c > d", "(a < b) U (c > d)"),
    ("first | prev.door == open -> door == open", "(first | ((prev.door) == open)) -> (door == open)"),
    ("G (a -> F b) & G F c", "(G (a -> (F b))) & (G (F c))"),
    ("Y a S O b", "(Y a) S (O b)"),
    ("H a -> O b", "(H a) -> (O b)"),
    ("WX a & WY b", "(WX a) & (WY b)"),
    ("weak_next a | weak_yesterday b", "(WX a) | (WY b)"),
    ("a weak_until b strong_release c", "a W (b M c)"),
    ("a release b trigger c since d", "a R (b T (c S d))"),
    ("once historically a", "O (H a)"),
    ("f(a, b -> c)", "f(a, (b -> c))"),
    ("f(a & b, k = c | d)", "f((a & b), k = (c | d))"),
    ("sum(x + 1 when p & q)", "sum((x + 1) when (p & q))"),
    ("count[<= 10](p) > 3", "(count[<= 10](p)) > 3"),
    ("x[i + 1] == 2", "(x[(i + 1)]) == 2"),
    ("each i : a -> b", "each i : (a -> b)"),
    ("a\n  & b\n  | c", "(a & b) | c"),
    ("a &\n b", "a & b"),
    ("true -> false", "(true) -> (false)"),
    ("!first & last", "(!first) & last"),
    ("F[<= 8 turns] G[>= 2] a", "F[<= 8 turns] (G[>= 2] a)"),
    ("x == -1", "x == (-1)"),
    ("a == b & c != d | e", "((a == b) & (c != d)) | e"),
    ("x not in {1, 2} -> y", "(x not in {1, 2}) -> y"),
    ("x in [0, 1] & y in (-inf, 2]", "(x in [0, 1]) & (y in (-inf, 2])"),
]


@pytest.mark.parametrize(("written", "meant"), PRECEDENCE, ids=[written for written, _ in PRECEDENCE])
def test_precedence(written, meant):
    assert formula(written) == formula(meant)


def test_letters_and_words_are_the_same_operator():
    pairs = "G always F eventually X next WX weak_next Y yesterday WY weak_yesterday O once H historically".split()
    for letter, word in zip(pairs[::2], pairs[1::2], strict=True):
        assert formula(f"{letter} a") == formula(f"{word} a")
        assert formula(f"{word} a").word == word
    pairs = "U until W weak_until R release M strong_release S since T trigger".split()
    for letter, word in zip(pairs[::2], pairs[1::2], strict=True):
        assert formula(f"a {letter} b") == formula(f"a {word} b")


def test_chains_are_flat():
    for sign, operator in (("&", "&"), ("and", "&"), ("|", "|"), ("+", "+"), ("*", "*")):
        chain = formula(f" {sign} ".join("abcdef"))
        assert isinstance(chain, ast.Nary) and chain.op == operator and len(chain.operands) == 6
    assert len(formula(" & ".join(["a"] * 10_000)).operands) == 10_000


def test_parentheses_keep_a_chain_apart():
    inner = formula("(a & b) & c")
    assert len(inner.operands) == 2 and isinstance(inner.operands[0], ast.Nary)


INTERVALS = [
    ("F[0, 5] a", ("closed", "0", "5", None)),
    ("F[2, inf) a", ("up", "2", None, None)),
    ("F[<= 5] a", ("at_most", None, "5", None)),
    ("F[>= 5] a", ("at_least", "5", None, None)),
    ("X[3] a", ("count", "3", "3", None)),
    ("WY[2] a", ("count", "2", "2", None)),
    ("F[<= 8 turns] a", ("at_most", None, "8", "turns")),
    ("F[<= 1 turn] a", ("at_most", None, "1", "turns")),
    ("a U[<= 1 step] b", ("at_most", None, "1", "steps")),
    ("a S[>= 0.5s] b", ("at_least", "0.5s", None, None)),
]


@pytest.mark.parametrize(("text", "expected"), INTERVALS, ids=[text for text, _ in INTERVALS])
def test_intervals(text, expected):
    interval = formula(text).interval
    form, lo, hi, count = expected
    assert interval.form == form
    assert (interval.lo and interval.lo.value.text) == lo
    assert (interval.hi and interval.hi.value.text) == hi
    assert {bound.count for bound in (interval.lo, interval.hi) if bound} == {count}


def test_intervals_of_mixed_bounds():
    interval = formula("F[1 step, 3 steps] a").interval
    assert (interval.lo.count, interval.hi.count) == ("steps", "steps")
    assert formula("F[k, 2 * k + 1] a").interval.hi.value == formula("2 * k + 1")


LITERALS = [
    ("300_000", ast.Number, 300_000),
    ("1.5e-3", ast.Number, 0.0015),
    ("2e3", ast.Number, 2000.0),
    ("0.1s", ast.Quantity, 0.1),
    ("50m/s", ast.Quantity, 50),
    ("9.81m/s^2", ast.Quantity, 9.81),
    ("1e3s", ast.Quantity, 1000.0),
    ("2e", ast.Quantity, 2),
]


@pytest.mark.parametrize(("text", "kind", "value"), LITERALS)
def test_numbers(text, kind, value):
    node = formula(text)
    assert type(node) is kind and node.value == value and type(node.value) is type(value) and node.text == text


def test_units_of_quantities():
    assert [formula(t).unit for t in ("0.1s", "50m/s", "9.81m/s^2", "3m^-1", "2e")] == [
        "s",
        "m/s",
        "m/s^2",
        "m^-1",
        "e",
    ]


def test_strings():
    assert formula(r'"a\n\t\r\"\\\x41é\U0001F600"').value == 'a\n\t\r"\\Aé😀'
    assert item('"""Doc."""').text == "Doc."
    assert item('"""First.\n\n    Second.\n      Third.\n  """').text == "First.\n\nSecond.\n  Third."
    assert item(r'"""No \escapes here."""').text == r"No \escapes here."


def test_names():
    assert formula("`G`").id == "G"
    assert formula("step >= 3").operands[0].id == "step"
    assert formula("x.from").name == "from"
    assert module("import std.env.minigrid").items[0].path == ("std", "env", "minigrid")
    for word in ("task", "state", "max", "text", "turns", "each", "machine", "import", "shape", "when"):
        assert formula(f"{word} == 3").operands[0].id == word


def test_imports():
    assert item("import a.b as n", "file").alias == "n"
    names = item("import a.b: x as y, z", "file").names
    assert [(name.name, name.alias) for name in names] == [("x", "y"), ("z", None)]


def test_types():
    def kind(text):
        return item(f"signal x : {text}").type

    assert kind("real in [0, 1] [m/s]").unit == "m/s"
    assert kind("real [1/s]").unit == "1/s"
    assert kind("real [m*s^-2]").unit == "m*s^-2"
    assert kind("text[1..80]").size == (1, 80)
    assert kind("vec[2]").size == (2, 2)
    assert kind("vec[2] [m]").size == (2, 2) and kind("vec[2] [m]").unit == "m"
    assert kind("enum {a, b,}").members == ("a", "b")
    assert kind("real in [0, inf)").domain == ast.Range(
        formula("0"), ast.Infinity(span=kind("real").span), span=kind("real").span
    )
    assert kind("int in {1, 2}").domain == formula("x in {1, 2}").domain
    untyped = item("signal w in [-1, 1] [m]").type
    assert untyped.name is None and untyped.unit == "m"
    assert item('signal x : bool = extern "m:f"').extern == "m:f"
    assert item('signal x : bool = y """Doc."""').doc == "Doc."
    assert item("signal x, y : bool").names == ("x", "y")


def test_declarations():
    states = item("state x, y : real [m], theta : real [rad], w in [0, 1]", "system s")
    assert [d.names for d in states.declarations] == [("x", "y"), ("theta",), ("w",)]
    assert [d.type.unit for d in states.declarations] == ["m", "rad", None]
    assert item("step 0.1s by rk4", "system s").integrator == "rk4"
    assert item("x' = v", "system s").target == "x"
    assert item("`G`' = v", "system s").target == "G"


def test_modes_and_commands():
    mode = item("mode m {\n x' = 1\n invariant x < 3\n on x >= 3 -> n { x' = 0 }\n on y -> m\n}", "system s")
    assert [type(i).__name__ for i in mode.items] == ["Equation", "Setting", "Edge", "Edge"]
    assert [len(i.resets) for i in mode.items[2:]] == [1, 0]
    command = item("command c when x < 3 { 0.9 : x' = 1, y' = 2; 0.1 : - }", "system s")
    assert [len(branch.updates) for branch in command.branches] == [2, 0]
    assert item("command c { x' = 1 }", "system s").branches[0].probability is None
    assert item("controller stop { v = 0 }", "system s").body.entries[0].key == "v"


def test_formula_items():
    assert [item(f"{role} f = G a").role for role in ("task", "safe", "behavior", "assume")] == [
        "task", "safe", "behavior", "assume",
    ]  # fmt: skip
    assert item("assume G a").name is None
    assert item("task f = each i, j : G a").body.names == ("i", "j")
    assert item("pattern p(x : prop, k : int = 3) = F x", "file").parameters[1].default.value == 3


def test_costs_and_budgets():
    assert item("cost c = abs(v)").name == "c"
    budget = item("budget c <= 25")
    assert (budget.cost, budget.limit.value) == ("c", 25)


def test_rewards():
    reward = item(
        "reward { f : +1 ends; g : -1 continues; step : -0.1; robustness(f) : 2; shape f; discount = 0.9\n"
        "machine { state u0 { on g -> u1 : 0.1 }  state done accepting } }"
    )
    assert [i.ending for i in reward.items[:3]] == ["ends", "continues", None]
    assert [i.word for i in reward.items[4:6]] == ["shape", "discount"]
    machine = reward.items[6]
    assert machine.name is None and [s.accepting for s in machine.states] == [False, True]
    assert item("machine m { state u }").name == "m"
    guard = item("machine m { state u { on (a -> b) -> v } }").states[0].edges[0].guard
    assert guard == formula("a -> b")


def test_phases():
    def generators(text):
        return item(f"phase p = {text}").generators

    (written,) = generators('text until "\\n" max 64 tokens')
    assert (written.until, written.max_tokens) == ("\n", 64)
    assert generators("text") == (ast.TextGenerator(None, None, span=written.span),)
    assert generators("call(a | b)")[0].tools == ("a", "b")
    assert generators("result(p)")[0].phase == "p"
    contents = generators('regex("a") max 3 tokens & choice("a", "b") & json("f") & grammar("g")')
    assert [g.content.function.id for g in contents] == ["regex", "choice", "json", "grammar"]
    assert item('phase p = regex("a") where len(p) < 3').where == formula("len(p) < 3")
    decode = item("decode { choice exact; temperature 0.5 }")
    assert [(s.word, type(s.value)) for s in decode.items] == [("choice", ast.Name), ("temperature", ast.Number)]


def test_tools_models_prompts():
    tool = item("tool search(query : text[1..80], n : int = 3) -> text { timeout = 3s }")
    assert tool.returns.name == "text" and tool.settings.entries[0].key == "timeout"
    assert item("tool finish()").parameters == ()
    assert item('model "m" { temperature = 0.5 }').settings.entries[0].key == "temperature"
    assert item('prompt "hi"').name is None
    assert item('prompt system """Be\n  brief."""').text.long


def test_training_and_acceptance():
    train = item("train ppo until return >= 200 { steps = 300_000; net = { hidden = [64, 64] } }")
    assert train.until == formula("return >= 200") and len(train.settings.entries) == 2
    expect = item("expect satisfaction(f) >= 0.95 with confidence 0.9")
    assert expect.confidence.value == 0.9
    deploy = item("deploy { require proved(f); shield f by model; monitor f; fallback stop }")
    assert [type(i).__name__ for i in deploy.items] == ["Setting", "Shield", "Setting", "Setting"]


def test_verify():
    assert item("verify f by reach { horizon = 12s }").method == "reach"
    assert item("verify G !(x in wall)").subject == formula("G !(x in wall)")
    bounded = item("verify P >= 0.99 [F goal] by model")
    assert bounded.bound[0] == ">=" and bounded.bound[1].value == 0.99
    assert bounded.subject == formula("F goal") and bounded.method == "model"
    assert item("verify P >= 3").bound is None


def test_examples():
    example = item('example "e" satisfies f { a; -; b & x == 3 }')
    assert example.satisfies and [step.value is None for step in example.steps] == [False, True, False]
    example = item('example "e" violates f {\n  a\n  -\n  -x == 3\n  -\n}')
    assert [step.value is None for step in example.steps] == [False, True, False, True]
    assert item('example "e" satisfies f {}').steps == ()


def test_roles_and_docstrings():
    role = item("role left { task f = F a }")
    assert role.name == "left" and role.items[0].name == "f"


def test_spans_of_names():
    text = "agent Foo { prop bar(x : real) = x > 3; signal a, b : bool; task t = F bar }"
    (agent,) = module(text).items
    assert agent.name_span.text == "Foo"
    prop, signal, task = agent.items
    assert (prop.name_span.text, prop.parameters[0].name_span.text) == ("bar", "x")
    assert [span.text for span in signal.name_spans] == ["a", "b"]
    assert (task.span.text, task.body.span.text, task.body.operand.span.text) == ("task t = F bar", "F bar", "bar")


def test_formula_over_several_lines():
    assert formula("\n  a\n  & b\n\n") == formula("a & b")
    assert parse_formula(Source("<formula>", ""))[0] is None
    assert [d.code for d in parse_formula(Source("<formula>", ""))[1]] == ["AS0108"]
