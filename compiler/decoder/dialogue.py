"""The dialogue as a game: the agent chooses its phases, the environment answers, and the promises must be kept.

Source: De Giacomo, Vardi, *Synthesis for LTL and LDL on finite traces*, IJCAI 2015 (reachability games on the automaton
of the formula). A *position* is a state of the minimal automaton of all promises, the phase that was written last, and
which phases have been seen. The result of a call is written right after it, whenever some result can still lead to a
kept promise; at all other positions the agent goes on, or ends the run where the promises hold.

A position is *won* if the agent can bring the run to an end with its promises kept, whatever the environment answers
and whatever is decided by nobody (:mod:`.events`). Its *rank* is the number of steps that this takes at most. The
decoder leaves only moves to won positions, so a run can always be ended; that the first position is won is checked at
compile time.

Deviation: a result that the promises rule out in every form (``G(action & stop -> last)``) is not written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property

from agentc.compiler.agent import AgentIR
from agentc.compiler.automata.bdd import recursion
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.ltlf import translate
from agentc.compiler.decoder.events import Choice, Event, Letters, letters, promises
from agentc.compiler.logic.ir import Formula, and_, prop
from agentc.compiler.sanity import not_violated
from agentc.lang.diagnostics import AgentcError, Diagnostic, report

Position = tuple[int, int, int]
"""Automaton state, index of the last phase (-1 at the start), bit mask of the quotable phases that were seen."""

START: Position = (0, -1, 0)
MAX_POSITIONS = 200_000


@dataclass(frozen=True)
class Move:
    """One choice of the agent, with every position that it can lead to."""

    choice: Choice
    targets: tuple[Position, ...]


@dataclass(frozen=True)
class Dialogue:
    """The game of one agent.

    ``moves`` are the agent's moves at its positions, ``answers`` the positions that a result can lead to at the
    environment's, ``rank`` the steps to an end of the won positions.
    """

    letters: Letters
    automaton: DFA
    moves: Mapping[Position, tuple[Move, ...]]
    answers: Mapping[Position, tuple[tuple[str, tuple[Position, ...]], ...]]
    rank: Mapping[Position, int]
    live: frozenset[Position]
    names: tuple[str, ...] = field(default=())

    def accepting(self, position: Position) -> bool:
        """Whether the promises hold if the run ends here (the empty run keeps none)."""
        return position != START and self.automaton.accepting[position[0]]

    def won(self, position: Position) -> bool:
        """Whether the agent can end the run with its promises kept, whatever happens."""
        return position in self.rank

    def legal(self, position: Position, within: int | None = None) -> tuple[Move, ...]:
        """The agent's moves that keep it won, and leave at most ``within`` - 1 steps to go after them."""
        found = []
        for move in self.moves.get(position, ()):
            ranks = [self.rank.get(t) for t in move.targets]
            if any(r is None for r in ranks):
                continue
            if within is None or max(r for r in ranks if r is not None) < within:
                found.append(move)
        return tuple(found)

    @cached_property
    def _atoms(self) -> dict[Formula, int]:
        return {a: i for i, a in enumerate(self.automaton.atoms)}

    def advance(self, position: Position, phase: str, tool: str | None, truth: Mapping[Formula, bool]) -> Position:
        """The position after a finished step, from the truth of every atom that is not a phase's or a tool's.

        Raises ``ValueError`` for a step that is no letter.
        """
        letter = [False] * len(self._atoms)
        for name in (phase, tool):
            at = None if name is None else self._atoms.get(prop(name))
            if at is not None:
                letter[at] = True
        for atom, value in truth.items():
            at = self._atoms.get(atom)
            if at is not None:
                letter[at] = value
        state = self.automaton.step(position[0], letter)
        if state == self.automaton.size:
            raise ValueError(f"{phase} cannot be written like this")
        return (state, self._phase_index[phase], position[2] | self._seen_bit.get(phase, 0))

    @cached_property
    def _phase_index(self) -> dict[str, int]:
        return {p.name: i for i, p in enumerate(self.letters.writer.phases)}

    @cached_property
    def _seen_bit(self) -> dict[str, int]:
        return {name: 1 << i for i, name in enumerate(self.letters.quotable)}


def dialogue(agent: AgentIR, max_positions: int = MAX_POSITIONS) -> Dialogue:
    """The game of an agent with phases. Raises ``AgentcError`` (AS0702, AS1401 to AS1405)."""
    return _with(agent, (), max_positions)[0]


def dialogue_beside(agent: AgentIR, other: Formula) -> tuple[Dialogue, Formula]:
    """The same game over letters that tell the truth of another formula's atoms, too; and that formula over them."""
    game, cores = _with(agent, (other,), MAX_POSITIONS)
    return game, cores[-1]


def _with(agent: AgentIR, others: tuple[Formula, ...], max_positions: int) -> tuple[Dialogue, list[Formula]]:
    kept = promises(agent)
    behaviours = [f.formula for f in kept if f.role == "behavior"]
    safes = [f.formula for f in kept if f.role == "safe"]
    made, cores = letters(agent, [*behaviours, *safes, *others])
    automaton = translate(and_(*cores[: len(behaviours)]), made.alphabet)
    for core in cores[len(behaviours) : len(kept)]:
        automaton = automaton.intersection(not_violated(translate(core, made.alphabet)))
    return _solve(made, automaton, tuple(f.name for f in kept), max_positions), cores


def _solve(made: Letters, automaton: DFA, names: tuple[str, ...], max_positions: int) -> Dialogue:
    explorer = _Explorer(made, automaton, max_positions)
    explorer.run()
    return Dialogue(
        made, automaton, explorer.moves, explorer.answers, explorer.ranks(), frozenset(explorer.live), names
    )


class _Explorer:
    """Builds the positions that can be reached, and solves the game on them."""

    def __init__(self, made: Letters, automaton: DFA, max_positions: int) -> None:
        self.letters, self.automaton, self.max_positions = made, automaton, max_positions
        self.phases = [p.name for p in made.writer.phases]
        self.index = {name: i for i, name in enumerate(self.phases)}
        self.bit = {name: 1 << i for i, name in enumerate(made.quotable)}
        self.atom = {a: i for i, a in enumerate(automaton.atoms)}
        self.results = {
            i: [e for e in made.events if not e.written and made.writer.phase(e.phase).answers == name]
            for i, name in enumerate(self.phases)
        }
        self.moves: dict[Position, tuple[Move, ...]] = {}
        self.answers: dict[Position, tuple[tuple[str, tuple[Position, ...]], ...]] = {}
        self.live: set[Position] = set()
        self._targets: dict[tuple[int, tuple[tuple[int, bool], ...]], frozenset[int]] = {}
        self._live_states = _live_states(automaton)

    def run(self) -> None:
        with recursion(len(self.atom)):
            todo = [START]
            known = {START}
            for position in todo:  # grows as it goes
                if len(todo) > self.max_positions:
                    raise AgentcError([report("AS1404", None, limit=self.max_positions)])
                answers = self._answers(position)
                if answers:
                    self.answers[position] = answers
                    reached: Iterable[Position] = (t for _, ts in answers for t in ts)
                else:
                    self.moves[position] = self._moves(position)
                    reached = (t for m in self.moves[position] for t in m.targets)
                for target in reached:
                    if target not in known:
                        known.add(target)
                        todo.append(target)
        self._find_live(known)

    def _fixed(self, event: Event, truth: Mapping[Formula, bool], undecided: Set[Formula]) -> dict[int, bool]:
        """What an event says of the atoms: everything but what is open there or the environment's."""
        free = {*event.open, *self.letters.environment, *undecided}
        held = {prop(event.phase): True, **truth}
        if event.tool is not None:
            held[prop(event.tool)] = True
        return {i: held.get(a, False) for a, i in self.atom.items() if a not in free}

    def _reach(self, state: int, fixed: Mapping[int, bool]) -> frozenset[int]:
        """The states that letters with the fixed truth values lead to."""
        key = (state, tuple(sorted(fixed.items())))
        made = self._targets.get(key)
        if made is None:
            nodes, size = self.automaton.nodes, self.automaton.size
            found: set[int] = set()
            seen: set[int] = set()
            stack = [self.automaton.roots[state]]
            while stack:
                ref = stack.pop()
                if ref < 0:
                    if ~ref != size:
                        found.add(~ref)
                elif ref not in seen:
                    seen.add(ref)
                    level, low, high = nodes[ref]
                    if level in fixed:
                        stack.append(high if fixed[level] else low)
                    else:
                        stack += (low, high)
            made = self._targets[key] = frozenset(found)
        return made

    def _after(
        self, position: Position, event: Event, truth: Mapping[Formula, bool], undecided: Set[Formula] = frozenset()
    ) -> tuple[Position, ...]:
        states = self._reach(position[0], self._fixed(event, truth, undecided))
        seen = position[2] | self.bit.get(event.phase, 0)
        return tuple((s, self.index[event.phase], seen) for s in sorted(states))

    def _moves(self, position: Position) -> tuple[Move, ...]:
        found = []
        for event in self.letters.events:
            for choice in event.choices:
                if any(not position[2] & self.bit[source] for source in choice.needs_seen):
                    continue
                targets = self._after(position, event, choice.truth, choice.undecided)
                if targets:
                    found.append(Move(choice, targets))
        return tuple(found)

    def _answers(self, position: Position) -> tuple[tuple[str, tuple[Position, ...]], ...]:
        found = []
        for event in self.results.get(position[1], ()):
            targets = self._after(position, event, {})
            if any(t[0] in self._live_states for t in targets):
                found.append((event.phase, targets))
        return tuple(found)

    def _find_live(self, known: set[Position]) -> None:
        """The positions from which the promises can be kept if everybody helps."""
        before: dict[Position, list[Position]] = {}
        for source in known:
            for target in self._next(source):
                before.setdefault(target, []).append(source)
        todo = [p for p in known if p != START and self.automaton.accepting[p[0]]]
        self.live.update(todo)
        while todo:
            for source in before.get(todo.pop(), ()):
                if source not in self.live:
                    self.live.add(source)
                    todo.append(source)

    def _next(self, position: Position) -> Iterable[Position]:
        if position in self.answers:
            return (t for _, ts in self.answers[position] for t in ts)
        return (t for m in self.moves.get(position, ()) for t in m.targets)

    def ranks(self) -> dict[Position, int]:
        """The won positions with the steps to an end, least fixpoint by layers."""
        rank = {
            p: 0 for p in self.moves if p != START and self.automaton.accepting[p[0]]
        }  # where it is the environment's turn, the run goes on
        groups: list[tuple[Position, set[Position]]] = []  # won as soon as all of the targets are
        for p, moves in self.moves.items():
            groups += [(p, set(m.targets)) for m in moves if m.choice.sure]
        groups += [(p, {t for _, ts in answers for t in ts}) for p, answers in self.answers.items()]
        waiting: dict[Position, list[int]] = {}
        for i, (_, targets) in enumerate(groups):
            for t in targets:
                waiting.setdefault(t, []).append(i)
        todo = deque(rank)
        while todo:
            won = todo.popleft()
            for i in waiting.get(won, ()):
                source, targets = groups[i]
                targets.discard(won)
                if not targets and source not in rank:
                    rank[source] = rank[won] + 1
                    todo.append(source)
        return rank


def _live_states(automaton: DFA) -> frozenset[int]:
    """The states from which some word is accepted (the state itself included)."""
    before: dict[int, list[int]] = {}
    for s in range(automaton.size):
        for t in automaton.successors(s):
            before.setdefault(t, []).append(s)
    live = {s for s in range(automaton.size) if automaton.accepting[s]}
    todo = list(live)
    while todo:
        for s in before.get(todo.pop(), ()):
            if s not in live:
                live.add(s)
                todo.append(s)
    return frozenset(live)


# ---------------------------------------------------------------- findings


def findings(agent: AgentIR, game: Dialogue) -> tuple[Diagnostic, ...]:
    """What is wrong with the promises of an agent: replies that leave it without a way on, phases never reached."""
    found: list[Diagnostic] = []
    kept = promises(agent)
    span = next((f.span for f in kept if f.span is not None), None)
    if START not in game.live:
        return ()  # the formulas contradict each other, which is said elsewhere
    if not game.won(START):
        story, stuck = trap(game)
        words = "; ".join(story) or "at the start"
        found.append(report("AS1405", span, story=words, why=stuck))
        return tuple(found)
    reached = {m.choice.phase for p in game.moves if game.won(p) for m in game.legal(p)}
    reached |= {name for p, answers in game.answers.items() if game.won(p) for name, _ in answers}
    for phase in game.letters.writer.phases:
        if phase.name not in reached:
            found.append(report("AS1406", phase.span, phase=phase.name))
    return tuple(found)


def trap(game: Dialogue) -> tuple[list[str], str]:
    """A shortest dialogue in which the environment leaves the agent no way to keep its promises, in words.

    The agent makes moves that may still turn out well; the dialogue ends where it has none left.
    """
    came: dict[Position, tuple[Position, str]] = {}
    layer = [START]
    seen = {START}
    while layer:
        following: list[Position] = []
        for p in layer:
            if p not in game.live and p != START:
                return _story(came, p), "then no continuation keeps the promises"
            steps: list[tuple[Position, str]] = []
            for name, targets in game.answers.get(p, ()):
                steps += [(t, f"{name} (the environment)") for t in targets]
            for move in game.moves.get(p, ()):
                if any(t in game.live for t in move.targets):
                    said = move.choice.phase if move.choice.tool is None else f"{move.choice.phase}: {move.choice.tool}"
                    steps += [(t, said) for t in move.targets]
            for t, said in steps:
                if t not in seen and not game.won(t):
                    seen.add(t)
                    came[t] = (p, said)
                    following.append(t)
        layer = following
    return [], "the environment can keep the run from ever ending with the promises kept"


def _story(came: Mapping[Position, tuple[Position, str]], at: Position) -> list[str]:
    found: list[str] = []
    while at in came:
        at, said = came[at]
        found.append(said)
    return found[::-1]
