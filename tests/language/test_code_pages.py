"""Every code has a page, and every page reaches its code."""

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import agentc.lang
from agentc.lang import catalog
from agentc.lang.explain import explain, find, index, page

from .page import Fence, commands, expectations, read
from .run import run_page

PAGES = Path(agentc.lang.__file__).parent / "pages"
CODES = sorted(catalog.CATALOG)
UNREACHABLE = {"AS0999"}  # a bug in agentc itself; the command line's tests provoke one


def test_each_code_and_each_name_is_there_once():
    rows = catalog._ROWS
    assert [code for code, n in Counter(row.code for row in rows).items() if n > 1] == []
    assert [name for name, n in Counter(row.name for row in rows).items() if n > 1] == []
    assert all(re.fullmatch(r"AS\d{4}", row.code) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.name) for row in rows)


def test_there_are_pages_for_all_codes_and_no_others():
    assert sorted(path.stem for path in PAGES.iterdir()) == CODES


def test_the_pages_are_in_the_wheel():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert "pages/*.md" in project["tool"]["setuptools"]["package-data"]["agentc.lang"]


def reaches(fence: Fence, code: str) -> bool:
    """Whether the block announces that this code comes."""
    if fence.kind == "python":
        return fence.raises == code
    if fence.kind == "console":
        return any(f"[{code}]" in line for command in commands(fence) for line in command.output)
    if fence.kind == "agentspec":
        return any(e.code == code for e in expectations(fence.text, "page"))
    return False


@pytest.mark.parametrize("code", CODES)
def test_the_page_of_a_code(code, tmp_path):
    path = PAGES / f"{code}.md"
    assert path.is_file(), f"{code} has no page"
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {code}: {catalog.CATALOG[code].name}\n")
    assert "TODO" not in text
    blocks = read(path)
    assert code in UNREACHABLE or any(reaches(block, code) for block in blocks), "no block reaches the code"
    if any(block.kind == "agentspec" for block in blocks):
        assert any(block.kind == "agentspec" and not reaches(block, code) for block in blocks), "nothing shows the mend"
    problems = run_page(blocks, tmp_path)
    assert not problems, "\n".join(problems)


def test_pages_are_found_by_code_number_and_name():
    assert find("as0203") == find("203") == find("unknown-name") == find("Unknown name") == "AS0203"
    assert find("AS") is None and find("") is None and find("AS1") is None and find("²") is None
    assert explain("as0203") == page("AS0203")
    assert page("../catalog") is None
    assert len(index().splitlines()) == len(catalog.CATALOG)


@pytest.mark.parametrize(("query", "hint"), [("AS0204x", "AS0204"), ("unknown-nam", "unknown-name")])
def test_an_unknown_code_is_answered_with_the_nearest(query, hint):
    from agentc.lang.diagnostics import AgentcError

    with pytest.raises(AgentcError) as error:
        explain(query)
    (found,) = error.value.diagnostics
    assert found.code == "AS0950" and hint in found.help
