"""Tools: what a call does. A tool never breaks a run: errors, time-outs and floods of text are results."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agentc.compiler.decoder.contents import is_json
from agentc.compiler.logic.ir import Value
from agentc.compiler.writer import ArgumentIR, ToolIR
from agentc.lang.diagnostics import AgentcError, report

MAX_RESULT = 4_000
"""The most characters of a result."""
TIMEOUT = 30.0
"""Seconds that a call may take, if the tool does not say."""

Function = Callable[..., Any]

_PYTHON: dict[str, tuple[type, ...]] = {
    "bool": (bool,), "int": (int,), "real": (float, int), "enum": (str,), "text": (str,),
}  # fmt: skip


@dataclass(frozen=True)
class ToolResult:
    """What a call came to: its text, and how it ended (``ok``, ``error``, ``timeout``)."""

    text: str
    outcome: str = "ok"
    truncated: bool = False


class Toolbox:
    """The functions behind the tools of an agent.

    Raises ``AgentcError``: AS1430 for a tool without a function, AS1431 for a function that cannot be called with the
    declared arguments.
    """

    def __init__(self, tools: tuple[ToolIR, ...], functions: Mapping[str, Function]) -> None:
        self._tools = {t.name: t for t in tools}
        self._functions = dict(functions)
        wrong = []
        for tool in tools:
            function = self._functions.get(tool.name)
            if function is None:
                known = ", ".join(f"`{n}`" for n in functions) or "none"
                wrong.append(report("AS1430", tool.span, tool=tool.name, known=known))
                continue
            reason = _mismatch(tool, function)
            if reason:
                wrong.append(report("AS1431", tool.span, tool=tool.name, reason=reason))
        if wrong:
            raise AgentcError(wrong)

    def call(self, name: str, arguments: Mapping[str, Value]) -> ToolResult:
        """Call a tool. Whatever it raises, and a call that takes too long, becomes a result."""
        setting = self._tools[name].settings.get("timeout", TIMEOUT)
        limit = float(setting) if isinstance(setting, int | float) else TIMEOUT
        done: list[ToolResult] = []
        given = {
            a.name: json.loads(str(arguments[a.name])) if is_json(a) else arguments[a.name]
            for a in self._tools[name].arguments
        }

        def work() -> None:
            try:
                done.append(_bounded(self._functions[name](**given)))
            except Exception as error:  # whatever a tool raises is a result
                done.append(_bounded(f"error: {type(error).__name__}: {error}", "error"))

        thread = threading.Thread(target=work, name=f"tool {name}", daemon=True)
        thread.start()
        thread.join(limit)
        if done:
            return done[0]
        return ToolResult(f"error: {name} took longer than {limit:g} s", "timeout")


def _mismatch(tool: ToolIR, function: Function) -> str:
    """Why a function does not take a tool's arguments; empty if it does."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""
    try:
        signature.bind(**{a.name: None for a in tool.arguments})
    except TypeError as error:
        return str(error)
    for argument in tool.arguments:
        parameter = signature.parameters.get(argument.name)
        hint = None if parameter is None else parameter.annotation
        if not is_json(argument) and hint in (bool, int, float, str) and hint not in _PYTHON[argument.kind]:
            return f"`{argument.name}` is declared as {argument.kind} and takes {hint.__name__}"
    return ""


def _bounded(value: Any, outcome: str = "ok") -> ToolResult:
    """A result as one text of bounded length."""
    if isinstance(value, str):
        text = value
    else:
        try:
            text = json.dumps(value, ensure_ascii=False, default=str)
        except (TypeError, ValueError, RecursionError):
            text = str(value)
    kept = "".join(c for c in text[:MAX_RESULT] if c == "\n" or c == "\t" or ord(c) >= 32)
    if len(text) <= MAX_RESULT:
        return ToolResult(kept, outcome)
    return ToolResult(f"{kept} [{len(text) - MAX_RESULT} more characters]", outcome, True)


def schema_of(tool: ToolIR) -> dict[str, Any]:
    """The arguments of a tool as JSON Schema, as other agent frameworks want them."""
    return {
        "type": "object",
        "properties": {a.name: _schema(a, f"urn:agentc:{tool.name}.{a.name}") for a in tool.arguments},
        "required": [a.name for a in tool.arguments],
        "additionalProperties": False,
    }


def _schema(argument: ArgumentIR, own: str) -> dict[str, Any]:
    of = argument.content
    if of is not None and of.kind == "json":
        schema: dict[str, Any] = json.loads(of.texts[1])
        return {"$id": own, **schema} if "$ref" in of.texts[1] else schema  # references are into this schema
    if of is not None:
        more: dict[str, Any] = {"regex": {"pattern": f"^(?:{of.texts[0]})$"}, "choice": {"enum": list(of.texts)}}
        return {"type": "string", **more.get(of.kind, {})}
    kinds = {"bool": "boolean", "int": "integer", "real": "number", "enum": "string", "text": "string"}
    found: dict[str, Any] = {"type": kinds[argument.kind]}
    if argument.members:
        found["enum"] = list(argument.members)
    if argument.lo is not None:
        found["minimum"] = argument.lo
    if argument.hi is not None:
        found["maximum"] = argument.hi
    if argument.size is not None:
        found["minLength"] = argument.size[0]
        if argument.size[1] is not None:
            found["maxLength"] = argument.size[1]
    return found
