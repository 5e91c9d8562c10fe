"""What a run shows: the state, what may follow, which rule forbids what; live, and again from the transcript."""

import click
import pytest

from agentc.compiler.pipeline import check
from agentc.lang.source import Source

pytest.importorskip("llguidance")

from agentc.runtime.cli.run_view import RunView
from agentc.runtime.llm.decoder import Decoder
from agentc.runtime.llm.run import RunSettings, run_agent
from agentc.runtime.llm.standing import TOGETHER, Standing
from agentc.runtime.llm.transcript import read_transcript
from agentc.runtime.llm.vocabulary import Vocabulary
from agentc.runtime.llm.world import Silent

from .models import RandomModel

BYTES = Vocabulary.of_bytes()
CLERK = """agent Clerk {
  model "m"
  tool find(name : text[1..6])
  tool pay(order : int in [1, 20])
  phase thought = text until "\\n" max 12 tokens
  phase action = call(find | pay)
  phase reply = result(action)
  behavior looked = G (pay -> O find)
  behavior acts = G (thought -> X action)
  behavior paid = F pay & G (pay -> X (reply & last))
  behavior little = G (find -> WX G !find)
}"""


def clerk(text=CLERK):
    (agent,) = check(Source("clerk.agentspec", text)).agents
    return Decoder(agent, BYTES)


def write(session, text):
    for byte in text.encode():
        session.advance(byte)


def test_which_rule_forbids_what():
    decoder = clerk()
    session, standing = decoder.start(max_steps=9), Standing(decoder)
    first = standing.now(session)
    assert first["may"] == ["thought", "find"]
    assert first["forbidden"]["pay"] == ["looked"] and "paid" in first["forbidden"]["end"]
    write(session, "Thought: a\n")
    assert standing.now(session)["may"] == ["find"]
    assert standing.now(session)["forbidden"]["thought"] == ["acts"]
    write(session, 'Action: find {"name": "a"}\n')
    assert standing.now(session)["may"] == ["reply"] and standing.now(session)["forbidden"] == {}
    session.answer("order 7")
    assert standing.now(session)["may"] == ["thought", "pay"]
    assert standing.now(session)["forbidden"]["find"] == ["little"]
    write(session, 'Action: pay {"order": 7}\n')
    session.answer("done")
    last = standing.now(session)
    assert last["may"] == ["end"] and last["accepting"] and last["forbidden"]["pay"] == ["paid"]
    short = decoder.start(max_steps=4)
    assert Standing(decoder).now(short)["forbidden"]["thought"] == [TOGETHER]  # it would not fit


@pytest.mark.parametrize("streams", [False, True])
def test_a_run_and_its_replay(tmp_path, monkeypatch, capsys, streams):
    from agentc.runtime.cli.application import invoke

    path = tmp_path / "run.jsonl"
    world = Silent("order 7", {"find": lambda name: "found", "pay": lambda order: "paid"})
    settings = RunSettings(max_tokens=200, max_steps=8, seed=3, temperature=1.0)
    result = run_agent(clerk(), RandomModel(BYTES, 3), world, settings, transcript=path, listen=RunView(streams))
    shown = click.unstyle(capsys.readouterr().out)
    assert "user      order 7" in shown and "not pay (looked)" in shown and "(accepted)" in shown
    states = [e["state"] for e in read_transcript(path) if "state" in e]
    assert shown.count("  state ") == len(states) == len(result.steps) + 1
    if streams:
        for step in result.steps:
            assert step.text in shown if step.phase != "reply" else "reply     " in shown
    assert invoke(["run", "--replay", str(path)]) == 0
    again = click.unstyle(capsys.readouterr().out)
    assert again.count("  state ") == len(states) and "promises: by construction" in again
    if not streams:
        assert again.startswith(shown)


def test_a_replay_of_what_is_malformed_or_torn(tmp_path, capsys):
    from agentc.runtime.cli.application import invoke

    path = tmp_path / "run.jsonl"
    lines = ['{"event": "start"}', '{"event": "step"}', '{"event": "what"}', '{"event": "error", "text": ["no"]}']
    path.write_text("\n".join([*lines, '{"ev']))
    assert invoke(["run", "--replay", str(path)]) == 0
    assert "error: no" in click.unstyle(capsys.readouterr().out)


def test_labels_of_origin_hold_in_runs():
    copied = "task copied = F (pay & pay.order from user)"
    decoder = clerk(CLERK.replace("behavior little = G (find -> WX G !find)", copied))
    stream = 'Action: find {"name": "a"}\n', 'Action: pay {"order": 7}\n'

    class Writer(RandomModel):
        """Writes what it is told to, byte by byte."""

    model = Writer(BYTES)
    model.stream = lambda: Scripted("".join(stream))
    world = Silent("order 7", {"find": lambda name: "found", "pay": lambda order: "paid"})
    assert run_agent(decoder, model, world, RunSettings(max_steps=8)).satisfied == {"copied": True}
    model.stream = lambda: Scripted("".join(stream).replace("7", "8"))
    assert run_agent(decoder, model, world, RunSettings(max_steps=8)).satisfied == {"copied": False}


class Scripted:
    """Logits that prefer the next byte of a text; what the environment writes is passed over."""

    def __init__(self, text):
        import numpy as np

        self.np, self.text, self.at, self.length = np, text.encode(), 0, 0

    def read(self, tokens):
        written = bytes(t for t in tokens if t < 256)
        for n in range(len(written), 0, -1):
            if self.text[self.at : self.at + n] == written[-n:]:
                self.at += n
                break
        found = self.np.zeros(BYTES.size, self.np.float32)
        if self.at < len(self.text):
            found[self.text[self.at]] = 9.0
        return found
