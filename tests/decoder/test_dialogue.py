"""The dialogue game against the reference semantics: what may follow, and how soon it can be ended."""

import random
from dataclasses import replace

import pytest

from agentc.compiler.agent import AgentIR, FormulaIR, SignalIR
from agentc.compiler.decoder.dialogue import START, dialogue, findings, trap
from agentc.compiler.logic.finality import verdict
from agentc.compiler.logic.ir import and_, formula, not_, or_, prop
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.pipeline import check, read
from agentc.compiler.writer import GeneratorIR, PhaseIR, ToolIR, WriterIR
from agentc.lang.source import Source

TEXT = (GeneratorIR("text", until="\n"),)
WRITER = WriterIR(
    "m",
    (PhaseIR("think", TEXT), PhaseIR("act", (GeneratorIR("call", ("look", "stop")),)), PhaseIR("say", TEXT)),
    (ToolIR("look", ()), ToolIR("stop", ())),
)
ANSWERED = replace(WRITER, phases=(*WRITER.phases[:2], PhaseIR("reply", (GeneratorIR("result", ("act",)),))))
EVENTS = (("think", None), ("act", "look"), ("act", "stop"), ("say", None), ("reply", None))


def agent(writer, promise, role="behavior"):
    names = [*(p.name for p in writer.phases), *(t.name for t in writer.tools)]
    signals = tuple(SignalIR(n, "bool", phase=True) for n in names)
    return AgentIR("A", None, None, signals, (), (FormulaIR("f", role, promise, ""),), None, None, writer=writer)


def valuation(writer, event):
    names = [*(p.name for p in writer.phases), *(t.name for t in writer.tools)]
    return {n: n in event for n in names}


def random_formula(randomness, names, depth):
    if depth == 0:
        return prop(randomness.choice(names))
    a = random_formula(randomness, names, depth - 1)
    b = random_formula(randomness, names, randomness.randrange(depth))
    interval = randomness.choice((None, None, (0, 2), (1, 3)))
    return randomness.choice((
        not_(a), and_(a, b), or_(a, b), formula("implies", (a, b)), formula("X", (a,)), formula("WX", (a,)),
        formula("F", (a,), interval), formula("G", (a,), interval), formula("U", (a, b), interval),
        formula("R", (a, b), interval), formula("W", (a, b)), formula("Y", (a,)), formula("O", (a,), interval),
        formula("S", (a, b)), formula("H", (a,)), formula("first"), formula("last"),
    ))  # fmt: skip


def next_events_agree(cases, seed):
    """Compare the events that may follow random prefixes with the reference's finality; the number compared."""
    randomness = random.Random(seed)
    names = ["think", "act", "say", "look", "stop"]
    events = [e for e in EVENTS if e[0] != "reply"]
    letters = [valuation(WRITER, e) for e in events]
    compared = 0
    while compared < cases:
        promise = random_formula(randomness, names, randomness.randrange(1, 4))
        game = dialogue(agent(WRITER, promise))
        for _ in range(4):
            position, prefix = START, []
            while True:
                possible = {e for e in events if verdict(promise, Trace([*prefix, valuation(WRITER, e)]), letters)
                            is not Verdict.FALSE}  # fmt: skip
                allowed = {(m.choice.phase, m.choice.tool) for m in game.legal(position)}
                assert allowed == possible, (promise, prefix)
                assert game.accepting(position) == (bool(prefix) and evaluate(promise, Trace(prefix)))
                compared += 1
                if not possible or len(prefix) == 3:
                    break
                event = randomness.choice(sorted(possible, key=str))
                position = game.advance(position, *event, {})
                prefix.append(valuation(WRITER, event))
    return compared


def test_what_may_follow_is_what_the_reference_leaves_open():
    assert next_events_agree(600, "next events") >= 600


@pytest.mark.slow
def test_what_may_follow_on_ten_thousand():
    assert next_events_agree(10_000, "more next events") >= 10_000


def can_end(promise, prefix, steps):
    """Minimax on the reference semantics: whether the agent can end a run that keeps its promise within ``steps``."""
    after_call = bool(prefix) and prefix[-1]["act"]
    if after_call and leads_on(promise, [*prefix, valuation(ANSWERED, ("reply",))]):
        return steps > 0 and can_end(promise, [*prefix, valuation(ANSWERED, ("reply",))], steps - 1)
    if prefix and evaluate(promise, Trace(prefix)):
        return True
    return steps > 0 and any(
        can_end(promise, [*prefix, valuation(ANSWERED, e)], steps - 1)
        for e in EVENTS
        if e[0] not in ("reply", "say")
    )


def leads_on(promise, prefix):
    letters = [valuation(ANSWERED, e) for e in EVENTS if e[0] != "say"]
    return verdict(promise, Trace(prefix), letters) is not Verdict.FALSE


def test_ranks_are_those_of_a_minimax_on_the_reference():
    randomness = random.Random("ranks")
    names = ["think", "act", "reply", "look", "stop"]
    seen = set()
    for _ in range(120):
        promise = random_formula(randomness, names, randomness.randrange(1, 4))
        game = dialogue(agent(ANSWERED, promise))
        rank = game.rank.get(START)
        for steps in range(4):
            assert can_end(promise, [], steps) == (rank is not None and rank <= steps), (promise, steps)
        seen.add(rank)
    assert {None, 1, 2} <= seen


SPEC = """agent Clerk {{
  model "m"
  tool look() -> text
  tool pay(amount : int in [0, 500], to : text[1..5])
  phase act = call(look | pay)
  phase reply = result(act)
  {promises}
}}"""


def clerk(promises):
    result = check(Source("clerk.agentspec", SPEC.format(promises=promises)))
    assert result.ok, [d.message for d in result.diagnostics]
    return result.agents[0]


def test_a_reply_that_leaves_no_way_on_is_told():
    made = clerk("behavior b = act & G (look -> X reply) & G !contains(reply.text, \"no\") & F reply")
    game = dialogue(made)
    (found,) = findings(made, game)
    assert found.code == "AS1405" and "act: look; reply (the environment)" in found.message
    assert trap(game)[0][-1] == "reply (the environment)"


def test_arguments_are_told_apart_where_the_promises_do():
    made = clerk("safe small = G (pay -> pay.amount <= 100 | O look)\n  behavior b = F pay")
    game = dialogue(made)
    moves = [m.choice for m in game.legal(START) if m.choice.tool == "pay"]
    assert len(moves) == 1 and list(moves[0].truth.values()) == [True]
    position = game.advance(START, "act", "look", {})
    assert position in game.answers
    position = game.advance(position, "reply", None, {})
    assert len([m for m in game.legal(position) if m.choice.tool == "pay"]) == 2


def test_what_must_be_quoted_waits_until_something_was_seen():
    made = clerk("behavior b = F pay & G (pay -> pay.to in seen(reply))")
    game = dialogue(made)
    assert {m.choice.tool for m in game.legal(START)} == {"look"}
    assert findings(made, game) == ()


def test_shipped_agents_can_always_end():
    (made,) = check(read("specs/researcher.agentspec")).agents
    game = dialogue(made)
    assert game.won(START) and findings(made, game) == ()
    for position in game.rank:
        assert game.accepting(position) or game.legal(position) or position in game.answers
