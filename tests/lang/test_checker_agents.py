"""What is wrong with an agent, by code and place; and what is right gives nothing."""

import pytest

from agentc.lang.checker import check_module
from agentc.lang.diagnostics import Diagnostic
from agentc.lang.imports import Library
from agentc.lang.parser import parse
from agentc.lang.source import Source

LAMP = """
environment lamp(size : int = 3, max_steps : int = 100) {
  engine lamp(size = size)
  step 0.5s
  signal lit, open : bool
  signal level : int in [0, 9]
  signal x, y : real [m]
  signal door : enum {open_, closed}
  signal action : enum {up, down}
}
"""


def found(text: str, **settings: object) -> list[Diagnostic]:
    parsed = parse(Source("spec.agentspec", text))
    assert not parsed.diagnostics, parsed.diagnostics
    return list(check_module(parsed.module, Library(), **settings).diagnostics)  # type: ignore[arg-type]


def codes(text: str, **settings: object) -> list[str]:
    return [d.code for d in found(text, **settings)]


def in_agent(body: str) -> str:
    return LAMP + "agent A {\n  env lamp()\n" + body + "\n}\n"


RIGHT = [
    "task f = F lit",
    "task f = F lit; reward { f : 1.0; step : -0.1; shape f; discount = 0.9 }",
    "task f = F lit; reward { f : 1 continues; lit : 0.5; level > 3 : 0.1 }",
    "task f = F lit; reward { robustness(f, clip = 1) : 1; robustness(f, clip = [-1, 2]) : 1; progress(f) : 0.5 }",
    "machine m { state a { on lit -> b : 1 }; state b accepting }; reward { m : 2 }",
    "reward { machine { state a { on lit -> a : 1 } } }",
    "safe g = G lit; expect violations(g) <= 0; expect return >= 0.5; expect 0.9 <= satisfaction(g)",
    "task f = F lit; expect satisfaction(f) >= 0.9 with confidence 0.99",
    "task f = F lit; train ppo until satisfaction(f) >= 0.9 { steps = 10 }",
    "safe g = G lit; verify g by reach { split = 4 }; verify P >= 0.9 [g]; verify F lit",
    "safe g = G lit; deploy { require proved(g) & met(g); shield g; monitor g }",
    "safe g = G lit; deploy { require proved(g, unchecked) }",
    'prop p = level > 3; task f = F p; example "a" satisfies f { -; p; !p & lit; level == 3 & door == open_ }',
    'task f = F (x > 1m); example "a" satisfies f { (x, y) == (1m, 200cm) }',
    "cost c = level; budget c <= 25",
    "cost c = lit; budget c <= 25",
    "assume G lit; assume known = F lit; task f = F lit",
    "role left { task f = F lit; reward { f : 1 } }",
    "const most : int = 3; param least : int = 1; task f = F (level > most & level > least)",
]

WRONG = [
    # what is there twice
    ("env lamp()", ["AS0502"]),
    ("task f = F lit; reward { f : 1 }; reward { f : 2 }", ["AS0502"]),
    ("task f = F lit; reward { f : 1; discount = 0.9; discount = 0.8 }", ["AS0502"]),
    ("task f = F lit; task f = G lit", ["AS0201"]),
    ("prop lit = level > 3", ["AS0201"]),
    # rewards
    ("task f = F lit; reward { g : 1 }", ["AS0203"]),
    ("task f = F lit; reward { f : level }", ["AS0308"]),
    ("reward { level : 1 }", ["AS0504"]),
    ("assume q = F lit; reward { q : 1 }", ["AS0504"]),
    ("reward { F lit : 1 }", ["AS0505"]),
    ("reward { lit : 1 ends }", ["AS0506"]),
    ("reward { step : 1 ends }", ["AS0506"]),
    ("task f = F lit; reward { robustness(f) : 1 continues }", ["AS0506"]),
    ("task f = F lit; reward { robustness(f, clop = 1) : 1 }", ["AS0305"]),
    ("task f = F lit; reward { robustness(f, clip = 0) : 1 }", ["AS0614"]),
    ("task f = F lit; reward { robustness(f, clip = [2, 1]) : 1 }", ["AS0314"]),
    ("task f = F lit; reward { robustness(f, clip = [1, 2, 3]) : 1 }", ["AS0614"]),
    ("task f = F lit; reward { robustness() : 1 }", ["AS0307"]),
    ("task f = F lit; reward { progress(f, f) : 1 }", ["AS0304"]),
    ("safe g = G lit; reward { shape g }", ["AS0508"]),
    ("task f = F lit; reward { shape ff }", ["AS0203"]),
    ("task f = F lit; reward { f : 1; discount = 0 }", ["AS0614"]),
    ("task f = F lit; reward { f : 1; discount = 1.5 }", ["AS0614"]),
    ("reward { }", ["AS0510"]),
    # machines
    ("reward { machine { state a { on lit -> b : 1 } } }", ["AS0203"]),
    ("reward { machine { state a; state a } }", ["AS0201"]),
    ("reward { machine { state a; state b } }", ["AS0511"]),
    ("reward { machine { } }", ["AS0510"]),
    ("reward { machine { state a { on F lit -> a } } }", ["AS0312"]),
    ("machine m { state a }; machine n { state a }; reward { m : 1; n : 2 }", ["AS0502"]),
    ("machine m { state a }; reward { m : 1; machine { state b } }", ["AS0502"]),
    ("reward { machine { state a { on lit -> a : door } } }", ["AS0301"]),
    # expectations
    ("task f = F lit; expect f", ["AS0512"]),
    ("task f = F lit; expect satisfaction(f) <= 0.5", ["AS0512"]),
    ("task f = F lit; expect satisfied(f) >= 0.5", ["AS0512"]),
    ("task f = F lit; expect satisfaction(lit) >= 0.5", ["AS0208"]),
    ("task f = F lit; expect satisfaction(ff) >= 0.5", ["AS0203"]),
    ("task f = F lit; expect satisfaction(f, f) >= 0.5", ["AS0304"]),
    ("task f = F lit; expect satisfaction(f) >= 1.5", ["AS0614"]),
    ("task f = F lit; expect satisfaction(f) >= 0.5 with confidence 1", ["AS0614"]),
    ("safe g = G lit; expect violations(g) <= -1", ["AS0614"]),
    # verification and deployment
    ("task f = F lit; verify ff", ["AS0203"]),
    ("task f = F lit; verify P >= 2 [f]", ["AS0614"]),
    ("task f = F lit; verify P > 0.5 [f]", ["AS0552"]),
    ("safe g = G lit; deploy { require lit }", ["AS0553"]),
    ("safe g = G lit; deploy { require proved(lit) }", ["AS0208"]),
    ("safe g = G lit; deploy { shield lit }", ["AS0208"]),
    ("safe g = G lit; deploy { monitor h }", ["AS0203"]),
    ("safe g = G lit; deploy { monitor g; fallback stop }", ["AS0203"]),
    ("safe g = G lit; deploy { }", ["AS0510"]),
    # settings
    ("task f = F lit; train ppo { steps = 1; steps = 2 }", ["AS0609"]),
    ("task f = F lit; train ppo { lit }", ["AS0608"]),
    ("task f = F lit; train ppo until lit { steps = 1 }", ["AS0512"]),
    # costs
    ("cost c = level; budget d <= 25", ["AS0203"]),
    ("cost c = level; budget c <= -1", ["AS0614"]),
    # examples
    ('task f = F lit; example "a" satisfies f { }', ["AS0510"]),
    ('task f = F lit; example "a" satisfies g { lit }', ["AS0203"]),
    ('task f = F lit; example "a" satisfies lit { lit }', ["AS0208"]),
    ('task f = F lit; example "a" satisfies f { lit | open }', ["AS0515"]),
    ('task f = F lit; example "a" satisfies f { level > 3 }', ["AS0515"]),
    ('task f = F lit; example "a" satisfies f { level }', ["AS0515"]),
    ('task f = F lit; example "a" satisfies f { litt }', ["AS0203"]),
    ('task f = F lit; example "a" satisfies f { lit & !lit }', ["AS0518"]),
    ('task f = F lit; example "a" satisfies f { level == 3 & level == 4 }', ["AS0518"]),
    ('task f = F lit; example "a" satisfies f { door == opn_ }', ["AS0205"]),
    ('task f = F lit; example "a" satisfies f { level == 12 }', ["AS0315"]),
    ('task f = F lit; example "a" satisfies f { x == 3s }', ["AS0414"]),
    # definitions that nothing uses
    ("prop p = lit; task f = F lit", ["AS0217"]),
    # signals of the agent
    ("signal far : real [m] = x + 3s", ["AS0402"]),
    ('signal seen_ : bool = extern "vision:seen"', ["AS0604"]),
    ('signal seen_ : bool = extern "vision"', ["AS0605"]),
]


@pytest.mark.parametrize("body", RIGHT)
def test_what_is_right(body: str) -> None:
    assert codes(in_agent(body)) == []


@pytest.mark.parametrize(("body", "expected"), WRONG, ids=[b for b, _ in WRONG])
def test_what_is_wrong(body: str, expected: list[str]) -> None:
    assert codes(in_agent(body)) == expected


ENVIRONMENTS = [
    ("agent A { env lamp(5, max_steps = 10); task f = F lit }", []),
    ("agent A { env lamp; task f = F lit }", []),
    ("agent A { task f = F true }", []),
    ("agent A { signal b : bool; task f = F b; train ppo { steps = 5 } }", ["AS0501"]),
    ("agent A { env lmap(); task f = F litt }", ["AS0203", "AS0203"]),
    ("agent A { env 3; task f = F lit }", ["AS0603"]),
    ("agent A { env lamp(max_steps = 0); task f = F lit }", ["AS0614"]),
    ("agent A { env lamp(sice = 3); task f = F lit }", ["AS0305"]),
    ("agent A { env lamp(size = 3, size = 4); task f = F lit }", ["AS0306"]),
    ("agent A { env lamp(size = 2.5); task f = F lit }", ["AS0301"]),
    ("agent A { env lamp(1, 2, 3); task f = F lit }", ["AS0304"]),
    ("agent A { env A() }", ["AS0203"]),
    ("const c = 3; agent A { env c() }", ["AS0208"]),
    ("environment e() { signal b : bool }", ["AS0601"]),
    ("environment e() { engine 3 }", ["AS0602"]),
    ("environment e() { engine a(1, 2) }", ["AS0602"]),
    ("environment e() { engine a(x = 1, x = 2) }", ["AS0306"]),
    ("environment e() { engine a(); engine b() }", ["AS0502"]),
    ("environment e() { engine a(); step 0s }", ["AS0614"]),
    ("environment e() { engine a(); step 3m }", ["AS0414"]),
    ("environment e() { engine a(); signal b : bool; signal b : int }", ["AS0201"]),
    ("environment e() { engine a(); signal b : boll }", ["AS0309"]),
    ("environment e(n : int) { engine a(n = n) } agent A { env e() }", ["AS0304"]),
    ("environment e(n : int, m : int) { engine a(n = n) } agent A { env e(m = 1) }", ["AS0307"]),
]


@pytest.mark.parametrize(("text", "expected"), ENVIRONMENTS, ids=[t for t, _ in ENVIRONMENTS])
def test_environments(text: str, expected: list[str]) -> None:
    assert codes(LAMP + text.replace("} agent", "}\nagent").replace("; agent", "\nagent")) == expected


def test_five_independent_mistakes_are_five_reports() -> None:
    text = in_agent(
        """
  prop high = levl > 3
  task f = F (high & x > 3s)
  safe g = alwys (lit)
  reward { f : 1; h : 2 }
  expect satisfaction(f) >= 2
  example "a" satisfies f { door == opn_ }
"""
    )
    assert sorted(codes(text)) == sorted(["AS0203", "AS0402", "AS0209", "AS0203", "AS0614", "AS0205"])


def test_the_duplicate_shows_the_first() -> None:
    [duplicate] = found(in_agent("task f = F lit; task f = G lit"))
    assert [a.span.text for a in duplicate.annotations] == ["f"]
    assert duplicate.span is not None and duplicate.annotations[0].span.start < duplicate.span.start


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        ("task fly = F lit; reward { shape flyy }", "fly"),
        ("task fly = F lit; expect satisfaction(flly) >= 0.5", "fly"),
        ('task f = F lit; example "a" satisfies f { litt }', "lit"),
        ("reward { machine { state start { on lit -> stat } } }", "start"),
        ("cost fuel = level; budget fule <= 25", "fuel"),
    ],
)
def test_did_you_mean(body: str, meant: str) -> None:
    [unknown] = found(in_agent(body))
    assert unknown.help == f"did you mean `{meant}`?"


def test_a_named_python_module_may_label() -> None:
    text = in_agent('signal near : bool = extern "vision.labels:near"; task f = F near')
    assert codes(text, allow_extern=["vision.labels"]) == []
    assert codes(text, allow_extern=["vision"]) == ["AS0604"]


def test_a_misspelt_environment_is_taken_for_the_one_that_was_meant() -> None:
    text = LAMP + "agent A { env lammp()\n prop near = x < 3m\n task f = F (near & lit)\n task g = F dark }"
    assert [(d.code, d.values["name"]) for d in found(text)] == [("AS0203", "lammp"), ("AS0203", "dark")]


def test_what_cannot_be_resolved_is_reported_once() -> None:
    """An environment that is unknown leaves names unknown; only what looks like a slip of the pen is said."""
    text = LAMP + "agent A { env other()\n prop near = x < 3m\n task f = F (near & lit)\n task g = F naer }"
    assert [(d.code, d.values["name"]) for d in found(text)] == [("AS0203", "other"), ("AS0203", "naer")]


def test_definitions_of_an_environment_are_the_agents() -> None:
    text = """
environment e() {
  engine e()
  signal level : int
  const most : int = 7
  prop high = level > most
  assume steady = G (level >= 0)
}
agent A { env e(); task f = F high }
"""
    parsed = parse(Source("spec.agentspec", text))
    spec = check_module(parsed.module, Library())
    assert spec.diagnostics == ()
    [agent] = spec.agents
    assert [(f.role, f.name) for f in agent.formulas] == [("assume", "steady"), ("task", "f")]
    assert [p.name for p in agent.propositions] == ["high"]


@pytest.mark.parametrize("confidence", ["1", "0", "95"])
def test_the_domain_of_a_confidence_is_open_at_both_ends(confidence):
    (wrong,) = found(in_agent(f"task f = F lit; expect satisfaction(f) >= 0.5 with confidence {confidence}"))
    assert (wrong.code, wrong.help) == ("AS0614", "it is a number in (0, 1)")
