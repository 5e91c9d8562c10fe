"""The guard in LangChain and LangGraph: a callback that stops denied calls, and a wrapper that answers them.

``guard_callback(guard)`` goes into ``config={"callbacks": [...]}`` of anything that runs tools; a denied call raises
:class:`DeniedError` before the tool runs. ``guard_tool_call(guard)`` is the ``wrap_tool_call`` of LangGraph's
``ToolNode`` and of LangChain's agent middleware: the model reads why a call is denied and what it can do instead. Both
wait for a person where the guard asks one. The package ``langchain-core`` is needed only here.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.guard import Decision, Guard


class DeniedError(Exception):
    """A call that the guard has denied."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(said(decision))
        self.decision = decision


def said(decision: Decision) -> str:
    """A denial in words, with what could be called instead."""
    instead = ", ".join(decision.alternatives)
    return f"denied: {decision.reason}" + (f". Allowed now: {instead}" if instead else "")


def guard_tool_call(guard: Guard) -> Callable[[Any, Callable[[Any], Any]], Any]:
    """What wraps the calls of tools of a graph: ``ToolNode(tools, wrap_tool_call=guard_tool_call(guard))``.

    Raises ``AgentcError`` (AS1421) if ``langchain-core`` is not installed.
    """
    message = _part("messages").ToolMessage

    def wrapped(request: Any, execute: Callable[[Any], Any]) -> Any:
        call = request.tool_call
        key = f"{call.get('id')}/{uuid.uuid4().hex}"  # an id that comes again is another call, and judged again
        decision = _decided(guard, call["name"], call.get("args") or {}, key)
        if decision.outcome != "allow":
            return message(content=said(decision), tool_call_id=call.get("id"), name=call["name"], status="error")
        answer = execute(request)
        guard.result(_text(answer), call["name"], f"{key}/result")
        return answer

    return wrapped


def guard_callback(guard: Guard) -> Any:
    """A callback handler that stops denied calls: ``config={"callbacks": [guard_callback(guard)]}``.

    Raises ``AgentcError`` (AS1421) if ``langchain-core`` is not installed.
    """
    base: Any = _part("callbacks").BaseCallbackHandler

    class GuardCallback(base):  # type: ignore[misc]
        """Proposes each call before its tool runs, and tells its result."""

        raise_error = True  # an exception of this handler stops the call
        run_inline = True

        def __init__(self) -> None:
            super().__init__()
            self._running: dict[Any, str] = {}

        def on_tool_start(
            self, serialized: Mapping[str, Any] | None, input_str: str, *, run_id: Any,
            inputs: Mapping[str, Any] | None = None, **rest: Any,
        ) -> None:  # fmt: skip
            """A tool is about to run. Raises :class:`DeniedError` if it may not."""
            name = str((serialized or {}).get("name") or rest.get("name") or "")
            decision = _decided(guard, name, _arguments(inputs, input_str), str(run_id))
            if decision.outcome != "allow":
                raise DeniedError(decision)
            self._running[run_id] = name

        def on_tool_end(self, output: Any, *, run_id: Any, **rest: Any) -> None:
            """A tool has run."""
            name = self._running.pop(run_id, None)
            if name is not None:
                guard.result(_text(output), name, f"{run_id}/result")

        def on_tool_error(self, error: BaseException, *, run_id: Any, **rest: Any) -> None:
            """A tool has failed; the denied ones were never running."""
            name = self._running.pop(run_id, None)
            if name is not None:
                guard.result(f"error: {type(error).__name__}: {error}", name, f"{run_id}/result")

    return GuardCallback()


def _part(name: str) -> Any:
    if importlib.util.find_spec("langchain_core") is None:
        raise AgentcError([report("AS1421", None, package="langchain-core", extra="langchain")])
    return importlib.import_module(f"langchain_core.{name}")


def _decided(guard: Guard, tool: str, arguments: Mapping[str, Any], key: str) -> Decision:
    decision = guard.propose(tool, arguments, key)
    return guard.wait(key) if decision.outcome == "ask" else decision


def _arguments(inputs: Mapping[str, Any] | None, text: str) -> Mapping[str, Any]:
    """The arguments of a call; LangChain gives them as a mapping, and older versions as a text of one."""
    if isinstance(inputs, Mapping):
        return inputs
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, Mapping) else {"input": text}


def _text(output: Any) -> str:
    content = getattr(output, "content", output)
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, default=str)
