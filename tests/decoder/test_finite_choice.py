"""Finite choices inside of a language, against the words themselves."""

import random

import pytest

from agentc.compiler.decoder import numerals
from agentc.compiler.decoder.bytes_automaton import DEAD, byte_automaton
from agentc.compiler.decoder.finite_choice import finite_choice
from agentc.compiler.decoder.regular import alt, any_text, cat, chars, literal, repeat, up_to


def choice(language, raw=b"", most=128):
    automaton = byte_automaton(language)
    return finite_choice(automaton, automaton.run(raw), most)


def test_members_numbers_and_what_is_forced_around_them():
    call = cat(literal('to: "'), alt(*map(literal, ("ann", "bob", "an"))), literal('", n: '), numerals.integers(8, 12),
               literal(";"))  # fmt: skip
    assert choice(call) == tuple(sorted(f'to: "{m}", n: '.encode() for m in ("ann", "bob", "an")))
    assert choice(call, b'to: "bob", n: ') == (b"10;", b"11;", b"12;", b"8;", b"9;")


@pytest.mark.parametrize("language", [cat(any_text(), literal("!")), up_to(";"), repeat(chars([(97, 122)]), 1, 9)])
def test_open_texts_are_no_choice(language):
    assert choice(language) == ()


def test_too_many_are_no_choice():
    assert len(choice(cat(numerals.integers(0, 99), literal(";")), most=100)) == 100
    assert choice(cat(numerals.integers(0, 100), literal(";")), most=100) == ()


def test_every_word_goes_through_one_of_them():
    randomness = random.Random("choices")
    seen = 0
    for _ in range(200):
        words = {"".join(randomness.choice("ab") for _ in range(randomness.randrange(1, 5))) for _ in range(4)}
        tails = {"".join(randomness.choice("xy") for _ in range(randomness.randrange(3))) for _ in range(2)}
        language = cat(alt(*map(literal, words)), literal(";"), alt(*map(literal, tails)), literal("."))
        automaton = byte_automaton(language)
        found = finite_choice(automaton, 0, 128)
        every = [f"{w};{t}.".encode() for w in words for t in tails]
        if not found:
            assert len(words) == len(tails) == 1
            continue
        seen += 1
        assert len(found) > 1
        for word in every:  # prefix-free, so exactly one
            assert sum(word.startswith(f) for f in found) == 1, (word, found)
        assert len({automaton.run(f) for f in found}) == 1 and automaton.run(found[0]) != DEAD
    assert seen > 150
