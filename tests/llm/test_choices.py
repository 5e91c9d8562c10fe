"""Exact choices and resampling against enumeration with small models, and what masking token by token draws instead."""

import numpy as np
import pytest

from agentc.compiler.pipeline import check
from agentc.lang.source import Source

pytest.importorskip("llguidance")

from agentc.runtime.llm.choices import choice_scores, log_softmax
from agentc.runtime.llm.decoder import Decoder
from agentc.runtime.llm.resampling import _candidate, resample_step
from agentc.runtime.llm.run import RunSettings, run_agent
from agentc.runtime.llm.vocabulary import Vocabulary
from agentc.runtime.llm.world import Silent

from .models import RandomModel

EOS = 2
WORDS = [b"Act: ", b"get_", b"<eos>", b"set_", b"list", b' {"', b"color", b'": "', b"red", b"gre", b'"}\n', b"on"]
MERGED = Vocabulary.of_tokens([*WORDS, *(bytes([b]) for b in range(256))], EOS)

NAMES = (
    "get_one", "get_all", "get_list", "set_one", "set_all", "list", "list_all", "listen", "one", "oneof", "all", "ask",
)  # fmt: skip
TOOLS = f"""agent Clerk {{
  model "m"
  {chr(10).join(f"tool {n}(color : enum {{red, green, grey, gr}}, n : int in [1, 12], on : bool)" for n in NAMES)}
  phase act = call({" | ".join(NAMES)})
  phase say = choice("go", "gone", "stop")
  behavior b = act | X say
}}"""


def decoder(text=TOOLS, vocabulary=MERGED):
    result = check(Source("clerk.agentspec", text))
    assert result.ok, [d.message for d in result.diagnostics]
    return Decoder(result.agents[0], vocabulary)


def chance(model, before, tokens):
    """The log-probability of tokens behind others, by one pass for each."""
    stream = model.stream()
    logits = stream.read(before)
    total = 0.0
    for token in tokens:
        total += float(log_softmax(logits)[token])
        logits = stream.read([token])
    return total


def masked_chance(model, session, before, tokens, forced=False):
    """The same where each token is drawn among the legal ones; ``forced`` ones are not drawn."""
    stream, here, total = model.stream(), session.fork(), 0.0
    logits = stream.read(before)
    sure = 0
    for token in tokens:
        sure = max(sure - 1, 0) or (len(here.forced()) if forced else 0)
        legal = here.legal() if not sure else np.arange(len(logits)) == token
        scores = np.where(legal, logits, -np.inf)
        total += float(log_softmax(scores)[token])
        here.advance(token)
        logits = stream.read([token])
    return total


def normal(scores):
    shares = np.exp(np.array(scores) - max(scores))
    return shares / shares.sum()


def to_choice(session, wanted):
    """Go on to the next choice whose first option contains a text; the tokens that were written."""
    written = []
    for _ in range(200):
        forced = session.forced()
        options = [] if forced else session.options()
        if options and any(wanted in text_of(session, o) for o in options):
            return written, options
        tokens = forced or (options[0] if options else [int(np.flatnonzero(session.legal())[0])])
        for token in tokens:
            session.advance(token)
            written.append(token)
    raise AssertionError(wanted)


def text_of(session, tokens):
    return b"".join(session.decoder.vocabulary.bytes_of[t] for t in tokens)


@pytest.mark.parametrize("vocabulary", [MERGED, Vocabulary.of_bytes()], ids=["merged", "bytes"])
@pytest.mark.parametrize(
    ("wanted", "texts"),
    [
        (b"ask", {f'Act: {n} {{"color": "'.encode() for n in NAMES} | {b"Say: "}),
        (b"grey", {b"red", b"green", b"grey", b"gr"}),
        (b"12", {str(n).encode() for n in range(1, 13)}),
        (b"true", {b"true", b"false"}),
    ],
)
def test_choices_are_drawn_from_the_models_own_distribution(vocabulary, wanted, texts):
    made = decoder(vocabulary=vocabulary)
    model = RandomModel(vocabulary, seed=3)
    session = made.start()
    written, options = to_choice(session, wanted)
    said = [text_of(session, o) for o in options]
    if wanted == b"ask":
        assert set(said) == texts
    else:
        assert len(said) == len(texts) and all(any(t in s for s in said) for t in texts)
    before = [5, *written]
    stream = model.stream()
    logits = stream.read(before)
    drawn = normal(choice_scores(stream, logits, options))
    exact = normal([chance(model, before, o) for o in options])
    assert np.abs(drawn - exact).sum() / 2 < 1e-9
    for option in options:  # every option is legal
        other = session.fork()
        for token in option:
            other.advance(token)


def test_masking_token_by_token_is_another_distribution():
    made = decoder()
    distances = []
    for seed in range(5):
        model, session = RandomModel(MERGED, seed=seed), made.start()
        written, options = to_choice(session, b"ask")
        before = [5, *written]
        exact = normal([chance(model, before, o) for o in options])
        masked = normal([masked_chance(model, session, before, o) for o in options])
        distances.append(np.abs(exact - masked).sum() / 2)
    assert sorted(distances)[2] > 0.3


def test_runs_with_exact_choices_keep_their_promises():
    made = decoder()
    colors = set()
    for seed in range(12):
        settings = RunSettings(max_tokens=200, temperature=1.0, seed=seed, exact=True)
        world = Silent("Go.", dict.fromkeys(NAMES, lambda **_: ""))
        result = run_agent(made, RandomModel(MERGED, seed), world, settings)
        assert all(result.kept.values())
        colors |= {s.arguments["color"] for s in result.steps if s.tool}
    assert len(colors) > 1


OPEN = """agent Clerk {
  model "m"
  phase say = regex("[ab]{1,3}")
  behavior b = say & last
}"""


def test_resampling_approaches_the_models_own_distribution():
    letters = Vocabulary.of_tokens([b"Say: ", b"a", b"<eos>", b"b", b"\n", b"ab", b"S", b"c"], EOS)
    made = decoder(OPEN, letters)
    model = RandomModel(letters, seed=1)
    stream = model.stream()
    logits = stream.read([5])
    sequences = [[]]
    found = {}
    while sequences:  # every way to write the step
        tokens = sequences.pop()
        session = made.start()
        done = [session.advance(t) for t in tokens]
        if done and done[-1] is not None:
            found[tuple(tokens)] = chance(model, [5], tokens)
        else:
            following = session.forced()[:1] or np.flatnonzero(session.legal())
            sequences += [[*tokens, int(t)] for t in following]
    exact = dict(zip(found, normal(list(found.values())), strict=True))
    assert len(exact) > 15
    randomness = np.random.default_rng(0)
    plain, weighted = dict.fromkeys(exact, 0.0), dict.fromkeys(exact, 0.0)
    for _ in range(300):
        candidate = _candidate(made.start(), stream.fork(), logits, 1.0, randomness)
        masked = masked_chance(model, made.start(), [5], candidate.tokens, forced=True)
        assert abs(candidate.weight - (chance(model, [5], candidate.tokens) - masked)) < 1e-5
        plain[tuple(candidate.tokens)] += 1
        weighted[tuple(candidate.tokens)] += np.exp(candidate.weight)
    plain_away, weighted_away = (
        sum(abs(of[t] / sum(of.values()) - exact[t]) for t in exact) / 2 for of in (plain, weighted)
    )
    assert weighted_away < plain_away / 2
    sample = resample_step(made.start(), stream, logits, 8, 1.0, randomness)
    assert tuple(sample.tokens) in exact and sample.read >= 8 and 1 <= sample.effective <= 8


def test_runs_with_resampling_count_what_it_costs():
    made = decoder()
    world = Silent("Go.", dict.fromkeys(NAMES, lambda **_: ""))
    runs = {}
    for count in (1, 4):
        settings = RunSettings(max_tokens=200, temperature=1.0, seed=3, resample=count)
        runs[count] = run_agent(made, RandomModel(MERGED, 0), world, settings)
        assert all(runs[count].kept.values())
    assert runs[1].drawn == 0 and runs[4].drawn > 2 * runs[4].tokens
