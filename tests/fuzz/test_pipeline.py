"""Mangled specs through the whole compiler: whatever comes in, what comes out are diagnostics, never an exception."""

import sys
from pathlib import Path

import pytest

from agentc.compiler.bundle import canonical_json
from agentc.compiler.codec import decode_agent, encode_agent
from agentc.compiler.pipeline import check
from agentc.lang.lexer import tokenize
from agentc.lang.parser import parse
from agentc.lang.printer import format_module
from agentc.lang.render import render_json, render_sarif, render_text
from agentc.lang.source import Source

from ..lang.mutate_specs import mutants

SPECS = str(Path(__file__).resolve().parents[2] / "specs")


def run(count, seed):
    """All passes over ``count`` mutants; how many tokenise, parse, and are agents without an error."""
    tokenised = parsed = agents = 0
    limit = sys.getrecursionlimit()
    for mutant in mutants(count, seed):
        source = Source("mutant.agentspec", mutant.text)
        try:
            tokenised += not tokenize(source).diagnostics
            result = parse(source)
            checked = check(source, root=SPECS)
            for render in (render_text, render_json, render_sarif):
                assert isinstance(render(list(checked.diagnostics)), str)
            for diagnostic in checked.diagnostics:
                assert diagnostic.code != "AS0999" and diagnostic.message
            if not result.diagnostics:
                parsed += 1
                again = Source("again.agentspec", format_module(result.module, source))
                assert parse(again).module == result.module
            for agent in checked.agents:
                data = encode_agent(agent)
                assert canonical_json(encode_agent(decode_agent(data))) == canonical_json(data)
            agents += bool(checked.agents)
        except Exception as error:
            raise AssertionError(f"{mutant.name} {mutant.operators}\n{mutant.text}") from error
        assert sys.getrecursionlimit() == limit
    assert tokenised >= count / 2
    assert parsed >= count / 4
    assert agents >= count / 50
    return tokenised, parsed, agents


def test_mutants_of_the_shipped_specs():
    run(1500, seed="a sample")


@pytest.mark.slow
def test_twenty_thousand_mutants_of_the_shipped_specs():
    run(20_000, seed="all")
