"""How each item is written: its head, the sign behind it, what follows, or the items of its block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from agentc.lang import ast
from agentc.lang.literals import write_name, write_string
from agentc.lang.printer_expressions import (
    IFF,
    POSTFIX,
    SUM,
    WIDTH,
    XOR,
    argument,
    declaration,
    parameters,
    text,
    type_text,
    wrapped,
)

Tail = Callable[[int, int], str]
"""Column at which it begins and indentation of further lines, to text."""


def _nothing(column: int, indent: int) -> str:
    return ""


class Shape(NamedTuple):
    """An item on paper: ``head separator tail``, or ``head { items }`` where ``items`` is not None."""

    head: str
    separator: str = ""
    tail: Tail = _nothing
    items: Sequence[ast.Item | ast.Entry] | None = None
    family: str = ""
    """Neighbours of one family have their separators aligned."""
    verbatim: bool = False


def shape(item: ast.Item | ast.Entry) -> Shape:
    """How an item is written."""
    maker = _SHAPES.get(type(item))
    if maker is None:
        raise TypeError(f"no item: {type(item).__name__}")
    made: Shape = maker(item)
    return made


def _expr(expr: ast.Expr, least: int = 0, before: str = "", behind: str = "") -> Tail:
    def tail(column: int, indent: int) -> str:
        return before + wrapped(expr, column + len(before), indent, least) + behind

    return tail


def _fixed(shown: str) -> Tail:
    return lambda column, indent: shown


def _defined(word: str, name: str | None, body: ast.Expr, family: str, *, given: str = "") -> Shape:
    head = f"{word} {write_name(name)}{given}" if name is not None else word
    return Shape(head, "=", _expr(body), family=family)


def _optional(values: tuple[ast.Parameter, ...]) -> str:
    return parameters(values) if values else ""


def _doc(item: ast.Doc) -> Shape:
    return Shape("", "", lambda column, indent: long_text(item.text, indent - 4))


def long_text(value: str, indent: int, escape: bool = False) -> str:
    """A text in triple quotes, its further lines indented."""
    if escape:
        value = value.replace("\\", "\\\\").replace('"""', '\\"\\"\\"').replace("\r", "\\r")
        if value.endswith('"'):
            value = value[:-1] + '\\"'
    lines = value.split("\n")
    pad = " " * indent
    if len(lines) == 1 and not value.endswith(('"', "\\")) and not value.startswith((" ", "\t")):
        return f'"""{value}"""'
    rest = [line for line in lines[1:] if line]
    opened = lines[0].startswith((" ", "\t")) or lines[0] == "" or all(line[0] in " \t" for line in rest)
    shown = [f"{pad}{line}" if line else "" for line in lines]
    first = ['"""', *shown] if opened else ['"""' + lines[0], *shown[1:]]
    return "\n".join([*first, pad + '"""'])


def _import(item: ast.Import) -> Shape:
    shown = "import " + ".".join(map(write_name, item.path))
    if item.alias is not None:
        shown += f" as {write_name(item.alias)}"
    if item.names is not None:
        names = [
            write_name(name.name) + (f" as {write_name(name.alias)}" if name.alias is not None else "")
            for name in item.names
        ]
        shown += ": " + ", ".join(names)
    return Shape(shown)


def _constant(item: ast.Constant) -> Shape:
    given = "" if item.type is None else f" : {type_text(item.type)}"
    return _defined("param" if item.is_param else "const", item.name, item.value, "constant", given=given)


def _signal(item: ast.Signal) -> Shape:
    names = ", ".join(map(write_name, item.names))
    kind = type_text(item.type)
    head = f"signal {names}"
    separator = ":" if item.type.name is not None else ""
    head = head if separator else f"{head} {kind}"

    def tail(column: int, indent: int) -> str:
        shown = kind if separator else ""
        if item.extern is not None:
            shown += f" = extern {write_string(item.extern)}"
        elif item.value is not None:
            shown += " = " + wrapped(item.value, column + len(shown) + 3, indent)
        if item.doc is not None:
            shown += "  " + long_text(item.doc, indent)
        return shown

    return Shape(head, separator, tail, family="signal" if separator else "")


def _setting(item: ast.Setting) -> Shape:
    if item.word == "discount":
        return Shape("discount", "=", _expr(item.value))
    return Shape(f"{write_name(item.word)} ", "", _expr(item.value, IFF))


def _step(item: ast.StepSize) -> Shape:
    by = "" if item.integrator is None else f" by {write_name(item.integrator)}"
    return Shape("step ", "", _expr(item.duration, IFF, behind=by))


def _block(word: str, name: str, items: Sequence[ast.Item], given: str = "") -> Shape:
    return Shape(f"{word} {write_name(name)}{given}", items=items)


def _variables(item: ast.Variables) -> Shape:
    return Shape(f"{item.kind} ", "", _fixed(", ".join(map(declaration, item.declarations))))


def _equation(item: ast.Equation) -> Shape:
    return Shape(f"{write_name(item.target)}'", "=", _expr(item.value), family="equation")


def _branch(item: ast.Branch) -> Shape:
    updates = ", ".join(f"{write_name(e.target)}' = {text(e.value, IFF)}" for e in item.updates) or "-"
    if item.probability is None:
        return Shape(updates)
    return Shape(text(item.probability, IFF), ":", _fixed(updates), family="branch")


def _command(item: ast.Command) -> Shape:
    when = "" if item.guard is None else f" when {text(item.guard, IFF)}"
    return _block("command", item.name, item.branches, when)


def _edge(item: ast.Edge) -> Shape:
    head = f"on {text(item.guard, XOR)} -> {write_name(item.target)}"
    if item.value is not None:
        return Shape(head, ":", _expr(item.value), family="edge")
    return Shape(head, items=item.resets) if item.resets else Shape(head)


def _machine_state(item: ast.MachineState) -> Shape:
    head = f"state {write_name(item.name)}" + (" accepting" if item.accepting else "")
    return Shape(head, items=item.edges) if item.edges else Shape(head)


def _machine(item: ast.Machine) -> Shape:
    return Shape("machine" if item.name is None else f"machine {write_name(item.name)}", items=item.states)


def _formula(item: ast.FormulaItem) -> Shape:
    if item.name is None:
        return Shape(f"{item.role} ", "", _expr(item.body))
    return _defined(item.role, item.name, item.body, "formula")


def _term(item: ast.RewardTerm) -> Shape:
    behind = "" if item.ending is None else f" {item.ending}"
    return Shape(text(item.subject, IFF), ":", _expr(item.amount, IFF, behind=behind), family="term")


def _generator(generator: ast.Generator) -> str:
    limit = ""
    if isinstance(generator, ast.TextGenerator | ast.ContentGenerator) and generator.max_tokens is not None:
        limit = f" max {generator.max_tokens} tokens"
    match generator:
        case ast.TextGenerator(until=until):
            return "text" + ("" if until is None else f" until {write_string(until)}") + limit
        case ast.CallGenerator(tools=tools):
            return f"call({' | '.join(map(write_name, tools))})"
        case ast.ResultGenerator(phase=phase):
            return f"result({write_name(phase)})"
        case ast.ContentGenerator(content=content):
            return f"{text(content.function)}({', '.join(map(argument, content.arguments))}){limit}"


def _phase(item: ast.Phase) -> Shape:
    parts = list(map(_generator, item.generators))

    def tail(column: int, indent: int) -> str:
        made = " & ".join(parts)
        if column + len(made) > WIDTH:
            made = f"\n{' ' * indent}& ".join(parts)
        if item.where is None:
            return made
        before = f"{made} where "
        return before + wrapped(item.where, column + len(before), indent, IFF)

    return Shape(f"phase {write_name(item.name)}", "=", tail, family="phase")


def _tool(item: ast.Tool) -> Shape:
    head = f"tool {write_name(item.name)}{parameters(item.parameters)}"
    if item.returns is not None:
        head += f" -> {type_text(item.returns)}"
    return Shape(head) if item.settings is None else Shape(head, items=item.settings.entries)


def _model(item: ast.Model) -> Shape:
    head = f"model {write_string(item.name)}"
    return Shape(head) if item.settings is None else Shape(head, items=item.settings.entries)


def _prompt(item: ast.Prompt) -> Shape:
    head = "prompt " if item.name is None else f"prompt {write_name(item.name)} "
    head += "from " if item.from_file else ""
    if item.text.long:
        return Shape(head, "", lambda column, indent: long_text(item.text.value, indent - 2, escape=True))
    return Shape(head, "", _fixed(write_string(item.text.value)))


def _train(item: ast.Train) -> Shape:
    head = f"train {write_name(item.algorithm)}"
    if item.until is not None:
        head += f" until {text(item.until, IFF)}"
    return Shape(head) if item.settings is None else Shape(head, items=item.settings.entries)


def _recipe(item: ast.Recipe) -> Shape:
    head = f"recipe {write_name(item.name)} = {write_name(item.algorithm)}"
    return Shape(head) if item.settings is None else Shape(head, items=item.settings.entries)


def _expect(item: ast.Expect) -> Shape:
    behind = "" if item.confidence is None else f" with confidence {text(item.confidence, SUM)}"
    return Shape("expect ", "", _expr(item.condition, IFF, behind=behind))


def _verify(item: ast.Verify) -> Shape:
    if item.bound is None:
        shown = text(item.subject, IFF)
    else:
        op, limit = item.bound
        shown = f"{item.measure} {op} {text(limit, POSTFIX)} [{text(item.subject, IFF)}]"
    method = "" if item.method is None else f" by {write_name(item.method)}"
    if item.settings is not None:
        return Shape(f"verify {shown}{method}", items=item.settings.entries)
    if item.bound is None:
        return Shape("verify ", "", _expr(item.subject, IFF, behind=method))
    return Shape(f"verify {shown}{method}")


def _shield(item: ast.Shield) -> Shape:
    method = "" if item.method is None else f" by {write_name(item.method)}"
    head = f"shield {write_name(item.formula)}{method}"
    return Shape(head) if item.settings is None else Shape(head, items=item.settings.entries)


def _example_step(item: ast.ExampleStep) -> Shape:
    return Shape("-") if item.value is None else Shape("", "", _expr(item.value, IFF))


def _example(item: ast.Example) -> Shape:
    word = "satisfies" if item.satisfies else "violates "
    name = write_name(item.formula)
    return Shape(f"example {write_string(item.title)}", f"{word} {name}", items=item.steps, family="example")


def _entry(item: ast.Entry) -> Shape:
    if item.key is None:
        return Shape("", "", _expr(item.value, IFF))
    return Shape(write_name(item.key), "=", _expr(item.value, IFF), family="entry")


_SHAPES: dict[type, Callable[..., Shape]] = {
    ast.ErrorItem: lambda item: Shape("", verbatim=True),
    ast.Doc: _doc,
    ast.Import: _import,
    ast.Constant: _constant,
    ast.Pattern: lambda item: _defined("pattern", item.name, item.body, "pattern", given=parameters(item.parameters)),
    ast.Proposition: lambda item: _defined("prop", item.name, item.body, "prop", given=_optional(item.parameters)),
    ast.RegionItem: lambda item: _defined("region", item.name, item.body, "region", given=_optional(item.parameters)),
    ast.Signal: _signal,
    ast.Setting: _setting,
    ast.StepSize: _step,
    ast.Environment: lambda item: _block("environment", item.name, item.items, _optional(item.parameters)),
    ast.System: lambda item: _block("system", item.name, item.items, _optional(item.parameters)),
    ast.Agent: lambda item: _block("agent", item.name, item.items),
    ast.Role: lambda item: _block("role", item.name, item.items),
    ast.Mode: lambda item: _block("mode", item.name, item.items),
    ast.Command: _command,
    ast.Branch: _branch,
    ast.Controller: lambda item: _block("controller", item.name, item.body.entries),
    ast.Variables: _variables,
    ast.Equation: _equation,
    ast.Edge: _edge,
    ast.FormulaItem: _formula,
    ast.CostItem: lambda item: _defined("cost", item.name, item.value, "cost"),
    ast.Budget: lambda item: Shape(f"budget {write_name(item.cost)} <= ", "", _expr(item.limit, SUM)),
    ast.Reward: lambda item: Shape("reward", items=item.items),
    ast.RewardTerm: _term,
    ast.Machine: _machine,
    ast.MachineState: _machine_state,
    ast.Phase: _phase,
    ast.Tool: _tool,
    ast.Model: _model,
    ast.Prompt: _prompt,
    ast.Train: _train,
    ast.Recipe: _recipe,
    ast.Expect: _expect,
    ast.Verify: _verify,
    ast.Shield: _shield,
    ast.Block: lambda item: Shape(item.word, items=item.items),
    ast.ExampleStep: _example_step,
    ast.Example: _example,
    ast.Entry: _entry,
}
