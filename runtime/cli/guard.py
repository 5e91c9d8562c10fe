"""``agentc guard``: the promises of a spec as a guard for any agent loop, over standard input and output."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.cli.specs import spec_arguments

if TYPE_CHECKING:
    from agentc.runtime.llm.guard import Guard


@click.command(name="guard")
@spec_arguments
@click.option("--agent", "name", metavar="NAME", help="The agent whose promises are kept, if there are several.")
@click.option("--stdin", "stream", is_flag=True, help="Judge the events of standard input, one JSON object a line.")
@click.option("--mcp", metavar="COMMAND", help="Stand between standard input and output and the MCP server COMMAND.")
@click.option("--tools", is_flag=True, help="Print the tools of the MCP server as declarations.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=60.0, show_default=True,
              help="Seconds for each call of an MCP server.")
@click.option("--history", metavar="FILE", help="Keep events in this SQLite file, or at postgresql://...")
@click.option("--ask-timeout", type=click.FloatRange(0), default=300.0, show_default=True,
              help="Seconds that a person has to decide.")
@click.option("--pending", is_flag=True, help="List what waits for a person in the history.")
@click.option("--allow", "allowed", metavar="KEY", help="Allow a call that waits in the history.")
@click.option("--deny", "denied", metavar="KEY", help="Deny a call that waits in the history.")
@click.option("--log", "logs", multiple=True, metavar="RULE", help="Only log what violates this rule.")
@click.option("--ask", "asks", multiple=True, metavar="RULE", help="Ask a person about what violates this rule.")
def command(
    files: tuple[str, ...],
    params: tuple[str, ...],
    allow_extern: tuple[str, ...],
    name: str | None,
    stream: bool,
    mcp: str | None,
    tools: bool,
    timeout: float,
    history: str | None,
    ask_timeout: float,
    pending: bool,
    allowed: str | None,
    denied: str | None,
    logs: tuple[str, ...],
    asks: tuple[str, ...],
) -> int:
    """Judge the tool calls of any agent loop by the promises of a spec.

    Events are {"tool": ..., "arguments": {...}, "key": ...} for a call that is proposed, {"calls": [...]} for several
    that run in parallel, {"result": "...", "tool": ...} for what one returned, {"phase": ..., "text": ...} for a text,
    {"user": "..."} for what the user says, {"settle": key, "allowed": true} for what a person decided, and
    {"end": true} to ask whether the run may end. Each is answered by one line. With --history the file may be shared,
    and proposing a key twice judges it once. Exit code 1 if anything was denied, else 0.

    The events of hooks that coding agents call before and after each use of a tool ({"tool_name": ..., "tool_input":
    {...}, "tool_use_id": ...}) are answered in their form, with exit code 0: keep the calls of a session together by
    --history.

    With --mcp it is a proxy: put it where a client starts its MCP server. A denied call never reaches the server.
    """
    if tools:
        return _declarations(mcp)
    from agentc.runtime.cli.check import checked
    from agentc.runtime.cli.specs import parameters
    from agentc.runtime.llm.guard import Guard

    result = checked(files, parameters(params), allow_extern)
    if not result.ok:
        raise AgentcError(result.diagnostics)
    writers = [a for a in result.agents if a.writer is not None and (name is None or a.name == name)]
    if len(writers) != 1:
        known = ", ".join(f"`{a.name}`" for a in result.agents if a.writer is not None) or "none"
        raise AgentcError([report("AS1444", None, found=len(writers), known=known)])
    modes: dict[str, Any] = {**dict.fromkeys(logs, "log"), **dict.fromkeys(asks, "ask")}
    guard = Guard(writers[0], modes, history, ask_timeout=ask_timeout)
    if mcp is not None:
        from agentc.runtime.llm.mcp_proxy import McpProxy

        proxy = McpProxy(guard, mcp, timeout)
        proxy.serve(sys.stdin.buffer, sys.stdout.buffer)
        return int(proxy.denied > 0)
    if pending:
        for key, (event, decision) in guard.pending().items():
            given = json.dumps(event["arguments"], ensure_ascii=False)
            click.echo(f"{key}  {event['tool']} {given}  {decision.reason}")
        return 0
    for asked, yes in ((allowed, True), (denied, False)):
        if asked is not None:
            click.echo(guard.settle(asked, yes).reason)
            return 0
    if not stream:
        for rule in guard.rules:
            click.echo(f"{rule.name}  {guard.modes.get(rule.name, 'enforce')}  {rule.item.source}")
        return 0
    refused = False
    for number, line in enumerate(sys.stdin, 1):
        if line.strip():
            answer = _answer(guard, line, number)
            refused = refused or any(a.get("outcome") == "deny" for a in answer.get("decisions", [answer]))
            click.echo(json.dumps(answer, ensure_ascii=False))
    return int(refused)


def _declarations(command: str | None) -> int:
    """Print the tools of a server as an agent declares them."""
    from agentc.runtime.llm.mcp_tools import McpServer, declaration

    if command is None:
        raise click.UsageError("--tools needs --mcp COMMAND")
    with McpServer(command) as server:
        for name, schema in server.schemas.items():
            click.echo(declaration(name, schema))
    return 0


def _answer(guard: Guard, line: str, number: int) -> dict[str, Any]:
    """The answer to one line; a line that is no event is denied with the reason, and the next one is read."""
    try:
        event = json.loads(line)
    except ValueError as error:
        return {"outcome": "deny", "reason": f"line {number} is no JSON: {error}"}
    if not isinstance(event, Mapping):
        return {"outcome": "deny", "reason": f"line {number} is no event: {event!r}"}
    key = event.get("key")
    try:
        if isinstance(event.get("tool_name"), str):
            return _hook(guard, event)
        if "settle" in event:
            return asdict(guard.settle(str(event["settle"]), bool(event.get("allowed")), str(event.get("by", ""))))
        if event.get("end"):
            return asdict(guard.end())
        if isinstance(event.get("calls"), list):
            return {"decisions": _together(guard, event["calls"])}
        if "user" in event:
            guard.user(str(event["user"]), key)
        elif "result" in event:
            guard.result(str(event["result"]), event.get("tool"), key)
        elif "phase" in event:
            guard.note(str(event["phase"]), str(event.get("text", "")), key)
        elif isinstance(event.get("tool"), str) and isinstance(event.get("arguments", {}), Mapping):
            key = key if isinstance(key, str) else uuid.uuid4().hex  # told, so that what is asked can be settled
            return {**asdict(guard.propose(event["tool"], event.get("arguments", {}), key)), "key": key}
        else:
            missing = "it has no `tool`, `calls`, `result`, `phase`, `user`, `settle` or `end`"
            return {"outcome": "deny", "reason": f"line {number} is no event: {missing}"}
    except AgentcError as error:
        return {"outcome": "deny", "reason": "; ".join(d.message for d in error.diagnostics)}
    return {"outcome": "allow", "verdicts": {n: v.sentence for n, v in guard.verdicts().items()}}


def _hook(guard: Guard, event: Mapping[str, Any]) -> dict[str, Any]:
    """The event of a coding agent's hook, `tool_name` with `tool_input` before a use and `tool_response` after it.

    The answer is of the form that such agents read (``permissionDecision``).
    """
    name, given = event["tool_name"], event.get("tool_input")
    key = event.get("tool_use_id")
    key = key if isinstance(key, str) else None
    if "tool_response" in event:
        said = event["tool_response"]
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        guard.result(text, name, key and f"{key}/result")
        return {}
    decision = guard.propose(name, given if isinstance(given, Mapping) else {}, key)
    about = {"hookEventName": event.get("hook_event_name", "PreToolUse"), "permissionDecision": decision.outcome}
    return {"hookSpecificOutput": {**about, "permissionDecisionReason": decision.reason}}


def _together(guard: Guard, calls: list[Any]) -> list[dict[str, Any]]:
    """The decisions on calls that run in parallel; one that is no call is denied, and the others are judged."""
    good = [c for c in calls if isinstance(c, Mapping) and isinstance(c.get("arguments", {}), Mapping)]
    found = guard.propose_together(
        [(str(c.get("tool")), c.get("arguments", {})) for c in good], [c.get("key") for c in good]
    )
    decided = iter(found)
    wrong = {"outcome": "deny", "reason": "it is no call"}
    return [asdict(next(decided)) if any(c is g for g in good) else wrong for c in calls]
