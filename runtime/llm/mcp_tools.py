"""Tools of MCP servers over standard input and output, through the official package ``mcp``.

A server runs as a process of its own for as long as it is used. Its tools become functions that a :class:`.Toolbox`
takes: what a server answers is a result, and so are its errors, its silence (each tool's ``timeout``) and its death.
The schemas of its tools are compared with what the agent declares, and can be written as declarations.

Source: modelcontextprotocol.io, *Specification*, sections Tools and Transports.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib.util
import json
import os
import shlex
import sys
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, TextIO, cast

from agentc.compiler.writer import ArgumentIR, ToolIR
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.tools import TIMEOUT, Function

START = 30.0
"""Seconds that a server may take to start and to list its tools."""
_PAGES = 100
_JSON: Mapping[str, tuple[str, ...]] = {
    "bool": ("boolean",), "int": ("integer", "number"), "real": ("number",), "enum": ("string",), "text": ("string",),
}  # fmt: skip


class McpError(Exception):
    """What a server answered is an error, in its own words."""


class McpServer:
    """A server that was started by a command; use it as a context manager, so that its process is ended.

    Raises ``AgentcError``: AS1421 if the package ``mcp`` is not installed, AS1478 for a server that does not start, or
    not in ``timeout`` seconds.
    """

    def __init__(self, command: str, timeout: float = START) -> None:
        if importlib.util.find_spec("mcp") is None:
            raise AgentcError([report("AS1421", None, package="mcp", extra="llm")])
        self.command = command
        self.schemas: dict[str, Mapping[str, Any]] = {}
        """Each tool's JSON Schema."""
        self._timeout = timeout
        self._session: Any = None
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._work, name=f"mcp {command}", daemon=True)
        self._thread.start()
        try:
            self._ready.result(timeout + 10.0)
        except Exception as error:
            self.close()
            reason = _innermost(error)
            raise AgentcError([report("AS1478", None, command=command, reason=reason)]) from error

    def __enter__(self) -> McpServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server's process."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10.0)

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:
            if not self._ready.done():
                self._ready.set_exception(error)
        finally:
            if not self._ready.done():
                self._ready.set_exception(McpError("it has ended"))
            self._loop.close()

    async def _serve(self) -> None:
        from mcp import ClientSession, StdioServerParameters
        from mcp.client.stdio import stdio_client

        words = shlex.split(self.command)
        if not words:
            raise McpError("the command is empty")
        parameters = StdioServerParameters(command=words[0], args=words[1:], env=dict(os.environ))
        async with stdio_client(parameters, errlog=_errors()) as streams, ClientSession(*streams) as session:
            async with asyncio.timeout(self._timeout):
                await session.initialize()
                await self._list(session)
            self._session = session
            self._ready.set_result(None)
            await self._stop.wait()

    async def _list(self, session: Any) -> None:
        from mcp.types import PaginatedRequestParams

        cursor: str | None = None
        for _ in range(_PAGES):
            page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
            found = page.model_dump(by_alias=True)
            for tool in found["tools"]:
                self.schemas[tool["name"]] = tool["inputSchema"]
            cursor = found.get("nextCursor")
            if not cursor:
                return

    def call(self, name: str, arguments: Mapping[str, Any], timeout: float = TIMEOUT) -> str:
        """Call a tool; the text of its result.

        Raises :class:`McpError` for an answer that is an error and for a server that has ended, ``TimeoutError`` for
        one that is silent.
        """
        if self._loop.is_closed():
            raise McpError("the server has ended")
        asked = asyncio.run_coroutine_threadsafe(self._session.call_tool(name, dict(arguments)), self._loop)
        try:
            answer = asked.result(timeout).model_dump(by_alias=True)
        except concurrent.futures.TimeoutError:
            asked.cancel()
            raise TimeoutError(f"{name} took longer than {timeout:g} s") from None
        except Exception as error:
            raise McpError(_innermost(error)) from error
        text = text_of(answer)
        if answer.get("isError"):
            raise McpError(text)
        return text

    def functions(self, tools: Sequence[ToolIR]) -> dict[str, Function]:
        """The functions of the declared tools that the server has.

        Raises ``AgentcError`` (AS1431) for one that does not take the declared arguments.
        """
        wrong = []
        found: dict[str, Function] = {}
        for tool in tools:
            schema = self.schemas.get(tool.name)
            if schema is None:
                continue
            reason = mismatch(tool, schema)
            if reason:
                wrong.append(report("AS1431", tool.span, tool=tool.name, reason=reason))
            setting = tool.settings.get("timeout", TIMEOUT)
            limit = float(setting) if isinstance(setting, int | float) else TIMEOUT
            found[tool.name] = self._function(tool.name, limit)
        if wrong:
            raise AgentcError(wrong)
        return found

    def _function(self, name: str, timeout: float) -> Function:
        # the toolbox is the first to lose patience
        return lambda **arguments: self.call(name, arguments, timeout + 1.0)


def text_of(answer: Mapping[str, Any]) -> str:
    """The result of a call as one text: its texts, and for other content what kind it is."""
    parts = []
    for block in answer.get("content") or ():
        text = block.get("text") if isinstance(block, Mapping) else None
        parts.append(text if isinstance(text, str) else f"[{block.get('type', 'content')}]")
    if not parts and answer.get("structuredContent") is not None:
        parts.append(json.dumps(answer["structuredContent"], ensure_ascii=False))
    return "\n".join(parts)


def _errors() -> TextIO:
    """Where a server's own words about itself go."""
    stream = sys.__stderr__
    try:
        if stream is not None:
            stream.fileno()
            return cast("TextIO", stream)
    except (OSError, ValueError):
        pass
    return open(os.devnull, "w", encoding="utf-8")


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "it takes too long"
    return (str(error) or type(error).__name__).splitlines()[0]


# ---------------------------------------------------------------- schemas


def mismatch(tool: ToolIR, schema: Mapping[str, Any]) -> str:
    """Why a tool with a JSON Schema does not take what an agent declares; empty if it does."""
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    declared = {a.name for a in tool.arguments}
    for name in schema.get("required") or ():
        if name not in declared:
            return f"it requires `{name}`, which is not declared"
    for argument in tool.arguments:
        if argument.name not in known:
            if schema.get("additionalProperties") is False or known:
                return f"it has no argument `{argument.name}`"
            continue
        reason = _differs(argument, known[argument.name])
        if reason:
            return reason
    return ""


def _differs(argument: ArgumentIR, schema: Any) -> str:
    if not isinstance(schema, Mapping) or "type" not in schema:
        return ""
    given = schema["type"]
    kinds = given if isinstance(given, list) else [given]
    if not set(kinds) & set(_JSON.get(argument.kind, ())):
        return f"`{argument.name}` is declared as {argument.kind} and takes {' or '.join(map(str, kinds))}"
    members = schema.get("enum")
    if isinstance(members, list) and argument.kind == "enum":
        unknown = [m for m in argument.members if m not in members]
        if unknown:
            return f"`{argument.name}` is declared with {unknown[0]!r}, which it does not take"
    return ""


def declaration(name: str, schema: Mapping[str, Any]) -> str:
    """A tool with a JSON Schema as a line of a spec: its arguments are then typed fields that rules can speak of.

    Arguments that may be left out have a default, lists and objects are texts (their JSON).
    """
    properties = schema.get("properties")
    required = schema.get("required") or ()
    parts = []
    for argument, of in (properties if isinstance(properties, Mapping) else {}).items():
        type_, default = _type(of if isinstance(of, Mapping) else {})
        parts.append(f"{argument} : {type_}" + ("" if argument in required else f" = {default}"))
    names = [name, *(properties if isinstance(properties, Mapping) else {})]
    line = f"tool {name}({', '.join(parts)}) -> text"
    return line if all(n.isidentifier() for n in names) else f"# a name that cannot be written: {line}"


def _type(schema: Mapping[str, Any]) -> tuple[str, str]:
    """The type of an argument, and what it is where it is left out."""
    given = schema.get("type")
    kind = next((k for k in given if k != "null"), None) if isinstance(given, list) else given
    default = schema.get("default")
    members = schema.get("enum")
    if isinstance(members, list) and members and all(isinstance(m, str) and m.isidentifier() for m in members):
        return f"enum {{{', '.join(members)}}}", str(default if default in members else members[0])
    if kind == "boolean":
        return "bool", "true" if default is True else "false"
    if kind in ("integer", "number"):
        lo, hi = schema.get("minimum"), schema.get("maximum")
        bounded = isinstance(lo, int | float) and isinstance(hi, int | float)
        neutral = lo if bounded else 0
        shown = default if isinstance(default, int | float) and not isinstance(default, bool) else neutral
        return f"{'int' if kind == 'integer' else 'real'}{f' in [{lo}, {hi}]' if bounded else ''}", str(shown)
    return "text", json.dumps(default if isinstance(default, str) else "", ensure_ascii=False)
