"""Forced tokens: a run of the embedded model that reads them in one pass, beside the run that goes token by token.

The agent books: most of what it writes are the names of the arguments, which nothing else could stand for. Ordinary
decoding is the same run with a mask and a pass of the model for each token. Greedy, so the two write the same text.
The prompt has been read before, all but its last token; the limit of tokens is far, since near it nothing is
forced that might not fit. Seconds are those of the processor.
"""

from __future__ import annotations

import statistics
import time
from unittest import mock

import numpy as np

from agentc.benchmarks.rows import Row
from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.llm.decoder import Decoder, Session
from agentc.runtime.llm.models import Stream, TransformersModel
from agentc.runtime.llm.run import RunResult, RunSettings, run_agent
from agentc.runtime.llm.world import Silent

SPEC = """agent Desk {
  model "smollm2-135m-instruct"
  tool book(name : text[5..12], destination_airport : enum {oslo, rome, paris}, number_of_passengers : int in [1, 9],
    include_checked_baggage : bool, preferred_travel_class : bool)
  phase action = call(book)
  behavior b = action & last
}"""
MESSAGE = "Book a flight to Rome for two people with one suitcase, by the window, economy class."


class _Begun:
    """A model whose prompt has been read but for the last token."""

    def __init__(self, model: TransformersModel) -> None:
        self.name, self.vocabulary = model.name, model.vocabulary
        *before, self._last = model.prompt("", MESSAGE)
        self._stream = model.stream()
        self._stream.read(before)

    def prompt(self, system: str, user: str) -> list[int]:
        return [self._last]

    def stream(self) -> Stream:
        return self._stream.fork()


def rows(model: TransformersModel, rounds: int) -> list[Row]:
    """How much faster, with a bootstrap interval of the median, and whether the texts are the same."""
    (agent,) = check(Source("desk.agentspec", SPEC)).agents
    decoder = Decoder(agent, model.vocabulary)
    begun = _Begun(model)
    _timed(decoder, begun, True)  # compiles what is compiled once
    pairs = [(_timed(decoder, begun, True), _timed(decoder, begun, False)) for _ in range(rounds)]
    same = all(a[1].steps == b[1].steps for a, b in pairs)
    ratios = [b[0] / a[0] for a, b in pairs]
    quick, slow = statistics.median(a[0] for a, _ in pairs), statistics.median(b[0] for _, b in pairs)
    made = pairs[0][0][1]
    draws = np.random.default_rng(0).choice(ratios, (2_000, rounds))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    gain = statistics.median(ratios)
    note = (
        f"{made.forced} of {made.tokens} tokens forced, {made.passes} passes; x{gain:.2f}, 95 % interval "
        f"[{low:.2f}, {high:.2f}], {rounds} pairs; the same text: {'yes' if same else 'NO'}"
    )
    case = f"a run with {100 * made.forced / made.tokens:.0f} % forced tokens"
    holds = gain >= 3.0 and same
    return [Row(case, quick, slow, "token by token", quick / slow, "s", "<= 1/3", holds, note)]


def _timed(decoder: Decoder, model: _Begun, forced: bool) -> tuple[float, RunResult]:
    world = Silent(MESSAGE, {"book": lambda **_: "booked"})
    begin = time.process_time()
    if forced:
        result = run_agent(decoder, model, world, RunSettings(max_tokens=1000))
    else:
        with mock.patch.object(Session, "forced", lambda _: []):
            result = run_agent(decoder, model, world, RunSettings(max_tokens=200))
    return time.process_time() - begin, result
