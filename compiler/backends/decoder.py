"""The dialogue of a language-model agent as an artifact, and what is wrong with its promises."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from agentc.compiler.agent import AgentIR
from agentc.compiler.backends.base import Artifact, Emission, refused
from agentc.compiler.decoder import contents
from agentc.compiler.decoder.bytes_automaton import TooLargeError, byte_automaton
from agentc.compiler.decoder.context_free import Content, ContextFree
from agentc.compiler.decoder.dialogue import START, Dialogue, Move, Position, dialogue, findings
from agentc.compiler.decoder.few_shot import check_prompts
from agentc.compiler.decoder.irreversible import unguarded
from agentc.compiler.decoder.json_schema import FeatureError, SchemaError
from agentc.compiler.decoder.lark_grammar import GrammarError, GrammarFeatureError, read_grammar
from agentc.compiler.decoder.regex_syntax import NotLinearError
from agentc.compiler.decoder.regular import cat, literal
from agentc.compiler.logic.fragments import EVERYTHING, Fragment
from agentc.compiler.writer import GeneratorIR, PhaseIR
from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.lang.source import Span

MAX_WRITTEN = 5_000
"""Dialogues with more positions get no file."""


class DecoderBackend:
    """``decoder/dialogue.json`` and ``decoder/dialogue.dot`` for an agent with phases."""

    name = "decoder"
    does: Fragment = EVERYTHING

    def accepts(self, fragment: Fragment, span: Span | None = None) -> tuple[Diagnostic, ...]:
        """Nothing is refused: what cannot be decided before a step is finished is decided on the finished step."""
        return refused(self.name, self.does, fragment, span)

    def emit(self, agent: AgentIR) -> Emission:
        """The dialogue; errors where some reply leaves the agent no way to keep its promises (AS1405).

        An agent without a model is for guards alone (AS1417): it gets no file.
        """
        if agent.writer is None or not agent.writer.phases:
            return Emission()
        check_contents(agent)
        guarded = unguarded(agent, agent.of_role("behavior", "safe"))
        if agent.writer.model is None:
            return Emission((), (report("AS1417", agent.writer.phases[0].span, agent=agent.name), *guarded))
        game = dialogue(agent)
        found = (*findings(agent, game), *check_prompts(agent), *guarded)
        artifacts: tuple[Artifact, ...] = ()
        if len(game.moves) + len(game.answers) <= MAX_WRITTEN:
            text = json.dumps(as_data(game), indent=1, sort_keys=True, ensure_ascii=False)
            artifacts = (
                Artifact("decoder/dialogue.json", text + "\n"),
                Artifact("decoder/dialogue.dot", as_dot(game)),
            )
        return Emission(artifacts, found)


def check_contents(agent: AgentIR) -> None:
    """Raise ``AgentcError`` for content that no decoder writes (AS1411 to AS1414, AS1416, AS1450 to AS1454)."""
    writer = agent.writer
    assert writer is not None
    wrong: list[Diagnostic] = []
    for phase in writer.phases:
        for generator in phase.generators:
            inside = _content(generator, phase.name, phase.span, wrong)
            if inside is None or generator.kind == "text":
                continue
            wrong += _without_end(phase, generator, inside)
            if isinstance(inside, ContextFree) and generator.max_tokens is not None:
                limit = f"max {generator.max_tokens} tokens"
                wrong.append(report("AS1454", phase.span, limit=limit, name=phase.name, why=inside.why))
    for tool in writer.tools:
        for argument in tool.arguments:
            if argument.kind == "vector":
                wrong.append(report("AS1414", tool.span, tool=tool.name, argument=argument.name, type=argument.kind))
            if argument.content is not None:
                _content(argument.content, f"{tool.name}.{argument.name}", tool.span, wrong)
    labels: dict[str, str] = {}
    for phase in writer.phases:
        other = labels.setdefault(contents.label(phase.name), phase.name)
        if other != phase.name:
            wrong.append(report("AS1416", phase.span, phase=phase.name, other=other, label=contents.label(phase.name)))
    if wrong:
        raise AgentcError(wrong)


def _content(generator: GeneratorIR, name: str, span: Span | None, wrong: list[Diagnostic]) -> Content | None:
    """What a generator allows; None, and a finding, if that cannot be written."""
    text = generator.texts[0] if generator.texts else ""
    shown = text or "the spec"
    try:
        return contents.content(generator)
    except NotLinearError as error:
        wrong.append(report("AS1411", span, phase=name, regex=error.regex or text, construct=error.construct))
    except re.error as error:
        regex = str(error.pattern if error.pattern is not None else text)
        wrong.append(report("AS1413", span, phase=name, regex=regex, reason=str(error)))
    except SchemaError as error:
        wrong.append(report("AS1451", span, phase=name, file=shown, reason=error.reason))
    except FeatureError as error:
        wrong.append(report("AS1450", span, phase=name, feature=error.feature, place=error.place, why=error.why))
    except GrammarError as error:
        wrong.append(report("AS1453", span, phase=name, file=shown, reason=error.reason))
    except GrammarFeatureError as error:
        wrong.append(report("AS1452", span, phase=name, terminal=error.name, construct=error.construct))
    return None


def _without_end(phase: PhaseIR, generator: GeneratorIR, inside: Content) -> list[Diagnostic]:
    """What is wrong with a content that is too large, or that can go on behind the end of its phase."""
    if isinstance(inside, ContextFree):
        if generator.kind == "json":
            return []  # JSON has no line break that is not escaped
        inside = read_grammar(generator.texts[1]).covering
    try:
        whole = byte_automaton(cat(inside, literal(contents.ending(phase))))
    except TooLargeError as error:
        return [report("AS1403", phase.span, phase=phase.name, limit=error.limit)]
    return [] if whole.prefix_free else [report("AS1412", phase.span, phase=phase.name, end=contents.ending(phase))]


def _order(game: Dialogue) -> dict[Position, int]:
    """The positions in the order of a breadth-first search."""
    number = {START: 0}
    for position in (todo := [START]):
        reached = [t for m in game.moves.get(position, ()) for t in m.targets]
        reached += [t for _, ts in game.answers.get(position, ()) for t in ts]
        for target in reached:
            if target not in number:
                number[target] = len(number)
                todo.append(target)
    return number


def as_data(game: Dialogue) -> dict[str, Any]:
    """The dialogue as plain data."""
    number = _order(game)

    def move(item: Move) -> dict[str, Any]:
        choice = item.choice
        truth: Mapping[str, bool] = {str(game.letters.named.get(a, a)): v for a, v in choice.truth.items()}
        return {
            "phase": choice.phase, "tool": choice.tool, "truth": dict(truth),
            "targets": [number[t] for t in item.targets],
        }  # fmt: skip

    positions = []
    for position in number:
        made: dict[str, Any] = {
            "accepting": game.accepting(position),
            "rank": game.rank.get(position),
            "turn": "environment" if position in game.answers else "agent",
        }
        if position in game.answers:
            made["answers"] = [{"phase": n, "targets": [number[t] for t in ts]} for n, ts in game.answers[position]]
        else:
            made["moves"] = [move(m) for m in game.moves[position]]
        positions.append(made)
    labels = {p.name: contents.label(p.name) for p in game.letters.writer.phases}
    return {"version": 1, "promises": list(game.names), "labels": labels, "positions": positions}


def as_dot(game: Dialogue) -> str:
    """The won positions and legal moves as a drawing in DOT; results are dashed."""
    number = _order(game)
    lines = ["digraph dialogue {", "  rankdir=LR; node [shape=circle, label=\"\", width=0.25];"]
    for position, at in number.items():
        if game.won(position):
            shape = "doublecircle" if game.accepting(position) else "circle"
            lines.append(f"  p{at} [shape={shape}{', style=filled' if at == 0 else ''}];")
    for position, at in number.items():
        edges: dict[tuple[int, str, bool], None] = {}
        for item in game.legal(position):
            said = item.choice.phase if item.choice.tool is None else f"{item.choice.phase}: {item.choice.tool}"
            edges.update({(number[t], said, False): None for t in item.targets})
        if game.won(position):
            for name, targets in game.answers.get(position, ()):
                edges.update({(number[t], name, True): None for t in targets})
        for target, said, dashed in edges:
            lines.append(f"  p{at} -> p{target} [label={json.dumps(said)}{', style=dashed' if dashed else ''}];")
    return "\n".join([*lines, "}"]) + "\n"
