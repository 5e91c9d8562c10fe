"""Tools of MCP servers, and the proxy that guards their calls: against a small server on standard input and output."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agentc.compiler.pipeline import check
from agentc.compiler.writer import ArgumentIR, ToolIR
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.llm.guard import Guard
from agentc.runtime.llm.history import SqliteHistory
from agentc.runtime.llm.mcp_proxy import MAX_ANSWER, McpProxy
from agentc.runtime.llm.mcp_tools import McpServer, declaration, mismatch
from agentc.runtime.llm.tools import MAX_RESULT, Toolbox

HERE = Path(__file__).parent
DESK = """agent Desk {
  model "m"
  tool find(name : text) -> text
  tool approve(order : int in [0, 99]) -> text
  tool pay(order : int in [0, 99], amount : real in [0, 1000] = 5.0) -> text
  tool erase(path : text) -> text
  tool trouble(kind : enum {throw, hang, flood, die}) -> text
  tool sort(items : text) -> text
  phase action = call(find | approve | pay | erase | trouble | sort)
  phase reply = result(action)
  safe approved = each id : G (pay & pay.order == id -> O (approve & approve.order == id))
  safe found    = G (approve -> approve.order from reply)
  safe inside   = G (erase -> starts_with(erase.path, "/tmp/"))
  safe few      = G (sort -> !contains(sort.items, "secret"))
}"""


def desk(text=DESK):
    result = check(Source("desk.agentspec", text))
    assert result.ok, [d.message for d in result.diagnostics]
    return result.agents[0]


def command(ledger):
    return f"{sys.executable} {HERE / 'mcp_desk.py'} {ledger}"


def whole(name, *arguments):
    return ToolIR(name, tuple(ArgumentIR(a, k) for a, k in arguments), settings={"timeout": 20.0})


def test_the_tools_of_a_server_are_functions_that_never_break_a_run(tmp_path):
    pytest.importorskip("mcp")
    tools = (whole("find", ("name", "text")), whole("trouble", ("kind", "text")), whole("pay", ("order", "int")))
    with McpServer(command(tmp_path / "ledger")) as server:
        assert set(server.schemas) == {"find", "approve", "pay", "erase", "trouble", "sort"}
        box = Toolbox(tools, server.functions(tools))
        assert box.call("find", {"name": "Ann"}).text == "Ann has order 7"
        assert box.call("pay", {"order": 7}).text == "pay done"
        thrown = box.call("trouble", {"kind": "throw"})
        assert thrown.outcome == "error" and "no such thing" in thrown.text
        flood = box.call("trouble", {"kind": "flood"})
        assert flood.truncated and len(flood.text) < MAX_RESULT + 60
        short = ToolIR("trouble", tools[1].arguments, settings={"timeout": 0.3})
        assert Toolbox((short,), server.functions((short,))).call("trouble", {"kind": "hang"}).outcome == "timeout"
        assert box.call("find", {"name": "Bob"}).text == "Bob has order 7"
        assert box.call("trouble", {"kind": "die"}).outcome == "error"
        late = box.call("find", {"name": "Ann"})
        assert late.outcome == "error" and "error" in late.text
    assert (tmp_path / "ledger").read_text() == "pay 7\n"


@pytest.mark.slow
def test_a_server_of_the_official_package():
    pytest.importorskip("mcp")
    tool = whole("find", ("name", "text"), ("strict", "bool"))
    with McpServer(f"{sys.executable} {HERE / 'mcp_desk_sdk.py'}", timeout=60.0) as server:
        assert declaration("find", server.schemas["find"]) == "tool find(name : text, strict : bool = false) -> text"
        box = Toolbox((tool,), server.functions((tool,)))
        assert box.call("find", {"name": "Ann", "strict": False}).text == "Ann has order 7"
        assert box.call("find", {"name": "", "strict": True}).outcome == "error"


@pytest.mark.parametrize("bad", ["", "/no/such/thing", f"{sys.executable} -c pass", f"{sys.executable} -c print(7)"])
def test_servers_that_do_not_start(bad):
    pytest.importorskip("mcp")
    with pytest.raises(AgentcError) as caught:
        McpServer(bad, timeout=5.0)
    assert caught.value.diagnostics[0].code == "AS1478"


@pytest.mark.parametrize(("schema", "reason"), [
    ({"properties": {"x": {"type": "integer"}, "y": {"type": "string"}}, "required": ["x", "y"]}, "requires `y`"),
    ({"properties": {"z": {"type": "integer"}}}, "no argument `x`"),
    ({"properties": {"x": {"type": "string"}}}, "declared as int and takes string"),
    ({"properties": {"x": {"type": ["integer", "null"]}}}, ""), ({"properties": {"x": {}}}, ""), ({}, ""),
])  # fmt: skip
def test_schemas_are_held_against_what_is_declared(schema, reason):
    found = mismatch(whole("t", ("x", "int")), schema)
    assert reason in found and bool(found) == bool(reason)


def test_schemas_as_declarations():
    schema = {"required": ["a"], "properties": {
        "a": {"type": "integer", "minimum": 1, "maximum": 9}, "b": {"type": "string", "enum": ["x", "y"]},
        "c": {"type": "array"}, "d": {"type": ["number", "null"], "default": 0.5}, "e": {"type": "boolean"},
    }}  # fmt: skip
    line = declaration("t", schema)
    wanted = 'tool t(a : int in [1, 9], b : enum {x, y} = x, c : text = "", d : real = 0.5, e : bool = false) -> text'
    assert line == wanted
    text = f'agent A {{\n model "m"\n {line}\n phase p = call(t)\n behavior b = F (t & t.a > 3)\n}}'
    assert check(Source("a.agentspec", text)).ok
    assert declaration("t-u", {}).startswith("#")


class Client:
    """Talks to a proxy over pipes."""

    def __init__(self, guard, tmp_path, timeout=20.0):
        import os

        ours, theirs = os.pipe(), os.pipe()
        self.out, self.back = os.fdopen(ours[1], "wb"), os.fdopen(theirs[0], "rb")
        self._in, self._answers = os.fdopen(ours[0], "rb"), os.fdopen(theirs[1], "wb")
        self.ledger = tmp_path / "ledger"
        self.proxy = McpProxy(guard, command(self.ledger), timeout)
        self.thread = threading.Thread(target=self.proxy.serve, args=(self._in, self._answers), daemon=True)
        self.thread.start()
        self.sent = 0

    def send(self, method, parameters=None, raw=None):
        self.sent += 1
        message = {"jsonrpc": "2.0", "id": self.sent, "method": method, "params": parameters or {}}
        self.out.write((json.dumps(message) if raw is None else raw).encode() + b"\n")
        self.out.flush()
        return self.sent

    def read(self):
        return json.loads(self.back.readline())

    def ask(self, *message, **more):
        self.send(*message, **more)
        return self.read()

    def call(self, name, /, **arguments):
        answer = self.ask("tools/call", {"name": name, "arguments": arguments})
        return answer["result"]["content"][0]["text"], bool(answer["result"].get("isError"))

    def close(self):
        self.out.close()
        self.thread.join(20)
        for file in (self._in, self._answers, self.back):
            file.close()

    def executed(self):
        return self.ledger.read_text().split("\n")[:-1] if self.ledger.exists() else []


def test_the_proxy_judges_every_call(tmp_path):
    client = Client(Guard(desk()), tmp_path)
    try:
        opened = client.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}})
        assert opened["result"]["serverInfo"]["name"] == "desk"
        assert len(client.ask("tools/list")["result"]["tools"]) == 3  # as it is, page by page
        text, failed = client.call("pay", order=7)
        assert failed and "`approved` (id = 7) forbids it" in text and "Allowed now: find" in text
        assert client.call("approve", order=7)[1]  # the number was said by nobody
        assert client.call("find", name="Ann") == ("Ann has order 7", False)
        assert client.call("approve", order=7) == ("approve done", False)
        assert client.call("pay", order=7) == ("pay done", False)
        assert client.call("erase", path="/etc/passwd")[1] and client.call("nothing")[1]
        assert client.call("sort", items=["a", {"b": "secret"}])[1]
        assert client.call("sort", items=["a"]) == ("sort done", False)
        assert client.ask("tools/call", {"name": 7})["error"]["code"] == -32602
        assert client.ask("", raw="no json")["error"]["code"] == -32700
        assert client.ask("resources/list")["error"]["code"] == -32601  # the server's own answer
    finally:
        client.close()
    assert client.executed() == ["approve 7", "pay 7"]


def test_an_id_that_comes_again_is_another_call(tmp_path):
    single = "safe single = each id : G (erase & erase.path == id -> WX G !(erase & erase.path == id))"
    once = DESK.replace("safe inside", f"{single}\n  safe inside")
    client = Client(Guard(desk(once)), tmp_path)
    call = {"jsonrpc": "2.0", "id": 5, "method": "tools/call",
            "params": {"name": "erase", "arguments": {"path": "/tmp/a"}}}  # fmt: skip
    try:
        answers = [client.ask("", raw=json.dumps(call)) for _ in range(3)]
        assert [bool(a["result"].get("isError")) for a in answers] == [False, True, True]
        slow = {**call, "params": {"name": "find", "arguments": {"name": "slow"}}}
        client.send("", raw=json.dumps(slow))
        client.send("", raw=json.dumps(slow))
        answers = [client.read(), client.read()]
        assert sorted("error" in a for a in answers) == [False, True]
    finally:
        client.close()
    assert client.executed() == ["erase /tmp/a"]


def test_the_proxy_bounds_time_and_size_and_survives_the_server(tmp_path):
    unlabelled = "\n".join(line for line in DESK.splitlines() if "from" not in line)
    client = Client(Guard(desk(unlabelled)), tmp_path, timeout=60.0)
    try:
        text, failed = client.call("trouble", kind="flood")
        assert not failed and len(text) == 10_000_000 < MAX_ANSWER
    finally:
        client.close()
    client = Client(Guard(desk(unlabelled)), tmp_path, timeout=4.0)
    try:
        assert client.call("trouble", kind="hang") == ("error: no answer in 4 s", True)
        assert client.call("find", name="Ann") == ("Ann has order 7", False)
        slow, dead = client.send("tools/call", {"name": "find", "arguments": {"name": "slow"}}), None
        dead = client.send("tools/call", {"name": "trouble", "arguments": {"kind": "die"}})
        answers = {a["id"]: a["result"] for a in (client.read(), client.read())}
        assert set(answers) == {slow, dead} and answers[dead]["isError"]
        text, failed = client.call("find", name="Ann")
        assert failed and "has ended" in text
    finally:
        client.close()


def test_answers_that_are_too_long_come_back_as_errors(tmp_path, monkeypatch):
    monkeypatch.setattr("agentc.runtime.llm.mcp_proxy.MAX_ANSWER", 100_000)
    client = Client(Guard(desk()), tmp_path)
    try:
        text, failed = client.call("trouble", kind="flood")
        assert failed and "more than 100000 bytes" in text
        assert client.call("find", name="Ann") == ("Ann has order 7", False)
    finally:
        client.close()


def test_a_result_that_the_guard_cannot_hold_is_withheld(tmp_path):
    client = Client(Guard(desk()), tmp_path)
    try:
        text, failed = client.call("trouble", kind="flood")
        assert failed and "withheld" in text
        assert client.call("find", name="Ann") == ("Ann has order 7", False)
        assert client.call("approve", order=7) == ("approve done", False)
    finally:
        client.close()


def test_the_proxy_asks_a_person_and_goes_on_meanwhile(tmp_path):
    path = tmp_path / "guard.db"
    client = Client(Guard(desk(), {"inside": "ask"}, path, ask_timeout=30.0), tmp_path)
    clerk = Guard(desk(), {"inside": "ask"}, path)
    try:
        asked = client.send("tools/call", {"name": "erase", "arguments": {"path": "/etc/hosts"}})
        assert client.call("find", name="Ann") == ("Ann has order 7", False)
        ((key, (event, decision)),) = clerk.pending().items()
        assert event["arguments"] == {"path": "/etc/hosts"} and decision.rules == ("inside",)
        clerk.settle(key, True, "the clerk")
        answer = client.read()
        assert answer["id"] == asked and not answer["result"].get("isError")
    finally:
        client.close()
    quick = Client(Guard(desk(), {"inside": "ask"}, path, ask_timeout=0.2), tmp_path)
    try:
        text, failed = quick.call("erase", path="/etc/hosts")
        assert failed and "nobody decided in 0.2 s" in text
    finally:
        quick.close()
    assert client.executed() == ["erase /etc/hosts"]
    kinds = []
    SqliteHistory(path).since(0, lambda event, decision: kinds.append((event["kind"], decision["outcome"])))
    assert kinds.count(("call", "deny")) == 1


def test_the_command_is_a_proxy(tmp_path):
    (tmp_path / "desk.agentspec").write_text(DESK)
    ledger = tmp_path / "ledger"
    calls = [("erase", {"path": "/etc/passwd"}), ("erase", {"path": "/tmp/a"})]
    lines = [json.dumps({"jsonrpc": "2.0", "id": i, "method": "tools/call", "params": {"name": n, "arguments": a}})
             for i, (n, a) in enumerate(calls)]  # fmt: skip
    running = subprocess.Popen(
        [sys.executable, "-m", "agentc", "guard", str(tmp_path / "desk.agentspec"), "--mcp", command(ledger)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    out, _ = running.communicate("\n".join(lines) + "\n", timeout=120)
    answers = {a["id"]: a["result"] for a in map(json.loads, out.splitlines())}
    assert running.returncode == 1 and answers[0]["isError"] and set(answers) <= {0, 1}
    until = time.monotonic() + 10
    while not (ledger.exists() and ledger.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    assert ledger.read_text() == "erase /tmp/a\n"


def test_an_agent_calls_the_tools_of_a_server(tmp_path, monkeypatch, capsys):
    """The whole way: a model behind a server, tools behind another, promises by construction."""
    pytest.importorskip("mcp")
    pytest.importorskip("llguidance")
    from agentc.runtime.cli.application import invoke

    from .stub_server import Stub, serving

    text = """agent Clerk {
      model "m"
      tool find(name : enum {Ann, Bob}) -> text
      tool approve(order : int in [7, 7]) -> text
      phase action = call(find | approve)
      phase reply = result(action)
      behavior looked = G (approve -> O find)
      behavior done = F approve & G (approve -> X (reply & last))
      behavior once_only = G (find -> WX G !find)
    }"""
    (tmp_path / "clerk.agentspec").write_text(text)
    monkeypatch.chdir(tmp_path)
    with serving(Stub("vllm", 1)) as url:
        given = ["--model", url, "--mcp", command(tmp_path / "ledger"), "--message", "go"]
        assert invoke(["run", "clerk.agentspec", *given]) == 0
    shown = capsys.readouterr().out
    assert "has order 7" in shown and "promises: by construction" in shown
    assert (tmp_path / "ledger").read_text() == "approve 7\n"
