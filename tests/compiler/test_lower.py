"""Lowering: one fold that shares what was shared, expands what is sugar, and copies nothing else."""

import random

import pytest

from agentc.compiler.agent import AgentIR
from agentc.compiler.logic.ir import formula, not_, postorder, prop, signals
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace
from agentc.compiler.lower import Lowering
from agentc.compiler.pipeline import check
from agentc.compiler.turns import beginning, within
from agentc.lang.source import Source, Span
from agentc.lang.typed import Typed
from agentc.lang.types import BOOL, FORMULA


def agent(text: str) -> AgentIR:
    result = check(Source("spec.agentspec", text))
    assert result.ok, result.diagnostics
    return result.agents[0]


def test_what_is_shared_stays_shared() -> None:
    """Fifty propositions, each of the two before it, are fifty nodes and not 2^50."""
    lines = ["signal a, b : bool", "prop p0 = a", "prop p1 = b"]
    lines += [f"prop p{i} = p{i - 1} xor p{i - 2}" for i in range(2, 50)]
    found = agent("agent A {\n" + "\n".join(lines) + "\ntask f = F p49\n}")
    assert len(list(postorder(found.formula("f").formula))) < 200


def test_deep_formulas_are_lowered() -> None:
    """The parser bounds the depth of what is written; patterns in patterns go deeper."""
    span = Span(Source("", ""), 0, 0)
    typed = Typed("atom", (Typed("signal", (), BOOL, span, "a"),), BOOL, span)
    for _ in range(50_000):
        typed = Typed("F", (typed,), FORMULA, span, interval=(0, None))
    assert len(list(postorder(Lowering().formula(typed)))) == 50_002


def test_propositions_are_expanded_and_kept() -> None:
    found = agent("agent A { signal x : real [km]\n prop far = x > 3\n prop same = far\n task f = F same }")
    assert str(found.formula("f").formula) == "F (x > 3000.0)"
    assert [(p.name, str(p.formula)) for p in found.propositions] == [("far", "(x > 3000.0)"), ("same", "(x > 3000.0)")]


def test_parameters_left_at_true_leave_nothing_behind() -> None:
    found = agent(
        "import std.patterns: ordered, visits\n"
        "agent A { signal a, b, c : bool\n task two = ordered(a, b)\n task three = ordered(a, b, c)\n"
        " task all = visits(a, b)\n task written = F (a & true) }"
    )
    assert [str(f.formula) for f in found.formulas] == [
        "F (a & F b)", "F (a & F (b & F c))", "F a & F b", "F (a & true)",
    ]  # fmt: skip


def test_defined_signals_are_expanded() -> None:
    found = agent(
        """agent A {
  signal x : real
  signal far : bool = x > 3
  signal twice : real = 2 * x
  task f = F (far & twice > 1) & F (!first & prev.far & prev.twice > 1)
}"""
    )
    f = found.formula("f").formula
    assert signals(f) == ("x",)
    trace = Trace({"x": v} for v in (1.0, 4.0, 0.0))
    assert evaluate(f, trace)
    assert not evaluate(f, Trace({"x": v} for v in (1.0, 4.0)))  # nothing behind the far step
    assert found.signal("far").definition is not None


def test_the_previous_value_of_a_boolean() -> None:
    f = agent("agent A { signal p : bool\n task f = G (first | prev.p) }").formula("f").formula
    assert str(f) == "G (first | Y p)"


def test_named_machines_are_scaled() -> None:
    found = agent(
        "agent A { env e()\n machine m { state u { on p -> v : 2 }; state v accepting }\n reward { m : 0.5 } }\n"
        "environment e() { engine e(); signal p : bool }"
    )
    assert found.reward is not None and found.reward.machine is not None
    assert found.reward.machine.states[0].edges[0].reward == 1.0
    assert found.reward.machine.states[1].accepting


def test_train_and_verify_have_every_setting() -> None:
    found = agent(
        "agent A { env e()\n task f = F p\n reward { f : 1 }\n"
        " train ppo { steps = 5 }\n verify f by bmc { bound = 7 } }\n"
        "environment e() { engine e(); signal p : bool }"
    )
    assert found.train is not None
    assert found.train.settings["steps"] == 5 and found.train.settings["gae_lambda"] == 0.95
    assert found.verifies[0].settings == {"bound": 7, "time": 60.0}


def test_formulas_keep_their_source_and_reading() -> None:
    f = agent("agent A { signal p : bool\n task f = G (p ->  # why\n   F p) }").formula("f")
    assert (f.source, f.span is not None) == ("G (p -> F p)", True)
    assert "always" in f.reading


# ---------------------------------------------------------------- turns

PHASES = ("think", "act", "reply")
START = beginning(("think", "act"), ("reply",))


def begins(trace: Trace, t: int) -> bool:
    """A turn begins where an agent-written phase follows a result."""
    return t > 0 and bool(trace[t - 1]["reply"]) and not trace[t]["reply"]


def reached(trace: Trace, t: int, turns: int, past: bool) -> list[int]:
    """The steps within so many turns, the current one counted: by counting beginnings on the way."""
    found, passed, at = [], 0, t
    while 0 <= at < len(trace) and passed < turns:
        found.append(at)
        if past:
            passed += begins(trace, at)
            at -= 1
        else:
            at += 1
            passed += at < len(trace) and begins(trace, at)
    return found


def meaning(op: str, trace: Trace, t: int, turns: int) -> bool:
    past = op in "OHST"
    window = reached(trace, t, turns, past)
    p = [bool(v["p"]) for v in trace]
    q = [bool(v["q"]) for v in trace]

    def between(values: list[bool], s: int) -> list[bool]:
        return values[s + 1 : t + 1] if past else values[t:s]

    match op:
        case "F" | "O":
            return any(q[s] for s in window)
        case "G" | "H":
            return all(q[s] for s in window)
        case "U" | "S":
            return any(q[s] and all(between(p, s)) for s in window)
        case "R" | "T":
            return all(q[s] or any(between(p, s)) for s in window)
        case "M":
            return any(p[s] and q[s] and all(between(q, s)) for s in window)
        case _:  # W
            return all(p[s] or q[s] or any(between(q, s)) for s in window)


@pytest.mark.parametrize("op", ["F", "G", "U", "R", "M", "W", "O", "H", "S", "T"])
def test_windows_of_turns_count_turns(op: str) -> None:
    rng = random.Random(7)
    unary = op in "FGOH"
    for _ in range(400):
        trace = Trace(
            {**dict.fromkeys(PHASES, False), rng.choice(PHASES): True, "p": rng.random() < 0.6, "q": rng.random() < 0.4}
            for _ in range(rng.randint(1, 9))
        )
        turns, t = rng.randint(1, 4), rng.randrange(len(trace))
        f = within(op, (prop("q"),) if unary else (prop("p"), prop("q")), turns, START)
        assert evaluate(f, trace, t) == meaning(op, trace, t, turns), (op, turns, t, trace)


def test_windows_of_turns_are_small() -> None:
    f = within("F", (prop("q"),), 200, START)
    assert len(list(postorder(f))) < 2000


def test_turns_in_a_spec() -> None:
    found = agent(
        """agent A {
  model "small"
  tool find(x : text)
  tool stop(x : text)
  phase act = call(find | stop)
  phase reply = result(act)
  behavior brief = F[<= 2 turns] stop
  example "two turns" satisfies brief { act & find; reply; act & stop }
  example "three turns" violates brief { act & find; reply; act & find; reply; act & stop }
}"""
    )
    assert found.formula("brief").formula is not formula("F", (prop("stop"),))
    assert found.signal("act").phase


def test_negation_of_a_window_is_its_dual() -> None:
    """The reductions of duals are negations, so their robustness is too."""
    trace = Trace({"think": True, "act": False, "reply": False, "q": v} for v in (True, False))
    f = within("F", (prop("q"),), 2, START)
    g = within("G", (not_(prop("q")),), 2, START)
    assert robustness(f, trace) == -robustness(g, trace)
