"""Tools whose effects cannot be taken back: a rule guards one exactly if no silent run that keeps it calls the tool."""

import itertools

import pytest

from agentc.compiler.decoder.irreversible import guards, unguarded
from agentc.compiler.judgement import judge
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check
from agentc.lang.source import Source

TEXT = """environment shop() {{
  engine shop
  signal confirmed : bool
}}
agent Desk {{
  model "m"
  env shop()
  tool approve(order : int in [0, 9])
  tool pay(order : int in [0, 9], amount : real in [0, 100]) {{ irreversible = true }}
  phase thought = text until "\\n"
  phase action = call(approve | pay)
  phase reply = result(action)
  {rule}
}}"""
GUARDING = [
    "safe r = G (pay -> O approve)", "safe r = G (pay -> O reply)", "safe r = G (pay -> confirmed)",
    "safe r = G (pay -> O confirmed)", "safe r = G (pay -> Y Y approve)", "safe r = G !pay",
    "behavior r = G (thought -> X action) & (!pay U approve)", "safe r = G (pay -> count(approve) >= 1)",
    "safe r = G (pay -> pay.order from reply)", "safe r = G (pay -> O (approve & approve.order > 3))",
    "safe r = each id : G (pay & pay.order == id -> O (approve & approve.order == id))",
]  # fmt: skip
NOT = [
    "safe r = G (pay -> O thought)", "safe r = G (pay -> !first)", "safe r = G (pay -> pay.amount < 50)",
    "safe r = G (pay -> WX reply)", "safe r = G (pay & pay.amount > 10 -> O approve)", "safe r = G (approve -> O pay)",
    "safe r = G (pay -> !confirmed)", 'safe r = G (pay -> O (thought & contains(thought.text, "sure")))',
    "safe r = each id : G (pay & pay.order == id & pay.amount > 9 -> O (approve & approve.order == id))",
    "behavior r = F approve", "safe r = G (pay -> pay.order from user)", "safe r = G (count(pay) <= 1)",
]  # fmt: skip


def desk(rule):
    result = check(Source("desk.agentspec", TEXT.format(rule=rule)))
    assert result.ok, [d.message for d in result.diagnostics]
    return result.agents[0]


@pytest.mark.parametrize(("rule", "expected"), [*((r, True) for r in GUARDING), *((r, False) for r in NOT)])
def test_which_rules_guard(rule, expected):
    agent = desk(rule)
    (item,) = (f for f in agent.formulas if f.name == "r")
    assert guards(agent, item, agent.writer.tool("pay")) == expected
    assert [d.code for d in unguarded(agent, [item])] == [] if expected else ["AS1480"]


@pytest.mark.parametrize("rule", [r for r in (*GUARDING, *NOT) if "from" not in r])
def test_against_all_short_silent_runs(rule):
    """Texts, then a call: if the rule guards, each such run violates it for good; if not, some such run does not."""
    agent = desk(rule)
    (item,) = (f for f in agent.formulas if f.name == "r")
    blank = {s.name: None if "." in s.name else False for s in agent.signals if s.phase} | {"confirmed": False}
    kept = False
    for n, said, order, amount in itertools.product(range(3), ("", "sure"), (0, 7), (5.0, 90.0)):
        texts = [{**blank, "thought": True, "thought.text": said}] * n
        call = {**blank, "action": True, "pay": True, "pay.order": order, "pay.amount": amount}
        verdict = judge(item.formula, Trace([*texts, call]), "safe", agent.signals, item.each)
        kept = kept or verdict.holds
    assert kept != guards(agent, item, agent.writer.tool("pay"))

