"""Contents by JSON Schema and Lark grammar, and by what was seen, under the decoder."""

import json
import re

import numpy as np
import pytest

from agentc.compiler.backends.decoder import check_contents
from agentc.compiler.decoder.dialogue import START, dialogue
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source

pytest.importorskip("llguidance")

from agentc.runtime.llm.decoder import Decoder, run_random
from agentc.runtime.llm.vocabulary import Vocabulary

EOS = 3
WORDS = [
    b"Plan: ", b'{"to', b'": "Rome"', b"<eos>", b", ", b'"days": ', b"Act: ", b'ok {"t": {"v": ', b'}, "n": ', b"}\n",
    b"))", b"((", b"a)\n", b': {"v"', b'"l": ', b"}}", b"9}", b"AB", b'ticket {"id": "', b" tic", b'"(a', b')"}',
]  # fmt: skip
MERGED = Vocabulary.of_tokens([*WORDS, *(bytes([b]) for b in range(256))], EOS)

TRIP = {
    "type": "object", "additionalProperties": False, "required": ["to"],
    "properties": {"to": {"enum": ["Rome", "Oslo"]}, "days": {"type": "integer", "minimum": 1, "maximum": 12}},
}  # fmt: skip
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {"node": {"type": "object", "additionalProperties": False, "required": ["v"], "properties": {
        "v": {"type": "integer", "minimum": 0, "maximum": 99}, "l": {"$ref": "#/$defs/node"}}}},
}  # fmt: skip
NESTED = 'start: "(" start? ")" | "a"\n'


def quoted(schema):
    return json.dumps(schema if isinstance(schema, str) else json.dumps(schema))


REGULAR = f"""agent Planner {{
  model "m"
  phase plan = json({quoted(TRIP)})
  phase list = grammar({quoted('start: ITEM ("," ITEM)*' + chr(10) + 'ITEM: "tea" | "salt"')})
  behavior b = F (plan & contains(plan.text, "Rome")) & F list & G (list -> !contains(list.text, "salt"))
}}"""
FREE = f"""agent Planner {{
  model "m"
  tool ok(t : json({quoted(TREE)}), n : int in [0, 9])
  tool ticket(id : regex("[A-Z]{{2}}"), how : grammar({quoted(NESTED)}))
  phase plan = grammar({quoted(NESTED)})
  phase act = call(ok | ticket)
  phase reply = result(act)
  behavior b = F plan & F ok & G (ok -> ok.n > 4) & G (act -> WX reply)
  behavior ids = G (ticket -> ticket.id in seen(reply))
}}"""


def agent(text):
    result = check(Source("planner.agentspec", text))
    assert result.ok, [d.message for d in result.diagnostics]
    check_contents(result.agents[0])
    return result.agents[0]


def kept(made, session):
    return all(evaluate(f.formula, Trace(session.valuations)) for f in made.formulas)


@pytest.mark.parametrize("vocabulary", [Vocabulary.of_bytes(), MERGED], ids=["bytes", "merged"])
def test_regular_schemas_keep_promises_and_budgets(vocabulary):
    made = agent(REGULAR)
    decoder = Decoder(made, vocabulary)
    least = decoder.token_costs()[START]
    for seed in range(8):
        session = run_random(decoder.start(max_tokens=least + 3 * seed), np.random.default_rng(seed))
        assert session.tokens <= least + 3 * seed and kept(made, session)
        for step in session.steps:
            if step.phase == "plan":
                trip = json.loads(step.text)
                assert trip["to"] in ("Rome", "Oslo") and trip.get("days", 1) in range(1, 13)


@pytest.mark.parametrize("vocabulary", [Vocabulary.of_bytes(), MERGED], ids=["bytes", "merged"])
def test_free_content_keeps_promises(vocabulary):
    made = agent(FREE)
    decoder = Decoder(made, vocabulary)
    trees = tickets = 0
    for seed in range(8):
        session = run_random(decoder.start(max_steps=25), np.random.default_rng(seed), lambda _: "AB or QX")
        assert kept(made, session), session.steps
        for step in session.steps:
            if step.tool == "ok":
                node, trees = json.loads(str(step.arguments["t"])), trees + 1
                while node is not None:
                    assert set(node) <= {"v", "l"} and node["v"] in range(100)
                    node = node.get("l")
            if step.tool == "ticket":
                assert step.arguments["id"] in ("AB", "QX")
                tickets += 1
            if step.phase == "plan":
                assert step.text == step.text[::-1].translate(str.maketrans("()", ")("))
    assert trees and tickets


def test_masks_are_those_of_bytes():
    """A token is legal exactly where its bytes are, one by one, also across label, content and end."""
    made = agent(FREE)
    tokens, letters = Decoder(made, MERGED), Decoder(made, Vocabulary.of_bytes())
    randomness = np.random.default_rng(5)
    compared = 0
    for _ in range(4):
        a, b = tokens.start(max_steps=6), letters.start(max_steps=6)
        while not a.ended and compared < 4000:
            if a.answering:
                a.answer("AB")
                b.answer("AB")
                continue
            legal = a.legal()
            for token, data in enumerate(MERGED.bytes_of):
                if data and token < len(WORDS):
                    assert legal[token] == spelled(b.fork(), data), (token, data)
                    compared += 1
            token = int(randomness.choice(np.flatnonzero(legal)))
            a.advance(token)
            if token == EOS:
                break
            for byte in MERGED.bytes_of[token]:
                b.advance(byte)
    assert compared > 1000


def spelled(session, data):
    for i, byte in enumerate(data):
        if not session.legal()[byte]:
            return False
        if session.advance(byte) is not None:
            return i == len(data) - 1  # no token crosses the end of a step
    return True


def test_a_limit_on_tokens_needs_regular_content():
    decoder = Decoder(agent(FREE), Vocabulary.of_bytes())
    with pytest.raises(AgentcError) as caught:
        decoder.start(max_tokens=500)
    assert caught.value.diagnostics[0].code == "AS1454" and "recursive" in str(caught.value)


IDS = """agent Clerk {{
  model "m"
  tool find() -> text
  tool open(id : regex("[A-Z]{{2}}[0-9]"))
  phase act = call(find | open)
  phase reply = result(act)
  phase say = text until "\\n" max 40 tokens
  {promise}
}}"""


def test_what_may_not_be_there_to_quote_is_not_relied_on():
    promise = "behavior b = F (act & open) & G (open -> open.id in seen(reply)) & G (act -> X reply)"
    game = dialogue(agent(IDS.format(promise=promise)))
    assert not game.won(START)  # no reply may ever have an id
    promise = "behavior b = say & F act & G (open -> open.id in seen(reply)) & G (act -> X reply)"
    made = agent(IDS.format(promise=promise))
    decoder = Decoder(made, Vocabulary.of_bytes())
    for reply, opened in (("none", False), ("ids: AB1, QX7", True)):
        calls = set()
        for seed in range(6):
            session = run_random(decoder.start(250, 12), np.random.default_rng(seed), lambda _, r=reply: r)
            assert kept(made, session)
            calls |= {str(s.arguments["id"]) for s in session.steps if s.tool == "open"}
        assert calls <= {"AB1", "QX7"} and bool(calls) == opened


def test_a_quote_can_be_narrowed():
    promise = """behavior b = say & F act & G (act -> X reply)
      & G (open -> open.id in seen(reply) & starts_with(open.id, "A"))"""
    made = agent(IDS.format(promise=promise))
    decoder = Decoder(made, Vocabulary.of_bytes())
    calls = set()
    for seed in range(8):
        session = run_random(decoder.start(250, 12), np.random.default_rng(seed), lambda _: "AB1, QX7, AC2")
        assert kept(made, session)
        calls |= {str(s.arguments["id"]) for s in session.steps if s.tool == "open"}
    assert calls == {"AB1", "AC2"}


def test_texts_without_a_pattern():
    made = agent("""agent Clerk {
      model "m"
      phase say = text until "\\n" max 60 tokens where !matches(say.text, ".*[0-9]{3}.*")
      behavior b = say & X say
    }""")
    decoder = Decoder(made, Vocabulary.of_bytes())
    randomness = np.random.default_rng(0)
    for _ in range(5):
        session = decoder.start(150)
        while not session.ended:
            legal = np.flatnonzero(session.legal())
            digits = [t for t in legal if chr(t) in "0123456789"]
            session.advance(int(randomness.choice(digits if digits else legal)))
        for step in session.steps:
            assert not re.search("[0-9]{3}", step.text)
            assert re.search("[0-9]{2}", step.text)


def test_json_arguments_reach_tools_and_guards():
    from agentc.runtime.llm.guard import Guard
    from agentc.runtime.llm.tools import Toolbox, schema_of

    made = agent(f"""agent Desk {{
      model "m"
      tool go(trip : json({quoted(TRIP)}), id : regex("[A-Z]{{2}}"))
      phase act = call(go)
      behavior b = G (go -> !contains(go.trip, "Oslo"))
    }}""")
    (tool,) = made.writer.tools
    got = []
    Toolbox((tool,), {"go": lambda trip, id: got.append((trip, id))}).call("go", {"trip": '{"to": "Rome"}', "id": "AB"})
    assert got == [({"to": "Rome"}, "AB")]
    assert schema_of(tool)["properties"] == {"trip": TRIP, "id": {"type": "string", "pattern": "^(?:[A-Z]{2})$"}}
    guard = Guard(made)
    assert guard.propose("go", {"trip": {"days": 3, "to": "Rome"}, "id": "AB"}).outcome == "allow"
    for trip, name in (({"to": "Oslo"}, "AB"), ({"to": "Bonn"}, "AB"), ({"to": "Rome"}, "abc"), ("Rome", "AB")):
        assert guard.propose("go", {"trip": trip, "id": name}).outcome == "deny"


def test_what_is_not_regular_is_not_sent_to_servers():
    from agentc.runtime.llm.served_writer import _Piece

    session = Decoder(agent(FREE), Vocabulary.of_bytes()).start()
    with pytest.raises(AgentcError) as caught:
        _Piece(None, session, print)
    assert caught.value.diagnostics[0].code == "AS1475"
