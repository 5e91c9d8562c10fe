"""Each mistake gets one report, at its place, and costs no more than its item."""

import pytest

from agentc.lang import ast
from agentc.lang.parser import parse, parse_formula
from agentc.lang.recovery import MAX_REPORTS
from agentc.lang.source import Source


def reports(text):
    """``code:line:column`` of each report."""
    found = []
    for diagnostic in parse(Source("f", text)).diagnostics:
        line, column = diagnostic.span.source.position(diagnostic.span.start)
        found.append(f"{diagnostic.code[4:]}:{line}:{column}")
    return found


def inside(text):
    """Reports of a text that stands in an agent."""
    return reports("agent A {\n" + text + "\n}")


FILES = [
    # words
    ("agnt A { prop p = x }", ["09:1:1"]),
    ("agent A {}\nsytem s { step 1s }", ["09:2:1"]),
    ("foo", ["09:1:1"]),
    ("import std.x : a asb", ["23:1:18"]),
    ("agent A { system s { } }", ["25:1:11"]),
    ("task t = F a", ["25:1:1"]),
    ("environment e { task t = F a }", ["25:1:17"]),
    ("system s { reward { a : 1 } }", ["25:1:12"]),
    ("agent A { x' = 3 }", ["25:1:11"]),
    ("agent A {\n  environment e { signal x : bool }\n  prop p = x\n}", ["25:2:3"]),
    # braces
    ("agent A {\n  prop a = b\n", ["05:2:12"]),
    ("agent A {\n  prop a = b\n}\n}", ["07:4:1"]),
    ("}", ["07:1:1"]),
    ("agent A\n  prop a = b\n}", ["23:1:7"]),
    ("agent { prop a = b }", ["29:1:1"]),
    ("agent A {\n  reward {\n    a : 1\n  task t = F a\n}", ["05:4:3"]),
    ("agent A {\n  reward {\n    a : 1\n  # forgotten\n  task t = F a\n  safe s = G b\n}", ["05:5:3"]),
    ("agent A {\n  prop a = b\n\nagent B {\n  prop a = b\n}", ["05:4:1"]),
    ("agent A {\n  reward {\n    a : 1\n\nagent B {\n}", ["05:5:1", "05:5:1"]),
    ("agent A {\n  reward {\n    a : 1\n}\n", ["05:4:1"]),
    ("agent A {\n  train ppo { steps = 3\n  expect a >= 3\n}", ["05:3:3"]),
    ('agent A {\n  example "e" satisfies t { a; b\n  prop a = b\n}', ["05:3:3"]),
    ("agent A {\n  machine m {\n    state u { on a -> u\n    state v\n  }\n}", ["05:4:5"]),
    ("{", ["08:1:1"]),
]

ITEMS = [
    # words
    ("tsk t = F p", ["09:2:1"]),
    ("foo bar", ["09:2:1"]),
    ("3", ["08:2:1"]),
    ("reward { shpae a }", ["09:2:10"]),
    ("deploy { requir proved(s) }", ["09:2:10"]),
    ("task t = alwys a", ["27:2:10"]),
    ("task t = a untill b", ["27:2:12"]),
    ("task t = a snce b", ["27:2:12"]),
    ("verify s bye reach", ["27:2:10"]),
    ("expect s >= 0.9 with confidnce 0.95", ["27:2:22"]),
    ('phase p = txt until "x"', ["27:2:11"]),
    ("phase p = textt", ["27:2:11"]),
    # operators of others
    ("prop a = b && c || d", ["10:2:12", "10:2:17"]),
    ("task t = [] (a -> <> b)", ["10:2:10", "10:2:19"]),
    ("prop a = b implies c", ["10:2:12"]),
    ("prop a = b => c", ["10:2:12"]),
    ("prop a = b <=> c", ["10:2:12"]),
    ("prop a = ~b /\\ c \\/ d", ["10:2:10", "10:2:13", "10:2:18"]),
    ("prop a = x /= 3", ["10:2:12"]),
    ("prop a = x <> 3", ["10:2:12"]),
    ("prop a = x === 3", ["10:2:12"]),
    ("prop a = not (b AND c)", ["10:2:17"]),
    ("prop a = x ≥ 3 ∧ ¬y", ["10:2:12", "10:2:16", "10:2:18"]),
    ("task t = globally a", ["10:2:10"]),
    # equals
    ("prop a = b = 3", ["20:2:12"]),
    ("prop a == 3", ["21:2:8"]),
    ("task t = F (x = 3)", ["20:2:15"]),
    ("prop a b", ["23:2:8"]),
    ("prop a = x == = 3", ["08:2:15"]),
    # names
    ("prop G = x", ["26:2:6"]),
    ("signal in : bool", ["26:2:8"]),
    ("prop = 3", ["29:2:1"]),
    ("prop a = x.", ["29:2:11"]),
    ("prop été = 3", ["15:2:6"]),
    ("prop `a b` = 3", ["15:2:6"]),
    # operands and operators
    ("task t = a &", ["28:2:12"]),
    ("task t = & a", ["28:2:10"]),
    ("task t = a & & b", ["28:2:14"]),
    ("task t = G", ["28:2:10"]),
    ("task t = !", ["28:2:10"]),
    ("task t = a U", ["28:2:12"]),
    ("prop a = x in", ["28:2:12"]),
    ("prop a = (b & )", ["28:2:13"]),
    ("task t =\ntask u = F b", ["28:2:8"]),
    ("prop a = b c", ["30:2:10"]),
    ("prop a = (b) (c) d", ["30:2:16"]),
    # brackets
    ("prop a = (b & c\ntask t = F a", ["06:2:15"]),
    ("task t = F(a & F(b & c", ["06:2:22"]),
    ("reward {\n  a : max(1, 2\n  b : 3\n  c : 4\n}", ["06:3:14"]),
    ("task t = F[0, 5 a", ["06:2:15"]),
    ("const x = [1, 2", ["06:2:15"]),
    ("prop a = f(", ["06:2:11"]),
    ("prop a = b)", ["07:2:11"]),
    ("prop a = (b]", ["07:2:12"]),
    ("prop a = x in [0, 1)", ["07:2:20"]),
    ("task t = F[0, inf] a", ["22:2:18"]),
    ("task t = F [0 5] a", ["23:2:15"]),
    ("prop a = f(x y)", ["23:2:14"]),
    ("signal x real", ["23:2:10"]),
    # separators
    ("prop a = b prop c = d", ["31:2:12"]),
    ("train ppo { a = 1, b = 2 }", ["34:2:18"]),
    ("train ppo { a = 1 b = 2 }", ["31:2:19"]),
    ("reward { a : 1 b : 2 }", ["31:2:16"]),
    ("reward { a 1 }", ["23:2:12"]),
    # numbers
    ("prop a = x > 5 s", ["32:2:14"]),
    ("prop a = x > 1.", ["13:2:14"]),
    ("prop a = x > .5", ["13:2:14"]),
    ("prop a = x > 1__0", ["13:2:14"]),
    ("prop a = x > 0x1F", ["13:2:14"]),
    ("prop a = x > 5s2", ["13:2:14"]),
    ("prop a = x > 1e999", ["24:2:14"]),
    ("prop a = x > " + "9" * 5000, ["24:2:14"]),
    ("signal x : text[1.5]", ["16:2:17"]),
    ("signal x : real [m] [s]", ["19:2:17"]),
    ("task t = F[3] a", ["17:2:11"]),
    ("task t = X[1, 2] a", ["18:2:11"]),
    # texts and comments
    ('env minigrid("Mini, max = 3)\nprop a = b', ["02:2:14"]),
    ('example "key satisfies t { a; b }\nprop a = b', ["02:2:9"]),
    ('model "m\nprop a = b', ["02:2:7"]),
    ('"""Doc\nprop a = b', ["03:2:1"]),
    ("env f('abc')", ["12:2:7"]),
    ("env f(“abc”)", ["12:2:7"]),
    (r'env f("a\d")', ["14:2:9"]),
    (r'env f("\ud800")', ["14:2:8"]),
    ("prop a = b // comment\nprop c = d", ["11:2:12"]),
    ("/* a\n b */\nprop c = d", ["11:2:1"]),
    ("prop a = b $ c", ["01:2:12"]),
    ("prop a = b ? c : d", ["01:2:12"]),
    ("prop a = @b", ["01:2:10"]),
]


@pytest.mark.parametrize(("text", "expected"), FILES, ids=[repr(text) for text, _ in FILES])
def test_files(text, expected):
    assert reports(text) == expected


@pytest.mark.parametrize(("text", "expected"), ITEMS, ids=[repr(text)[:60] for text, _ in ITEMS])
def test_items(text, expected):
    assert inside(text) == expected


@pytest.mark.parametrize("text", [text for text, _ in ITEMS], ids=[repr(text)[:60] for text, _ in ITEMS])
def test_neighbours_survive(text):
    """A broken item costs neither the one before it nor the one behind it, and adds no report to theirs."""
    result = parse(
        Source("f", f"agent A {{\nprop before = x\n{text}\nsafe behind = G (x & y\n}}\nagent B {{ prop q = r }}")
    )
    assert result.diagnostics[-1].code == "AS0106"
    assert len(result.diagnostics) == len(inside(text)) + 1
    first, second = result.module.items
    assert first.items[0].name == "before" and first.items[-1].name == "behind"
    assert second.items[0].name == "q"


FIVE = [
    (
        """\
import std.patterns: ordered

agnt DoorKey {
  env minigrid("MiniGrid-DoorKey-6x6-v0", max_steps = 250)
  prop has_key = carrying = key
  prop door_open = door == open &
  task reach = ordered(has_key, door_open
  safe careful = G (first | prev.door == open)
  reward {
    reach : +1.0
    careful -1.0
    shape reach
  }
}
""",
        ["09:3:1", "20:5:27", "28:6:33", "06:7:41", "08:11:16"],
    ),
    (
        """\
system unicycle {
  state x, y : real [m], theta : real [rad]
  input v real in [0, 1] [m/s]
  x' = v * cos(theta;  y' = v * sin(theta)
  step 0.1 s by rk4
}

agent Courier {
  region depot = circle(center = (3, 1), radius = 0.5)
  task deliver = F[0s, inf] (x, y) in depot && G clear
  verify clear by reach { horizon = 12s, split = 4 }
}
""",
        ["23:3:11", "06:4:20", "32:5:8", "22:10:27", "10:10:45", "34:11:40"],
    ),
    (
        """\
agent Researcher {
  model 'smollm2'
  tool search(query : text[1..80]) -> text
  tool finish(answer : text[1..60])
  phase thought = text until "x max 64 tokens
  phase action  = call(search | finish)
  behavior brief = F[8 turns] finish
  behavior X = G (finish -> seen(reply))
  reward { answered : +1.0
  train grpo { group = 8; steps = 200 }
}
""",
        ["12:2:9", "02:5:30", "17:7:21", "26:8:12", "05:10:3"],
    ),
    (
        """\
agent A {
  prop a = x implies y
  prop b = x > .5
  prop c = x; prop d = (y]
  task e = eventualy (a) U b
  task f = alwys a
  // the end
  expect satisfaction(f) >= 0.95 with confidense 0.95
}
agent B {
  prop p = q
""",
        ["10:2:14", "13:3:16", "07:4:26", "27:6:12", "11:7:3", "27:8:39", "05:11:12"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), FIVE)
def test_independent_mistakes_in_one_file(text, expected):
    assert reports(text) == expected


def test_an_error_knows_what_it_would_have_declared():
    (agent,) = parse(Source("f", "agent A {\n signal a, b ] ] ]\n task t = ] ] }")).module.items
    assert [i.names for i in agent.items if isinstance(i, ast.ErrorItem)] == [("a", "b"), ("t",)]


def test_fixes_mend():
    """Applying the fixes of a report makes a file without errors."""
    for text in [
        "prop a = b = 3", "prop a == 3", "prop a = b && c", "prop a = b // c", "prop a = x > 5 s", "prop G = x",
        "task t = F[0, inf] a", "prop a = (b]", "prop a = (b", "train ppo { a = 1, b = 2 }", "prop a = b prop c = d",
        "env f('abc')", "tsk t = F p", "task t = alwys a", "task t = F[3] a", r'env f("a\d")', "signal x real",
        "prop a = x > 1.", "prop a = b)", "reward { a : 1 b : 2 }", "prop a = b implies c",
        "train ppo { a = 1 } until proved(f)", "train q { a = [1] } until satisfaction(f) >= 0.5; prop g = h",
    ]:  # fmt: skip
        source = Source("f", f"agent A {{ {text} }}") if "//" not in text else Source("f", f"agent A {{ {text}\n}}")
        (found,) = parse(source).diagnostics
        assert found.fix is not None, text
        mended = source.text
        for edit in sorted(found.fix.edits, key=lambda edit: -edit.span.start):
            mended = mended[: edit.span.start] + edit.replacement + mended[edit.span.stop :]
        assert parse(Source("f", mended)).diagnostics == (), mended


def test_formulas():
    def codes(text):
        return [d.code for d in parse_formula(Source("<formula>", text))[1]]

    assert codes("a &") == ["AS0128"]
    assert codes("(a") == ["AS0106"]
    assert codes("a; b") == ["AS0108"]
    assert codes("a = 3") == ["AS0120"]
    assert codes("a)") == ["AS0107"]
    assert codes("task t = a")[:1] == ["AS0130"]


def test_reports_are_bounded():
    found = parse(Source("f", "agent A {\n" + "prop a b\n" * 500 + "}")).diagnostics
    assert len(found) == MAX_REPORTS + 1 and found[-1].code == "AS0133"


def test_no_report_speaks_of_the_grammar():
    words = ("ANON", "_SEP", "RBRACE", "LPAR", "UNARY_TEMPORAL", "$END", "_ERR")
    for text, _ in [*FILES, *((f"agent A {{\n{text}\n}}", None) for text, _ in ITEMS)]:
        for diagnostic in parse(Source("f", text)).diagnostics:
            said = diagnostic.message + (diagnostic.help or "")
            assert not [word for word in words if word in said], said


def test_reading_an_item_again_repeats_no_report():
    assert inside("task t = F[3] a & (alwys b)") == ["17:2:11", "27:2:20"]


def test_what_is_expected_is_not_forgotten():
    """The parser reduces before it notices an error; the report still lists what could have come."""
    (found,) = parse(Source("f", "agent A { reward {\n careful -1.0\n b : 2 } }")).diagnostics
    assert found.message == "unexpected end of the line; expected an operator or `:`"
