"""The guard: calls of any loop, judged by the promises; every event is durable and judged once."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from language.page import read
from language.run import run_page

from agentc.compiler.backends.decoder import DecoderBackend
from agentc.compiler.judgement import judge
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.pipeline import check
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.cli.run_writer import run
from agentc.runtime.llm.guard import Guard
from agentc.runtime.llm.history import SqliteHistory

DESK = """agent Desk {
  model "m"
  tool approve(order : int in [0, 99])
  tool pay(order : int in [0, 99], amount : real in [0, 1000])
  tool delete(path : text[1..40])
  tool read(path : text[1..40])
  phase action = call(approve | pay | delete | read)
  phase reply = result(action)
  safe approved = each id : G (pay & pay.order == id & pay.amount > 100 -> O (approve & approve.order == id))
  safe single   = each id : G (pay & pay.order == id -> WX G !(pay & pay.order == id))
  safe inside   = G (delete -> starts_with(delete.path, "/tmp/"))
  safe few      = G count(pay) <= 3
  behavior told = G (pay -> F read)
}"""


def desk():
    result = check(Source("desk.agentspec", DESK))
    assert result.ok, [d.message for d in result.diagnostics]
    return result.agents[0]


def test_calls_are_judged_with_a_reason_and_what_is_allowed_instead():
    guard = Guard(desk())
    denied = guard.propose("pay", {"order": 7, "amount": 500.0})
    assert denied.outcome == "deny" and denied.rules == ("approved",) and "order == id" in denied.reason
    assert "id = 7" in denied.reason and set(denied.alternatives) == {"approve", "pay", "delete", "read"}
    assert guard.propose("approve", {"order": 7}).outcome == "allow"
    assert guard.propose("pay", {"order": 8, "amount": 500.0}).outcome == "deny"
    assert guard.propose("pay", {"order": 7, "amount": 500.0}).outcome == "allow"
    assert guard.propose("pay", {"order": 7, "amount": 5.0}).rules == ("single",)
    assert guard.propose("delete", {"path": "/etc/passwd"}).rules == ("inside",)
    assert guard.propose("delete", {"path": "/tmp/x"}).outcome == "allow"
    for order in (1, 2):
        assert guard.propose("pay", {"order": order, "amount": 5.0}).outcome == "allow"
    assert guard.propose("pay", {"order": 3, "amount": 5.0}).rules == ("few",)


@pytest.mark.parametrize(("tool", "arguments", "word"), [
    ("pey", {}, "did you mean `pay`"), ("pay", {"order": 1}, "`amount` of `pay` is missing"),
    ("pay", {"order": "1", "amount": 1.0}, "not an int"), ("pay", {"order": True, "amount": 1.0}, "not an int"),
    ("pay", {"order": 100, "amount": 1.0}, "outside"), ("pay", {"order": 1, "amount": float("nan")}, "not a number"),
    ("read", {"path": ""}, "outside"), ("read", {"path": "a", "mode": "w"}, "no argument `mode`"),
])  # fmt: skip
def test_calls_that_were_never_declared_are_denied(tool, arguments, word):
    decision = Guard(desk()).propose(tool, arguments)
    assert decision.outcome == "deny" and word in decision.reason


def test_the_end_is_vetoed_while_an_obligation_is_open():
    guard = Guard(desk())
    assert guard.end().outcome == "allow"
    guard.propose("pay", {"order": 1, "amount": 5.0})
    assert guard.end().outcome == "deny" and guard.end().rules == ("told",)
    guard.result("paid")
    guard.propose("read", {"path": "/tmp/receipt"})
    assert guard.end().outcome == "allow"
    assert guard.verdicts()["told"] is Verdict.PRESUMABLY_TRUE


def test_modes():
    guard = Guard(desk(), {"inside": "log", "approved": "ask"})
    logged = guard.propose("delete", {"path": "/etc"})
    assert logged.outcome == "allow" and logged.logged == ("inside",)
    asked = guard.propose("pay", {"order": 7, "amount": 500.0}, key="k")
    assert asked.outcome == "ask"
    assert guard.settle("k", True, "the clerk").outcome == "allow"
    assert guard.propose("pay", {"order": 7, "amount": 500.0}, key="k").reason == "allowed by the clerk"
    assert guard.propose("pay", {"order": 7, "amount": 5.0}).rules == ("single",)


def random_call(randomness):
    tool = randomness.choice(("approve", "pay", "delete", "read"))
    if tool == "delete":
        return tool, {"path": randomness.choice(("/etc/passwd", "/tmp/a", "/tmp/../etc", "tmp/"))}
    if tool == "read":
        return tool, {"path": "/tmp/a"}
    order = randomness.randrange(3)
    return tool, {"order": order} | ({"amount": randomness.choice((50.0, 500.0))} if tool == "pay" else {})


def test_what_is_allowed_is_what_the_reference_allows():
    """After each proposal, allowed exactly if no ``safe`` is violated by the trace with it."""
    agent = desk()
    safes = [f for f in agent.formulas if f.role == "safe" and f.name != "few"]
    randomness = random.Random("guard")
    denied = 0
    for _ in range(25):
        guard = Guard(agent)
        made = []
        for _ in range(7):
            tool, arguments = random_call(randomness)
            event = {"kind": "call", "tool": tool, "arguments": arguments}
            trace = Trace([*made, guard._valuation(event)])
            fine = all(judge(f.formula, trace, "safe", agent.signals, f.each).holds for f in safes)
            fine = fine and sum(bool(v["pay"]) for v in trace) <= 3
            decision = guard.propose(tool, arguments)
            assert (decision.outcome == "allow") == fine, (made, tool, arguments, decision)
            denied += not fine
            if fine:
                made.append(guard._valuation(event))
    assert denied > 20


def test_five_hundred_injections_and_no_forbidden_call():
    agent = desk()
    randomness = random.Random("injections")
    passed = legitimate = 0
    for attempt in range(500):
        if attempt % 25 == 0:
            guard = Guard(agent)
        path = randomness.choice(("/etc/passwd", "/home/key", "/TMP/x", " /tmp/x", "tmp/x", "/tmp")) + str(attempt % 7)
        assert guard.propose("delete", {"path": path}).outcome == "deny", path
        legitimate += 1
        passed += guard.propose("delete", {"path": f"/tmp/{attempt}"}).outcome == "allow"
    assert passed >= 0.95 * legitimate


def test_a_history_is_shared_and_survives(tmp_path):
    path = tmp_path / "guard.db"
    first, second = Guard(desk(), history=path), Guard(desk(), history=path)
    assert first.propose("approve", {"order": 7}, key="a").outcome == "allow"
    assert second.propose("pay", {"order": 7, "amount": 500.0}, key="b").outcome == "allow"
    assert first.propose("pay", {"order": 7, "amount": 5.0}, key="c").outcome == "deny"
    again = Guard(desk(), history=path)
    assert again.propose("approve", {"order": 7}, key="a").outcome == "allow"  # judged before: nothing new
    assert again.propose("pay", {"order": 7, "amount": 5.0}).rules == ("single",)
    count = []
    SqliteHistory(path).since(0, lambda event, decision: count.append(event))
    assert len(count) == 4


def test_the_command_line_answers_line_by_line(tmp_path, monkeypatch, capsys):
    import io

    from agentc.runtime.cli.application import invoke

    (tmp_path / "desk.agentspec").write_text(DESK)
    lines = [
        {"tool": "pay", "arguments": {"order": 7, "amount": 500.0}}, {"tool": "approve", "arguments": {"order": 7}},
        {"tool": "pay", "arguments": {"order": 7, "amount": 500.0}}, {"end": True}, {"result": "paid"}, 7, {"a": 1},
    ]  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(map(json.dumps, lines)) + "\nno json\n"))
    monkeypatch.chdir(tmp_path)
    assert invoke(["guard", "--stdin"]) == 1
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [a["outcome"] for a in answers] == ["deny", "allow", "allow", "deny", "allow", "deny", "deny", "deny"]
    assert len({a["key"] for a in answers[:3]}) == 3


def test_the_guide_is_true(tmp_path):
    problems = run_page(read(Path(__file__).parents[2] / "docs" / "guide" / "guard.md"), tmp_path)
    assert not problems, "\n".join(problems)


def test_hooks_of_coding_agents(tmp_path, monkeypatch, capsys):
    """Each use of a tool calls the command anew; the history holds the calls together."""
    import io

    from agentc.runtime.cli.application import invoke

    (tmp_path / "desk.agentspec").write_text(DESK)
    monkeypatch.chdir(tmp_path)

    def hook(number, name, given, **more):
        event = {"hook_event_name": "PreToolUse", "tool_name": name, "tool_input": given, "tool_use_id": str(number)}
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({**event, **more})))
        assert invoke(["guard", "--stdin", "--history", "guard.db"]) == 0
        found = json.loads(capsys.readouterr().out)
        return found.get("hookSpecificOutput", {}).get("permissionDecision"), found

    decision, answer = hook(1, "pay", {"order": 7, "amount": 500.0})
    assert decision == "deny" and "approved" in answer["hookSpecificOutput"]["permissionDecisionReason"]
    assert hook(2, "approve", {"order": 7})[0] == "allow"
    assert hook(2, "approve", {"order": 7}, tool_response={"ok": True}) == (None, {})
    assert hook(3, "pay", {"order": 7, "amount": 500.0})[0] == "allow"
    assert hook(4, "pay", {"order": 7, "amount": 5.0})[0] == "deny"
    assert hook(5, "pay", "nonsense")[0] == "deny"


CHILD = """
import json, sys
from pathlib import Path
from agentc.compiler.pipeline import check
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.cli.run_writer import run
from agentc.runtime.llm.guard import Guard
text, path = sys.argv[1:]
guard = Guard(check(Source("desk.agentspec", text)).agents[0], history=Path(path))
for line in sys.stdin:
    call = json.loads(line)
    decision = guard.propose(call["tool"], call["arguments"], key=call["key"])
    print(json.dumps([call["key"], decision.outcome]), flush=True)
"""


def test_a_kill_loses_nothing_and_judges_nothing_twice(tmp_path):
    randomness = random.Random("kill")
    calls = [dict(zip(("tool", "arguments"), random_call(randomness), strict=True), key=str(i)) for i in range(30)]
    reference = Guard(desk())
    expected = [[c["key"], reference.propose(c["tool"], c["arguments"]).outcome] for c in calls]
    path = str(tmp_path / "guard.db")
    got = []
    for kill_at in (7, 19, 30):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, DESK, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        start = max(len(got) - 1, 0)  # the last answer is asked for again, as if it had been lost
        for call in calls[start:kill_at]:
            child.stdin.write(json.dumps(call) + "\n")
            child.stdin.flush()
            answer = json.loads(child.stdout.readline())
            if got and got[-1][0] == answer[0]:
                assert got[-1] == answer
            else:
                got.append(answer)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdin.close()
        child.stdout.close()
    assert got == expected
    assert len({k for k, _ in itertools.chain(got)}) == 30


def test_an_agent_without_a_model_is_for_guards():
    text = DESK.replace('  model "m"\n', "")
    made = check(Source("desk.agentspec", text), examples=False)
    assert made.ok
    (agent,) = made.agents
    guard = Guard(agent)
    assert guard.propose("delete", {"path": "/etc/hosts"}).outcome == "deny"
    emission = DecoderBackend().emit(agent)
    assert emission.artifacts == () and [d.code for d in emission.diagnostics] == ["AS1417"]
    with pytest.raises(AgentcError) as caught:
        run(agent, {"model": None, "form": "json"})
    assert caught.value.diagnostics[0].code == "AS0550"
