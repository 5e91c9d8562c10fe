"""Files with several independent mistakes get exactly that many reports."""

from pathlib import Path

import pytest

from .page import Fence, expectations
from .run import run

FILES = sorted((Path(__file__).parent / "mistakes").glob("*.agentspec"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_one_report_for_each_mistake(path, tmp_path):
    text = path.read_text(encoding="utf-8")
    assert len(expectations(text, path.name)) >= 5
    block = Fence("agentspec", frozenset(), path.name, text, 1)
    (tmp_path / "0").mkdir()
    problems = run(block, [], tmp_path / "0")
    assert not problems, "\n".join(problems)
