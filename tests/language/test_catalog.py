"""Every place in the code that reports something names a row of the catalog, with the values of its sentence."""

import ast
import re
from pathlib import Path
from string import Formatter

import pytest

import agentc.compiler
import agentc.lang
import agentc.runtime
from agentc.lang.catalog import CATALOG

ROOMS = [Path(room.__file__).parent for room in (agentc.lang, agentc.compiler, agentc.runtime)]
CODE = re.compile(r"AS\d{4}")


def fields(code: str) -> set[str]:
    """The values that the sentence and the help of a code need."""
    entry = CATALOG[code]
    templates = (entry.message, entry.help or "")
    return {name for text in templates for _, name, _, _ in Formatter().parse(text) if name is not None}


def reports(path: Path) -> list[tuple[int, str, set[str], bool]]:
    """Calls whose first argument is a code: line, code, keywords, and whether more come from a mapping."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = getattr(node, "func", None)
        callee = getattr(name, "attr", getattr(name, "id", ""))
        if callee in ("report", "failed") and node.args and isinstance(node.args[0], ast.Constant):
            code = node.args[0].value
            if isinstance(code, str) and CODE.fullmatch(code):
                keywords = {k.arg for k in node.keywords if k.arg is not None}
                found.append((node.lineno, code, keywords, any(k.arg is None for k in node.keywords)))
    return found


@pytest.mark.parametrize("path", [p for room in ROOMS for p in sorted(room.rglob("*.py"))], ids=lambda p: p.stem)
def test_reports_have_what_their_sentence_needs(path):
    if path.name == "catalog.py":
        return
    for line, code, keywords, more in reports(path):
        assert code in CATALOG, f"{path.name}:{line}: {code} is not in the catalog"
        missing = fields(code) - keywords
        assert more or not missing, f"{path.name}:{line}: {code} needs {sorted(missing)}"


def test_every_code_is_used_somewhere():
    used = set()
    for room in ROOMS:
        for path in room.rglob("*.py"):
            if path.name != "catalog.py":
                used |= set(CODE.findall(path.read_text(encoding="utf-8")))
    assert sorted(set(CATALOG) - used) == []


def test_sentences_are_sentences():
    for code, entry in CATALOG.items():
        assert entry.message and not entry.message.endswith("."), code
        assert not entry.message[0].isupper() or entry.message.split()[0].isupper(), code
        assert entry.help is None or not entry.help.endswith("."), code
