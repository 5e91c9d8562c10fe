"""The token decoder: random models under it keep every promise, and every limit."""

import random

import numpy as np
import pytest

from agentc.compiler.decoder.dialogue import START
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check, read
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source

pytest.importorskip("llguidance")

from agentc.runtime.llm.decoder import Decoder, run_random
from agentc.runtime.llm.vocabulary import Vocabulary

EOS = 7
WORDS = [
    b"Act", b"ion: ", b"Thought", b": ", b"search {", b'"query": "', b"finish", b"<eos>", b'"}', b'"}\n', b"\n",
    b"the ",    b"tea", b" is green", "\u00e9".encode(), b' {"answer": "', b"th", b"e te", b"a", b"0.5", b"12",
]  # fmt: skip
MERGED = Vocabulary.of_tokens([*WORDS, *(bytes([b]) for b in range(256))], EOS)

SPECS = {
    "researcher": None,
    "amounts": """agent Clerk {
      model "m"
      tool pay(amount : real in [0, 500], to : enum {ann, bob}, note : text[0..4])
      tool ask(who : enum {ann, bob}, times : int in [-3, 12], loud : bool)
      phase act = call(pay | ask)
      phase reply = result(act)
      phase why = regex("because [a-z]{1,5}") where why.text != "because no"
      behavior b = F[<= 6] (pay & pay.to == bob) & G (pay -> pay.amount >= 12.5 & Y why) & G (act -> WX reply)
      safe s = G (ask -> ask.times > 10 | (ask.loud & O pay))
    }""",
    "plans": """agent Planner {
      model "m"
      phase plan = choice("go", "wait", "go on") max 12 tokens
      phase note = text until ";" max 9 tokens
      behavior b = plan & F (plan & plan.text == "go on") & G (note -> WX plan) & F[1, 4] note
      safe s = G (plan & Y plan -> plan.text != "wait")
    }""",
}


def agent(name):
    text = SPECS[name]
    result = check(read("specs/researcher.agentspec") if text is None else Source(f"{name}.agentspec", text))
    assert result.ok, [d.message for d in result.diagnostics]
    return result.agents[0]


def kept(made, session):
    trace = Trace(session.valuations)
    return all(evaluate(f.formula, trace) for f in made.formulas if f.role in ("behavior", "safe"))


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("vocabulary", [Vocabulary.of_bytes(), MERGED], ids=["bytes", "merged"])
def test_random_models_keep_their_promises(name, vocabulary):
    made = agent(name)
    decoder = Decoder(made, vocabulary)
    randomness = np.random.default_rng(list(name.encode()))
    for trial in range(12):
        least = decoder.token_costs(steps := int(randomness.integers(12, 40)))[START]
        limit = least + int(randomness.integers(0, 150)) if trial else least
        session = run_random(decoder.start(max_tokens=limit, max_steps=steps), randomness, answer(randomness))
        assert session.tokens <= limit and len(session.steps) <= steps
        assert kept(made, session), session.steps


def answer(randomness):
    texts = ("", "the tea is green", "line\nbreak \\ \"quoted\"", "\u00e9")
    return lambda session: texts[int(randomness.integers(len(texts)))]


@pytest.mark.slow
def test_ten_thousand_random_runs():
    randomness = np.random.default_rng(0)
    runs = 0
    while runs < 10_000:
        for name in SPECS:
            made = agent(name)
            decoder = Decoder(made, MERGED)
            least = decoder.token_costs()[START]
            for _ in range(500):
                limit = least + int(randomness.integers(0, 60))
                session = run_random(decoder.start(max_tokens=limit, max_steps=None), randomness, answer(randomness))
                assert kept(made, session) and session.tokens <= limit
                runs += 1


def test_the_least_budget_is_exact():
    made = agent("plans")
    decoder = Decoder(made, MERGED)
    least = decoder.token_costs()[START]
    with pytest.raises(AgentcError) as caught:
        decoder.start(max_tokens=least - 1)
    assert caught.value.diagnostics[0].code == "AS1407"
    with pytest.raises(AgentcError):
        decoder.start(max_steps=1)


def shortest_run(session, bound):
    """The fewest tokens to an end, by trying all tokens; None above ``bound``."""
    if session.accepting:
        return 0
    if bound == 0:
        return None
    found = None
    for token in np.flatnonzero(session.legal()):
        other = session.fork()
        other.advance(int(token))
        rest = shortest_run(other, (found if found is not None else bound) - 1)
        if rest is not None and (found is None or rest + 1 < found):
            found = rest + 1
    return found


def test_costs_are_the_fewest_tokens():
    text = """agent Short {
      model "m"
      phase p = choice("ab", "b")
      behavior b = X p
    }"""
    (made,) = check(Source("short.agentspec", text)).agents
    vocabulary = Vocabulary.of_tokens([b"P", b": ", b"P: ", b"a", b"b", b"ab", b"b\n", b"", b"\n"], EOS)
    decoder = Decoder(made, vocabulary)
    assert decoder.token_costs()[START] == 4 == shortest_run(decoder.start(), 5)


def test_every_legal_token_leaves_a_way_to_the_end():
    made = agent("plans")
    decoder = Decoder(made, MERGED)
    randomness = random.Random("ways")
    least = decoder.token_costs()[START]
    for _ in range(3):
        session = decoder.start(max_tokens=least + 3)
        while not session.ended:
            legal = np.flatnonzero(session.legal())
            assert len(legal)
            for token in legal:
                if token != EOS:
                    session.fork().advance(int(token))
            session.advance(int(randomness.choice(list(legal))))
        assert kept(made, session)


def test_the_end_is_legal_exactly_where_the_promises_hold():
    made = agent("plans")
    decoder = Decoder(made, Vocabulary.of_bytes())
    randomness = np.random.default_rng(3)
    for _ in range(5):
        session = decoder.start(max_tokens=200, max_steps=12)
        while not session.ended:
            legal = session.legal()
            between = not session._raw
            holds = between and bool(session.steps) and kept(made, session)
            assert legal[decoder.vocabulary.eos] == holds
            session.advance(int(randomness.choice(np.flatnonzero(legal))))


def test_forced_tokens_have_no_alternative():
    made = agent("researcher")
    decoder = Decoder(made, Vocabulary.of_bytes())
    session = decoder.start()
    forced = session.forced()
    assert bytes(forced) == b"Thought: "
    for token in forced:
        assert np.flatnonzero(session.legal()).tolist() == [token]
        session.advance(token)


def test_misuse_is_refused():
    decoder = Decoder(agent("researcher"), Vocabulary.of_bytes())
    session = decoder.start()
    for wrong in (ord("X"), decoder.vocabulary.eos):
        with pytest.raises(ValueError):
            session.advance(wrong)
    with pytest.raises(ValueError):
        decoder.start().answer("no result is due")
