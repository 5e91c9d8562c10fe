"""Strategies for syntax trees: everything that the parser can make, and no more."""

from hypothesis import strategies as st

from agentc.lang import ast
from agentc.lang.literals import dedent
from agentc.lang.source import Source, Span
from agentc.lang.words import COUNTED, RESERVED

SPAN = Span(Source("made", ""), 0, 0)
AT = {"span": SPAN}
NAMED = {"span": SPAN, "name_span": SPAN}

NAMES = st.sampled_from(
    "a b c speed has_key x1 _y Goal task state step text max each when turns machine shape import P "
    "G U X in from not inf with enum until always".split()
)
PLAIN_NAMES = st.sampled_from(["regex", "json", "grammar", "pick", "x"])
NUMBERS = st.sampled_from(["0", "1", "3", "64", "300_000", "0.5", "1.25e-3", "2e3"])
QUANTITIES = st.sampled_from([("5", "s"), ("0.1", "s"), ("50", "m/s"), ("9.81", "m/s^2"), ("3", "deg")])
UNITS = st.sampled_from(["m", "m/s", "m/s^2", "1/s", "kg*m", "G", "rad"])


def number(text):
    return ast.Number(float(text.replace("_", "")), text, **AT)


ATOMS = st.one_of(
    NAMES.map(lambda name: ast.Name(name, **AT)),
    NUMBERS.map(number),
    QUANTITIES.map(lambda q: ast.Quantity(float(q[0]), q[1], "".join(q), **AT)),
    st.booleans().map(lambda value: ast.Bool(value, **AT)),
    st.text(max_size=6)
    .filter(lambda t: not any(0xD800 <= ord(c) <= 0xDFFF for c in t))
    .map(lambda text: ast.String(text, **AT)),
)


def tuples(element, least=0, most=3):
    return st.lists(element, min_size=least, max_size=most).map(tuple)


def bounds(expr):
    return st.builds(
        lambda value, count: ast.Bound(value, count, **AT), expr, st.sampled_from([None, "steps", "turns"])
    )


def intervals(expr, counted):
    bound = bounds(expr)
    if counted:
        return bound.map(lambda b: ast.Interval("count", b, b, **AT))
    return st.one_of(
        st.tuples(bound, bound).map(lambda b: ast.Interval("closed", *b, **AT)),
        bound.map(lambda b: ast.Interval("up", b, None, **AT)),
        bound.map(lambda b: ast.Interval("at_most", None, b, **AT)),
        bound.map(lambda b: ast.Interval("at_least", b, None, **AT)),
    )


def temporal(expr):
    def unary(op):
        return st.builds(
            lambda interval, operand: ast.Temporal(op, interval, operand, **AT),
            st.none() | intervals(expr, op in COUNTED),
            expr,
        )

    def binary(op):
        return st.builds(
            lambda interval, left, right: ast.TemporalBinary(op, interval, left, right, **AT),
            st.none() | intervals(expr, False),
            expr,
            expr,
        )

    return st.sampled_from(ast.UNARY_TEMPORAL).flatmap(unary) | st.sampled_from(ast.BINARY_TEMPORAL).flatmap(binary)


def ranges(expr):
    infinity = ast.Infinity(**AT)
    below = ast.Unary("-", infinity, **AT)
    return st.one_of(
        st.builds(lambda lo, hi: ast.Range(lo, hi, **AT), expr, expr),
        expr.map(lambda lo: ast.Range(lo, infinity, **AT)),
        expr.map(lambda hi: ast.Range(below, hi, **AT)),
    )


def domains(expr):
    return ranges(expr) | tuples(expr, 1).map(lambda items: ast.SetExpr(items, **AT))


def entries(expr):
    return st.builds(lambda key, value: ast.Entry(key, value, **AT), st.none() | NAMES, expr)


def records(expr, values):
    keyed = st.builds(lambda key, value: ast.Entry(key, value, **AT), NAMES, values)
    bare = expr.map(lambda value: ast.Entry(None, value, **AT))
    return tuples(keyed | bare).map(lambda items: ast.Record(items, **AT))


def values(expr):
    inner = expr | tuples(expr).map(lambda items: ast.ListExpr(items, **AT))
    return inner | records(expr, inner)


def arguments(expr):
    named = st.builds(lambda name, value: ast.Argument(name, value, **AT), st.none() | NAMES, values(expr))
    return named | st.builds(lambda value, when: ast.Argument(None, value, when, **AT), expr, expr)


def compare(expr):
    sign = st.sampled_from(["==", "!=", "<", ">", "<=", ">="])
    links = st.lists(st.tuples(sign, expr), min_size=1, max_size=3)
    return st.builds(
        lambda first, rest: ast.Compare(tuple(op for op, _ in rest), (first, *(e for _, e in rest)), **AT), expr, links
    )


def compound(expr):
    return st.one_of(
        st.builds(lambda op, e: ast.Unary(op, e, **AT), st.sampled_from("!-+"), expr),
        st.builds(
            lambda op, a, b: ast.Binary(op, a, b, **AT),
            st.sampled_from(["-", "/", "**", "->", "<->", "xor"]),
            expr,
            expr,
        ),
        st.builds(lambda op, items: ast.Nary(op, items, **AT), st.sampled_from("&|+*"), tuples(expr, 2)),
        temporal(expr),
        compare(expr),
        st.builds(lambda a, b, n: ast.Member(a, b, n, **AT), expr, expr | domains(expr), st.booleans()),
        st.builds(lambda a, b: ast.From(a, b, **AT), expr, expr),
        st.builds(lambda a, name: ast.Attribute(a, name, **NAMED), expr, NAMES),
        st.builds(lambda a, b: ast.Index(a, b, **AT), expr, expr),
        st.builds(
            lambda f, args, window: ast.Call(f, args, window, **AT),
            expr,
            tuples(arguments(expr), 0, 2),
            st.none() | intervals(expr, False),
        ),
        tuples(expr, 2).map(lambda items: ast.TupleExpr(items, **AT)),
    )


EXPRESSIONS = st.recursive(ATOMS, compound, max_leaves=12)
SMALL = st.recursive(ATOMS, compound, max_leaves=3)
VALUES = values(SMALL)
BODIES = EXPRESSIONS | st.builds(
    lambda names, body: ast.Each(names, body, name_spans=(), **AT), tuples(NAMES, 1), EXPRESSIONS
)

TYPES = st.one_of(
    st.builds(
        lambda name, size, domain, unit: ast.TypeExpr(name, (), size, domain, unit, **AT),
        NAMES,
        st.sampled_from([None, (2, 2), (1, 80)]),
        st.none() | domains(SMALL),
        st.none() | UNITS,
    ),
    st.builds(lambda members: ast.TypeExpr("enum", members, **AT), tuples(NAMES, 1)),
)
DECLARED = TYPES | st.builds(
    lambda domain, unit: ast.TypeExpr(None, (), None, domain, unit, **AT), domains(SMALL), st.none() | UNITS
)
PARAMETERS = tuples(st.builds(lambda n, t, d: ast.Parameter(n, t, d, **NAMED), NAMES, TYPES, st.none() | VALUES), 0, 2)
LINES = st.lists(st.sampled_from(["", "a", "  b c", 'say "x"', "\\d", "\tt", "#"]), max_size=4).map("\n".join)
DOCS = LINES.map(dedent)
TEXTS = st.text(alphabet="ab \"\\\n\t'é", max_size=8)
RECORDS = records(SMALL, VALUES)


def docs(items):
    return items | DOCS.map(lambda text: ast.Doc(text, **AT))


EQUATIONS = st.builds(lambda n, e: ast.Equation(n, e, target_span=SPAN, **AT), NAMES, SMALL)
EDGES = st.builds(lambda g, n, v: ast.Edge(g, n, v, target_span=SPAN, **AT), SMALL, NAMES, st.none() | SMALL)
JUMPS = st.builds(lambda g, n, r: ast.Edge(g, n, None, r, target_span=SPAN, **AT), SMALL, NAMES, tuples(EQUATIONS))
STATES = st.builds(lambda n, a, e: ast.MachineState(n, a, e, **NAMED), NAMES, st.booleans(), tuples(EDGES, 0, 2))


def setting(word, value):
    return value.map(lambda v: ast.Setting(word, v, word_span=SPAN, **AT))


REFERENCES = NAMES.map(lambda name: ast.Name(name, **AT))
BRANCHES = st.builds(lambda p, u: ast.Branch(p, u, **AT), SMALL, tuples(EQUATIONS)) | tuples(EQUATIONS, 1).map(
    lambda u: ast.Branch(None, u, **AT)
)
MODE_ITEMS = docs(EQUATIONS | JUMPS | setting("invariant", SMALL))
DEFINITIONS = st.one_of(
    st.builds(lambda n, t, v, p: ast.Constant(n, t, v, p, **NAMED), NAMES, st.none() | TYPES, VALUES, st.booleans()),
    st.builds(lambda n, p, b: ast.Pattern(n, p, b, **NAMED), NAMES, PARAMETERS, BODIES),
    st.builds(lambda n, p, b: ast.Proposition(n, p, b, **NAMED), NAMES, PARAMETERS, EXPRESSIONS),
    st.builds(lambda n, p, b: ast.RegionItem(n, p, b, **NAMED), NAMES, PARAMETERS, SMALL),
    DOCS.map(lambda text: ast.Doc(text, **AT)),
)
SIGNALS = st.builds(
    lambda names, kind, value, extern, doc: ast.Signal(
        names, kind, value if extern is None else None, extern, doc, name_spans=(), **AT
    ),
    tuples(NAMES, 1),
    DECLARED,
    st.none() | SMALL,
    st.none() | st.just("m:f"),
    st.none() | DOCS,
)
SYSTEM_ITEMS = st.one_of(
    DEFINITIONS,
    SIGNALS,
    st.builds(
        lambda kind, ds: ast.Variables(kind, ds, **AT),
        st.sampled_from(["state", "input", "output", "disturbance"]),
        tuples(st.builds(lambda n, t: ast.Declaration(n, t, name_spans=(), **AT), tuples(NAMES, 1), DECLARED), 1),
    ),
    EQUATIONS,
    setting("init", VALUES),
    st.builds(lambda e, n: ast.StepSize(e, n, **AT), SMALL, st.none() | NAMES),
    st.builds(lambda n, items: ast.Mode(n, items, **NAMED), NAMES, tuples(MODE_ITEMS)),
    st.builds(lambda n, g, b: ast.Command(n, g, b, **NAMED), NAMES, st.none() | SMALL, tuples(BRANCHES, 1)),
    st.builds(lambda n, r: ast.Controller(n, r, **NAMED), NAMES, RECORDS),
)
REWARD_ITEMS = docs(
    st.one_of(
        st.builds(
            lambda s, a, e: ast.RewardTerm(s, a, e, **AT), SMALL, SMALL, st.sampled_from([None, "ends", "continues"])
        ),
        setting("shape", REFERENCES),
        setting("discount", SMALL),
        tuples(docs(STATES)).map(lambda states: ast.Machine(None, states, **NAMED)),
    )
)
LIMITS = st.none() | st.integers(1, 99)
GENERATORS = st.one_of(
    st.builds(lambda until, most: ast.TextGenerator(until, most, **AT), st.none() | TEXTS, LIMITS),
    tuples(NAMES, 1).map(lambda tools: ast.CallGenerator(tools, tool_spans=(), **AT)),
    NAMES.map(lambda phase: ast.ResultGenerator(phase, phase_span=SPAN, **AT)),
    st.builds(
        lambda name, args, most: ast.ContentGenerator(ast.Call(ast.Name(name, **AT), args, **AT), most, **AT),
        PLAIN_NAMES,
        tuples(arguments(SMALL)),
        LIMITS,
    ),
)
PROMPTS = TEXTS.map(lambda t: ast.String(t, **AT)) | TEXTS.map(lambda t: ast.String(dedent(t), True, **AT)).filter(
    lambda s: dedent(s.value) == s.value
)
VERIFIED = EXPRESSIONS.filter(
    lambda e: not (isinstance(e, ast.Compare) and len(e.ops) == 1 and e.operands[0] == ast.Name("P", **AT))
)
AGENT_ITEMS = st.one_of(
    DEFINITIONS,
    SIGNALS,
    setting("env", SMALL),
    st.builds(
        lambda role, name, body: ast.FormulaItem(role, name, body, **NAMED),
        st.sampled_from(["task", "safe", "behavior", "assume"]),
        NAMES,
        BODIES,
    ),
    BODIES.map(lambda body: ast.FormulaItem("assume", None, body, **NAMED)),
    st.builds(lambda n, e: ast.CostItem(n, e, **NAMED), NAMES, SMALL),
    st.builds(lambda n, e: ast.Budget(n, e, cost_span=SPAN, **AT), NAMES, SMALL),
    tuples(REWARD_ITEMS).map(lambda items: ast.Reward(items, **AT)),
    st.builds(lambda n, s: ast.Machine(n, s, **NAMED), NAMES, tuples(docs(STATES))),
    st.builds(lambda n, g, w: ast.Phase(n, g, w, **NAMED), NAMES, tuples(GENERATORS, 1), st.none() | SMALL),
    st.builds(
        lambda n, p, t, r: ast.Tool(n, p, t, r, **NAMED), NAMES, PARAMETERS, st.none() | TYPES, st.none() | RECORDS
    ),
    st.builds(lambda n, r: ast.Model(n, r, **NAMED), TEXTS, st.none() | RECORDS),
    st.builds(lambda n, t: ast.Prompt(n, t, **NAMED), st.none() | NAMES, PROMPTS),
    st.builds(
        lambda n, u, r: ast.Train(n, u, r, algorithm_span=SPAN, **AT), NAMES, st.none() | SMALL, st.none() | RECORDS
    ),
    st.builds(lambda e, c: ast.Expect(e, c, **AT), SMALL, st.none() | SMALL),
    st.builds(
        lambda s, b, m, r, e: ast.Verify(s, b, m, r, e if b else "P", **AT),
        VERIFIED,
        st.none() | st.tuples(st.sampled_from([">=", "<"]), SMALL),
        st.none() | NAMES,
        st.none() | RECORDS,
        st.sampled_from(["P", "E"]),
    ),
    tuples(
        docs(
            st.one_of(
                setting("require", SMALL),
                setting("monitor", REFERENCES),
                setting("fallback", SMALL),
                st.builds(
                    lambda n, m, s: ast.Shield(n, m, s, formula_span=SPAN, **AT),
                    NAMES,
                    st.none() | NAMES,
                    st.none() | RECORDS,
                ),
            )
        )
    ).map(lambda items: ast.Block("deploy", items, **AT)),
    tuples(NAMES.flatmap(lambda word: setting(word, SMALL))).map(lambda items: ast.Block("decode", items, **AT)),
    st.builds(
        lambda t, s, f, steps: ast.Example(t, s, f, steps, title_span=SPAN, formula_span=SPAN, **AT),
        TEXTS,
        st.booleans(),
        NAMES,
        tuples((st.none() | SMALL).map(lambda value: ast.ExampleStep(value, **AT))),
    ),
)
ROLES = st.builds(lambda n, items: ast.Role(n, items, **NAMED), NAMES, tuples(AGENT_ITEMS))
IMPORTS = st.one_of(
    st.builds(lambda p, a: ast.Import(p, a, path_span=SPAN, **AT), tuples(NAMES, 1), st.none() | NAMES),
    st.builds(
        lambda p, names: ast.Import(p, None, names, path_span=SPAN, **AT),
        tuples(NAMES, 1),
        tuples(st.builds(lambda n, a: ast.ImportedName(n, a, **NAMED), NAMES, st.none() | NAMES), 1),
    ),
)
TOP_ITEMS = st.one_of(
    IMPORTS,
    DEFINITIONS,
    st.builds(
        lambda n, p, items: ast.Environment(n, p, items, **NAMED),
        NAMES,
        PARAMETERS,
        tuples(SIGNALS | DEFINITIONS | setting("engine", SMALL)),
    ),
    st.builds(lambda n, a, r: ast.Recipe(n, a, r, algorithm_span=SPAN, **NAMED), NAMES, NAMES, st.none() | RECORDS),
    st.builds(lambda n, p, items: ast.System(n, p, items, **NAMED), NAMES, PARAMETERS, tuples(SYSTEM_ITEMS)),
    st.builds(lambda n, items: ast.Agent(n, items, **NAMED), NAMES, tuples(AGENT_ITEMS | ROLES)),
)
MODULES = tuples(TOP_ITEMS, 0, 4).map(lambda items: ast.Module(items, **AT))

assert RESERVED  # the names above hold some of them: they have to come back from their back-ticks
