"""The loops of `std.agents`: what each allows, that no two allow the same, and that a run can always be ended."""

import re
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language.page import read as blocks
from language.run import run_page

import agentc.specs
import agentc.stdlib
from agentc.benchmarks.agent_loops import LOOPS, Comparison
from agentc.compiler.backends.automaton import AutomatonBackend
from agentc.compiler.decoder.dialogue import START, dialogue, findings
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check, read
from agentc.runtime.cli.application import invoke

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Path(next(iter(agentc.stdlib.__path__))) / "agents"
SPECS = Path(next(iter(agentc.specs.__path__))) / "agents"
SAMPLES = [SPECS / path.name for path in sorted(LIBRARY.glob("*.agentspec"))]
PAGE = ROOT / "docs" / "guide" / "agent_loops.md"

LETTERS = {
    "t": ("thought",), "p": ("plan",), "x": ("action", "search"), "z": ("action", "finish"), "r": ("reply",),
    "v": ("review",), "d": ("draft",), "q": ("question",), "f": ("fast",), "s": ("slow",), "l": ("scout", "look"),
    "m": ("finding",), "a": ("answer",),
}  # fmt: skip
"""A character for each event of the common vocabulary."""

MEANING = {
    "direct": "a",
    "chain_of_thought": "t+a",
    "plan_and_solve": "pt+a",
    "self_consistency": "(td){3}a",
    "self_ask": "(qd)*a",
    "dual_mode": "fa|st+a",
    "act": "(xr)*z",
    "react": "(txr)*tz",
    "plan_then_act": "p(xr)*z",
    "plan_act_replan": "p(xrp?)*z",
    "rewoo": "p+([xz]r)+a",
    "reconnaissance_then_act": "(lm)+p(xr)*z",
    "reflexion": "(txr)*tzr(v(txr)*tzr)*",
    "generator_verifier_refiner": "dva(va)*",
    "planner_executor_verifier_generator": "(p[xz]rv)+a",
    "chain_of_action": "(t+xr)*t+z",
    "self_summarising": "((txr){1,3}v)*(txr){0,2}tz",
}
"""What the documentation of each loop says, as a regular expression over its events."""


@pytest.fixture(scope="module")
def loops() -> Comparison:
    return Comparison()


@pytest.fixture(scope="module")
def samples():
    result = check([read(str(path)) for path in SAMPLES])
    assert result.ok, [d.message for d in result.diagnostics]
    return {agent.formulas[0].source.partition("(")[0]: agent for agent in result.agents}


def trace(word: str) -> Trace:
    names = {name for event in LETTERS.values() for name in event}
    return Trace({name: name in LETTERS[c] for name in names} for c in word)


@pytest.mark.parametrize("name", MEANING)
@settings(derandomize=True, database=None, deadline=None, max_examples=40)
@given(data=st.data())
def test_a_loop_allows_what_its_documentation_says(name: str, data: st.DataObject, loops: Comparison) -> None:
    behavior, grammar = loops.formulas[name].formula, MEANING[name]
    word = data.draw(st.from_regex(grammar, fullmatch=True).filter(lambda w: len(w) <= 24))
    assert evaluate(behavior, trace(word)), word
    at, other = data.draw(st.integers(0, len(word) - 1)), data.draw(st.sampled_from(sorted(LETTERS)))
    for near in (word[:at], word[at:], word[:at] + word[at + 1 :], word[:at] + other + word[at:], word + other,
                 word[:at] + other + word[at + 1 :]):  # fmt: skip
        if near:
            assert evaluate(behavior, trace(near)) == (re.fullmatch(grammar, near) is not None), near


def test_any_two_loops_differ_and_a_trace_shows_it(loops: Comparison) -> None:
    names = [loop.name for loop in LOOPS]
    for a, b in combinations(names, 2):
        found = loops.distinctions[a, b]
        verdicts = {x: evaluate(loops.formulas[x].formula, Trace(found.trace)) for x in (a, b)}
        assert [x for x, holds in verdicts.items() if holds] == [found.only]


def shape(loops: Comparison, name: str) -> tuple[int, ...]:
    """What no renaming of events changes: how many successions, and how many traces of each length, a loop allows."""
    dfa = loops.automata[name]
    (group,) = dfa.alphabet.groups
    at, row = {0: 1}, [len(loops.successions[name])]
    for _ in range(14):
        following: dict[int, int] = {}
        for state, number in at.items():
            for letter in group.later or ():
                target = dfa.step(state, letter)
                following[target] = following.get(target, 0) + number
        at = {state: number for state, number in following.items() if state < dfa.size}
        row.append(sum(number for state, number in at.items() if dfa.accepting[state]))
    return tuple(row)


def test_only_two_loops_are_one_up_to_names(loops: Comparison) -> None:
    """What `self_ask` asks of the model itself, `act` asks of a tool."""
    shapes = {loop.name: shape(loops, loop.name) for loop in LOOPS}
    assert [(a, b) for a, b in combinations(shapes, 2) if shapes[a] == shapes[b]] == [("self_ask", "act")]
    assert MEANING["self_ask"].translate(str.maketrans("qda", "xrz")) == MEANING["act"]


def test_each_loop_is_read_out_with_its_phases(loops: Comparison) -> None:
    for loop in LOOPS:
        reading = loops.formulas[loop.name].reading
        arguments = re.findall(r"[a-z]+(?=[,)])", loop.call)
        assert arguments and all(re.search(rf"\b{word}\b", reading) for word in arguments), (loop, reading)
        assert "(" + ", ".join(arguments) not in reading and f"{loop.name}(" not in reading


def test_every_loop_of_the_library_is_listed_and_has_a_sample(samples) -> None:
    named = {(path.stem, name) for path in LIBRARY.glob("*.agentspec")
             for name in re.findall(r"^pattern (\w+)", path.read_text(), re.M)}  # fmt: skip
    assert {(loop.module, loop.name) for loop in LOOPS} == named
    assert set(samples) == set(MEANING) == {name for _, name in named}


def test_a_run_of_each_sample_can_always_be_ended(samples) -> None:
    for agent in samples.values():
        game = dialogue(agent)
        assert game.won(START) and findings(agent, game) == (), agent.name
        for position in game.rank:
            assert game.accepting(position) or game.legal(position) or position in game.answers, agent.name


def test_each_sample_is_tested_both_ways(samples) -> None:
    for agent in samples.values():
        assert {e.satisfies for e in agent.examples if e.subject == "loop"} == {True, False}, agent.name


def test_each_sample_has_a_picture(samples) -> None:
    for agent in samples.values():
        drawn = {a.path: a.text for a in AutomatonBackend().emit(agent).artifacts}
        text = drawn["automata/loop.svg"]
        assert text.startswith("<svg") and agent.writer is not None, agent.name
        assert all(phase.name in text for phase in agent.writer.phases), agent.name


def test_the_picture_is_in_the_bundle(tmp_path, capsys) -> None:
    context = next(path for path in SAMPLES if path.stem == "context")
    assert invoke(["compile", str(context), "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    for name in ("Miner", "Archivist"):
        assert (tmp_path / f"{name}.agent" / "automata" / "loop.svg").read_text().startswith("<svg")


def test_the_guide_shows_what_the_command_prints(loops: Comparison) -> None:
    assert loops.table() in PAGE.read_text(), "run `python -m agentc.benchmarks.agent_loops`"


def test_the_guide_is_true(tmp_path) -> None:
    problems = run_page(blocks(PAGE), tmp_path)
    assert not problems, "\n".join(problems)
