"""Every construct has a page with an accepted, a refused and an evaluated example; all of them are run."""

import re
from pathlib import Path

import pytest

from .page import Fence, expectations, read
from .run import run_page

PAGES = Path(__file__).parents[2] / "docs" / "language"

CONSTRUCTS = [
    "import",
    "const",
    "pattern",
    "environment",
    "signal",
    "system",
    "region",
    "prop",
    "task",
    "assume",
    "reward",
    "machine",
    "phase",
    "role",
    "train",
    "expect",
    "verify",
    "deploy",
    "example",
    "cost",
]
OPERATORS = [
    "boolean",
    "ends",
    "always",
    "eventually",
    "next",
    "until",
    "weak_until",
    "release",
    "strong_release",
    "yesterday",
    "once",
    "historically",
    "since",
    "trigger",
    "aggregates",
    "seen",
    "each",
]
MEANINGS = ["traces", "intervals", "verdicts", "robustness"]


def announced(fence: Fence) -> set[str]:
    """The severities of what a block announces."""
    return {e.severity for e in expectations(fence.text, "page")}


def is_accepted(fence: Fence) -> bool:
    return fence.kind == "agentspec" and not announced(fence) & {"error", "warning"}


def is_refused(fence: Fence) -> bool:
    return fence.kind == "agentspec" and bool(announced(fence) & {"error", "warning"})


def is_evaluated(fence: Fence) -> bool:
    """Whether examples or a table are evaluated, or what has no backend yet is compiled with a note that says so."""
    compiled = "compile" in fence.modes and announced(fence) == {"note"}
    return fence.kind == "trace" or "evaluated" in fence.modes or compiled


@pytest.mark.parametrize("name", CONSTRUCTS + OPERATORS + MEANINGS)
def test_accepted_refused_evaluated(name):
    blocks = read(PAGES / f"{name}.md")
    assert any(map(is_accepted, blocks)), "nothing is accepted"
    assert any(map(is_refused, blocks)), "nothing is refused"
    assert any(map(is_evaluated, blocks)), "nothing is evaluated"


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_the_page_is_true(path, tmp_path):
    problems = run_page(read(path), tmp_path)
    assert not problems, "\n".join(problems)


def test_the_index_and_the_pages_agree():
    text = (PAGES / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\(([\w-]+\.md)\)", text))
    assert named == {path.name for path in PAGES.glob("*.md")} - {"README.md"}
