"""Grammars for servers: the same words as the automaton, read by the grammar engine's own reader of the notation."""

import functools
import re

import numpy as np
import pytest

from agentc.compiler.decoder.bytes_automaton import DEAD, byte_automaton
from agentc.compiler.decoder.gbnf import gbnf
from agentc.compiler.decoder.regex_syntax import parse_regex
from agentc.compiler.decoder.regular import any_text, both, cat, complement, containing, literal, substrings

llguidance = pytest.importorskip("llguidance")

LANGUAGES = [
    parse_regex("Thought: [^\\n]*\\n"), parse_regex('(ab|ac"\\\\x){1,3}é*'), parse_regex("[a-z/\\]\\[^-]{0,5}[€-₿]"),
    cat(literal("Act: "), both(any_text(), complement(containing(literal("no")))), literal("\n")),
    substrings("héllo wörld 🙂"), cat(literal("x\ty"), parse_regex("[^a-zé]{2}")),
]  # fmt: skip


@functools.cache
def engine(grammar):
    tokenizer = llguidance.LLTokenizer("byte")
    made = llguidance.LLMatcher(tokenizer, llguidance.grammar_from("gbnf", grammar), log_level=0)
    assert not made.is_error(), made.get_error()
    return made


def accepted(grammar, data, reader="llguidance"):
    if reader == "xgrammar":
        return accepted_by_xgrammar(grammar, data)
    matcher = engine(grammar).deep_copy()
    return matcher.try_consume_tokens(list(data)) == len(data) and matcher.is_accepting()


@functools.cache
def compiled_by_xgrammar(grammar):
    """By the engine that vLLM and SGLang use, with one token for each byte."""
    xgrammar = pytest.importorskip("xgrammar")
    tokens = [bytes([i]) for i in range(256)] + [b"</s>"]
    info = xgrammar.TokenizerInfo(tokens, vocab_type=xgrammar.VocabType.RAW, stop_token_ids=[256])
    compiler = xgrammar.GrammarCompiler(info, max_threads=1)
    return xgrammar, compiler.compile_grammar(xgrammar.Grammar.from_ebnf(grammar))


def accepted_by_xgrammar(grammar, data):
    xgrammar, compiled = compiled_by_xgrammar(grammar)
    matcher = xgrammar.GrammarMatcher(compiled)
    return all(matcher.accept_token(token) for token in [*data, 256])


def random_words(automaton, randomness, state=0, most=40):
    data = bytearray()
    while len(data) < most or not automaton.accepting[state]:
        onward = np.flatnonzero(automaton.next[state] != DEAD)
        onward = onward[onward > 0]
        if automaton.accepting[state] and (not len(onward) or randomness.random() < 0.2):
            break
        if len(data) >= most:  # bring it to an end
            after = automaton.next[state, onward]
            onward = onward[automaton.remaining[after] == automaton.remaining[after].min()]
        data.append(int(randomness.choice(onward)))
        state = int(automaton.next[state, data[-1]])
    return bytes(data)


@pytest.mark.parametrize("reader", ["llguidance", "xgrammar"])
@pytest.mark.parametrize("index", range(len(LANGUAGES)))
def test_the_grammar_has_the_words_of_the_automaton(index, reader):
    automaton = byte_automaton(LANGUAGES[index])
    grammar = gbnf(automaton)
    randomness = np.random.default_rng(index)
    refused = 0
    assert not re.search(r"\\x[0-9a-f]{2}[0-9a-fA-F]", grammar)  # some readers take a third digit
    for _ in range(20):
        word = random_words(automaton, randomness)
        assert automaton.accepts(word) and accepted(grammar, word, reader), word
        text = list(word.decode()) or ["x"]
        text[int(randomness.integers(len(text)))] = str(randomness.choice(list("a\nnoé€ \"")))
        other = "".join(text).encode()
        assert accepted(grammar, other, reader) == automaton.accepts(other), other
        refused += not automaton.accepts(other)
    assert index == 4 or refused > 0


def test_from_the_middle_and_with_the_empty_word():
    automaton = byte_automaton(LANGUAGES[0])
    state = automaton.run(b"Thought: ")
    grammar = gbnf(automaton, state, may_stop=True)
    assert accepted(grammar, b"x\n") and accepted(grammar, b"") and not accepted(grammar, b"x")
    assert not accepted(gbnf(automaton, state), b"")


def test_shortest_completions_only():
    automaton = byte_automaton(parse_regex("a*(bb|c[xy]z*)"))
    grammar = gbnf(automaton, shortest=True)
    assert [w for w in (b"bb", b"cx", b"cy", b"abb", b"cxz") if accepted(grammar, w)] == [b"bb", b"cx", b"cy"]
    assert automaton.remaining[0] == 2
