"""Lark grammars as content: against Lark's own parser, and against the grammar engine."""

import itertools

import pytest
from lark import Lark
from lark.exceptions import LarkError

from agentc.compiler.decoder.bytes_automaton import byte_automaton
from agentc.compiler.decoder.context_free import ContextFree
from agentc.compiler.decoder.json_text import json_text
from agentc.compiler.decoder.lark_grammar import GrammarError, GrammarFeatureError, content_of, read_grammar

REGULAR = {
    "list": 'start: ITEM ("," ITEM)*\nITEM: "a" | "b"',
    "left": 'start: start "," ITEM | ITEM\nITEM: "a"~1..2',
    "right": 'start: "a" start | "b" other?\nother: "(" start | ","',
    "spaces": 'start: "a" [start2]\nstart2: ("b" "a")+\n%ignore " "',
    "template": 'start: pair{"a"} | pair{"b"}\npair{x}: x "," x',
    "nested": 'start: (("a" | "b") ","?)+ "("',
}
FREE = {
    "nested": 'start: "(" start? ")" | "a"',
    "sums": 'start: start "," part | part\npart: "a" | "(" start ")" | "b" part',
    "spaces": 'start: "(" start ")" start | "a"?\n%ignore " "',
}
LETTERS = "ab,( )"


def words(longest):
    return ["".join(w) for n in range(longest + 1) for w in itertools.product(LETTERS, repeat=n)]


def parses(text):
    parser = Lark(text, parser="earley", keep_all_tokens=True)

    def inside(word):
        try:
            parser.parse(word)
        except LarkError:
            return False
        return True

    return inside


@pytest.mark.parametrize("name", REGULAR)
def test_linear_grammars_are_regular(name):
    content = content_of(read_grammar(REGULAR[name]))
    assert not isinstance(content, ContextFree)
    automaton, inside = byte_automaton(content), parses(REGULAR[name])
    found = [automaton.accepts(w) for w in words(4)]
    assert found == [inside(w) for w in words(4)] and any(found)


@pytest.mark.parametrize("name", FREE)
def test_the_engine_reads_other_grammars_alike(name):
    llguidance = pytest.importorskip("llguidance")
    content = content_of(read_grammar(FREE[name]))
    assert isinstance(content, ContextFree) and "recursive" in content.why
    tokenizer = llguidance.LLTokenizer("byte", slices=[])
    grammar = llguidance.LLMatcher.grammar_from_lark(f'start: "<" {content.start} ">"\n{content.rules}')
    matcher = llguidance.LLMatcher(tokenizer, grammar, log_level=0)
    assert not matcher.is_error(), matcher.get_error()
    inside, accepted = parses(FREE[name]), 0
    for word in words(5):
        tokens = tokenizer.tokenize_str(f"<{word}>")
        copy = matcher.deep_copy()
        taken = copy.try_consume_tokens(tokens) == len(tokens) and copy.is_accepting()
        assert taken == inside(word), word
        accepted += taken
    assert accepted > 3


def test_terminals_can_be_written_otherwise():
    grammar = read_grammar('start: ("\\"" | "a")+')
    automaton = byte_automaton(content_of(grammar, json_text))
    assert automaton.accepts('a\\"a') and not automaton.accepts('a"')


@pytest.mark.parametrize(
    ("text", "reason"),
    [("start: A", "not defined"), ('start: "a', "Unexpected input"), ("start: start", "no text"),
     ("%import .other.X\nstart: X", "imports a file"), ("%declare A\nstart: A", "declared"),
     ('start: %json {"type": "null"}', "Unexpected"), ('%llguidance {}\nstart: "a"', "dialect"),
     ("other: /a/", "start")],
)  # fmt: skip
def test_what_is_no_grammar(text, reason):
    with pytest.raises(GrammarError, match=reason):
        read_grammar(text)


@pytest.mark.parametrize(("text", "construct"), [("start: /(?=a)a/", "look-around"), ('start: "a"i', "a flag")])
def test_what_is_not_linear_is_named(text, construct):
    with pytest.raises(GrammarFeatureError, match=construct):
        read_grammar(text)
