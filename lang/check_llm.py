"""Language-model agents: model, prompts, tools, phases, decoding.

A phase is a Boolean signal, true at the steps that are its own, with the text it holds as ``phase.text``; a tool
is one too, true where it is called, with its arguments as ``tool.argument``.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentc.lang import ast
from agentc.lang.check_context import Context, first_line, listed
from agentc.lang.checked import CheckedOutline, CheckedSignal, Content
from agentc.lang.context import nearest
from agentc.lang.diagnostics import AgentcError
from agentc.lang.scope import Scope, Symbol
from agentc.lang.source import Span
from agentc.lang.types import BOOL, TEXT, Type


def declare_writer(context: Context, item: ast.Phase | ast.Tool, scope: Scope) -> list[CheckedSignal]:
    """Declare a phase or a tool; the signals that it brings."""
    kind = "phase" if isinstance(item, ast.Phase) else "tool"
    symbol = Symbol(item.name, kind, BOOL, item.name_span, item, scope)  # type: ignore[arg-type]
    if not context.define(scope, symbol):
        return []
    signals = [CheckedSignal(item.name, BOOL, item.name_span, phase=True)]
    if isinstance(item, ast.Phase):
        return [*signals, CheckedSignal(f"{item.name}.text", TEXT, item.name_span, phase=True)]
    seen: dict[str, ast.Parameter] = {}
    for parameter in item.parameters:
        given = parameter.type.given
        type_ = context.elaborator.type(parameter.type, scope) if given is None else TEXT
        if parameter.name in seen:
            context.report("AS0201", parameter.name_span, name=parameter.name)
        elif type_.kind != "error":
            full = f"{item.name}.{parameter.name}"
            signals.append(CheckedSignal(full, type_, parameter.name_span, phase=True))
        seen[parameter.name] = parameter
    return signals


def check_phase(context: Context, item: ast.Phase, scope: Scope) -> CheckedOutline:
    """A phase: its tools and phases exist, its limits are positive."""
    generators: list[Content] = []
    for generator in item.generators:
        match generator:
            case ast.TextGenerator(until=until, max_tokens=limit):
                generators.append({"generator": "text", "until": until, "max_tokens": _tokens(context, limit, item)})
            case ast.CallGenerator(tools=tools, tool_spans=spans):
                for name, span in zip(tools, spans, strict=True):
                    symbol = scope.lookup(name)
                    if symbol is None or symbol.kind not in ("tool", "error"):
                        context.unknown("tool", name, scope.names("tool"), span)
                generators.append({"generator": "call", "tools": tools})
            case ast.ResultGenerator(phase=name, phase_span=span):
                _result(context, name, span, scope)
                generators.append({"generator": "result", "phase": name})
            case ast.ContentGenerator(content=call, max_tokens=limit):
                generators.append(_content(context, call, _tokens(context, limit, item), scope))
    content: dict[str, Content] = {"generators": tuple(generators)}
    if item.where is not None:
        content["where"] = context.elaborator.proposition(item.where, scope)
    return CheckedOutline("phase", item.name, content, first_line(item.span))


def _tokens(context: Context, limit: int | None, item: ast.Phase) -> int | None:
    if limit is not None and limit < 1:
        context.report("AS0614", item.span, name="max", value=f"{limit} tokens", domain="at least 1 token")
    return limit


def _result(context: Context, name: str, span: Span, scope: Scope) -> None:
    symbol = scope.lookup(name)
    if symbol is None:
        context.unknown("phase", name, scope.names("phase"), span)
        return
    phase = symbol.node
    calls = isinstance(phase, ast.Phase) and any(isinstance(g, ast.CallGenerator) for g in phase.generators)
    if symbol.kind != "error" and not calls:
        context.report("AS0549", span, name=name)


def _content(context: Context, call: ast.Call, limit: int | None, scope: Scope) -> Content:
    name = call.function.id if isinstance(call.function, ast.Name) else ""
    if name not in ast.CONTENTS:
        known = (*ast.CONTENTS, "text", "call", "result")
        suggestion = nearest(name, known)
        context.report("AS0621", call.function.span, name=name, known=listed(known), suggestion=suggestion)
        return None
    texts = []
    for argument in call.arguments:
        value = context.elaborator.constant(argument.value, scope, TEXT)
        if isinstance(value, str):
            texts.append(value)
    if not call.arguments or (name != "choice" and len(call.arguments) != 1):
        wanted = "at least one text" if name == "choice" else "one text"
        context.report("AS0304", call.span, name=name, wanted=wanted, found=f"it gets {len(call.arguments)}")
    elif name in ("json", "grammar") and len(texts) == 1:
        texts = [*_file(context, texts[0], call.arguments[0].span)]
    return {"generator": name, "texts": tuple(texts), "max_tokens": limit}


def _file(context: Context, path: str, span: Span) -> tuple[str, str]:
    """The path of a file and its text; a schema or a grammar may also stand in the spec itself, then without a path."""
    if path.lstrip().startswith("{") or "\n" in path:
        return "", path
    try:
        return path, context.library.text(path, span)
    except AgentcError as error:
        context.diagnostics.extend(error.diagnostics)
        return path, ""


def check_tool(context: Context, item: ast.Tool, scope: Scope) -> CheckedOutline:
    """A tool with the types of its parameters and of its result."""
    parameters: dict[str, Content] = {}
    for parameter in item.parameters:
        given = parameter.type.given
        type_ = context.elaborator.type(parameter.type, scope) if given is None else TEXT
        content: dict[str, Content] = dict(type_content(type_))
        if given is not None:
            content["content"] = _content(context, given, None, scope)
        if parameter.default is not None:
            wanted = None if type_.kind == "error" else type_
            content["default"] = context.elaborator.constant(parameter.default, scope, wanted)
        parameters[parameter.name] = content
    returns = None if item.returns is None else type_content(context.elaborator.type(item.returns, scope))
    settings = {s.name: s.value for s in context.settings(item.settings, scope)}
    content_: Mapping[str, Content] = {"parameters": parameters, "returns": returns, "settings": settings}
    return CheckedOutline("tool", item.name, content_, first_line(item.span))


def check_model(context: Context, item: ast.Model, scope: Scope) -> CheckedOutline:
    """The model with its settings."""
    settings = {s.name: s.value for s in context.settings(item.settings, scope)}
    return CheckedOutline("model", item.name, {"settings": settings}, first_line(item.span))


def check_prompt(context: Context, item: ast.Prompt) -> CheckedOutline:
    """A prompt; without a name it is the system prompt, or the file's examples."""
    name = item.name or ("examples" if item.from_file else "system")
    content: dict[str, Content] = {"text": item.text.value, "file": None}
    if item.from_file:
        try:
            content = {"text": context.library.text(item.text.value, item.text.span), "file": item.text.value}
        except AgentcError as error:
            context.diagnostics.extend(error.diagnostics)
    return CheckedOutline("prompt", name, content, item.text.span)


def check_decode(context: Context, item: ast.Block, scope: Scope) -> CheckedOutline:
    """The settings of decoding."""
    content: dict[str, Content] = {}
    for part in item.items:
        if not isinstance(part, ast.Setting):
            continue
        if part.word in content:
            context.report("AS0609", part.word_span, name=part.word)
        else:
            content[part.word] = context.content(part.value, scope)
    return CheckedOutline("decode", "decode", content, first_line(item.span))


def type_content(type_: Type) -> dict[str, Content]:
    """A type as data."""
    content: dict[str, Content] = {"type": type_.kind}
    if type_.members:
        content["members"] = type_.members
    if type_.lo is not None:
        content["lo"] = type_.lo
    if type_.hi is not None:
        content["hi"] = type_.hi
    if type_.size is not None:
        content["size"] = type_.size
    if type_.unit.si:
        content["unit"] = type_.unit.si
    return content
