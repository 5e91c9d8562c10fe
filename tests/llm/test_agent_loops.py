"""The sample agents of the loops under the decoder: whatever a model would write, the loop is kept and the run ends."""

from pathlib import Path

import numpy as np
import pytest

import agentc.specs
import agentc.stdlib
from agentc.compiler.decoder.dialogue import START
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check, read

pytest.importorskip("llguidance")

from agentc.runtime.llm.decoder import Decoder, run_random
from agentc.runtime.llm.vocabulary import Vocabulary

LIBRARY = Path(next(iter(agentc.stdlib.__path__))) / "agents"
SPECS = Path(next(iter(agentc.specs.__path__))) / "agents"
SAMPLES = [SPECS / path.name for path in sorted(LIBRARY.glob("*.agentspec"))]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_random_models_keep_to_the_loop(path: Path) -> None:
    randomness = np.random.default_rng(list(path.stem.encode()))
    for made in check(read(str(path))).agents:
        decoder = Decoder(made, Vocabulary.of_bytes())
        least = decoder.token_costs()[START]
        for extra in (0, 20, 80, 200):
            session = run_random(decoder.start(max_tokens=least + extra), randomness, lambda session: "seen")
            assert session.tokens <= least + extra
            trace = Trace(session.valuations)
            assert all(evaluate(f.formula, trace) for f in made.formulas), (made.name, session.steps)
