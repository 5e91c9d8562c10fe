"""Runs on random agents: conforming under the decoder, often not without it, and judged by one meaning."""

import json
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("llguidance")

from agentc.benchmarks import conformance
from agentc.benchmarks.conformance import conforms, kept, random_run, random_runs, small_vocabulary, start
from agentc.benchmarks.random_agents import agent_text, drawn
from agentc.compiler.logic.trace import Trace
from agentc.runtime.llm.decoder import Decoder
from agentc.runtime.llm.verdicts import keeps
from agentc.runtime.llm.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def vocabulary():
    return small_vocabulary()


def test_runs_under_the_decoder_conform_and_others_often_do_not(vocabulary, monkeypatch):
    monkeypatch.setattr(conformance, "RUNS", 3)
    found = [random_runs(seed, text, agent, vocabulary) for seed, text, agent in islice(drawn(), 6)]
    assert all(r.conforming == r.runs == 3 for r in found)
    assert sum(r.by_chance for r in found) < sum(r.runs for r in found)
    assert sum(r.steps for r in found) > sum(r.runs for r in found)


def test_a_safe_that_is_open_at_the_end_is_kept_and_a_behavior_is_not(vocabulary):
    compared = {True: 0, False: 0}
    for seed, _, agent in islice(drawn(), 12):
        free = Decoder(replace(agent, formulas=()), vocabulary)
        for k in range(2):
            session = random_run(start(free, np.random.default_rng((seed, k))), np.random.default_rng((seed, k, 1)))
            trace = Trace(session.valuations)
            for item in agent.of_role("behavior", "safe"):
                by_reference = kept(replace(agent, formulas=(item,)), session)
                assert keeps(agent, item, trace) == by_reference, (seed, k, item.source)
                compared[by_reference] += 1
    assert min(compared.values()) > 3


def test_a_run_beyond_its_limits_or_without_an_end_does_not_conform(vocabulary):
    _, _, agent = next(drawn())
    session = random_run(start(Decoder(agent, vocabulary), np.random.default_rng(0)), np.random.default_rng(1))
    assert conforms(agent, session)
    session.max_tokens = session.tokens - 1
    assert not conforms(agent, session)
    session.max_tokens, session.ended = session.tokens, False
    assert not conforms(agent, session)


def test_rows_of_a_batch_have_agents_of_their_own(monkeypatch):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    words = Vocabulary.of_bytes()
    config = transformers.LlamaConfig(
        vocab_size=words.size, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=2048, pad_token_id=words.eos, eos_token_id=words.eos,
        bos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    model = SimpleNamespace(
        name="tiny", vocabulary=words, model=transformers.LlamaForCausalLM(config).eval(),
        prompt=lambda system, user: words.spell(user),
    )  # fmt: skip
    monkeypatch.setattr(conformance, "BATCH", 5)
    found = conformance.batch(model, conformance.MODEL_SEEDS)
    assert len({r.agent for r in found}) == 5 and all(r.conforming == r.runs == 1 for r in found)
    assert any(r.steps > 1 for r in found)


def test_what_is_recorded_is_not_run_again_unless_its_agent_is_another(tmp_path, monkeypatch):
    monkeypatch.setattr(conformance, "RUNS", 1)
    path = tmp_path / "own" / "conformance.jsonl"
    first = conformance.carry_out(path, agents=2, batches=0)
    assert [r.seed for r in conformance.carry_out(path, agents=3, batches=0)][:2] == [r.seed for r in first]
    rows = path.read_text().splitlines()
    assert len(rows) == 3
    path.write_text("\n".join([json.dumps({**json.loads(rows[0]), "agent": "another"}), *rows[1:]]) + "\n")
    assert len(conformance.read(path)) == 2
    assert sorted(r.seed for r in conformance.carry_out(path, agents=3, batches=0)) == sorted(
        seed for seed, _, _ in islice(drawn(), 3)
    )


def test_the_record_says_what_it_is_of():
    done = conformance.read(conformance.RECORDED)
    assert all(r.agent == conformance.digest(agent_text(r.seed)) for r in done)
    shown = {row.case: row for row in conformance.rows(done)}
    assert all(row.holds is not False for row in shown.values())
