"""Examples: what steps mean, and what is said of those that do not hold."""

import pytest

from agentc.compiler.examples import run_examples
from agentc.compiler.pipeline import CheckResult, check
from agentc.lang.source import Source

SIGNALS = """
  signal lit, on : bool
  signal level : int in [0, 9]
  signal x : real [m]
  signal door : enum {shut, ajar}
  signal action : enum {up, down}
  signal high_ : bool = level > 7
  signal far : real [m] = x * 2
"""


def checked(body: str) -> CheckResult:
    return check(Source("spec.agentspec", "agent A {" + SIGNALS + body + "\n}\n"))


def outcome(body: str) -> list[str]:
    return [d.code for d in checked(body).diagnostics]


HOLD = [
    # propositions that a step does not mention are false in it
    'task f = G (lit -> X on); example "a" satisfies f { lit; on }; example "b" violates f { lit; - }',
    # a named proposition that is spoken of is a Boolean of its own
    'prop p = level > 3; task f = F p; example "a" satisfies f { -; p }; example "b" violates f { -; - }',
    # one that is not spoken of is computed where its signals are set, and else false
    'prop p = level > 3; task f = F p; example "a" satisfies f { level == 1; level == 5 }',
    'prop p = level > 3; task f = F p; example "a" violates f { lit }',
    'prop p = lit | on; task f = G (p -> Y lit); example "a" violates f { on; on }',
    # other signals keep their last value
    'task f = G (level == 4); example "a" satisfies f { level == 4; -; lit }',
    'task f = F (door == ajar & lit); example "a" satisfies f { door == ajar; -; lit }',
    # units, vectors, negation
    'task f = F x > 150cm; example "a" satisfies f { x == 1m; x == 160cm }',
    'task f = F (lit & !on); example "a" satisfies f { lit & !on }',
    # a safe is violated when some prefix is beyond repair, and open obligations do not violate it
    'safe g = G (lit -> X on); example "a" satisfies g { lit; on; lit }; example "b" violates g { lit; -; on }',
    'safe g = !on W lit; example "a" satisfies g { -; lit; on }; example "b" violates g { on }',
    # nested propositions: the inner one may be the one that is spoken of
    'prop p = level > 3; prop q = p & lit; task f = F q; example "a" satisfies f { p & lit }',
    # the action has no value at step 0
    'task f = F (action == up); example "a" satisfies f { -; action == up }; example "b" violates f { - }',
    'safe g = G (first | action == up); example "a" satisfies g { -; action == up; - }',
    # defined signals are computed
    'task f = F high_; example "a" satisfies f { level == 3; level == 8 }; example "b" violates f { level == 3 }',
    'task f = F far > 3m; example "a" satisfies f { x == 1m; x == 2m }; example "b" violates f { x == 1m }',
    'task f = F (prev.high_ & !high_); example "a" satisfies f { level == 8; level == 1 }',
    'task f = F (first | prev.far > 3m) & F (!first & prev.far > 3m); example "a" satisfies f { x == 2m; - }',
    # a Boolean of the step before
    'task f = F (!first & prev.lit); example "a" satisfies f { lit; - }; example "b" violates f { -; lit }',
    # each value that occurs
    'task f = each n : G (level == n -> lit); example "a" satisfies f { level == 2 & lit; level == 3 & lit }',
    'task f = each n : G (level == n -> lit); example "a" violates f { level == 2 & lit; level == 3 }',
]


@pytest.mark.parametrize("body", HOLD)
def test_examples_that_hold(body: str) -> None:
    result = checked(body.replace("F (action == up); e", "F (action == up); e"))
    assert [d.code for d in result.diagnostics if d.code != "AS0580"] == []
    [agent] = result.agents
    assert all(r.passed for r in run_examples(agent)) and agent.examples


FAIL = [
    ('task f = F lit; example "a" satisfies f { on }', ["AS0517"]),
    ('task f = F lit; example "a" violates f { on; lit }', ["AS0517"]),
    ('safe g = G lit; example "a" satisfies g { lit; - }', ["AS0517"]),
    ('safe g = G (lit -> F on); example "a" violates g { lit; - }', ["AS0522", "AS0517"]),
    ('task f = F level > 3; example "a" satisfies f { lit; level == 4 }', ["AS0514"]),
    ('prop p = level > 3; task f = F p; example "a" satisfies f { p & level == 2 }', ["AS0516"]),
    ('prop p = level > 3; task f = F p; example "a" satisfies f { p; level == 9 }', []),
    ('prop p = level > 3; task f = F p; example "a" satisfies f { level == 9 & p; - }', ["AS0516"]),
    ('safe g = G (first | action == up); example "a" satisfies g { action == up }', ["AS0554"]),
    ('safe g = G (first | action == up); example "a" satisfies g { -; - }', ["AS0514"]),
]


@pytest.mark.parametrize(("body", "expected"), FAIL, ids=[b for b, _ in FAIL])
def test_examples_that_do_not_hold(body: str, expected: list[str]) -> None:
    assert outcome(body) == expected


def test_the_step_that_decided_is_said() -> None:
    result = checked('safe g = G lit; example "falls dark" satisfies g { lit; lit; -; lit }')
    [failed] = result.diagnostics
    assert failed.message == (
        'the example "falls dark" claims to satisfy `g`, and it is violated, whatever follows, from step 2 on'
    )
    assert failed.span is not None and failed.span.text == '"falls dark"'
    result = checked('task f = F lit; example "never" satisfies f { -; - }')
    assert result.diagnostics[0].message.endswith("and it is false at the end, after step 1")
    assert not result.agents  # a claim that fails is an error


def test_without_examples_nothing_is_run() -> None:
    source = Source("spec.agentspec", "agent A {" + SIGNALS + 'task f = F lit; example "a" satisfies f { on }\n}')
    assert check(source, examples=False).ok
    [result] = run_examples(check(source, examples=False).agents[0])
    assert result.passed is False and result.decided is None
