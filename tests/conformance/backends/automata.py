"""Automata and what is made of them: their verdicts, witnesses, algebra, guards and diagrams."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import compile_formula
from agentc.lang.diagnostics import AgentcError
from conformance.backends.forms import can_be_written
from conformance.backends.limits import translated, with_limits
from conformance.backends.modules import (
    ALPHABET,
    AUTOMATA,
    BDD,
    DFA,
    EMBEDDED,
    GUARDS,
    HOA,
    LTLF,
    MINIMIZE,
    MTBDD,
    REWRITE,
)
from conformance.registry import Case, Implementation, Load, backend, everything


def _holds_at_prefixes(dfa: Any, trace: Trace) -> list[bool]:
    state, found = 0, []
    for letter in dfa.letters(trace):
        state = dfa.step(state, letter)
        found.append(dfa.accepting[state])
    return found


def check_minimal(dfa: Any) -> None:
    """Raises ``ValueError`` if a state cannot be reached or two cannot be told apart: small automata, all letters."""
    width = len(dfa.atoms)
    if width > 3 or dfa.size > 40 or dfa.partial:
        return
    letters = list(itertools.product((False, True), repeat=width))
    moves = [[dfa.step(s, letter) for letter in letters] for s in range(dfa.size)]
    reached, todo = {0}, [0]
    while todo:
        for t in moves[todo.pop()]:
            if t not in reached:
                reached.add(t)
                todo.append(t)
    if len(reached) < dfa.size:
        raise ValueError("there are states that no word leads to")
    block = [int(a) for a in dfa.accepting]
    while True:
        signature = [(block[s], *(block[t] for t in moves[s])) for s in range(dfa.size)]
        number = {sig: i for i, sig in enumerate(dict.fromkeys(signature))}
        finer = [number[sig] for sig in signature]
        if len(number) == len(set(block)):
            break
        block = finer
    if len(set(block)) < dfa.size:
        raise ValueError("two states accept the same words")
    entered = any(t == 0 for row in moves for t in row)
    if not entered and any(moves[s] == moves[0] for s in range(1, dfa.size)):
        raise ValueError("the initial state could be another: the empty word is a don't-care")


@backend("automaton", "prefixes", *AUTOMATA, every=3)
def _automaton(load: Load) -> Implementation:
    ltlf = load(LTLF)

    def run(case: Case) -> Sequence[Any]:
        dfa = translated(ltlf.translate, case.formula)
        check_minimal(dfa)
        return [_holds_at_prefixes(dfa, trace) for trace in case.traces]

    return Implementation(everything, run)


@backend("automaton, of parts", "prefixes", *AUTOMATA, every=5)
def _of_parts(load: Load) -> Implementation:
    """Never at once: parts that are multiplied, and where there are none, residuals simplified by implications."""
    ltlf = load(LTLF)

    def run(case: Case) -> Sequence[Any]:
        with with_limits(ltlf, SMALL_STATES=0):
            dfa = translated(ltlf.translate, case.formula)
        check_minimal(dfa)
        return [_holds_at_prefixes(dfa, trace) for trace in case.traces]

    return Implementation(everything, run)


@backend("automaton, by implications", "prefixes", *AUTOMATA, every=5)
def _by_implications(load: Load) -> Implementation:
    """At once, with residuals simplified by what their obligations imply of each other."""
    ltlf = load(LTLF)

    def run(case: Case) -> Sequence[Any]:
        with with_limits(ltlf, SMALL_STATES=0, PARTS_DEPTH=0):
            dfa = translated(ltlf.translate, case.formula)
        check_minimal(dfa)
        return [_holds_at_prefixes(dfa, trace) for trace in case.traces]

    return Implementation(everything, run)


@backend("automaton, typed", "boolean", *AUTOMATA, ALPHABET, REWRITE, every=5)
def _typed_automaton(load: Load) -> Implementation:
    ltlf = load(LTLF)

    def run(case: Case) -> Sequence[Any]:
        dfa = translated(ltlf.translate_typed, case.formula, case.signals.values())
        return [dfa.accepts(trace) for trace in case.traces]

    return Implementation(everything, run)


@backend("automaton, verdicts", "online", *AUTOMATA, ALPHABET, least=0.3, every=3)
def _verdicts(load: Load) -> Implementation:
    ltlf = load(LTLF)

    def run(case: Case) -> Sequence[Any]:
        dfa = translated(ltlf.translate_typed, case.formula, case.signals.values())
        return [dfa.judge(trace) for trace in case.traces]

    return Implementation(everything, run)


@backend("automaton, witnesses", "same", *AUTOMATA, ALPHABET, every=3)
def _witnesses(load: Load) -> Implementation:
    """Shortest words that are accepted and rejected, and the traces that are made of them."""
    ltlf = load(LTLF)

    def run(case: Case) -> Sequence[Any]:
        f = case.formula
        dfa = translated(ltlf.translate_typed, f, case.signals.values())
        known = {holds: [t for t in case.traces if evaluate(f, t) == holds] for holds in (True, False)}
        for holds, word in ((True, dfa.shortest_accepted()), (False, dfa.shortest_rejected())):
            if word is None:
                if known[holds]:
                    raise ValueError(f"there is no word that is {holds}, and yet a trace is")
                continue
            if dfa.accepting[dfa.run(word)] != holds:
                raise ValueError(f"{word} is not {holds}")
            if any(len(t) < len(word) for t in known[holds]):
                raise ValueError(f"{word} is not the shortest that is {holds}")
            if not any(group.free for group in dfa.alphabet.groups):
                steps = [{**case.traces[0][0], **step} for step in dfa.trace(word)]
                steps = [{"action": "stay", **step} for step in steps]
                del steps[0]["action"]  # step 0 has none
                if evaluate(f, Trace(steps)) != holds:
                    raise ValueError(f"{steps} is not {holds}")
        return [f for _ in case.traces]

    return Implementation(everything, run)


_OPERATIONS: dict[str, Callable[[bool, bool], bool]] = {
    "implies": lambda a, b: not a or b,
    "xor": lambda a, b: a != b,
    "iff": lambda a, b: a == b,
}


@backend("automata, algebra", "boolean", DFA, MTBDD, MINIMIZE, ALPHABET, least=0.2, every=3)
def _algebra(load: Load) -> Implementation:
    """The automaton of a connective, made of those of its arguments."""
    ltlf = load(LTLF)

    def run(case: Case) -> Sequence[Any]:
        f = case.formula
        first, *more = [translated(ltlf.translate_typed, a, case.signals.values()) for a in f.args]
        if len(ir.show(f)) % 2:  # one factor knows nothing of types
            first = translated(ltlf.translate, f.args[0])
        for other in more:
            if f.op in ("and", "or"):
                first = first.intersection(other) if f.op == "and" else first.union(other)
            else:
                first = first.product(other, _OPERATIONS[f.op])
        dfa = first.complement() if f.op == "not" else first
        check_minimal(dfa)
        again = (dfa, dfa.completed(), dfa.minimized())
        answers = [{d.accepts(trace) for d in (again if k < 8 else (dfa,))} for k, trace in enumerate(case.traces)]
        if any(len(a) != 1 for a in answers):
            raise ValueError("completed or minimized accepts other words")
        return [a.pop() for a in answers]

    return Implementation(lambda case: case.formula.op in ir.CONNECTIVES, run)


def _otherwise_written(text: str) -> str:
    """The same automaton in HOA with aliases, parentheses, constants and names of states."""
    width = int(re.search(r"AP: (\d+)", text)[1])  # type: ignore[index]
    aliases = "".join(f"Alias: @p{i} {i}\n" for i in range(width))
    head, body = text.split("--BODY--")

    def label(found: re.Match[str]) -> str:
        literals = re.sub(r"\d+", lambda m: f"@p{m[0]}" if int(m[0]) % 2 else f"({m[0]})", found[1])
        return f"[(({literals}) & t | f)]"

    body = re.sub(r"\[(.*?)\]", label, body)
    return head + aliases + "--BODY--" + re.sub(r"State: (\d+)", r'State: \1 "s\1"', body)


def _guard_formulas(texts: Mapping[int, str], case: Case) -> dict[int, Formula]:
    try:
        return {t: compile_formula(text, case.signals.values()) for t, text in texts.items()}
    except AgentcError as error:
        if {d.code for d in error.diagnostics} & {"AS0316", "AS0322"}:  # no finite value, always true
            return {}
        raise


@backend("guards and HOA", "prefixes", GUARDS, HOA, least=0.9)
def _guards(load: Load) -> Implementation:
    """The automaton stepped by its guards, and the one that is read from the text of it."""
    ltlf, guards, hoa = load(LTLF), load(GUARDS), load(HOA)

    def run(case: Case) -> Sequence[Any]:
        if len(ir.show(case.formula)) % 2:
            dfa = translated(ltlf.translate_typed, case.formula, case.signals.values())
        else:
            dfa = translated(ltlf.translate, case.formula)
        names = {guards.label(a): a for a in dfa.atoms}
        text = hoa.write_hoa(dfa, "f")
        again, dressed = hoa.read_hoa(text, names), hoa.read_hoa(_otherwise_written(text), names)
        head, body = text.split("--BODY--")
        for wrong in (re.sub("Acceptance:.*", "", text), head + "--BODY--" + body.replace("]", " & x]", 1)):
            try:
                hoa.read_hoa(wrong, names)
            except AgentcError as error:
                if [d.code for d in error.diagnostics] != ["AS0705"]:
                    raise
            else:
                raise ValueError("a text without acceptance, or with an unknown label, was read")
        texts: dict[int, dict[int, Formula]] = {}
        written = all(map(can_be_written, ir.postorder(case.formula)))
        covers: dict[int, Any] = {}
        found = []
        for trace in case.traces:
            state, course = 0, []
            for letter in dfa.letters(trace):
                if state not in covers:
                    covers[state] = guards.covers(dfa, state)
                targets = [t for t, c in covers[state].items() if any(all(letter[i] == v for i, v in p) for p in c)]
                if len(targets) != 1:
                    raise ValueError(f"in state {state} the guards of {targets} hold for {letter}")
                if written and len(trace) < 4:
                    if state not in texts:
                        texts[state] = _guard_formulas(guards.guards(dfa, state), case)
                    said = [t for t, g in texts[state].items() if evaluate(g, trace, len(course))]
                    if texts[state] and said != targets:
                        raise ValueError(f"in state {state} the guards of {said} hold as they are written")
                state = targets[0]
                course.append(dfa.accepting[state])
            if _holds_at_prefixes(again, trace) != course or _holds_at_prefixes(dressed, trace) != course:
                raise ValueError("what is read is another automaton than what was written")
            found.append(course)
        return found

    def distinct(case: Case) -> bool:
        atoms = ir.atoms(case.formula)
        return len({ir.show(a) for a in atoms}) == len(atoms)

    return Implementation(distinct, run)


@backend("automaton as a formula", "boolean", EMBEDDED, least=0.8, every=7)
def _as_a_formula(load: Load) -> Implementation:
    """The automaton of a formula, read from its text as one of another tool, as a formula again."""
    ltlf, embedded, hoa = load(LTLF), load(EMBEDDED), load(HOA)

    def disguised(a: Formula, b: Formula) -> Formula:
        """The atom, as a proposition that looks back, or that has operators, or as it is."""
        kind = len(ir.show(a)) % 3
        other = ir.formula("O", (b,)) if kind == 1 else b
        return ir.and_(ir.or_(a, other), ir.or_(a, ir.not_(other))) if kind else a

    def run(case: Case) -> Sequence[bool]:
        dfa = translated(ltlf.translate, case.formula)
        numbered = {name: ir.prop(f"a{i}") for i, name in enumerate(map(load(GUARDS).label, dfa.atoms))}
        text = hoa.write_hoa(dfa, "f")
        names = [str(p.predicate.value) for p in numbered.values()]
        bound = [disguised(a, dfa.atoms[-1]) for a in dfa.atoms]
        f = embedded.automaton_atom("f", names, hoa.read_hoa(text, numbered), bound)
        joined = ir.and_(f, ir.formula("implies", (case.formula, f)))  # which is f, since f is the formula

        def part(g: Formula) -> Any:
            return translated(ltlf.translate_typed, g, case.signals.values())

        declared = tuple(case.signals.values())
        again = embedded.translate_embedded(joined, declared, part, load(BDD).Budget(5_000, 10.0))
        answers = [again.accepts(trace) for trace in case.traces]
        if answers != [evaluate(f, trace) for trace in case.traces]:
            raise ValueError("the automaton is translated to another one than it is")
        return answers

    def distinct(case: Case) -> bool:
        atoms = ir.atoms(case.formula)
        return len({ir.show(a) for a in atoms}) == len(atoms)

    return Implementation(distinct, run)
