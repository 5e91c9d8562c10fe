"""Regular languages of texts, their automata, and the terminals that the grammar engine gets."""

import itertools
import random
import re
from decimal import Decimal

import pytest

from agentc.compiler.decoder import json_text, numerals
from agentc.compiler.decoder.bytes_automaton import TooLargeError, byte_automaton, shortest_word
from agentc.compiler.decoder.regex_syntax import NotLinearError, parse_regex
from agentc.compiler.decoder.regular import (
    EMPTY,
    EPSILON,
    alt,
    any_char,
    any_text,
    both,
    cat,
    chars,
    complement,
    containing,
    literal,
    repeat,
    substrings,
    terminal,
    up_to,
)

LETTERS = "ab\u00e9\n"


def words(longest):
    return ["".join(w) for n in range(longest + 1) for w in itertools.product(LETTERS, repeat=n)]


def random_language(randomness, depth):
    """A language, and the predicate that says which texts are in it."""
    if depth == 0 or randomness.random() < 0.2:
        text = "".join(randomness.choice(LETTERS) for _ in range(randomness.randrange(3)))
        return randomness.choice((
            (literal(text), lambda w: w == text),
            (any_char(), lambda w: len(w) == 1),
            (chars([(97, 98)]), lambda w: w in ("a", "b")),
            (substrings(text), lambda w: w in text),
            (up_to("a"), lambda w: w.endswith("a") and w.count("a") == 1),
        ))  # fmt: skip
    a, in_a = random_language(randomness, depth - 1)
    b, in_b = random_language(randomness, depth - 1)
    least = randomness.randrange(3)
    most = randomness.choice((None, least + randomness.randrange(3)))

    def joined(w):
        return any(in_a(w[:i]) and in_b(w[i:]) for i in range(len(w) + 1))

    def times(w, left=least, more=most):
        if left == 0 and w == "":
            return True
        if more == 0:
            return False
        cuts = [i for i in range(1 if left == 0 else 0, len(w) + 1) if in_a(w[:i])]
        return any(times(w[i:], max(left - 1, 0), None if more is None else more - 1) for i in cuts if i or left)

    return randomness.choice((
        (cat(a, b), joined),
        (alt(a, b), lambda w: in_a(w) or in_b(w)),
        (both(a, b), lambda w: in_a(w) and in_b(w)),
        (complement(a), lambda w: not in_a(w)),
        (repeat(a, least, most), times),
    ))  # fmt: skip


def test_shortest_words_are_those_of_the_automaton():
    randomness = random.Random("shortest")
    found = []
    for _ in range(150):
        language, _ = random_language(randomness, 3)
        found.append(shortest_word(language))
        assert found[-1] == byte_automaton(language).shortest(), language
    assert None in found and any(found)


def test_a_language_whose_automaton_is_too_large_has_a_shortest_word():
    long = both(repeat(any_char(), 1, 400), complement(cat(repeat(any_char(), 0, None), literal("SECRET"))))
    with pytest.raises(TooLargeError):
        byte_automaton(long, 1000)
    assert shortest_word(long, 1000) == b"\0"
    with pytest.raises(TooLargeError):
        shortest_word(both(repeat(any_char(), 300, None), literal("a" * 400)), 100)


def test_automata_decide_membership():
    randomness = random.Random("languages")
    every = words(4)
    inside = 0
    for _ in range(150):
        language, member = random_language(randomness, 3)
        automaton = byte_automaton(language)
        for word in every:
            assert automaton.accepts(word) == member(word), (language, word)
            inside += automaton.accepts(word)
        shortest = automaton.shortest()
        found = next((w for w in every if member(w)), None)
        if found is not None:
            assert shortest is not None and automaton.accepts(shortest) and len(shortest) <= len(found.encode())
    assert inside > 1000


def test_the_engine_reads_the_terminals_alike():
    llguidance = pytest.importorskip("llguidance")
    tokenizer = llguidance.LLTokenizer("byte", slices=[])
    randomness = random.Random("terminals")
    tried = 0
    for _ in range(60):
        language, member = random_language(randomness, 2)
        whole = cat(literal("<"), language, literal(">"))
        if not byte_automaton(whole).size:
            continue
        grammar = llguidance.LLMatcher.grammar_from_lark(f"start: A\nA: {terminal(whole)}\n")
        matcher = llguidance.LLMatcher(tokenizer, grammar, log_level=0)
        assert not matcher.is_error(), matcher.get_error()
        for word in words(3):
            copy = matcher.deep_copy()
            tokens = tokenizer.tokenize_str(f"<{word}>")
            accepted = copy.try_consume_tokens(tokens) == len(tokens) and copy.is_accepting()
            assert accepted == member(word), (language, word)
            tried += 1
    assert tried > 2000


@pytest.mark.parametrize(
    "pattern", ["(ab|a)*b?a{2,3}", "[^a]+b|(?:a.)*", "a+?b*(a|\u00e9)", r"\w\s?", "(?s:.)a", r"[\W\d]+", "^a$", "a*?"]
)
def test_regexes_mean_what_python_means(pattern):
    automaton = byte_automaton(parse_regex(pattern))
    for word in words(5):
        assert automaton.accepts(word) == bool(re.fullmatch(pattern, word)), word


@pytest.mark.parametrize(
    ("pattern", "construct"),
    [("a(?=b)", "look-around"), (r"(a)\1", "a back-reference"), ("(?>a)b", "an atomic group"),
     ("a*+b", "possessive repetition"), ("a$b", "an anchor"), (r"a\b", r"`\b`"), ("(?i)a", "a flag")],
)  # fmt: skip
def test_what_is_not_linear_is_named(pattern, construct):
    with pytest.raises(NotLinearError) as caught:
        parse_regex(pattern)
    assert caught.value.construct == construct


def test_whole_numbers():
    for lo, hi in [(0, 0), (-5, 12), (7, 1234), (-999, -3), (99, 101), (0, 10**6), (None, 3)]:
        automaton = byte_automaton(numerals.integers(lo, hi))
        for value in (*range(-1100, 1400), 10**6, 10**6 + 1, -(10**9)):
            assert automaton.accepts(str(value)) == ((lo is None or lo <= value) and value <= hi)
        assert not automaton.accepts("-0") and not automaton.accepts("01") and not automaton.accepts("+1")


def test_reals():
    randomness = random.Random("reals")
    for lo, hi in [("0.5", "2.25"), ("-1.5", "1.5"), ("0", "0"), ("0.333333", "0.7"), ("-3", "-0.25")]:
        automaton = byte_automaton(numerals.reals(Decimal(lo), Decimal(hi)))
        for _ in range(4000):
            text = f"{Decimal(randomness.randrange(-4_000_000, 4_000_000)) / 10**6:.{randomness.randrange(7)}f}"
            if text.startswith("-") and float(text) == 0:
                assert not automaton.accepts(text)
            else:
                assert automaton.accepts(text) == (Decimal(lo) <= Decimal(text) <= Decimal(hi)), text


def test_texts_in_json_are_written_in_one_way():
    import json

    short = repeat(any_char(), 0, 3)
    automaton = byte_automaton(json_text.json_text(short))
    quoted = byte_automaton(json_text.json_text(both(short, complement(containing(literal('"'))))))
    for word in ("".join(w) for n in range(4) for w in itertools.product('a"\\\n\u00e9', repeat=n)):
        inside = json.dumps(word, ensure_ascii=False)[1:-1]
        assert automaton.accepts(inside)
        assert quoted.accepts(inside) == ('"' not in word)
    assert not automaton.accepts(r"\u0061") and not automaton.accepts('"') and not automaton.accepts("\n")


def test_small_things():
    assert byte_automaton(EMPTY).size == 0 and byte_automaton(EMPTY).shortest() is None
    assert byte_automaton(EPSILON).accepts("") and complement(complement(EPSILON)) is EPSILON
    assert both(literal("a"), any_text()) is literal("a")
    assert byte_automaton(cat(literal("a"), repeat(literal("b"), 0, None))).prefix_free is False
    with pytest.raises(TooLargeError):
        byte_automaton(parse_regex("(a|b)*a(a|b){12}"), max_states=100)
