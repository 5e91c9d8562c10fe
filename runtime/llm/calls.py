"""Calls that other loops propose, held against what the agent declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentc.compiler.decoder.contents import fits
from agentc.compiler.writer import ArgumentIR, WriterIR
from agentc.lang.spelling import nearest

_KINDS: Mapping[str, tuple[type, ...]] = {
    "bool": (bool,), "int": (int,), "real": (int, float), "enum": (str,), "text": (str,),
}  # fmt: skip


def completed(writer: WriterIR, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with the defaults of those that are left out."""
    declared = next((t.arguments for t in writer.tools if t.name == name), ())
    return {**{a.name: a.default for a in declared if a.default is not None and a.name not in given}, **given}


def malformed(writer: WriterIR, name: str, given: Mapping[str, Any]) -> str:
    """Why a call is none that was declared; empty if it is one."""
    try:
        tool = writer.tool(name)
    except KeyError:
        near = nearest(name, [t.name for t in writer.tools])
        return f"no tool is called `{name}`" + (f"; did you mean `{near}`?" if near else "")
    known = {a.name: a for a in tool.arguments}
    for argument in given:
        if argument not in known:
            return f"`{tool.name}` has no argument `{argument}`"
    for argument, declared in known.items():
        if argument not in given:
            return f"the argument `{argument}` of `{tool.name}` is missing"
        reason = ill_typed(declared, given[argument])
        if reason:
            return f"the argument `{argument}` of `{tool.name}` {reason}"
    return ""


def ill_typed(argument: ArgumentIR, value: Any) -> str:
    """Why a value is none of an argument's; empty if it is one."""
    if argument.content is not None:
        return "" if fits(argument, value) else f"is {value!r:.80}, not what its {argument.content.kind} allows"
    wanted = _KINDS[argument.kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and argument.kind != "bool"):
        return f"is {value!r:.80}, not {'an' if argument.kind[0] in 'aeiou' else 'a'} {argument.kind}"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "is not a number"
    if argument.members and value not in argument.members:
        return f"is {value!r:.80}, none of {', '.join(argument.members)}"
    size: Any = len(value) if isinstance(value, str) else value
    lo, hi = argument.size or (None, None) if argument.kind == "text" else (argument.lo, argument.hi)
    if argument.kind in ("text", "int", "real") and ((lo is not None and size < lo) or (hi is not None and size > hi)):
        return f"is {value!r:.80}, outside of [{'' if lo is None else lo}, {'' if hi is None else hi}]"
    return ""
