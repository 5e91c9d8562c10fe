"""The registered backends."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from agentc.compiler.agent import AgentIR, FormulaIR, SignalIR
from agentc.compiler.logic import ir
from agentc.compiler.logic.fragments import TIMED_SUBGOALS, fragment
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.semantics import course as truth
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.pipeline import compile_formula
from agentc.lang.diagnostics import AgentcError
from conformance.registry import Case, Implementation, Load, RefusedError, backend, everything
from conformance.shrink import replace

NAIVE = "conformance.naive"
REWRITE = "agentc.compiler.logic.rewrite"
ALPHABET = "agentc.compiler.logic.alphabet"
PROGRESSION = "agentc.compiler.automata.progression"
MINIMIZE = "agentc.compiler.automata.minimize"
BDD, MTBDD = "agentc.compiler.automata.bdd", "agentc.compiler.automata.mtbdd"
AIG, IMPLICATIONS = "agentc.compiler.automata.aig", "agentc.compiler.automata.implications"
MACHINE = "agentc.compiler.automata.machine"
DFA, LTLF = "agentc.compiler.automata.dfa", "agentc.compiler.automata.ltlf"
LABELLING = "agentc.runtime.labelling"
MONITOR, CLASSES = "agentc.compiler.backends.monitor", "agentc.compiler.automata.classes"
MONITORS, STEPPING, SCALAR = "agentc.runtime.monitor", "agentc.runtime.stepping", "agentc.runtime.scalar"
JUDGEMENT = "agentc.compiler.judgement"
EMBEDDED = "agentc.compiler.automata.embedded"
GUARDS, HOA = "agentc.compiler.automata.guards", "agentc.compiler.automata.hoa"
ROBUSTNESS = "agentc.compiler.signals.robustness"
SIGNALS = (ROBUSTNESS, *(f"agentc.compiler.signals.{m}" for m in ("plan", "windows", "atoms", "scalars", "regions")))
DECOMPOSE = "agentc.compiler.signals.decompose"
STREAM = "agentc.runtime.robustness_stream"
ONLINE, STREAMS = "agentc.compiler.signals.online", "agentc.runtime.robustness_monitor"
AUTOMATA = (LTLF, AIG, PROGRESSION, IMPLICATIONS, BDD, MTBDD, MACHINE, MINIMIZE, DFA)


@backend("expansion laws", "boolean", NAIVE)
def _naive(load: Load) -> Implementation:
    naive = load(NAIVE)
    return Implementation(everything, lambda case: [naive.holds(case.formula, t) for t in case.traces])


@backend("expansion laws, robust", "robust", NAIVE)
def _naive_margin(load: Load) -> Implementation:
    naive = load(NAIVE)
    return Implementation(everything, lambda case: [naive.margin(case.formula, t) for t in case.traces])


@backend("data round trip", "same")
def _data(load: Load) -> Implementation:
    def run(case: Case) -> list[ir.Node]:
        text = json.dumps(ir.to_data(case.formula))
        return [ir.from_data(json.loads(text))[0] for _ in case.traces]

    return Implementation(everything, run)


@backend("text round trip", "robust", least=0.75)
def _text(load: Load) -> Implementation:
    """What is shown reads back as a formula of the same meaning, sanity checks apart."""

    def run(case: Case) -> Sequence[Any]:
        f = case.formula
        try:
            g = compile_formula(ir.show(f), case.signals.values())
        except AgentcError as error:
            if {d.code for d in error.diagnostics} & {"AS0316", "AS0322"}:  # no finite value, always true
                raise RefusedError from error
            raise
        return [robustness(g, t) if evaluate(g, t) == evaluate(f, t) else "another truth value" for t in case.traces]

    return Implementation(lambda case: all(map(_can_be_written, ir.postorder(case.formula))), run)


def _can_be_written(node: ir.Node) -> bool:
    """The language has no negated predicates of texts, and shown texts look like enum members where they compare."""
    text = any(a.op == "const" and isinstance(a.value, str) for a in node.args)
    if node.op == "compare" and text:
        return not any(a.value in ("say", "note") for a in node.args)
    if node.op in ("contains", "starts_with", "ends_with", "matches"):
        return node.value is not True
    return not (node.op == "in_seen" and text)


# ---------------------------------------------------------------- rewritings, by the reference's meaning of the result


def _rewriting(
    rewrite: Callable[[Case], Formula], value: Callable[[Formula, Any], Any], of_form: Callable[[Formula], bool]
) -> Implementation:
    def run(case: Case) -> Sequence[Any]:
        g = rewrite(case)
        if not of_form(g):
            raise ValueError(f"the result is not of the form that is promised: {ir.show(g)}")
        return [value(g, trace) for trace in case.traces]

    return Implementation(everything, run)


def _formulas(root: Formula) -> list[Formula]:
    """The formulas below the root, those in aggregates left out."""
    seen: dict[Formula, None] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen[node] = None
            stack.extend(node.args if node.op != "atom" else ())
    return list(seen)


def _any_form(f: Formula) -> bool:
    return True


def _is_core(f: Formula) -> bool:
    return all(g.op in ir.CORE for g in _formulas(f))


def _is_nnf(f: Formula) -> bool:
    return _is_core(f) and all(g.args[0].op == "atom" for g in _formulas(f) if g.op == "not")


@backend("desugar", "boolean", REWRITE)
def _desugar(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.desugar(case.formula), evaluate, _is_core)


@backend("desugar, robust", "robust", REWRITE)
def _desugar_robust(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.desugar(case.formula), robustness, _is_core)


@backend("negation normal form", "boolean", REWRITE)
def _nnf(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.nnf(case.formula), evaluate, _is_nnf)


@backend("negation normal form, robust", "robust", REWRITE)
def _nnf_robust(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.nnf(case.formula), robustness, _is_nnf)


@backend("simplify", "boolean", REWRITE)
def _simplify(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.simplify(case.formula, boolean=True), evaluate, _any_form)


@backend("simplify, robust", "robust", REWRITE)
def _simplify_robust(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.simplify(case.formula), robustness, _any_form)


@backend("simplify the core, robust", "robust", REWRITE)
def _simplify_core(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.simplify(rewrite.nnf(case.formula)), robustness, _is_nnf)


@backend("localize, robust", "robust", REWRITE)
def _localize(load: Load) -> Implementation:
    rewrite = load(REWRITE)
    return _rewriting(lambda case: rewrite.localize(case.formula), robustness, _any_form)


@backend("localize over domains", "boolean", REWRITE)
def _localize_domains(load: Load) -> Implementation:
    rewrite = load(REWRITE)

    def run(case: Case) -> Formula:
        domains = {name: list(s.members) for name, s in case.signals.items() if s.kind == "enum"}
        domains |= {
            name: list(range(int(s.lo), int(s.hi) + 1))
            for name, s in case.signals.items()
            if s.kind == "int" and s.lo is not None and s.hi is not None
        }
        return rewrite.localize(case.formula, domains)  # type: ignore[no-any-return]

    return _rewriting(run, evaluate, _any_form)


# ---------------------------------------------------------------- automata


MOST_STATES = 300
"""Formulas with a larger automaton are refused, as the budget of ``translate`` would have it."""


def _translated(translate: Callable[..., Any], *what: Any) -> Any:
    try:
        return translate(*what, max_states=MOST_STATES)
    except AgentcError as error:
        if all(d.code == "AS0702" for d in error.diagnostics):
            raise RefusedError from error
        raise


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
        dfa = _translated(ltlf.translate, case.formula)
        check_minimal(dfa)
        return [_holds_at_prefixes(dfa, trace) for trace in case.traces]

    return Implementation(everything, run)


@backend("automaton, of parts", "prefixes", *AUTOMATA, every=5)
def _of_parts(load: Load) -> Implementation:
    """Never at once: parts that are multiplied, and where there are none, residuals simplified by implications."""
    ltlf = load(LTLF)

    def run(case: Case) -> Sequence[Any]:
        with _set(ltlf, SMALL_STATES=0):
            dfa = _translated(ltlf.translate, case.formula)
        check_minimal(dfa)
        return [_holds_at_prefixes(dfa, trace) for trace in case.traces]

    return Implementation(everything, run)


@backend("automaton, by implications", "prefixes", *AUTOMATA, every=5)
def _by_implications(load: Load) -> Implementation:
    """At once, with residuals simplified by what their obligations imply of each other."""
    ltlf = load(LTLF)

    def run(case: Case) -> Sequence[Any]:
        with _set(ltlf, SMALL_STATES=0, PARTS_DEPTH=0):
            dfa = _translated(ltlf.translate, case.formula)
        check_minimal(dfa)
        return [_holds_at_prefixes(dfa, trace) for trace in case.traces]

    return Implementation(everything, run)


@backend("automaton, typed", "boolean", *AUTOMATA, ALPHABET, REWRITE, every=5)
def _typed_automaton(load: Load) -> Implementation:
    ltlf = load(LTLF)

    def run(case: Case) -> Sequence[Any]:
        dfa = _translated(ltlf.translate_typed, case.formula, case.signals.values())
        return [dfa.accepts(trace) for trace in case.traces]

    return Implementation(everything, run)


@backend("automaton, verdicts", "online", *AUTOMATA, ALPHABET, least=0.3, every=3)
def _verdicts(load: Load) -> Implementation:
    ltlf = load(LTLF)

    def run(case: Case) -> Sequence[Any]:
        dfa = _translated(ltlf.translate_typed, case.formula, case.signals.values())
        return [dfa.judge(trace) for trace in case.traces]

    return Implementation(everything, run)


@backend("automaton, witnesses", "same", *AUTOMATA, ALPHABET, every=3)
def _witnesses(load: Load) -> Implementation:
    """Shortest words that are accepted and rejected, and the traces that are made of them."""
    ltlf = load(LTLF)

    def run(case: Case) -> Sequence[Any]:
        f = case.formula
        dfa = _translated(ltlf.translate_typed, f, case.signals.values())
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
        first, *more = [_translated(ltlf.translate_typed, a, case.signals.values()) for a in f.args]
        if len(ir.show(f)) % 2:  # one factor knows nothing of types
            first = _translated(ltlf.translate, f.args[0])
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
            dfa = _translated(ltlf.translate_typed, case.formula, case.signals.values())
        else:
            dfa = _translated(ltlf.translate, case.formula)
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
        written = all(map(_can_be_written, ir.postorder(case.formula)))
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
        dfa = _translated(ltlf.translate, case.formula)
        numbered = {name: ir.prop(f"a{i}") for i, name in enumerate(map(load(GUARDS).label, dfa.atoms))}
        text = hoa.write_hoa(dfa, "f")
        names = [str(p.predicate.value) for p in numbered.values()]
        bound = [disguised(a, dfa.atoms[-1]) for a in dfa.atoms]
        f = embedded.automaton_atom("f", names, hoa.read_hoa(text, numbered), bound)
        joined = ir.and_(f, ir.formula("implies", (case.formula, f)))  # which is f, since f is the formula

        def part(g: Formula) -> Any:
            return _translated(ltlf.translate_typed, g, case.signals.values())

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


# ---------------------------------------------------------------- the truth of atoms, vectorised


@backend("labelling", "labels", LABELLING, least=0.8, every=3)
def _labelling(load: Load) -> Implementation:
    labelling = load(LABELLING)

    def run(case: Case) -> Sequence[Any]:
        atoms = ir.atoms(case.formula)
        labeller = labelling.Labeller(atoms, tuple(case.signals.values()))
        found: list[list[tuple[bool, ...]]] = [[] for _ in case.traces]
        for t in range(max(map(len, case.traces))):
            running = [i for i, trace in enumerate(case.traces) if len(trace) > t]
            present, previous = (
                {
                    name: labelling.encode(name, case.signals.get(name), [case.traces[i][s].get(name) for i in running])
                    for name in ir.signals(case.formula)
                }
                for s in (t, max(t - 1, 0))
            )
            labels = labeller(present, previous if t else None) if present else np.zeros((len(running), 0), bool)
            if not present and atoms:  # atoms of constants alone: an environment has some signal
                labels = labeller({"p": np.zeros(len(running), bool)})
            for i, row in zip(running, labels, strict=True):
                found[i].append(tuple(map(bool, row)))
        return found

    return Implementation(lambda case: not _aggregates(case.formula), run)


def _aggregates(f: Formula) -> bool:
    return any(n.op in ("count", "sum", "in_seen", "occurs_in_seen") for n in ir.postorder(f))


# ---------------------------------------------------------------- monitors as tables, and judgements


def _course(program: Any, trace: Trace) -> list[int]:
    """The verdict code after each step."""
    states, codes = [0] * len(program.parts), []
    columns = {a: truth(a, trace) for part in program.parts for a in part.atoms}
    for t in range(len(trace)):
        letters = [tuple(columns[a][t] for a in part.atoms) for part in program.parts]
        states = [part.step(s, x) for part, s, x in zip(program.parts, states, letters, strict=True)]
        codes.append(program.verdict(states))
    return codes


@contextlib.contextmanager
def _set(module: Any, **values: Any) -> Iterator[None]:
    """A module with other limits for a while."""
    before = {name: getattr(module, name) for name in values}
    for name, value in values.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def _tabulated(load: Load, case: Case) -> None:
    """Raises ``RefusedError`` if the formula's automaton is large: monitors have budgets of their own, in seconds."""
    _translated(load(LTLF).translate_typed, case.formula, case.signals.values())


@backend("monitor table, verdicts", "online", MONITOR, CLASSES, least=0.3, every=3)
def _monitor(load: Load) -> Implementation:
    monitor = load(MONITOR)

    def run(case: Case) -> Sequence[Any]:
        _tabulated(load, case)
        program, notes = monitor.compile_monitor("f", case.formula, case.signals.values())
        again = monitor.MonitorProgram.from_data(json.loads(json.dumps(program.to_data())))
        if again != program:
            raise ValueError("the data does not read back")
        if notes or not program.exact or len(program.parts) != 1 or program.parts[0].table is None:
            raise ValueError("a small automaton has one exact table")
        return [[monitor.verdict_of(code) for code in _course(program, trace)] for trace in case.traces]

    return Implementation(everything, run)


@backend("monitor of diagrams, verdicts", "online", MONITOR, CLASSES, least=0.3, every=3)
def _diagrams(load: Load) -> Implementation:
    """The monitor where a table of letter classes would be too large."""
    monitor, classes = load(MONITOR), load(CLASSES)

    def run(case: Case) -> Sequence[Any]:
        _tabulated(load, case)
        with _set(classes, MAX_CELLS=0):
            program, _ = monitor.compile_monitor("f", case.formula, case.signals.values())
        if program.parts[0].table is not None:
            raise ValueError("a table that is too large was made")
        again = monitor.MonitorProgram.from_data(json.loads(json.dumps(program.to_data())))
        return [[monitor.verdict_of(code) for code in _course(again, trace)] for trace in case.traces]

    return Implementation(everything, run)


@backend("monitor in parts", "prefixes", MONITOR, CLASSES, least=0.8, every=5)
def _parts(load: Load) -> Implementation:
    """The parts of a formula, each with its own table, as they are emitted where that of the whole is too large."""
    monitor = load(MONITOR)

    def run(case: Case) -> Sequence[Any]:
        _tabulated(load, case)
        agent = AgentIR("A", None, None, tuple(case.signals.values()), (), (FormulaIR("f", "task", case.formula, ""),),
                        None, None)  # fmt: skip
        _, parts = monitor.split(case.formula)
        with _set(monitor, WHOLE_STATES=0):
            emitted = monitor.MonitorBackend().emit(agent)
        codes = [d.code for d in emitted.diagnostics]
        if "AS0701" in codes:
            raise RefusedError
        if codes != ["AS0703"] * (len(parts) > 1):
            raise ValueError(f"{len(parts)} parts, and it says {codes}")
        (data,) = json.loads(emitted.artifacts[0].text)["monitors"]
        program = monitor.MonitorProgram.from_data(data)
        if program.exact != (len(parts) == 1) or len(program.parts) != len(parts):
            raise ValueError("what is in parts is not exact, and what is whole is")
        found = []
        for trace in case.traces:
            course = [monitor.verdict_of(code) for code in _course(program, trace)]
            final = [v for v in course if v.final]
            if any(v is not final[0] for v in final) or (final and course[-1] is not final[0]):
                raise ValueError(f"what is final changes: {course}")
            found.append([v.holds for v in course])
        return found

    return Implementation(lambda case: not _aggregates(case.formula), run)


@backend("judging a task", "boolean", JUDGEMENT, every=7)
def _task(load: Load) -> Implementation:
    judgement = load(JUDGEMENT)

    def run(case: Case) -> Sequence[Any]:
        signals = case.signals.values()
        _tabulated(importlib.import_module, case)
        return [judgement.judge(case.formula, trace, "task", signals).holds for trace in case.traces]

    return Implementation(everything, run)


@backend("judging a safe", "safe", JUDGEMENT, least=0.3, every=3)
def _safe(load: Load) -> Implementation:
    judgement = load(JUDGEMENT)

    def run(case: Case) -> Sequence[Any]:
        found = [judgement.judge(case.formula, t, "safe", case.signals.values()) for t in case.traces]
        return [(j.holds, j.decided) for j in found]

    return Implementation(everything, run)


@backend("judging each value", "same", JUDGEMENT, least=0.03, every=3)
def _each(load: Load) -> Implementation:
    """A formula for each value of a parameter is the conjunction over those that occur."""
    judgement = load(JUDGEMENT)
    parameter = SignalIR("id", "int", lo=-2, hi=3)

    of_numbers = (ir.signal("n"), ir.signal("k"))

    def bound(node: ir.Node) -> bool:
        return node.op == "compare" and node.args[0] in of_numbers and node.args[1].op == "const"

    def run(case: Case) -> Sequence[Any]:
        f: Any = case.formula
        node = next(n for n in ir.postorder(f) if bound(n))
        _tabulated(importlib.import_module, case)

        number = node.args[0]

        def of(other: ir.Term) -> Any:
            return replace(f, node, ir.term("compare", (number, other), node.value))

        for trace in case.traces:
            values = {step[str(number.value)] for step in trace}
            expected = all(evaluate(of(ir.const(v)), trace) for v in values)
            each = of(ir.signal("id"))
            if judgement.judge(each, trace, "task", (*case.signals.values(), parameter), ("id",)).holds != expected:
                raise ValueError(f"for each of {values} it is {expected}")
        return [f for _ in case.traces]

    return Implementation(lambda case: any(map(bound, ir.postorder(case.formula))), run)


# ---------------------------------------------------------------- monitors that step many environments


def _programs(load: Load, case: Case) -> list[Any]:
    """The monitor of the formula, one of another formula over some of its atoms, and that of the formula's parts."""
    monitor, ltlf = load(MONITOR), load(LTLF)
    signals = case.signals.values()
    join, parts = monitor.split(case.formula)
    atoms = ir.atoms(case.formula) or (ir.TRUE,)
    other = ir.formula("U", (atoms[-1], atoms[0]))

    def tables(*formulas: Formula) -> tuple[Any, ...]:
        return tuple(monitor.tabulate(_translated(ltlf.translate_typed, g, signals)) for g in formulas)

    return [
        monitor.MonitorProgram("other", tables(other)),
        monitor.MonitorProgram("whole", tables(case.formula)),
        monitor.MonitorProgram("parts", tables(*parts), join, exact=len(parts) == 1),
    ]


def _step_all(load: Load, case: Case, envs: int = 4) -> list[list[int]]:
    """Verdict codes of the traces, run by turns in a few environments that are reset on their own and pause."""
    labelling, stepping = load(LABELLING), load(MONITORS)
    programs = _programs(load, case)
    monitor = stepping.Monitor(programs, envs, case.signals.values())
    names = list(dict.fromkeys(n for p in programs for part in p.parts for a in part.atoms for n in ir.signals(a)))
    names = names or ["p"]  # a batch has some signal
    queue = list(enumerate(case.traces))
    running: list[tuple[int, Trace, int] | None] = [None] * envs
    found: list[list[int]] = [[] for _ in case.traces]
    tick = 0
    while queue or any(running):
        fresh = np.array([r is None for r in running])
        if fresh.any():
            monitor.reset(fresh)
            for e in np.flatnonzero(fresh):
                i, trace = queue.pop(0) if queue else (-1, None)
                running[e] = None if trace is None else (i, trace, 0)
        pausing = tick % 9 >= 6
        active = np.array([r is not None and not (pausing and (tick + e) % 2) for e, r in enumerate(running)])
        tick += 1
        steps = [case.traces[0][0] if r is None else r[1][r[2]] for r in running]
        batch = {n: labelling.encode(n, case.signals.get(n), [step.get(n) for step in steps]) for n in names}
        if active.all():
            codes = monitor.step(batch)
        else:
            codes = monitor.step(batch, active)
        for e in np.flatnonzero(active):
            r = running[e]
            assert r is not None
            i, trace, t = r
            _, whole, parts = (int(c) for c in codes[:, e])
            verdict, of_parts = Verdict(whole), Verdict(parts)
            if of_parts.holds != verdict.holds or (of_parts.final and not verdict.final):
                raise ValueError(f"the parts say {of_parts} and the whole {verdict}")
            if monitor.verdicts(e)["whole"] is not verdict or monitor.codes[1, e] != whole:
                raise ValueError("the verdicts are others when asked for")
            if (monitor.holds[1, e], monitor.final[1, e]) != (verdict.holds, verdict.final):
                raise ValueError(f"holds or final is wrong of {verdict}")
            found[i].append(whole)
            running[e] = (i, trace, t + 1) if t + 1 < len(trace) else None
    return found


@backend("monitors of many environments", "prefixes", MONITORS, STEPPING, MONITOR, CLASSES, LABELLING, least=0.8)
def _many(load: Load) -> Implementation:
    monitor = load(MONITOR)

    def run(case: Case) -> Sequence[Any]:
        return [[monitor.verdict_of(c).holds for c in course] for course in _step_all(load, case)]

    return Implementation(lambda case: not _aggregates(case.formula), run)


@backend("monitors of many environments, verdicts", "online", MONITORS, STEPPING, MONITOR, CLASSES, least=0.3, every=3)
def _many_verdicts(load: Load) -> Implementation:
    monitor = load(MONITOR)

    def run(case: Case) -> Sequence[Any]:
        return [[monitor.verdict_of(c) for c in course] for course in _step_all(load, case, envs=2)]

    return Implementation(lambda case: not _aggregates(case.formula), run)


@backend("monitor of one environment", "prefixes", SCALAR, MONITOR, least=0.8)
def _one(load: Load) -> Implementation:
    stepping, monitor = load(SCALAR), load(MONITOR)

    def run(case: Case) -> Sequence[Any]:
        one = stepping.ScalarMonitor(_programs(load, case))
        found = []
        for trace in case.traces:
            one.reset()
            courses = [[monitor.verdict_of(c).holds for c in one.step(step)][1:] for step in trace]
            if any(whole != parts for whole, parts in courses):
                raise ValueError("the parts say otherwise than the whole")
            found.append([whole for whole, _ in courses])
            if one.verdicts()["whole"].holds != found[-1][-1]:
                raise ValueError("the verdicts are others when asked for")
        return found

    return Implementation(lambda case: not _aggregates(case.formula), run)


WILD: dict[str, tuple[Any, ...]] = {"n": (-7, 9), "k": (-9, 7), "x": (-7.5, 7.5), "y": (-9.0, 9.0)}
"""Values that the declared types rule out."""


@backend("values outside of their types", "same", DFA, ALPHABET, MONITORS, SCALAR, MONITOR, CLASSES, least=0.8)
def _outside(load: Load) -> Implementation:
    """Where the letters that cannot occur begin, automata and monitors say so, and not before."""
    ltlf, monitor, stepping, labelling = load(LTLF), load(MONITOR), load(MONITORS), load(LABELLING)
    classes = load(CLASSES)

    def first_outside(parts: Sequence[Any], trace: Trace) -> int | None:
        for t in range(len(trace)):
            for dfa in parts:
                at, letter = 0, dfa.letters(trace)[t]
                for group in dfa.alphabet.groups:
                    part = letter[at : at + len(group.atoms)]
                    at += len(group.atoms)
                    if not group.free and part not in group.later | group.first:
                        return t
        return None

    def steps_until_refused(step: Callable[[Any], Any], trace: Trace) -> int | None:
        for t, valuation in enumerate(trace):
            try:
                step(valuation)
            except AgentcError as error:
                if [d.code for d in error.diagnostics] != ["AS0708"]:
                    raise
                return t
        return None

    def run(case: Case) -> Sequence[Any]:
        f, signals = case.formula, tuple(case.signals.values())
        join, split = monitor.split(f)
        parts = [_translated(ltlf.translate_typed, g, signals) for g in split]
        program = monitor.MonitorProgram("f", tuple(map(monitor.tabulate, parts)), join, exact=len(parts) == 1)
        with _set(classes, MAX_CELLS=0):
            diagrams = monitor.MonitorProgram("f", tuple(map(monitor.tabulate, parts)), join, exact=program.exact)
        one, many = load(SCALAR).ScalarMonitor([program]), stepping.Monitor([program], 2, signals)
        names = list(dict.fromkeys((*ir.signals(f), "p")))
        for number, tame in enumerate(case.traces):
            wild = {name: values[number % 2] for name, values in WILD.items()}
            trace = Trace({**step, **(wild if t == len(tame) // 2 else {})} for t, step in enumerate(tame))
            expected = first_outside(parts, trace)
            for tables in (program, diagrams):
                known = [monitor.verdict_of(code) is not None for code in _course(tables, trace)]
                if known != [expected is None or t < expected for t in range(len(trace))]:
                    raise ValueError(f"the verdicts do not stay unknown from step {expected} on")
            one.reset()
            many.reset()

            def step_many(valuation: Any) -> None:
                # the first environment stays out of it
                batch = {n: labelling.encode(n, case.signals.get(n), [tame[0].get(n), valuation.get(n)]) for n in names}
                many.step(batch, np.array([False, True]))

            if steps_until_refused(one.step, trace) != expected or steps_until_refused(step_many, trace) != expected:
                raise ValueError(f"a monitor does not say that {wild} cannot occur from step {expected} on")
            if len(parts) == 1 and (parts[0].run(parts[0].letters(trace)) == parts[0].size) != (expected is not None):
                raise ValueError(f"the automaton does not say that {wild} cannot occur")
        return [f for _ in case.traces]

    return Implementation(lambda case: not _aggregates(case.formula), run)


# ---------------------------------------------------------------- robustness over arrays


def _columns(case: Case, traces: Sequence[Trace]) -> dict[str, Any]:
    """Traces of one length as arrays ``(batch, time)`` of each signal that is read."""
    found: dict[str, Any] = {}
    for name in ir.signals(case.formula) or ("p",):
        declared = case.signals.get(name)
        rows = [[step.get(name) for step in trace] for trace in traces]
        kind = declared.kind if declared is not None else "bool"
        if kind == "enum":
            assert declared is not None
            members = declared.members
            found[name] = np.array([[-1 if v is None else members.index(str(v)) for v in row] for row in rows])
        elif kind == "text":
            found[name] = np.array(rows, object)
        else:
            found[name] = np.array(rows, bool if kind == "bool" else float)
    return found


def _by_length(case: Case, answer: Callable[[dict[str, Any]], Any]) -> list[Any]:
    """The answers of a batched backend, which takes traces of one length at a time."""
    lengths: dict[int, list[int]] = {}
    for i, trace in enumerate(case.traces):
        lengths.setdefault(len(trace), []).append(i)
    found: list[Any] = [None] * len(case.traces)
    for indices in lengths.values():
        for i, value in zip(indices, answer(_columns(case, [case.traces[i] for i in indices])), strict=True):
            found[i] = value
    return found


def _reads_steps(case: Case) -> bool:
    return not _aggregates(case.formula)


@backend("robustness of batches", "robust", *SIGNALS, least=0.85, every=5, tolerance=1e-9)
def _batched_robustness(load: Load) -> Implementation:
    robust = load(ROBUSTNESS)

    def run(case: Case) -> Sequence[Any]:
        compiled = robust.compile_robustness(case.formula, case.signals.values())

        def answer(columns: dict[str, Any]) -> Any:
            single, whole = compiled.robustness_at(columns), compiled.robustness(columns)
            if not np.array_equal(single, whole[:, 0]):
                raise ValueError(f"at step 0 it is {single}, of the whole signal {whole[:, 0]}")
            return single.tolist()

        return _by_length(case, answer)

    return Implementation(_reads_steps, run)


@backend("truth of batches", "boolean", *SIGNALS, least=0.85, every=7)
def _batched_truth(load: Load) -> Implementation:
    robust = load(ROBUSTNESS)

    def run(case: Case) -> Sequence[Any]:
        compiled = robust.compile_robustness(case.formula, case.signals.values())
        return _by_length(case, lambda columns: compiled.satisfaction_at(columns).tolist())

    return Implementation(_reads_steps, run)


# ---------------------------------------------------------------- timed subgoals


@backend("timed subgoals", "boolean", DECOMPOSE, least=0.5, every=9)
def _subgoals(load: Load) -> Implementation:
    """A trace satisfies a formula if and only if it meets a grounded plan of its decomposition."""
    decompose, meeting = load(DECOMPOSE), load("agentc.compiler.signals.meeting")

    def run(case: Case) -> Sequence[bool]:
        plans: dict[int, Any] = {}
        found = []
        for trace in case.traces:
            try:
                if trace.last not in plans:
                    plans[trace.last] = decompose.decompose(case.formula, trace.last, max_nodes=1_000)
                plan = meeting.meeting(plans[trace.last], trace, 2_000)
            except meeting.SearchTooLongError as error:
                raise RefusedError from error
            except AgentcError as error:
                if {d.code for d in error.diagnostics} == {"AS1201"}:  # over its budget
                    raise RefusedError from error
                raise
            if plan is not None and not plan.met(trace):
                raise ValueError("the plan that was found is not met")
            found.append(plan is not None)
        return found

    return Implementation(lambda case: fragment(case.formula) <= TIMED_SUBGOALS, run)


@backend("online robustness", "robust", ONLINE, STREAMS, least=0.75, every=7, tolerance=1e-9)
def _online_robustness(load: Load) -> Implementation:
    """The value at the end, with the interval after every step: it holds the values of that prefix and of the trace."""
    online, streams = load(ONLINE), load(STREAMS)

    def run(case: Case) -> Sequence[Any]:
        try:
            program = online.compile_online(case.formula, case.signals.values())
        except AgentcError as error:
            if {d.code for d in error.diagnostics} <= {"AS1019", "AS1020"}:
                raise RefusedError from error
            raise
        # traces of different lengths in one monitor: each environment begins with the last steps in mind
        longest = max(map(len, case.traces))
        columns = _columns_of_steps(case, longest)
        monitor = streams.RobustnessMonitor(program, len(case.traces))
        found: list[Any] = [None] * len(case.traces)
        bounds: list[list[tuple[float, float]]] = [[] for _ in case.traces]
        for step, valuations in enumerate(columns):
            begin = np.array([longest - len(trace) == step for trace in case.traces])
            if begin.any():
                monitor.reset(begin)
            low, high = monitor.step(valuations)
            for i, trace in enumerate(case.traces):
                if step >= longest - len(trace):
                    bounds[i].append((float(low[i]), float(high[i])))
            if step % 5 == 2 or step == longest - 1:
                value = monitor.value()
                for i, trace in enumerate(case.traces):
                    at = step - (longest - len(trace))
                    if at >= 0:
                        expected = robustness(case.formula, Trace(trace.valuations[: at + 1]))
                        if expected != value[i] and abs(expected - value[i]) > 1e-9 * max(1, abs(expected)):
                            return [*found[:i], float(value[i]), *found[i + 1 :]]
                        found[i] = float(value[i])
        for value, course in zip(found, bounds, strict=True):
            if any(not lo - 1e-9 <= value <= hi + 1e-9 for lo, hi in course):
                raise ValueError(f"{value} is outside of an interval: {course}")
        return found

    return Implementation(_reads_steps, run)


def _columns_of_steps(case: Case, longest: int) -> Iterator[dict[str, Any]]:
    """What each step shows to a monitor of all traces, which end together; before a trace begins, its first step."""
    labelling = importlib.import_module(LABELLING)
    for step in range(longest):
        at = [max(step - (longest - len(trace)), 0) for trace in case.traces]
        yield {
            name: labelling.encode(
                name, case.signals.get(name), [trace[t].get(name) for trace, t in zip(case.traces, at, strict=True)]
            )
            for name in ir.signals(case.formula) or ("p",)
        }


@backend("online robustness of one stream", "robust", ONLINE, STREAM, least=0.75, every=7, tolerance=1e-9)
def _stream_robustness(load: Load) -> Implementation:
    """The value after every step, and the interval, which is that of the vectorised monitor."""
    online, streams, single = load(ONLINE), load(STREAMS), load(STREAM)

    def run(case: Case) -> Sequence[Any]:
        try:
            program = online.compile_online(case.formula, case.signals.values())
        except AgentcError as error:
            if {d.code for d in error.diagnostics} <= {"AS1019", "AS1020"}:
                raise RefusedError from error
            raise
        found = []
        stream = single.RobustnessStream(program)
        for number, trace in enumerate(case.traces):
            stream.reset()
            many = streams.RobustnessMonitor(program, 1) if number == 0 else None
            columns = _columns_of_steps(Case(case.formula, [trace], case.signals, None), len(trace))
            for t, (step, valuations) in enumerate(zip(trace, columns, strict=True)):
                interval = stream.step(step)
                if many is not None:
                    low, high = many.step(valuations)
                    if not np.allclose(interval, (low[0], high[0]), rtol=1e-9):
                        raise ValueError(f"{interval} is not {(low[0], high[0])} at step {t}")
            found.append(stream.value())
        return found

    return Implementation(_reads_steps, run)
