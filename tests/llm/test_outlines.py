"""The decoder as a logits processor of Outlines: its own generator calls it, resets it, and decodes what comes out."""

import pytest

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check
from agentc.lang.source import Source

pytest.importorskip("llguidance")
pytest.importorskip("transformers")
pytest.importorskip("outlines", exc_type=ImportError)

from agentc.runtime.llm.decoder import Decoder
from agentc.runtime.llm.processor import PhaseLogitsProcessor
from agentc.runtime.llm.vocabulary import Vocabulary

outlines, torch, transformers = (pytest.importorskip(n) for n in ("outlines", "torch", "transformers"))

SPEC = """agent Planner {
  model "m"
  phase plan = choice("go", "wait", "go on")
  phase note = regex("[a-c]{1,4}")
  behavior b = plan & F (plan & plan.text == "go on") & G (note -> WX plan) & F[1, 4] note
}"""


def tokenizer():
    """A tokenizer of bytes, with some that are written together."""
    import tokenizers

    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {c: i for i, c in enumerate([*alphabet, "Pl", "an", "Plan", "go", "<eos>"])}
    merges = [("P", "l"), ("a", "n"), ("Pl", "an"), ("g", "o")]
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<eos>", pad_token="<eos>", padding_side="left"
    )


@pytest.mark.filterwarnings("ignore")
def test_a_generator_of_outlines_keeps_the_promises():
    words = tokenizer()
    (agent,) = check(Source("planner.agentspec", SPEC)).agents
    decoder = Decoder(agent, Vocabulary.of(words, len(words)))
    config = transformers.LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=512, eos_token_id=words.eos_token_id,
        pad_token_id=words.eos_token_id, bos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    model = outlines.from_transformers(transformers.LlamaForCausalLM(config).eval(), words)
    processor = PhaseLogitsProcessor(decoder.start(max_tokens=80))
    generator = outlines.generator.SteerableGenerator.from_processor(model, processor)
    for prompt in ("a", "a longer one"):  # the generator resets it, and the prompts differ in length
        torch.manual_seed(1)
        keeps(agent, decoder, words, generator(prompt, max_new_tokens=81, do_sample=True))
    for text in generator.batch(["a", "another one"], max_new_tokens=81, do_sample=True):
        keeps(agent, decoder, words, text)


def keeps(agent, decoder, words, text):
    session = decoder.start(max_tokens=80)
    for token in words(text.removesuffix("<eos>"), add_special_tokens=False).input_ids:
        session.advance(token)
    assert session.accepting, text
    trace = Trace(session.valuations)
    assert all(evaluate(f.formula, trace) for f in agent.formulas)
