"""What guards remember: aggregates against the reference, forgotten values, origins, bounds, time to decide."""

import random

import pytest

from agentc.compiler.judgement import bound
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.llm import rules as rules_module
from agentc.runtime.llm.guard import Guard
from agentc.runtime.llm.rules import FRESH

TEXT = """agent Desk {{
  model "m"
  tool find(name : text)
  tool approve(order : int in [0, 9])
  tool pay(order : int in [0, 9], amount : real in [0, 100])
  phase thought = text until "\\n"
  phase action = call(find | approve | pay)
  phase reply = result(action)
  {rule}
}}"""


def desk(*rules):
    result = check(Source("desk.agentspec", TEXT.format(rule="\n  ".join(rules))))
    assert result.ok, [d.message for d in result.diagnostics]
    return result.agents[0]


AGGREGATES = [
    "safe r = G (count(pay) <= 2)", "safe r = G (count[<= 3](pay) <= 1)", "safe r = G (count[>= 2](pay) <= 1)",
    "safe r = G (count[1, 3](pay | approve) <= 1)", "safe r = G (sum(pay.amount when pay) <= 120)",
    "safe r = G (sum[<= 2](pay.amount when pay) + pay.amount <= 150)", "safe r = G (rate(pay, 4) <= 1)",
    "safe r = G (pay -> pay.order in seen(approve.order))", "safe r = G (pay -> pay.order not in seen(pay.order))",
    "safe r = G (find -> find.name in seen(reply))", "safe r = G (count(pay) <= count(approve) + 1)",
    "safe r = each id : G (count(pay & pay.order == id) <= 1)",
    "safe r = each id : G (pay & pay.order == id -> sum(pay.amount when pay & pay.order == id) <= 100)",
    "safe r = each id : G (count[<= 4](approve & approve.order == id) + count(pay) <= 3)",
    "behavior r = each id : G (approve & approve.order == id -> F (pay & pay.order == id))",
    "safe r = each id : G (pay & pay.order == id -> Y (approve & approve.order == id))",
    "safe r = each id : G (approve & prev.approve.order == id -> approve.order != id)",
]  # fmt: skip


def random_event(randomness):
    order = randomness.randrange(3)
    return randomness.choice([
        {"kind": "call", "tool": "pay", "arguments": {"order": order, "amount": randomness.choice((10.0, 60.0))}},
        {"kind": "call", "tool": "approve", "arguments": {"order": order}},
        {"kind": "call", "tool": "find", "arguments": {"name": randomness.choice(("a", "b", ""))}},
        {"kind": "text", "phase": "reply", "text": randomness.choice(("ax", "b", "x"))},
        {"kind": "text", "phase": "thought", "text": "hm"},
    ])  # fmt: skip


@pytest.mark.parametrize("rule", AGGREGATES)
def test_what_runs_along_is_what_the_reference_says(rule):
    """At every step of random runs: the letter of every value that has occurred, and of one that has not."""
    guard = Guard(desk(rule))
    (one,) = guard.rules
    randomness = random.Random(rule)
    assert not one.remembers
    for _ in range(6):
        one.reset()
        whole = []
        for _ in range(14):
            whole.append(guard._valuation(random_event(randomness)))
            trace = Trace(whole)
            recent = Trace(whole[-2:])
            asked = [(FRESH,), *((i,) for i in range(3))] if one.item.each else [()]
            for values in asked:
                given = dict(zip(one.item.each, values, strict=True))
                truth = [evaluate(bound(m, given) if given else m, trace, len(whole) - 1) for _, m in one._atoms]
                assert one._letter(trace, recent, values) == truth, (rule, values, whole)
            one.take(recent)


@pytest.mark.parametrize("rule", [r for r in AGGREGATES if "each" in r and r.startswith("safe")])
def test_values_that_are_forgotten_change_no_decision(rule):
    agent = desk(rule)
    randomness = random.Random(rule)
    forgot = 0
    for _ in range(8):
        guard, keeping = Guard(agent), Guard(agent)
        (kept,) = keeping.rules
        kept._forgets = False
        for _ in range(20):
            event = random_event(randomness)
            if event["kind"] == "text":
                guard._tell(event, None)
                keeping._tell(event, None)
                continue
            decisions = [g.propose(event["tool"], event["arguments"]) for g in (guard, keeping)]
            assert decisions[0] == decisions[1]
        forgot += len(kept.states) - len(guard.rules[0].states)
    assert forgot > 0 or guard.rules[0]._own_terms


def test_the_number_of_values_is_bounded_and_what_goes_beyond_is_refused(monkeypatch):
    monkeypatch.setattr(rules_module, "MAX_VALUES", 3)
    guard = Guard(desk("safe r = each id : G (pay & pay.order == id -> WX G !(pay & pay.order == id))"))
    for order in range(3):
        assert guard.propose("pay", {"order": order, "amount": 1.0}).outcome == "allow"
    with pytest.raises(AgentcError) as caught:
        guard.propose("pay", {"order": 7, "amount": 1.0})
    assert caught.value.diagnostics[0].code == "AS1441"
    assert guard.propose("pay", {"order": 1, "amount": 1.0}).outcome == "deny"  # it stands where it stood
    assert guard.propose("find", {"name": "a"}).outcome == "allow"


def test_where_data_came_from():
    guard = Guard(desk(
        "safe asked = G (pay -> pay.order from user)", "safe clean = G (find -> !(find.name from reply))",
        "safe looked = G (approve -> approve.order from find)",
    ))  # fmt: skip
    assert guard.propose("pay", {"order": 7, "amount": 1.0}).rules == ("asked",)
    guard.user("please pay order 17, and 5.7 more")
    assert guard.propose("pay", {"order": 7, "amount": 1.0}).rules == ("asked",)  # 17 and 5.7 are not 7
    guard.user("order 7.")
    assert guard.propose("pay", {"order": 7, "amount": 1.0}).outcome == "allow"
    assert guard.propose("find", {"name": "Ann"}).outcome == "allow"
    guard.result("ask Bob; the order is 4", "find")
    assert guard.propose("find", {"name": "Bob"}).rules == ("clean",)
    assert guard.propose("approve", {"order": 4}).outcome == "allow"
    assert guard.propose("approve", {"order": 5}).rules == ("looked",)


def test_origins_survive_in_the_history(tmp_path):
    agent = desk("safe asked = G (pay -> pay.order from user)")
    Guard(agent, history=tmp_path / "g.db").user("order 7")
    assert Guard(agent, history=tmp_path / "g.db").propose("pay", {"order": 7, "amount": 1.0}).outcome == "allow"


def test_parallel_calls_count_against_each_other_and_lean_on_none():
    guard = Guard(desk("safe few = G (count(pay) <= 2)", "safe before = G (pay -> O approve)"))
    pay, approve = ("pay", {"order": 1, "amount": 1.0}), ("approve", {"order": 1})
    assert [d.outcome for d in guard.propose_together([approve, pay])] == ["allow", "deny"]
    assert guard.propose(*pay).outcome == "allow"  # the approval is in flight, and made
    assert [d.outcome for d in guard.propose_together([pay, pay, approve])] == ["allow", "deny", "allow"]
    keys = ["k1", "k2"]
    first = guard.propose_together([approve, pay], keys)
    assert guard.propose_together([approve, pay], keys) == first  # judged once


def test_a_person_decides_in_time_or_it_is_denied(tmp_path):
    now = [1000.0]
    agent = desk("safe few = G (count(pay) <= 0)")
    guard = Guard(agent, {"few": "ask"}, tmp_path / "g.db", ask_timeout=60.0, clock=lambda: now[0])
    call = ("pay", {"order": 1, "amount": 1.0})
    asked = guard.propose(*call, key="a")
    assert asked.outcome == "ask" and asked.until == 1060.0 and "count(pay)" in asked.reason
    guard.propose(*call, key="b")
    assert list(guard.pending()) == ["a", "b"]
    now[0] = 1059.0
    assert guard.settle("a", True, "Ann").outcome == "allow"
    now[0] = 1060.0
    assert not guard.pending() and guard.wait("b").outcome == "deny"
    assert "nobody decided in 60 s" in guard.propose(*call, key="b").reason
    with pytest.raises(AgentcError) as caught:
        guard.settle("b", True)
    assert caught.value.diagnostics[0].code == "AS1443"
    assert guard.wait("a").reason == "allowed by Ann"


def test_only_what_is_enforced_guards_what_is_irreversible():
    text = TEXT.format(rule="safe before = G (pay -> O approve)").replace("amount : real in [0, 100])",
                                                                         "amount : real) { irreversible = true }")
    (agent,) = check(Source("desk.agentspec", text)).agents
    assert Guard(agent, {"before": "ask"}).propose("pay", {"order": 1, "amount": 1.0}).outcome == "ask"
    with pytest.raises(AgentcError) as caught:
        Guard(agent, {"before": "log"})
    assert caught.value.diagnostics[0].code == "AS1480"


def test_defaults_and_malformed_calls():
    text = TEXT.format(rule="safe few = G (pay -> pay.amount <= 50)").replace("[0, 100])", "[0, 100] = 20)")
    (agent,) = check(Source("desk.agentspec", text)).agents
    guard = Guard(agent)
    assert guard.propose("pay", {"order": 1}).outcome == "allow"
    assert guard.propose("pay", {"order": 1, "amount": 70.0}).outcome == "deny"
    assert "missing" in guard.propose("pay", {}).reason
