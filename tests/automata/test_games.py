"""Games on automata: against brute force, and strategies against the reference semantics."""

import itertools
import random
from importlib.util import find_spec

import pytest

from agentc.compiler.agent import AgentIR, EnvironmentIR, FormulaIR, SignalIR
from agentc.compiler.arithmetic import Arithmetic
from agentc.compiler.automata.bdd import Budget, OverBudgetError
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.games import Arena, Choice, arena, choices, letter_to, restricted, solve
from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.logic.alphabet import alphabet, deciding
from agentc.compiler.logic.ir import atoms, compare, const, prop, signal, term
from agentc.compiler.logic.sample import random_formula
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.realizability import controlled, findings, realizability
from agentc.compiler.witness import witness

SIGNALS = (
    SignalIR("action", "enum", members=("a", "b")),
    SignalIR("push", "bool"),
    SignalIR("e", "bool"),
    SignalIR("n", "int", lo=0, hi=2),
)
CONTROLLED = ("action", "push")
LEAVES = (compare("==", signal("action"), const("a")), prop("push"), prop("e"), compare(">", signal("n"), const(0)))


def random_arena(rng, states, width):
    accepting = tuple(rng.random() < 0.5 for _ in range(states))

    def some():
        return frozenset(rng.sample(range(states), rng.randint(1, min(2, states))))

    after = tuple(tuple(some() for _ in range(width)) for _ in range(states))
    dfa = DFA(alphabet(()), (), tuple(~0 for _ in range(states)), accepting, ())
    return Arena(dfa, tuple(Choice({}, ()) for _ in range(width)), frozenset(range(states)), after)


def settles_by_force(game, s):
    """Whether some strategy without memory leaves no cycle with a state that is not accepting, from ``s`` on."""
    states = range(game.dfa.size)
    for ways in itertools.product(range(len(game.choices)), repeat=game.dfa.size):
        def beyond(start, ways=ways):
            seen, todo = set(), [start]
            while todo:
                for t in game.after[todo[-1]][ways[todo.pop()]]:
                    if t not in seen:
                        seen.add(t)
                        todo.append(t)
            return seen

        reach = {s} | beyond(s)
        if not any(not game.dfa.accepting[t] and t in beyond(t) for t in states if t in reach):
            return True
    return False


def reaches_by_force(game, s):
    for ways in itertools.product(range(len(game.choices)), repeat=game.dfa.size):
        current = {s}
        for _ in range(game.dfa.size + 1):
            current = {t for u in current if not game.dfa.accepting[u] for t in game.after[u][ways[u]]}
        if not current:
            return True
    return False


@pytest.mark.parametrize("ends", ["settles", "agent"])
def test_solutions_are_those_of_brute_force(ends):
    rng = random.Random(41)
    won = lost = 0
    for _ in range(60):
        game = random_arena(rng, rng.randint(1, 4), 2)
        found = solve(game, ends)
        force = settles_by_force if ends == "settles" else reaches_by_force
        for s in range(game.dfa.size):
            wins = force(game, s)
            assert (s in found.rank) == wins
            assert (s in found.answer) == (not wins)
            won, lost = won + wins, lost + (not wins)
    assert won > 20 and lost > 20


def split(rng, agent_first=True):
    return {"action": rng.choice("ab"), "push": rng.random() < 0.5}, {"e": rng.random() < 0.5, "n": rng.randrange(3)}


def reset(rng):
    return {"push": rng.random() < 0.5, "e": rng.random() < 0.5, "n": rng.randrange(3)}


def trace_of(valuations):
    return Trace([{"action": None, **v} if "action" not in v else v for v in valuations])


@pytest.mark.parametrize("ends", ["settles", "agent"])
def test_strategies_win_and_counter_strategies_win_by_the_reference_semantics(ends):
    rng = random.Random(42)
    outcomes = {True: 0, False: 0}
    for _ in range(40):
        f = random_formula(rng, LEAVES, rng.randint(1, 5), reach=2)
        dfa = translate_typed(f, SIGNALS)
        game = arena(dfa, SIGNALS, CONTROLLED, Budget(10_000, 30.0))
        assert not game.generous
        found = solve(game, ends)
        outcomes[found.realizable] += 1
        opening = found.opening()
        assert (opening is None) == found.realizable
        if found.realizable:
            for _ in range(4):
                steps = [reset(rng)]
                state = dfa.run(dfa.letters(Trace(steps)))
                good = [evaluate(f, Trace(steps))]
                while len(steps) < 3 * dfa.size + 3 and not (ends == "agent" and good[-1]):
                    chosen = game.choices[found.strategy[state]].values
                    free, theirs = split(rng)
                    steps.append({**free, **chosen, **theirs})
                    state = dfa.run(dfa.letters(Trace(steps)))
                    good.append(evaluate(f, Trace(steps)))
                if ends == "agent":
                    assert good[-1]
                else:  # it falls out of acceptance a bounded number of times, and is in it at the end
                    assert all(good[2 * dfa.size + 2 :])
        else:
            letters = [letter_to(dfa, 0, opening, dfa.alphabet, at_reset=True)]
            state, good = opening, [dfa.accepting[opening]]
            for _ in range(3 * dfa.size + 3):
                choice = rng.randrange(len(game.choices))
                following = found.answer[state][choice]
                letters.append(letter_to(dfa, state, following, restricted(dfa.alphabet, game.choices[choice])))
                assert dfa.step(state, letters[-1]) == following
                state = following
                good.append(dfa.accepting[state])
            assert not any(good) if ends == "agent" else not all(good[2 * dfa.size + 2 :])
            seen = witness(dfa, tuple(letters), (f,), lambda trace, d=dfa, g=good: d.accepts(trace) == g[-1])
            assert seen.trace is not None and evaluate(f, Trace(seen.trace)) == good[-1]
    assert outcomes[True] > 5 and outcomes[False] > 5


def test_what_both_have_a_part_of_is_enumerated_or_given_to_the_environment():
    declared = (SignalIR("action", "int", lo=0, hi=3), SignalIR("n", "int", lo=0, hi=3), SignalIR("x", "real"),
                SignalIR("action.v", "real"))  # fmt: skip
    same = compare("==", signal("action"), signal("n"))
    found, generous = choices(alphabet([same], declared), declared, ("action", "action.v"))
    assert not generous and [c.groups for c in found] == [(frozenset({(False,), (True,)}),)]
    faster = compare(">", signal("action.v"), signal("x"))
    found, generous = choices(alphabet([faster], declared), declared, ("action", "action.v"))
    assert generous == {"environment"} and found == [Choice({}, (None,))]
    total = compare(">", term("add", (signal("action.v"), signal("action.w"))), const(1))
    found, generous = choices(alphabet([total], declared), declared, ("action.v", "action.w"))
    assert generous == {"agent"} and len(found) == 2
    total = compare(">", term("add", (signal("x"), signal("y"))), const(1))
    assert choices(alphabet([total], declared), declared, ())[1] == {"environment"}


@pytest.mark.skipif(find_spec("z3") is None, reason="needs the solver")
def test_a_side_that_is_given_too_much_wins_nothing():
    assert realizability(agent("signal x, y : real\n  safe s = G !(x + y > 1)")).answer is None
    with deciding(Arithmetic()):
        assert realizability(agent("signal x, y : real\n  safe s = G !(x + y > 1)")).answer is False
        assert realizability(agent("signal x, y : real\n  safe s = G !(x + y > 3 & x < 1 & y < 1)")).answer is True


def test_too_many_choices_are_over_budget():
    names = [f"action.b{i}" for i in range(13)]
    declared = tuple(SignalIR(n, "bool") for n in names)
    with pytest.raises(OverBudgetError):
        choices(alphabet([prop(n) for n in names], declared), declared, names)


# ---------------------------------------------------------------- agents


def agent(text):
    from agentc.compiler.pipeline import check
    from agentc.lang.source import Source

    body = f"agent A {{\n  signal action : enum {{stay, left, right}}\n  signal bell, door : bool\n{text}\n}}\n"
    result = check(Source("s", body))
    assert result.ok, result.diagnostics
    return result.agents[0]


def test_answers_about_specs():
    assert realizability(agent("task t = F[1, 3] action == left")).answer is True
    assert realizability(agent("task t = F bell")).answer is False
    assert realizability(agent("assume F bell\n task t = F bell")).answer is True
    assert realizability(agent("task t = G (bell -> X action == left)")).answer is False  # a bell at the end
    assert realizability(agent("safe t = G (bell -> WX action == left)")).answer is True
    assert realizability(agent("safe t = G (X bell -> action == left)")).answer is False  # it cannot foresee
    assert realizability(agent("safe t = G (action == left -> bell)")).answer is True  # not going left will do
    assert realizability(agent("safe t = G (bell -> action == left)")).answer is False  # it rings after the move
    assert realizability(agent("assume G (bell -> X !bell)\n safe s = G (bell -> X !bell | door)")).answer is True
    # who ends the trace: a task that is true now and then, but not for good
    flip = "task t = G (action == left <-> WX !(action == left)) & F (last & action == left)"
    assert realizability(agent(flip), "agent").answer is True
    assert realizability(agent(flip)).answer is False


def test_the_core_is_minimal_and_said_with_its_places():
    found = realizability(agent("safe a = G (bell -> WX action == left)\n safe b = G (bell -> WX action == right)\n"
                                " task c = F (bell | action == stay)"))  # fmt: skip
    assert found.core == ("a", "b")
    (d,) = findings(found)
    assert d.code == "AS1630" and [a.message for a in d.annotations] == ["together with `b`"]


def test_unknown_and_trivial_are_said():
    found = realizability(agent("safe s = G count(bell) < 3"))
    assert found.answer is None and [d.code for d in findings(found)] == ["AS1632"]
    assert [d.code for d in findings(realizability(agent("task t = F bell")))] == ["AS1633", "AS1630"]
    assert [d.code for d in findings(realizability(agent("task t = F[1, 2] action == left")))] == ["AS1631"]


def test_the_environment_says_what_is_controlled():
    declared = (SignalIR("v", "real", lo=0, hi=1), SignalIR("x", "real"))
    made = AgentIR("A", None, EnvironmentIR("e", "e", {}, declared, controls=("v",)), (SignalIR("action", "bool"),), (),
                   (FormulaIR("t", "task", compare(">", signal("v"), const(0.5)), ""),), None, None)  # fmt: skip
    assert controlled(made) == ("v", "action")
    assert atoms(made.formulas[0].formula)
    assert realizability(made).answer is False  # at step 0 the agent has not moved yet
