"""The guard as a callback and a wrapper of LangChain: against a stub of its protocol, and itself if it is installed."""

import importlib.util
import sys
import types
import uuid

import pytest

from agentc.compiler.pipeline import check
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.llm.guard import Guard
from agentc.runtime.llm.langchain import DeniedError, guard_callback, guard_tool_call

INSTALLED = importlib.util.find_spec("langchain_core") is not None
DESK = """agent Desk {
  model "m"
  tool find(name : text)
  tool erase(path : text)
  phase action = call(find | erase)
  phase reply = result(action)
  safe inside = G (erase -> starts_with(erase.path, "/tmp/"))
  safe quoted = G (erase -> erase.path in seen(reply))
}"""


def desk():
    (agent,) = check(Source("desk.agentspec", DESK)).agents
    return agent


class Message:
    def __init__(self, content, tool_call_id=None, name=None, status="success"):
        self.content, self.tool_call_id, self.name, self.status = content, tool_call_id, name, status


class Handler:
    raise_error = False


class StubTool:
    """Runs a function as LangChain runs a tool: handlers first, whose exceptions stop it if they ask for that."""

    def __init__(self, function):
        self.function, self.name = function, function.__name__

    def invoke(self, arguments, config):
        (handler,), run_id = config["callbacks"], uuid.uuid4()
        try:
            handler.on_tool_start({"name": self.name}, str(arguments), run_id=run_id, inputs=arguments)
        except Exception:
            if handler.raise_error:
                raise
        try:
            output = self.function(**arguments)
        except Exception as error:
            handler.on_tool_error(error, run_id=run_id)
            raise
        handler.on_tool_end(Message(output), run_id=run_id)
        return output


@pytest.fixture(params=["stub", "installed"])
def library(request, monkeypatch):
    """How a function becomes a tool."""
    if request.param == "installed":
        if not INSTALLED:
            pytest.skip("langchain-core is not installed")
        from langchain_core.tools import tool

        return lambda f: tool(f)
    core = types.ModuleType("langchain_core")
    core.__spec__ = importlib.util.spec_from_loader("langchain_core", None)
    core.callbacks, core.messages = types.ModuleType("callbacks"), types.ModuleType("messages")
    core.callbacks.BaseCallbackHandler, core.messages.ToolMessage = Handler, Message
    for name, module in (("", core), (".callbacks", core.callbacks), (".messages", core.messages)):
        monkeypatch.setitem(sys.modules, f"langchain_core{name}", module)
    return StubTool


def test_a_denied_call_never_runs(library):
    ran = []

    def find(name: str) -> str:
        """Find a path."""
        if name == "nobody":
            raise ValueError("who?")
        return "/tmp/a and /etc/passwd"

    def erase(path: str) -> str:
        """Erase a path."""
        ran.append(path)
        return "done"

    guard = Guard(desk())
    config = {"callbacks": [guard_callback(guard)]}
    finds, erases = library(find), library(erase)
    with pytest.raises(DeniedError, match="`quoted` forbids it"):
        erases.invoke({"path": "/tmp/a"}, config=config)
    with pytest.raises(ValueError, match="who"):
        finds.invoke({"name": "nobody"}, config=config)
    finds.invoke({"name": "Ann"}, config=config)
    assert erases.invoke({"path": "/tmp/a"}, config=config) == "done"  # the result was told
    with pytest.raises(DeniedError) as caught:
        erases.invoke({"path": "/etc/passwd"}, config=config)
    assert caught.value.decision.rules == ("inside",) and ran == ["/tmp/a"]


def test_a_graph_reads_why(library):
    guard, ran = Guard(desk()), []
    wrap = guard_tool_call(guard)

    def execute(request):
        ran.append(request.tool_call["args"])
        return Message("/tmp/a")

    def ask(number, name, /, **arguments):
        call = {"name": name, "args": arguments, "id": str(number)}
        return wrap(types.SimpleNamespace(tool_call=call), execute)

    denied = ask(1, "erase", path="/tmp/a")
    assert denied.status == "error" and "Allowed now: find" in denied.content and denied.tool_call_id == "1"
    assert ask(2, "find", name="Ann").content == "/tmp/a"
    assert ask(3, "erase", path="/tmp/a").content == "/tmp/a"
    assert ran == [{"name": "Ann"}, {"path": "/tmp/a"}]


@pytest.mark.skipif(INSTALLED, reason="langchain-core is installed")
def test_without_the_package():
    with pytest.raises(AgentcError) as caught:
        guard_callback(Guard(desk()))
    assert caught.value.diagnostics[0].code == "AS1421"
