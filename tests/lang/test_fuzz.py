"""No text makes the front end raise, and what it says of a text is in the text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentc.lang import ast
from agentc.lang.lexer import tokenize
from agentc.lang.parser import parse, parse_formula
from agentc.lang.printer import format_module
from agentc.lang.source import Source

from .mutate_specs import mutants


def check(text):
    """Parse, look at each report, and format what has none; whether it tokenised and parsed cleanly."""
    source = Source("f", text)
    tokenised = not tokenize(source).diagnostics
    result = parse(source)
    assert isinstance(result.module, ast.Module)
    for diagnostic in result.diagnostics:
        assert diagnostic.span is not None
        assert 0 <= diagnostic.span.start <= diagnostic.span.stop <= len(text)
        assert diagnostic.message and "ANON" not in diagnostic.message + str(diagnostic.help)
        for annotation in diagnostic.annotations:
            assert 0 <= annotation.span.start <= annotation.span.stop <= len(text)
    places = [(d.span.start, d.code) for d in result.diagnostics]
    assert places == sorted(places)
    if not result.diagnostics:
        formatted = format_module(result.module, source)
        again = Source("g", formatted)
        second = parse(again)
        assert second.diagnostics == ()
        assert second.module == result.module
        assert format_module(second.module, again) == formatted
    else:
        format_module(result.module, source)
    return tokenised, not result.diagnostics


def run(count, seed):
    tokenised = parsed = 0
    for mutant in mutants(count, seed):
        try:
            clean, good = check(mutant.text)
        except Exception as error:
            raise AssertionError(f"{mutant.name} {mutant.operators}\n{mutant.text}") from error
        tokenised += clean
        parsed += good
    assert tokenised >= count / 2
    assert parsed >= count / 4


def test_mutants_of_the_shipped_specs():
    run(400, seed=1)


@pytest.mark.slow
def test_many_mutants_of_the_shipped_specs():
    run(20_000, seed=2)


TOKENS = st.sampled_from(
    "agent A { } ( ) [ ] ; \n task safe prop reward = == : , . .. ' -> <-> & | ! && || [] <> G F X U until in not x y "
    '0 1.5 5s " """ ` # - + * / ^ inf each when from machine state on phase text call example satisfies é ∧ $ \\'.split(
        " "
    )
)


@given(st.lists(TOKENS, max_size=40))
def test_token_soup(tokens):
    check(" ".join(tokens))


@given(st.text(max_size=60))
@example("\ud800")
@example("\x00")
@example("\r")
def test_any_text(text):
    check(text)


@given(st.lists(TOKENS, max_size=25))
def test_formula_soup(tokens):
    source = Source("<formula>", " ".join(tokens))
    expression, diagnostics = parse_formula(source)
    assert expression is not None or diagnostics
