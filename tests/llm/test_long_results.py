"""Quotations from long results: legal while there is room; near the limit a diagnostic, and the transcript is kept."""

import numpy as np
import pytest

from agentc.compiler.pipeline import check
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source

pytest.importorskip("llguidance")

from agentc.runtime.llm.decoder import Decoder
from agentc.runtime.llm.run import RunSettings, run_agent
from agentc.runtime.llm.transcript import read_transcript
from agentc.runtime.llm.vocabulary import Vocabulary
from agentc.runtime.llm.world import Silent

from .models import RandomModel

BYTES = Vocabulary.of_bytes()
READER = """agent Reader {
  model "m"
  tool read() -> text
  tool finish(answer : text[1..60])
  phase action = call(read | finish)
  phase reply = result(action)
  behavior quotes = action & read & X reply & X X (finish & finish.answer in seen(reply) & X (reply & last))
}"""


class Endless(RandomModel):
    """Closes no quotation while it need not."""

    def stream(self):
        stream = super().stream()
        stream.after = lambda tokens: np.array([-9.0 * (t == ord('"')) for t in range(BYTES.size)], np.float32)
        return stream


def test_long_results_can_be_quoted_and_never_break_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr("agentc.runtime.llm.points.QUOTED_STATES", 5_000)
    (agent,) = check(Source("reader.agentspec", READER)).agents
    decoder = Decoder(agent, BYTES)
    letters = np.random.default_rng(0).choice(list("abcdefgh ij"), 600)
    world = Silent("go", {"read": lambda: "".join(letters), "finish": lambda answer: "thanks"})
    result = run_agent(decoder, RandomModel(BYTES, 1), world, RunSettings(max_tokens=400, temperature=1.0))
    assert result.kept == {"quotes": True} and result.steps[2].arguments["answer"] in result.steps[1].text
    path = tmp_path / "run.jsonl"
    with pytest.raises(AgentcError) as caught:
        run_agent(decoder, Endless(BYTES), world, RunSettings(max_tokens=60), transcript=path)
    assert caught.value.diagnostics[0].code == "AS1403"
    events = [e["event"] for e in read_transcript(path)]
    assert events == ["start", "step", "result", "error"]
