"""The loops of ``std.agents`` beside each other: what each allows that its nearest neighbour does not.

    python -m agentc.benchmarks.agent_loops

prints the tables of ``docs/guide/agent_loops.md``. Every loop is called over one vocabulary of phases and tools,
with the same phase wherever two loops have a part in common, so that what differs is the order. Two loops are compared
on the minimal automata of their formulas, over the letters of a transcript (one phase a step, a tool in each call).
The *nearest* neighbour of a loop is the one that shares the largest part of its successions with it (what may begin,
what may follow what, what may end), the first in the list where several do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from agentc.compiler.agent import AgentIR, FormulaIR
from agentc.compiler.automata.dfa import DFA, Letter
from agentc.compiler.automata.ltlf import translate
from agentc.compiler.decoder.events import letters
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check
from agentc.lang.source import Source

VOCABULARY = """
  model "any"
  tool search(query : text[1..80]) -> text
  tool look(place : text[1..40]) -> text
  tool finish(answer : text[1..60]) -> text
  phase thought = text until "\\n" max 64 tokens
  phase plan = text until "\\n" max 64 tokens
  phase action = call(search | finish)
  phase reply = result(action)
  phase review = text until "\\n" max 64 tokens
  phase draft = text until "\\n" max 64 tokens
  phase question = text until "\\n" max 64 tokens
  phase fast = choice("fast")
  phase slow = choice("slow")
  phase scout = call(look)
  phase finding = result(scout)
  phase answer = text until "\\n" max 64 tokens
"""


@dataclass(frozen=True)
class Loop:
    """A loop of the library: where it is, how it is called over :data:`VOCABULARY`, and who described it."""

    module: str
    call: str
    paper: str

    @property
    def name(self) -> str:
        """The name of the pattern."""
        return self.call.partition("(")[0]


LOOPS = (
    Loop("reasoning", "direct(answer)", "Brown et al., NeurIPS 2020, arXiv 2005.14165"),
    Loop("reasoning", "chain_of_thought(thought, answer)", "Wei et al., NeurIPS 2022, arXiv 2201.11903"),
    Loop("reasoning", "plan_and_solve(plan, thought, answer)", "Wang et al., ACL 2023, arXiv 2305.04091"),
    Loop("reasoning", "self_consistency(thought, draft, answer, k = 3)", "Wang et al., ICLR 2023, arXiv 2203.11171"),
    Loop("reasoning", "self_ask(question, draft, answer)", "Press et al., EMNLP Findings 2023, arXiv 2210.03350"),
    Loop("reasoning", "dual_mode(fast, slow, thought, answer)", "Zhou et al. (AutoVLA), 2025, arXiv 2506.13757"),
    Loop("react", "act(action, reply, stop = finish)", "Yao et al. (act only), ICLR 2023, arXiv 2210.03629"),
    Loop("react", "react(thought, action, reply, stop = finish)", "Yao et al., ICLR 2023, arXiv 2210.03629"),
    Loop("react", "plan_then_act(plan, action, reply, stop = finish)", "Wang et al., ACL 2023, arXiv 2305.04091"),
    Loop(
        "planning", "plan_act_replan(plan, action, reply, stop = finish)",
        "Erdogan et al. (Plan-and-Act), 2025, arXiv 2503.09572",
    ),
    Loop("planning", "rewoo(plan, action, reply, answer)", "Xu et al., 2023, arXiv 2305.18323"),
    Loop(
        "planning", "reconnaissance_then_act(scout, finding, plan, action, reply, stop = finish)",
        "He et al. (Recon-Act), 2025, arXiv 2509.21072",
    ),
    Loop(
        "refinement", "reflexion(thought, action, reply, review, submit = finish)",
        "Shinn et al., NeurIPS 2023, arXiv 2303.11366",
    ),
    Loop(
        "refinement", "generator_verifier_refiner(draft, review, answer)",
        "Motwani et al. (MALT), 2024, arXiv 2412.01928",
    ),
    Loop(
        "refinement", "planner_executor_verifier_generator(plan, action, reply, review, answer)",
        "Li et al. (AgentFlow), 2025, arXiv 2510.05592",
    ),
    Loop(
        "context", "chain_of_action(thought, action, reply, stop = finish)",
        "Wang et al. (OpenHA), 2025, arXiv 2509.13347",
    ),
    Loop(
        "context", "self_summarising(thought, action, reply, review, stop = finish, k = 3)",
        "Lu et al. (SUPO), 2025, arXiv 2510.06727",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Distinction:
    """A shortest trace that exactly one of two loops allows: ``only`` that one."""

    trace: tuple[Mapping[str, bool], ...]
    only: str

    def __str__(self) -> str:
        return "; ".join(" & ".join(name for name, held in step.items() if held) for step in self.trace)


class Comparison:
    """All loops over the common vocabulary, with their automata and what tells them apart."""

    def __init__(self, loops: Sequence[Loop] = LOOPS) -> None:
        self.loops = tuple(loops)

    @cached_property
    def agents(self) -> dict[str, AgentIR]:
        """An agent for each loop, by the name of the loop; its one behavior is the call. Raises ``AgentcError``."""
        blocks = [f"import std.agents.{loop.module}: {loop.name}" for loop in self.loops]
        blocks += [f"agent A{i} {{{VOCABULARY}\n  behavior loop = {x.call}\n}}" for i, x in enumerate(self.loops)]
        result = check(Source("loops.agentspec", "\n".join(blocks)))
        assert result.ok, [d.message for d in result.diagnostics]
        return {loop.name: agent for loop, agent in zip(self.loops, result.agents, strict=True)}

    @cached_property
    def formulas(self) -> dict[str, FormulaIR]:
        """The behavior of each loop."""
        return {name: agent.formulas[0] for name, agent in self.agents.items()}

    @cached_property
    def automata(self) -> dict[str, DFA]:
        """The minimal automaton of each loop, over the letters that a transcript can have."""
        formulas = [f.formula for f in self.formulas.values()]
        made, cores = letters(next(iter(self.agents.values())), formulas)
        return {name: translate(core, made.alphabet) for name, core in zip(self.formulas, cores, strict=True)}

    @cached_property
    def distinctions(self) -> dict[tuple[str, str], Distinction]:
        """For each two loops a shortest trace that tells them apart, confirmed by the reference semantics.

        A pair that is missing would have one language.
        """
        found: dict[tuple[str, str], Distinction] = {}
        for a, b in combinations(self.automata, 2):
            word = self.automata[a].product(self.automata[b], lambda x, y: x != y).shortest_accepted()
            if word is None:
                continue
            trace = tuple(_valuation(self.automata[a], letter) for letter in word)
            here, there = (evaluate(self.formulas[x].formula, Trace(trace)) for x in (a, b))
            assert here != there, (a, b, trace)
            found[a, b] = found[b, a] = Distinction(trace, a if here else b)
        return found

    @cached_property
    def successions(self) -> dict[str, frozenset[tuple[str, str]]]:
        """What may follow what in the traces of each loop; an empty name stands before the first and after the last."""
        return {name: _successions(dfa) for name, dfa in self.automata.items()}

    def nearest(self, name: str) -> str:
        """The loop that shares the largest part of its successions with this one."""

        def shared(other: str) -> float:
            one, two = self.successions[name], self.successions[other]
            return len(one & two) / len(one | two)

        return max((loop.name for loop in self.loops if loop.name != name), key=shared)

    def table(self) -> str:
        """The two tables of the guide, in Markdown."""
        lines = ["| pattern | in | described by | read out |", "| --- | --- | --- | --- |"]
        for loop in self.loops:
            reading = self.formulas[loop.name].reading
            lines.append(f"| `{loop.call}` | `std.agents.{loop.module}` | {loop.paper} | {reading} |")
        lines += ["", "| loop | nearest | a shortest trace that only one of them allows | which one |"]
        lines += ["| --- | --- | --- | --- |"]
        for loop in self.loops:
            nearest = self.nearest(loop.name)
            found = self.distinctions[loop.name, nearest]
            lines.append(f"| `{loop.name}` | `{nearest}` | `{found}` | `{found.only}` |")
        return "\n".join(lines)


def _names(dfa: DFA, letter: Letter) -> str:
    return " & ".join(name for name, held in _valuation(dfa, letter).items() if held)


def _successions(dfa: DFA) -> frozenset[tuple[str, str]]:
    (group,) = dfa.alphabet.groups
    events = sorted(group.later or ())
    moves = {(s, e): dfa.step(s, e) for s in range(dfa.size) for e in events}
    live = {s for s in range(dfa.size) if dfa.accepting[s]}
    while more := {s for (s, _), t in moves.items() if t in live} - live:
        live |= more
    found: set[tuple[str, str]] = set()
    todo: list[tuple[int, str]] = [(0, "")]
    known = set(todo)
    for state, last in todo:  # grows as it goes
        if last and dfa.accepting[state]:
            found.add((last, ""))
        for event in events:
            target = moves[state, event]
            if target in live:
                name = _names(dfa, event)
                found.add((last, name))
                if (target, name) not in known:
                    known.add((target, name))
                    todo.append((target, name))
    return frozenset(found)


def _valuation(dfa: DFA, letter: Letter) -> dict[str, bool]:
    return {str(atom): held for atom, held in zip(dfa.atoms, letter, strict=True)}


if __name__ == "__main__":
    print(Comparison().table())
