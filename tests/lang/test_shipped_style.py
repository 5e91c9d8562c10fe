"""The shipped specs and the standard library are in the one style."""

from pathlib import Path

import pytest

from agentc.lang.parser import parse
from agentc.lang.printer import format_module
from agentc.lang.source import Source

ROOT = Path(__file__).resolve().parents[2]


SPECS = sorted([*(ROOT / "specs").glob("*.agentspec"), *(ROOT / "specs" / "agents").glob("*.agentspec")])


@pytest.mark.parametrize("path", SPECS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_shipped_spec_is_formatted(path):
    source = Source(path.name, path.read_text())
    parsed = parse(source)
    assert not parsed.diagnostics
    assert format_module(parsed.module, source) == source.text
