"""Agents that run: the loop, tools, transcripts, exact choices, the logits processor."""

import itertools
import json

import numpy as np
import pytest

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check, read
from agentc.compiler.writer import ArgumentIR, ToolIR
from agentc.lang.source import Source

pytest.importorskip("llguidance")

from agentc.runtime.llm.choices import choice_scores, exact_choice, log_softmax
from agentc.runtime.llm.decoder import Decoder
from agentc.runtime.llm.processor import PhaseLogitsProcessor
from agentc.runtime.llm.run import RunSettings, run_agent, settings_of
from agentc.runtime.llm.tools import MAX_RESULT, Toolbox, schema_of
from agentc.runtime.llm.transcript import read_transcript
from agentc.runtime.llm.vocabulary import Vocabulary
from agentc.runtime.llm.world import Silent
from agentc.runtime.llm.worlds.corpus_qa import NOTHING_FOUND, CorpusQA

from .models import RandomModel

BYTES = Vocabulary.of_bytes()


@pytest.fixture(scope="module")
def researcher():
    (agent,) = check(read("specs/researcher.agentspec")).agents
    return Decoder(agent, BYTES)


def test_a_run_keeps_its_promises_and_leaves_a_transcript(researcher, tmp_path):
    for seed in range(3):
        path = tmp_path / f"{seed}.jsonl"
        model = RandomModel(BYTES, seed)
        settings = RunSettings(max_tokens=400, temperature=1.0, seed=seed)
        result = run_agent(researcher, model, CorpusQA(), settings, transcript=path)
        assert all(result.kept.values()) and set(result.kept) == {"loop", "brief", "grounded"}
        assert result.tokens <= 400 and result.forced > 0
        events = list(read_transcript(path))
        assert [e["event"] for e in events][:: len(events) - 1] == ["start", "end"]
        written = [(e["phase"], e["text"]) for e in events[1:-1]]
        assert written == [(s.phase, s.text) for s in result.steps]
        assert events[-1]["kept"] == result.kept and "correct" in result.valuations[-1]


def test_forced_tokens_change_nothing_but_the_passes(researcher, monkeypatch):
    settings = RunSettings(max_tokens=300, temperature=0.0, seed=1)
    quick, slow = RandomModel(BYTES, 5), RandomModel(BYTES, 5)
    first = run_agent(researcher, quick, CorpusQA(), settings)
    monkeypatch.setattr("agentc.runtime.llm.decoder.Session.forced", lambda self: [])
    second = run_agent(researcher, slow, CorpusQA(), settings)
    assert first.steps == second.steps and first.tokens == second.tokens
    assert quick.passes < slow.passes and second.forced == 0


def test_exact_choices_are_the_models_own_conditional_distribution():
    model = RandomModel(BYTES, 3)
    stream = model.stream()
    logits = stream.read(BYTES.spell("begin "))
    options = [BYTES.spell(t) for t in ("search", "seek", "stop", "a")]
    weights = []
    for option in options:  # the probability of the whole text, by the chain rule
        chance, tokens = 1.0, stream.tokens
        for token in option:
            chance *= float(np.exp(log_softmax(stream.after(tokens)))[token])
            tokens = (*tokens, token)
        weights.append(chance)
    exact = np.array(weights) / sum(weights)
    randomness = np.random.default_rng(0)
    drawn = [exact_choice(stream, logits, options, 1.0, randomness) for _ in range(4000)]
    found = np.bincount(drawn, minlength=4) / 4000
    assert np.abs(found - exact).sum() / 2 < 0.04
    assert exact_choice(stream, logits, options, 0.0, randomness) == int(np.argmax(exact))


def test_an_agent_chooses_phases_and_tools_exactly():
    text = """agent Clerk {
      model "m"
      tool alpha()
      tool beta()
      tool alphabet()
      phase act = call(alpha | beta | alphabet)
      behavior b = act & last
      decode { choice exact; temperature 1.0; max_tokens 60 }
    }"""
    (agent,) = check(Source("clerk.agentspec", text)).agents
    decoder = Decoder(agent, BYTES)
    settings = settings_of(decoder)
    assert settings.exact and settings.temperature == 1.0 and settings.max_tokens == 60
    tools = {name: (lambda: "done") for name in ("alpha", "beta", "alphabet")}
    stream = RandomModel(BYTES, 2).stream()
    logits = stream.read(RandomModel(BYTES, 2).prompt("", "go"))
    session = decoder.start(60)
    options = session.options()
    texts = [bytes(o).decode() for o in options]
    assert sorted(texts) == ["Act: alpha {}\n", "Act: alphabet {}\n", "Act: beta {}\n"]
    scores = choice_scores(stream, logits, options)
    exact = np.exp(scores - scores.max())
    exact /= exact.sum()
    counts = dict.fromkeys(texts, 0)
    for seed in range(300):
        drawn = settings_of(decoder, seed=seed)
        result = run_agent(decoder, RandomModel(BYTES, 2), Silent("go", tools), drawn)
        counts[f"Act: {result.steps[0].text}\n"] += 1
    distance = sum(abs(counts[t] / 300 - e) for t, e in zip(texts, exact, strict=True)) / 2
    assert distance < 0.12


def test_tools_never_break_a_run():
    import time

    def call(function, timeout=20.0):
        tool = ToolIR("t", (ArgumentIR("x", "int"),), settings={"timeout": timeout})
        return Toolbox((tool,), {"t": function}).call("t", {"x": 1})

    assert call(lambda x: x + 1).text == "2"
    assert call(lambda x: 1 / 0).outcome == "error" and "ZeroDivisionError" in call(lambda x: 1 / 0).text
    assert call(lambda x: time.sleep(1), 0.02).outcome == "timeout"
    flood = call(lambda x: "a" * 10_000_000)
    assert flood.truncated and len(flood.text) < MAX_RESULT + 60
    assert call(lambda x: "a\x00b\x1bc").text == "abc"
    assert json.loads(call(lambda x: {"a": [1, None]}).text) == {"a": [1, None]}
    assert schema_of(ToolIR("t", (ArgumentIR("x", "int"),)))["properties"] == {"x": {"type": "integer"}}


def test_the_corpus_answers():
    world = CorpusQA("test")
    assert world.reset(3) == world.reset(3)
    for split, seed in itertools.product(("train", "test"), range(6)):
        world = CorpusQA(split)
        question = world.reset(seed)
        assert world.question["answer"] in world.search(question)
    assert world.search("zzz") == NOTHING_FOUND and world.lookup("zzz") == NOTHING_FOUND


@pytest.fixture(scope="module")
def planner():
    text = """agent Planner {
      model "m"
      phase plan = choice("go", "wait", "go on")
      phase note = regex("[a-c]{1,4}")
      behavior b = plan & F (plan & plan.text == "go on") & G (note -> WX plan) & F[1, 4] note
    }"""
    (agent,) = check(Source("planner.agentspec", text)).agents
    return Decoder(agent, BYTES)


class TestProcessor:
    """Under ``generate``: batches, beams, continuation."""

    torch = pytest.importorskip("torch")

    def model(self):
        transformers = pytest.importorskip("transformers")
        config = transformers.LlamaConfig(
            vocab_size=264, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=2, max_position_embeddings=512, pad_token_id=BYTES.eos, eos_token_id=BYTES.eos,
            bos_token_id=0,
        )  # fmt: skip
        self.torch.manual_seed(0)
        return transformers.LlamaForCausalLM(config).eval()

    @pytest.mark.parametrize("options", [
        {"do_sample": True}, {"do_sample": False, "num_beams": 3, "num_return_sequences": 2},
        {"do_sample": True, "num_return_sequences": 3},
    ])  # fmt: skip
    def test_every_row_keeps_the_promises(self, planner, options):
        prompts = self.torch.tensor([BYTES.spell("ab"), BYTES.spell("cd")])
        processor = PhaseLogitsProcessor(planner.start(max_tokens=80), prompts.shape[1])
        self.torch.manual_seed(1)
        out = self.model().generate(prompts, logits_processor=[processor], max_new_tokens=81, **options)
        assert len(out) == 2 * options.get("num_return_sequences", 1)
        for row in out[:, 2:].tolist():
            session = processor.session(row)
            assert session.ended
            trace = Trace(session.valuations)
            assert all(evaluate(f.formula, trace) for f in planner.agent.formulas)

    def test_continuation_goes_on_where_it_was(self, planner):
        prompts = self.torch.tensor([BYTES.spell("ab")])
        processor = PhaseLogitsProcessor(planner.start(max_tokens=80), 2)
        whole = self.model().generate(prompts, logits_processor=[processor], max_new_tokens=81, do_sample=False)
        half = whole[:, : 2 + (whole.shape[1] - 2) // 2]
        again = PhaseLogitsProcessor(planner.start(max_tokens=80), 2)
        rest = self.model().generate(half, logits_processor=[again], max_new_tokens=81, do_sample=False)
        assert rest.tolist() == whole.tolist()

    def test_generation_stops_where_the_environment_writes(self, researcher):
        prompts = self.torch.tensor([BYTES.spell("ab")])
        processor = PhaseLogitsProcessor(researcher.start(max_tokens=400), 2)
        out = self.model().generate(prompts, logits_processor=[processor], max_new_tokens=401, do_sample=True)
        session = processor.session(out[0, 2:].tolist())
        assert session.answering == ("reply",) and session.steps[-1].tool == "search"
        session.answer("it is green")
        later = PhaseLogitsProcessor(session, out.shape[1])
        more = self.model().generate(out, logits_processor=[later], max_new_tokens=401, do_sample=True)
        assert len(later.session(more[0, out.shape[1] :].tolist()).steps) > len(session.steps)

    def test_rows_that_belong_to_nobody_are_refused(self, planner):
        processor = PhaseLogitsProcessor([planner.start(), planner.start()], 1)
        with pytest.raises(ValueError):
            processor(self.torch.zeros((3, 1), dtype=self.torch.long), self.torch.zeros((3, 264)))
