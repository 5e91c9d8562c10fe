"""``agentc guard``: the promises of a spec as a guard for any agent loop, over standard input and output."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
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
@click.option("--history", type=click.Path(path_type=Path, dir_okay=False), help="Keep events in this SQLite file.")
@click.option("--log", "logs", multiple=True, metavar="RULE", help="Only log what violates this rule.")
@click.option("--ask", "asks", multiple=True, metavar="RULE", help="Ask a person about what violates this rule.")
def command(
    files: tuple[str, ...],
    params: tuple[str, ...],
    allow_extern: tuple[str, ...],
    name: str | None,
    stream: bool,
    history: Path | None,
    logs: tuple[str, ...],
    asks: tuple[str, ...],
) -> int:
    """Judge the tool calls of any agent loop by the promises of a spec.

    Events are {"tool": ..., "arguments": {...}, "key": ...} for a call that is proposed, {"result": "...", "tool": ...}
    for what it returned, {"phase": ..., "text": ...} for a text, {"settle": key, "allowed": true} for what a person
    decided, and {"end": true} to ask whether the run may end. Each is answered by one line. With --history the file may
    be shared, and proposing a key twice judges it once. Exit code 1 if anything was denied, else 0.
    """
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
    guard = Guard(writers[0], modes, history)
    if not stream:
        for rule in guard.rules:
            click.echo(f"{rule.name}  {guard.modes.get(rule.name, 'enforce')}  {rule.item.source}")
        return 0
    denied = False
    for number, line in enumerate(sys.stdin, 1):
        if line.strip():
            answer = _answer(guard, line, number)
            denied = denied or answer.get("outcome") == "deny"
            click.echo(json.dumps(answer, ensure_ascii=False))
    return int(denied)


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
        if "settle" in event:
            return asdict(guard.settle(str(event["settle"]), bool(event.get("allowed")), str(event.get("by", ""))))
        if event.get("end"):
            return asdict(guard.end())
        if "result" in event:
            guard.result(str(event["result"]), event.get("tool"), key)
        elif "phase" in event:
            guard.note(str(event["phase"]), str(event.get("text", "")), key)
        elif isinstance(event.get("tool"), str) and isinstance(event.get("arguments", {}), Mapping):
            return asdict(guard.propose(event["tool"], event.get("arguments", {}), key))
        else:
            missing = "it has no `tool`, `result`, `phase`, `settle` or `end`"
            return {"outcome": "deny", "reason": f"line {number} is no event: {missing}"}
    except AgentcError as error:
        return {"outcome": "deny", "reason": "; ".join(d.message for d in error.diagnostics)}
    return {"outcome": "allow", "verdicts": {n: v.sentence for n, v in guard.verdicts().items()}}
