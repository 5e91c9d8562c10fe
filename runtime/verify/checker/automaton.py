"""Checks an ``automaton`` certificate: no dialogue of an agent that writes ends with the formula violated.

The certificate has the agent's meaning, which item it is about, and a set of pairs: where a dialogue is, and the state
of the formula's automaton. Checking establishes that the start is in the set, that no step that the decoder (or the
behaviour) allows leaves it, whatever is open in the step, and that no pair of it at which a dialogue may end violates
the formula. The decoder's game and the automata are the compiler's, which its conformance tests compare with the
reference semantics; which steps they allow and which letters these have is listed anew here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from agentc.compiler.automata.ltlf import translate
from agentc.compiler.codec import decode_agent
from agentc.compiler.decoder.dialogue import START, dialogue_beside
from agentc.compiler.decoder.events import letters
from agentc.compiler.logic.ir import and_, prop
from agentc.compiler.sanity import not_violated
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.checker import RejectedError

CLAIMS = {
    "decoder": "every dialogue that the decoder can write satisfies it",
    "behavior": "every transcript that satisfies all behaviors satisfies it",
}
MOST = 1 << 14


def verify(subject: Any, claim: Any, argument: Any, folder: Path) -> Mapping[str, Any]:
    """Facts of an accepted certificate; raises :class:`RejectedError`."""
    try:
        agent = decode_agent(subject["agent"])
        if set(subject) != {"agent", "item"} or set(claim) != {"holds", "of"} or set(argument) != {"pairs"}:
            raise RejectedError("it has other parts")
        index = subject["item"]
        if type(index) is not int or not 0 <= index < len(agent.verifies) or agent.writer is None:
            raise RejectedError("the agent has no such item")
        item = agent.verifies[index]
        named = next((f for f in agent.formulas if f.name == item.name), None) if item.name else None
        role = named.role if named is not None else "task"
        wanted = str(item.settings.get("of", "auto")) if item.method == "automaton" else "auto"
        of = ("behavior" if role == "safe" else "decoder") if wanted == "auto" else wanted
        if item.bound is not None or (named is not None and named.each) or claim != {"holds": CLAIMS[of], "of": of}:
            raise RejectedError("it claims something else")
        pairs = argument["pairs"]
        if not all(type(v) is int for row in pairs for v in row):
            raise RejectedError("a pair has something that is no number")
        return _Check(agent, item.formula, role == "safe", of).run({tuple(row) for row in pairs})
    except AgentcError as error:
        raise RejectedError(error.diagnostics[0].message) from error


class _Check:
    def __init__(self, agent: Any, formula: Any, safe: bool, of: str) -> None:
        self.game: Any = None
        if of == "decoder":
            self.game, core = dialogue_beside(agent, formula)
            self.letters, self.left = self.game.letters, self.game.automaton
        else:
            kept = [f.formula for f in agent.formulas if f.role == "behavior" and not f.each]
            self.letters, cores = letters(agent, [*kept, formula])
            self.left, core = translate(and_(*cores[:-1]), self.letters.alphabet), cores[-1]
        judged = translate(core, self.letters.alphabet)
        self.judge = not_violated(judged) if safe else judged
        self.phases = [p.name for p in self.letters.writer.phases]

    def run(self, pairs: set[tuple[int, ...]]) -> Mapping[str, Any]:
        """Start, step, end."""
        start = (*START, 0) if self.game is not None else (0, 0, 0)
        if start not in pairs:
            raise RejectedError("the start is not in the set")
        steps = 0
        for pair in pairs:
            self._known(pair)
            state = self.judge.accepting[pair[3] if self.game is not None else pair[1]]
            if self._may_end(pair) and not state:
                raise RejectedError("a dialogue may end at a pair that violates the formula")
            for after in self._following(pair, pair == start):
                steps += 1
                if after not in pairs:
                    raise RejectedError("a step leads out of the set")
        return {"pairs": len(pairs), "steps": steps}

    def _known(self, pair: tuple[int, ...]) -> None:
        size = (self.left.size, self.judge.size)
        if self.game is None:
            good = len(pair) == 3 and 0 <= pair[0] < size[0] and 0 <= pair[1] < size[1] and pair[2] in (0, 1)
        else:
            good = len(pair) == 4 and 0 <= pair[3] < size[1]
            good = good and (pair[:3] in self.game.moves or pair[:3] in self.game.answers)
        if not good:
            raise RejectedError("a pair is none of the automata")

    def _may_end(self, pair: tuple[int, ...]) -> bool:
        if self.game is None:
            return pair[2] == 1 and self.left.accepting[pair[0]]
        return pair[:3] != START and pair[:3] in self.game.moves and self.left.accepting[pair[0]]

    def _following(self, pair: tuple[int, ...], first: bool) -> Iterator[tuple[int, ...]]:
        judged = pair[3] if self.game is not None else pair[1]
        for event, truth in self._events(pair, first):
            for letter in self._written(event, truth, first):
                s, q = self.left.step(pair[0], letter), self.judge.step(judged, letter)
                if s == self.left.size or q == self.judge.size:
                    continue
                if self.game is None:
                    yield (s, q, 1)
                else:
                    bit = 1 << self.letters.quotable.index(event.phase) if event.phase in self.letters.quotable else 0
                    yield (s, self.phases.index(event.phase), pair[2] | bit, q)

    def _events(self, pair: tuple[int, ...], first: bool) -> Iterator[tuple[Any, Any]]:
        """The events that may follow, each with what was chosen."""
        if self.game is None:
            for event in self.letters.events:
                if event.written or not first:
                    yield from ((event, choice.truth) for choice in event.choices) if event.choices else ((event, {}),)
            return
        position = pair[:3]
        if position in self.game.answers:
            names = {name for name, _ in self.game.answers[position]}
            yield from ((e, {}) for e in self.letters.events if e.phase in names and not e.written)
            return
        legal = [
            m.choice for m in self.game.moves[position]
            if position in self.game.rank and all(t in self.game.rank for t in m.targets)
        ]  # fmt: skip
        for event in self.letters.events:
            for choice in legal:
                if (event.phase, event.tool) == (choice.phase, choice.tool):
                    yield event, choice.truth

    def _written(self, event: Any, truth: Any, first: bool) -> Iterator[tuple[bool, ...]]:
        """All letters of an event: each atom is as the event and the choice say, or may be either."""
        options: list[Any] = []
        for atom in self.letters.alphabet.groups[0].atoms:
            if atom in event.open:
                options.append(((False,), (True,)))
            elif atom in truth:
                options.append(((truth[atom],),))
            else:
                said = atom == prop(event.phase) or (event.tool is not None and atom == prop(event.tool))
                options.append(((said,),))
        for group in self.letters.alphabet.groups[1:]:
            known = group.first if first else group.later
            options.append(known if known is not None else tuple(product((False, True), repeat=len(group.atoms))))
        count = 1
        for option in options:
            count *= len(option)
        if count > MOST:
            raise RejectedError("a step has too many letters")
        for row in product(*options):
            yield tuple(v for part in row for v in part)
