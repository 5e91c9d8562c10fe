"""The letters of a transcript: one event for each way in which a step can be, and what is true of it.

A step is one phase, and in a phase that calls, one tool. Truth values of atoms beside those of phases and tools are

- *chosen* by the agent: atoms that compare one argument (or the text) of the event with constants. Each combination
  that some value has is a choice of its own, with the language of the values that have it;
- *quoted*: ``x in seen(p)`` for a text. The agent can make it true once ``p`` has been seen, and false always. Where
  the text is constrained otherwise too, it may turn out that no value is quoted, or that every one is: the agent may
  then choose if there is one, and nobody relies on it;
- *open*: everything else. They are decided on the finished step, and by nobody who could be relied on; as are the
  signals of the environment, and all that is said of a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from agentc.compiler.agent import AgentIR, FormulaIR
from agentc.compiler.automata.ltlf import normal
from agentc.compiler.decoder import contents
from agentc.compiler.decoder.bytes_automaton import TooLargeError, shortest_word
from agentc.compiler.decoder.context_free import Content, ContextFree
from agentc.compiler.decoder.regular import (
    EMPTY,
    Language,
    any_char,
    any_text,
    both,
    complement,
    repeat,
)
from agentc.compiler.logic.alphabet import Alphabet, Group, alphabet
from agentc.compiler.logic.ir import Formula, atoms, formula, postorder, prop, signals
from agentc.compiler.logic.rewrite import is_aggregate, rebuild
from agentc.compiler.writer import ArgumentIR, PhaseIR, ToolIR, WriterIR
from agentc.lang.diagnostics import AgentcError, report

MAX_CHOICES = 256
"""The most combinations of chosen atoms of one event."""
MAX_LETTERS = 1 << 14


@dataclass(frozen=True)
class Choice:
    """What the agent decides of one step: the event, and the truth values of its chosen and quoted atoms.

    ``values`` are the contents of the arguments (or of the content, for a phase that does not call) whose values
    have those truth values. ``quotes`` says for each argument which phases it must (True) or must not (False) be quoted
    from.
    """

    phase: str
    tool: str | None
    truth: Mapping[Formula, bool]
    values: tuple[Content, ...]
    quotes: tuple[tuple[int, str, bool], ...] = ()
    undecided: frozenset[Formula] = frozenset()
    """The quoted atoms that it leaves open."""
    sure: bool = True
    """Whether it can be made wherever what it quotes from has been seen."""

    @property
    def needs_seen(self) -> frozenset[str]:
        """The phases that must have been seen."""
        return frozenset(source for _, source, wanted in self.quotes if wanted)


@dataclass(frozen=True)
class Event:
    """A phase, and the tool that is called in it, with its atoms by who decides them."""

    phase: str
    tool: str | None
    chosen: tuple[Formula, ...]
    quoted: tuple[Formula, ...]
    open: tuple[Formula, ...]
    choices: tuple[Choice, ...]
    written: bool
    """Whether the agent writes it."""


@dataclass(frozen=True)
class Letters:
    """The events of an agent, and the alphabet of its promises.

    ``named`` gives for each stand-in proposition the atom that it stands for (those that look further back).
    ``quotable`` are the phases that quoted atoms speak of.
    """

    writer: WriterIR
    events: tuple[Event, ...]
    alphabet: Alphabet
    named: Mapping[Formula, Formula]
    quotable: tuple[str, ...]
    environment: tuple[Formula, ...]


def without_aggregates(formulas: Sequence[Formula]) -> tuple[list[Formula], dict[Formula, Formula]]:
    """The formulas with a proposition in place of each atom that looks further back than one step."""
    stand_in: dict[Formula, Formula] = {}

    def make(node: Formula, parts: list[Formula]) -> Formula:
        if node.op != "atom":
            return formula(node.op, parts, node.interval)
        if not is_aggregate(node):
            return node
        return stand_in.setdefault(node, prop(f"?{len(stand_in)}"))

    made = [rebuild(f, make) for f in formulas]
    return made, {p: a for a, p in stand_in.items()}


def letters(agent: AgentIR, formulas: Sequence[Formula]) -> tuple[Letters, list[Formula]]:
    """The letters of the promises ``formulas`` of an agent, and the promises over them.

    Raises ``AgentcError`` (AS1401, AS1402) for content that is not regular where it has to be, or where there are
    too many combinations.
    """
    writer = agent.writer
    assert writer is not None
    plain, named = without_aggregates(formulas)
    cores = [normal(f) for f in plain]
    found = tuple(dict.fromkeys(a for f in cores for a in atoms(f)))
    names = {prop(p.name) for p in writer.phases} | {prop(t.name) for t in writer.tools}
    data = [a for a in found if a not in names]
    events: list[Event] = []
    taken: set[Formula] = set()
    for phase in writer.phases:
        for tool in (*phase.tools, *(() if phase.tools else (None,))):
            event = _event(writer, phase, tool, data, named)
            taken.update((*event.chosen, *event.quoted, *event.open))
            events.append(event)
    owned = {s.name for s in agent.signals if s.phase}
    never = [a for a in data if a not in taken and set(signals(named.get(a, a))) & owned]
    environment = [a for a in data if a not in taken and a not in never]
    writers = (*(prop(p.name) for p in writer.phases), *(prop(t.name) for t in writer.tools))
    main = (*dict.fromkeys(writers), *(a for a in data if a in taken or a in never))
    group = _group(events, main)
    outer = alphabet(environment, agent.declared)
    whole = Alphabet((*main, *outer.atoms), (group, *outer.groups), None)
    quotable = tuple(dict.fromkeys(_source(named[a]) for e in events for a in e.quoted))
    return Letters(writer, tuple(events), whole, named, quotable, outer.atoms), cores


def _event(
    writer: WriterIR, phase: PhaseIR, tool_name: str | None, data: Sequence[Formula], named: Mapping[Formula, Formula]
) -> Event:
    """One event with its atoms and choices."""
    tool = None if tool_name is None else writer.tool(tool_name)
    written = phase.answers is None
    values = _values(phase, tool)
    chosen: list[Formula] = []
    quoted: list[Formula] = []
    open_: list[Formula] = []
    by_value: dict[int, list[tuple[Formula, Language]]] = {}
    for atom in data:
        actual = named.get(atom, atom)
        read = set(signals(actual))
        here = {f"{phase.name}.text"}
        if tool is not None:
            here.update(f"{tool.name}.{a.name}" for a in tool.arguments)
        if not read & here:
            continue
        where = _only(actual, values) if written else None
        quote = _quotation(actual, values) if written else None
        if quote is not None:
            quoted.append(atom)
        elif where is None:
            open_.append(atom)
        else:
            index, name, argument = where
            made = contents.satisfying(actual, name, argument)
            if made is None:
                open_.append(atom)
            else:
                chosen.append(atom)
                by_value.setdefault(index, []).append((atom, made))
    choices = _choices(phase, tool, values, by_value, quoted, named) if written else ()
    return Event(
        phase.name, tool_name, tuple(chosen), tuple(quoted), tuple(open_), choices, written
    )


Value = tuple[str, ArgumentIR, Content]
"""A value that the agent writes: its name in formulas, its type, and all that it can be."""


def _values(phase: PhaseIR, tool: ToolIR | None) -> tuple[Value, ...]:
    if tool is not None:
        return tuple((f"{tool.name}.{a.name}", a, contents.values(a)) for a in tool.arguments)
    name = f"{phase.name}.text"
    argument = ArgumentIR(name, "text")
    whole: Content = any_text()
    for generator in phase.generators:
        made = contents.content(generator)
        if made is None:
            return ()
        if isinstance(made, ContextFree):
            if len(phase.generators) > 1 or phase.where is not None:
                raise AgentcError([report("AS1455", phase.span, phase=phase.name, why=made.why)])
            whole = made
        elif isinstance(whole, Language):
            whole = both(whole, made)
    if isinstance(whole, Language) and phase.where is not None:
        for part in phase.where.args if phase.where.op == "and" else (phase.where,):
            negated = part.op == "not"
            atom = part.args[0] if negated else part
            made = contents.satisfying(atom, name, argument) if atom.op == "atom" else None
            if made is None:
                raise AgentcError([report("AS1401", phase.span, phase=phase.name, what=str(part))])
            whole = both(whole, complement(made) if negated else made)
    return ((name, argument, whole),)


def _only(atom: Formula, values: Sequence[Value]) -> tuple[int, str, ArgumentIR] | None:
    """The one value that an atom reads at the present step, if it reads nothing else."""
    if is_aggregate(atom):
        return None
    read = [n for n in postorder(atom) if n.op in ("signal", "prev")]
    names = {str(n.value) for n in read}
    if len(names) != 1 or any(n.op == "prev" for n in read):
        return None
    for i, (name, argument, whole) in enumerate(values):
        if name in names and isinstance(whole, Language):
            return i, name, argument
    return None


def _quotation(atom: Formula, values: Sequence[Value]) -> tuple[int, str, bool] | None:
    """For ``x in seen(p)`` with a text ``x``: which value ``x`` is, the phase ``p``, and whether any text may be ``x``.
    """
    predicate = atom.predicate
    if predicate.op not in ("occurs_in_seen",) or predicate.value is True:
        return None
    subject, source = predicate.args
    if subject.op != "signal" or source.op != "signal":
        return None
    for i, (name, argument, whole) in enumerate(values):
        if name == subject.value and argument.kind == "text" and isinstance(whole, Language):
            least, most = argument.size or (0, None)
            free = argument.content is None and whole is repeat(any_char(), least, most) and least <= 1
            return i, str(source.value).removesuffix(".text"), free
    return None


def _source(atom: Formula) -> str:
    return str(atom.predicate.args[1].value).removesuffix(".text")


def _choices(
    phase: PhaseIR,
    tool: ToolIR | None,
    values: Sequence[Value],
    by_value: Mapping[int, list[tuple[Formula, Language]]],
    quoted: Sequence[Formula],
    named: Mapping[Formula, Formula],
) -> tuple[Choice, ...]:
    """All combinations of truth values that some value has."""
    per_value: list[list[tuple[dict[Formula, bool], Content]]] = []
    for i, (_, _, whole) in enumerate(values):
        options: list[tuple[dict[Formula, bool], Content]] = [({}, whole)]
        for atom, made in by_value.get(i, ()):
            options = [
                ({**truth, atom: value}, narrowed)
                for truth, language in options
                for value in (True, False)
                if isinstance(language, Language)
                and (narrowed := both(language, made if value else complement(made))) is not EMPTY
                and _inhabited(phase, narrowed)
            ]
        if len(options) > MAX_CHOICES:
            raise AgentcError([report("AS1402", phase.span, phase=phase.name, limit=MAX_CHOICES)])
        per_value.append(options)
    places = [p for a in quoted if (p := _quotation(named.get(a, a), values)) is not None]
    indices = [i for i, _, _ in places]
    sure = [free and i not in by_value and indices.count(i) == 1 for i, _, free in places]
    found = []
    for combination in product(*per_value):
        for bits in product(*((True, False) if s else (True, False, None) for s in sure)):
            truth = {a: v for part, _ in combination for a, v in part.items()}
            truth.update((a, b) for a, b in zip(quoted, bits, strict=True) if b is not None)
            quotes = tuple((p[0], p[1], b) for p, b in zip(places, bits, strict=True) if b is not None)
            undecided = frozenset(a for a, b in zip(quoted, bits, strict=True) if b is None)
            relied = all(s or b is None for s, b in zip(sure, bits, strict=True))
            languages = tuple(language for _, language in combination)
            name = None if tool is None else tool.name
            found.append(Choice(phase.name, name, truth, languages, quotes, undecided, relied))
            if len(found) > MAX_CHOICES:
                raise AgentcError([report("AS1402", phase.span, phase=phase.name, limit=MAX_CHOICES)])
    return tuple(found)


def _inhabited(phase: PhaseIR, of: Language) -> bool:
    try:
        return shortest_word(of) is not None
    except TooLargeError as error:
        raise AgentcError([report("AS1403", phase.span, phase=phase.name, limit=error.limit)]) from None


def _group(events: Iterable[Event], main: Sequence[Formula]) -> Group:
    """The letters that can occur: one phase, its tool, what is chosen, and anything of what is open."""
    later: set[tuple[bool, ...]] = set()
    first: set[tuple[bool, ...]] = set()
    for event in events:
        base: dict[Formula, bool] = {prop(event.phase): True}
        if event.tool is not None:
            base[prop(event.tool)] = True
        for truth in [c.truth for c in event.choices if not c.undecided] or [{}]:
            for bits in product((False, True), repeat=len(event.open)):
                held = {**base, **truth, **dict(zip(event.open, bits, strict=True))}
                letter = tuple(held.get(a, False) for a in main)
                later.add(letter)
                if event.written:
                    first.add(letter)
        if len(later) > MAX_LETTERS:
            raise AgentcError([report("AS1402", None, phase=event.phase, limit=MAX_LETTERS)])
    return Group(tuple(main), (), frozenset(later), frozenset(first))


def promises(agent: AgentIR) -> tuple[FormulaIR, ...]:
    """The formulas that the decoder keeps; the others are left to the monitors.

    It keeps every ``behavior``, and every ``safe`` that speaks of phases and tools alone; not those for each value.
    """
    owned = {s.name for s in agent.signals if s.phase}
    return tuple(
        item
        for item in agent.formulas
        if not item.each
        and (item.role == "behavior" or (item.role == "safe" and set(signals(item.formula)) <= owned))
    )
