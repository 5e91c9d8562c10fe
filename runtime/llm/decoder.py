"""The token decoder: which tokens may follow, so that whatever is emitted keeps the agent's promises.

At every position of the dialogue (:mod:`agentc.compiler.decoder.dialogue`) the legal moves are one regular language:
label, content and end of a step together, so that a token may cross from a label into content. A grammar engine
computes the masks of that language; what is ours is which language it is, the budget, and what is true of a step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import AgentIR
from agentc.compiler.decoder import contents
from agentc.compiler.decoder.bytes_automaton import DEAD, ByteAutomaton, TooLargeError, byte_automaton, shortest_word
from agentc.compiler.decoder.context_free import Content, ContextFree
from agentc.compiler.decoder.dialogue import START, Dialogue, Move, Position, dialogue, findings
from agentc.compiler.decoder.events import Choice, promises
from agentc.compiler.decoder.finite_choice import finite_choice
from agentc.compiler.decoder.irreversible import unguarded
from agentc.compiler.decoder.regular import Language, alt, any_char, both, complement
from agentc.compiler.logic.ir import Formula, Value, prop
from agentc.compiler.writer import ToolIR
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.costs import CostsToEnd
from agentc.runtime.llm.distances import FAR, Distances
from agentc.runtime.llm.points import QUOTED_STATES, Point, Way, engine_grammar, engine_matcher, phase_limit
from agentc.runtime.llm.session import NOTHING, Session, Step, run_random
from agentc.runtime.llm.valuation import unwritten
from agentc.runtime.llm.vocabulary import Vocabulary

__all__ = ["NOTHING", "Decoder", "Session", "Step", "phase_limit", "run_random"]

MAX_OPTIONS = 128
"""The most options of a finite choice inside of a step."""
FITS_KEPT = 4096
"""How many masks of what fits a limit are kept."""


class Decoder:
    """The decoder of one agent over one vocabulary; sessions of it share everything that is computed once.

    Raises ``AgentcError`` (AS1405 where some reply leaves the agent no way to keep its promises, AS1407 for a limit
    that is too small for its phase, AS1408 for a literal that the tokenizer cannot spell, AS1409 for content that the
    grammar engine does not take, AS1480 for an irreversible tool that no promise which it keeps guards).
    """

    def __init__(self, agent: AgentIR, vocabulary: Vocabulary, game: Dialogue | None = None) -> None:
        if agent.writer is None:
            raise AgentcError([report("AS1410", None, agent=agent.name)])
        self.agent, self.vocabulary = agent, vocabulary
        self.game = game if game is not None else dialogue(agent)
        if not self.game.won(START):
            none = report("AS1405", None, story="at the start", why="no run keeps the promises")
            raise AgentcError(findings(agent, self.game) or [none])
        if unkept := unguarded(agent, promises(agent)):
            raise AgentcError(unkept)
        self.writer = agent.writer
        self.distances = Distances(vocabulary)
        named = self.game.letters.named
        names = {prop(p.name) for p in self.writer.phases} | {prop(t.name) for t in self.writer.tools}
        self.atoms: tuple[tuple[Formula, Formula], ...] = tuple(
            (a, named.get(a, a)) for a in self.game.automaton.atoms if a not in names
        )
        """The atoms that a finished step has to be asked about: as the automaton has them, and as they are meant."""
        self.environment = bool(self.game.letters.environment)
        """Whether the promises read signals of the environment, which each step has to be completed with."""
        self._points: dict[tuple[object, ...], Point] = {}
        self._choices: dict[tuple[int, int], tuple[bytes, ...]] = {}
        self._fits: dict[tuple[int, int, int, int | None, int], NDArray[np.int32]] = {}
        self._costs_of: dict[str, CostsToEnd] = {}

        eos = vocabulary.eos
        self.eos_bit = (eos >> 5, np.array(1 << (eos & 31), np.uint32).view(np.int32)[()])
        """The word of a mask that holds the end token, and its bit there."""
        self._costs_to_end: dict[tuple[str, int | None], Mapping[Position, int]] = {}
        self._blank = unwritten(agent)

    def start(self, max_tokens: int | None = None, max_steps: int | None = None) -> Session:
        """A new run. ``max_tokens`` limits what the agent writes, ``max_steps`` the phases, results included.

        Raises ``AgentcError``: AS1407 if no run fits the limits, AS1454 for a limit on tokens where some content is not
        regular.
        """
        rank = self.game.rank[START]
        if max_steps is not None and max_steps < rank:
            raise AgentcError([report("AS1407", None, limit=f"{max_steps} steps", least=f"{rank} steps")])
        if max_tokens is not None:
            free = self.irregular()
            if free is not None:
                limit = f"{max_tokens} tokens"
                raise AgentcError([report("AS1454", None, limit=limit, name=free[0], why=free[1])])
            least = self.byte_costs(max_steps).get(START, FAR)
            if least > max_tokens:  # only then is it worth knowing exactly
                least = self.token_costs(max_steps).get(START, FAR)
            if least > max_tokens:
                raise AgentcError([report("AS1407", None, limit=f"{max_tokens} tokens", least=f"{least} tokens")])
        return Session(self, max_tokens, max_steps)

    # ------------------------------------------------------------ languages

    def _content(self, choice: Choice, seen: Mapping[str, Sequence[str]] | None) -> tuple[Content, ...]:
        """The step of a choice; without ``seen`` a quoted value is any one character."""
        values = list(choice.values)
        for at, source, wanted in choice.quotes:
            value = values[at]
            assert isinstance(value, Language), "only what is regular is quoted"
            if seen is None:
                values[at] = both(value, any_char()) if wanted else value
            else:
                quoted = contents.seen_values(seen.get(source, ()))
                values[at] = both(value, quoted if wanted else complement(quoted))
        return self._step(choice.phase, choice.tool, values)

    def _step(self, phase: str, tool: str | None, values: Sequence[Content]) -> tuple[Content, ...]:
        written = values if tool is None else contents.call(self.writer.tool(tool), values)
        return contents.step(self.writer.phase(phase), written)

    def point(self, position: Position, within: int | None, seen: Mapping[str, Sequence[str]]) -> Point:
        """What may follow at a position of the agent with ``within`` steps left."""
        moves = self.game.legal(position, within)
        quotes = any(m.choice.quotes for m in moves)
        key = (
            tuple((id(m.choice), m.targets) for m in moves),
            tuple((k, tuple(v)) for k, v in seen.items()) if quotes else None,
        )
        made = self._points.get(key)
        if made is None:
            made = self._points[key] = self._make_point(moves, seen)
        return made

    def _make_point(self, moves: Sequence[Move], seen: Mapping[str, Sequence[str]]) -> Point:
        ways: list[Way] = []
        by_event: dict[tuple[str, str | None], list[Move]] = {}
        for move in moves:
            by_event.setdefault((move.choice.phase, move.choice.tool), []).append(move)
        written: list[tuple[Content, ...]] = []
        for (phase, tool), of_event in by_event.items():
            first = len(ways)
            event = next(e for e in self.game.letters.events if (e.phase, e.tool) == (phase, tool))
            found = _widest(of_event)
            by_targets: dict[tuple[Position, ...], list[Move]] = {}
            for move in found:
                by_targets.setdefault(move.targets, []).append(move)
            # then nothing restricts the values
            everything = len(found) == sum(c.sure for c in event.choices) and all(m.choice.sure for m in found)
            for after, alike in by_targets.items():
                if everything and len(by_targets) == 1:
                    made = [self._whole(phase, tool)]
                else:
                    made = _alternatives(self._content(m.choice, seen) for m in alike)
                ways += [Way(self.writer.phase(phase), parts, after) for parts in made if _inhabited(parts, alike)]
            written += [self._whole(phase, tool)] if everything else [w.parts for w in ways[first:]]
        matcher = engine_matcher(self.vocabulary, engine_grammar(written)) if ways else None
        return Point(tuple(ways), matcher)

    def _whole(self, phase: str, tool: str | None) -> tuple[Content, ...]:
        if tool is not None:
            return self._step(phase, tool, [contents.values(a) for a in self.writer.tool(tool).arguments])
        event = next(e for e in self.game.letters.events if (e.phase, e.tool) == (phase, tool))
        values = [c.values[0] for c in event.choices]
        languages = [v for v in values if isinstance(v, Language)]
        return self._step(phase, tool, [alt(*languages)] if languages else values[:1])

    def irregular(self) -> tuple[str, str] | None:
        """A phase or tool that a run may come to whose content is not regular, and why; None if there is none."""
        choices = [c for e in self.game.letters.events for c in e.choices]
        if not any(isinstance(v, ContextFree) for c in choices for v in c.values):
            return None
        for position in self.game.moves:
            if self.game.won(position):
                for move in self.game.legal(position):
                    why = next((v.why for v in move.choice.values if isinstance(v, ContextFree)), None)
                    if why is not None:
                        return move.choice.tool or move.choice.phase, why
        return None

    def finite_choice(self, languages: tuple[Language, ...], raw: bytes) -> tuple[bytes, ...]:
        """The finite choice that is open behind a text in one of some languages; empty if there is none."""
        try:
            automaton = byte_automaton(alt(*languages))
        except TooLargeError:
            return ()
        state = automaton.run(raw)
        if state == DEAD:
            return ()
        key = (id(automaton), state)
        made = self._choices.get(key)
        if made is None:
            made = self._choices[key] = finite_choice(automaton, state, MAX_OPTIONS)
        return made

    # ------------------------------------------------------------ what it costs to end

    def _regular(self, choice: Choice) -> Language:
        (language,) = self._content(choice, None)
        assert isinstance(language, Language)
        return language

    def byte_costs(self, within: int | None = None) -> Mapping[Position, int]:
        """An upper bound of the tokens to an end in ``within`` steps, as if each token were one byte."""

        def cost(move: Move) -> int:
            word = shortest_word(self._regular(move.choice))
            quoted = sum(3 for _, _, wanted in move.choice.quotes if wanted)  # a character has up to four bytes
            return (FAR if word is None else len(word)) + quoted

        return self._costs("bytes", cost, within)

    def token_costs(self, within: int | None = None) -> Mapping[Position, int]:
        """The tokens to an end in ``within`` steps, if the agent plays for that alone."""

        def cost(move: Move) -> int:
            language = self._regular(move.choice)
            try:
                automaton = byte_automaton(language)
            except TooLargeError:  # then each byte of a shortest text counts as a token
                least = len(shortest_word(language) or b"")
            else:
                least = int(self.distances.of(automaton)[0]) if automaton.size else FAR
            return least + sum(3 for _, _, wanted in move.choice.quotes if wanted)

        return self._costs("tokens", cost, within)

    def _costs(self, unit: str, cost: Callable[[Move], int], within: int | None) -> Mapping[Position, int]:
        key = (unit, within)
        made = self._costs_to_end.get(key)
        if made is None:
            if unit not in self._costs_of:
                self._costs_of[unit] = CostsToEnd(self.game, cost)
            made = self._costs_to_end[key] = self._costs_of[unit].within(within)
        return made

    def fitting(
        self, automaton: ByteAutomaton, state: int, left: int, inside: int | None, label: int
    ) -> NDArray[np.int32]:
        """The tokens from a state after which at most ``left`` more tokens end the step, as bits.

        ``inside`` limits, if given, the token with all after it but for one that ends within ``label`` bytes.
        """
        key = (id(automaton), state, left, inside, label)
        made = self._fits.get(key)
        if made is None:
            vocabulary = self.vocabulary
            after = vocabulary.advance(automaton, state)
            distance = self.distances.of(automaton)
            needed = np.where(after == DEAD, FAR, distance[after])
            fits = needed <= min(left, FAR - 1)
            if inside is not None:
                fits &= needed + (vocabulary.lengths > label) <= inside
            packed = np.zeros((vocabulary.size + 31) // 32 * 4, np.uint8)
            bits = np.packbits(fits, bitorder="little")
            packed[: len(bits)] = bits
            made = self._fits[key] = packed.view(np.int32)
            if len(self._fits) > FITS_KEPT:
                del self._fits[next(iter(self._fits))]
        return made

    # ------------------------------------------------------------ finished steps

    def read(self, raw: str) -> Step:
        """A finished step from its text, label and end included. Raises ``ValueError`` for what is none."""
        for phase in self.writer.phases:
            if phase.answers is not None or not raw.startswith(contents.label(phase.name)):
                continue
            end = contents.ending(phase)
            if not raw.endswith(end):
                continue
            inside = raw[len(contents.label(phase.name)) : len(raw) - len(end)]
            if not phase.tools:
                return Step(phase.name, inside)
            name, _, body = inside.partition(" ")
            if name in phase.tools:
                return Step(phase.name, inside, name, _arguments(self.writer.tool(name), json.loads(body)))
        raise ValueError(f"no phase is written like {raw!r}")

    def valuation(self, step: Step, signals: Mapping[str, Value]) -> dict[str, Value]:
        """Every signal at a step: its phase and tool are true, its text and arguments have values, no others do."""
        found = {**self._blank, **signals, step.phase: True, f"{step.phase}.text": step.text}
        if step.tool is not None:
            found[step.tool] = True
            found.update({f"{step.tool}.{k}": v for k, v in step.arguments.items()})
        return found


def _arguments(tool: ToolIR, given: Mapping[str, Any]) -> dict[str, Value]:
    """The arguments of a call; a JSON value is its text."""
    found: dict[str, Value] = {}
    for argument in tool.arguments:
        value = given[argument.name]
        if contents.is_json(argument):
            value = json.dumps(value, ensure_ascii=False)
        found[argument.name] = float(value) if argument.kind == "real" else value
    return found


def _widest(moves: Sequence[Move]) -> list[Move]:
    """Without those that another one includes, which leaves more undecided."""

    def includes(wide: Choice, narrow: Choice) -> bool:
        same = wide.truth.items() <= narrow.truth.items() and wide.values == narrow.values
        return wide.undecided > narrow.undecided and same

    return [m for m in moves if m.choice.sure or not any(includes(o.choice, m.choice) for o in moves)]


def _alternatives(steps: Iterable[tuple[Content, ...]]) -> list[tuple[Content, ...]]:
    """The steps, those that are regular as one."""
    found = list(dict.fromkeys(steps))
    regular = [parts[0] for parts in found if len(parts) == 1 and isinstance(parts[0], Language)]
    return [*([(alt(*regular),)] if regular else []), *(parts for parts in found if len(parts) > 1)]


def _inhabited(parts: tuple[Content, ...], moves: Sequence[Move]) -> bool:
    """Whether anything can be written; only what quotes what was seen may turn out to be impossible."""
    if any(m.choice.sure for m in moves):
        return True
    return all(shortest_word(p, QUOTED_STATES) is not None for p in parts if isinstance(p, Language))
