"""The method ``automaton``: do all dialogues that an agent can write satisfy a formula?

Language inclusion by the product of deterministic automata (Hopcroft, Motwani, Ullman, "Introduction to Automata
Theory", 3rd edition, section 4.2): the set of reachable pairs is the proof, the shortest path to a bad one the
counterexample.

Of a ``behavior`` (and a ``task``) the dialogues are those that the decoder can write; of a ``safe`` those that every
``behavior`` allows, whatever the decoder keeps beside them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agentc.compiler.agent import AgentIR
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.ltlf import translate
from agentc.compiler.codec import encode_agent
from agentc.compiler.decoder.bytes_automaton import byte_automaton
from agentc.compiler.decoder.dialogue import START, dialogue_beside
from agentc.compiler.decoder.events import Event, Letters, letters
from agentc.compiler.logic.ir import Formula, and_, signals
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.sanity import not_violated
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.llm.valuation import unsaid, unwritten
from agentc.runtime.verify.answer import Answer, Verdict, unknown
from agentc.runtime.verify.automaton.words import BehaviourGraph, DecoderGraph, Node, Step, TooManyError
from agentc.runtime.verify.certificate import Certificate
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.problem import Problem

NAME = "automaton"
MOST = 500_000
"""The most nodes that are looked at."""
CLAIMS = {
    "decoder": "every dialogue that the decoder can write satisfies it",
    "behavior": "every transcript that satisfies all behaviors satisfies it",
}


class Graph(Protocol):
    """What may follow what, and where it may end."""

    start: Node

    def ends(self, node: Node) -> bool:
        """Whether a dialogue may end there."""
        ...

    def steps(self, node: Node) -> Any:
        """Pairs of a node and the step to it."""
        ...


@dataclass(frozen=True)
class AutomatonMethod:
    """Decides formulas about an agent that writes."""

    name: str = NAME

    def refusal(self, problem: Problem) -> str | None:
        """It needs an agent with phases, and a formula without parameters."""
        if problem.item.bound is not None:
            return "it asks for a probability"
        writer = problem.agent.writer
        if writer is None or not writer.phases:
            return "the agent writes no phases"
        if any(f.name == problem.item.name and f.each for f in problem.agent.formulas):
            return "the formula is one for each value of a parameter"
        if question(problem) == "behavior" and not any(f.role == "behavior" for f in problem.agent.formulas):
            return "the agent has no `behavior`"
        return None

    def solve(self, problem: Problem) -> Answer:
        """Proved with the reachable pairs, falsified with a shortest dialogue, vacuous, or unknown."""
        agent, of = problem.agent, question(problem)
        try:
            made, judge, graph, empty = inclusion(agent, problem.item.formula, problem.role, of)
        except TooManyError:
            return unknown(NAME, "there are too many letters to look at one by one")
        if empty:
            return Answer(Verdict.VACUOUS, NAME, empty)
        if judge.shortest_rejected() is None:
            return Answer(Verdict.VACUOUS, NAME, "every transcript whatever satisfies it")
        came: dict[Node, tuple[Node, Step] | None] = {graph.start: None}
        layer = [graph.start]
        try:
            while layer:
                following: list[Node] = []
                for node in layer:
                    for after, step in graph.steps(node):
                        if after not in came:
                            came[after] = (node, step)
                            following.append(after)
                for node in following:
                    if graph.ends(node) and not judge.accepting[_judged(node, of)]:
                        return _falsified(problem, of, made, _path(came, node))
                if len(came) > MOST or problem.left() <= 0:
                    return unknown(NAME, f"{len(came)} pairs were reached when the search was given up")
                layer = following
                problem.progress(f"{len(came)} pairs of states")
        except TooManyError:
            return unknown(NAME, "there are too many letters to look at one by one")
        if not any(graph.ends(node) for node in came):
            return Answer(Verdict.VACUOUS, NAME, "no dialogue comes to an end")
        return _proved(problem, of, sorted(came))


def question(problem: Problem) -> str:
    """Whose dialogues an item is about."""
    of = str(problem.settings(NAME)["of"])
    return ("behavior" if problem.role == "safe" else "decoder") if of == "auto" else of


def inclusion(agent: AgentIR, formula: Formula, role: str, of: str) -> tuple[Letters, DFA, Graph, str]:
    """The letters, the automaton of the formula, the graph of the dialogues, and why there are none (or nothing)."""
    if of == "decoder":
        game, core = dialogue_beside(agent, formula)
        judge = _judge(core, role, game.letters)
        empty = "" if game.won(START) else "the decoder can write nothing that keeps its promises"
        return game.letters, judge, DecoderGraph(game, judge), empty
    behaviours = [f.formula for f in agent.formulas if f.role == "behavior" and not f.each]
    made, cores = letters(agent, [*behaviours, formula])
    behaviour = translate(and_(*cores[:-1]), made.alphabet)
    judge = _judge(cores[-1], role, made)
    empty = "" if behaviour.shortest_accepted() is not None else "no transcript satisfies the behavior"
    return made, judge, BehaviourGraph(made, behaviour, judge), empty


def _judge(core: Formula, role: str, made: Letters) -> DFA:
    automaton = translate(core, made.alphabet)
    return not_violated(automaton) if role == "safe" else automaton


def _judged(node: Node, of: str) -> int:
    return node[3] if of == "decoder" else node[1]


def _path(came: dict[Node, tuple[Node, Step] | None], node: Node) -> list[Step]:
    found = []
    at = came[node]
    while at is not None:
        node, step = at
        found.append(step)
        at = came[node]
    return found[::-1]


def _proved(problem: Problem, of: str, nodes: Sequence[Node]) -> Answer:
    agent = problem.agent
    item = next(i for i, v in enumerate(agent.verifies) if v is problem.item)
    subject = {"agent": encode_agent(agent), "item": item}
    claim = {"holds": CLAIMS[of], "of": of}
    certificate = Certificate(NAME, subject, claim, {"pairs": [list(n) for n in nodes]})
    accepted = check(certificate.data(), problem.folder).accepted
    kept = ", ".join(f"`{f.name}`" for f in agent.formulas if f.role == "behavior") or "no behavior"
    who = "the decoder can write" if of == "decoder" else "the behavior allows"
    assumed = [
        "results, signals of the environment and what is open in a step may be anything that their types allow",
        f"a transcript is one that {f'the decoder of {kept} lets through' if of == 'decoder' else f'satisfies {kept}'}",
    ]
    return Answer(
        Verdict.PROVED, NAME, f"every dialogue that {who} satisfies it ({len(nodes)} pairs of states)", tuple(assumed),
        {"pairs": len(nodes), "of": of}, certificate if accepted else None, accepted,
    )  # fmt: skip


# ---------------------------------------------------------------- counterexamples


def _falsified(problem: Problem, of: str, made: Letters, path: Sequence[Step]) -> Answer:
    """The dialogue as valuations; believed if the reference semantics says of it what the automata say."""
    words = [_said(step) for step in path]
    trace = [_valuation(problem.agent, made, step) for step in path]
    _quote(made, path, trace)
    behaviours = [f for f in problem.agent.formulas if f.role == "behavior" and not f.each]
    try:
        violates = not evaluate(problem.item.formula, Trace(trace))
        keeps = all(evaluate(f.formula, Trace(trace)) for f in behaviours)
    except (AgentcError, ValueError, KeyError, TypeError):
        violates = keeps = False
    if not (violates and keeps):
        said = f"the dialogue `{'; '.join(words)}` may violate it, but no values were found with which it does"
        return unknown(NAME, said, dialogue=words)
    who = "the decoder can write" if of == "decoder" else "satisfies the behavior"
    said = f"the dialogue `{'; '.join(words)}` {'is one that ' if of == 'decoder' else ''}{who}, and violates it"
    return Answer(Verdict.FALSIFIED, NAME, said, evidence={"dialogue": words, "trace": trace, "of": of})


def _names(made: Letters, event: Event) -> list[str]:
    """The values that an event has: the arguments of its tool, or its text."""
    arguments = made.writer.tool(event.tool).arguments if event.tool is not None else ()
    return [f"{event.tool}.{a.name}" for a in arguments] or [f"{event.phase}.text"]


def _quote(made: Letters, path: Sequence[Step], trace: Sequence[dict[str, Any]]) -> None:
    """Let what is quoted have been said: the text of an earlier step is nobody's to rely on, so it may say it."""
    for t, step in enumerate(path):
        for index, source, wanted in () if step.choice is None else step.choice.quotes:
            value = trace[t].get(_names(made, step.event)[index])
            for s in range(t):
                if wanted and path[s].event.phase == source:
                    trace[s][f"{source}.text"] = f"{trace[s].get(f'{source}.text') or ''}{value}"


def _said(step: Step) -> str:
    return f"{step.event.phase} & {step.event.tool}" if step.event.tool else step.event.phase


def _valuation(agent: AgentIR, made: Letters, step: Step) -> dict[str, Any]:
    """A valuation with the letter, as far as values are known that have it."""
    event, choice, writer = step.event, step.choice, made.writer
    found: dict[str, Any] = {**unwritten(agent), **unsaid(agent)}
    at = len(made.alphabet.groups[0].atoms)
    for group in made.alphabet.groups[1:]:
        part = step.letter[at : at + len(group.atoms)]
        at += len(group.atoms)
        if group.examples is not None and part in group.examples:
            found.update(group.examples[part])
    found[event.phase] = True
    if event.tool is not None:
        found[event.tool] = True
    languages = () if choice is None or choice.values is None else choice.values
    arguments = writer.tool(event.tool).arguments if event.tool is not None else ()
    kinds = [a.kind for a in arguments] or ["text"]
    for name, kind, language in zip(_names(made, event), kinds, languages, strict=False):
        word = byte_automaton(language).shortest()
        if word is not None:
            text = word.decode()
            found[name] = text if kind in ("text", "enum") else json.loads(text)
    known = {s.name for s in agent.signals if s.phase}
    if f"{event.phase}.text" in known and found.get(f"{event.phase}.text") is None:
        found[f"{event.phase}.text"] = ""
    owned = [a for a in made.alphabet.groups[0].atoms if a in event.open]
    for atom in owned:  # a Boolean that nobody decides is as the letter says
        if atom.predicate.op == "signal":
            found[str(next(iter(signals(atom))))] = step.letter[made.alphabet.atoms.index(atom)]
    return found
