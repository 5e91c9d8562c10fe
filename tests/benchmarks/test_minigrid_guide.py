"""The guide on MiniGrid says what is so."""

from pathlib import Path

from language.page import read
from language.run import run_page

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "minigrid.md"


def test_the_guide_is_true(tmp_path: Path) -> None:
    problems = run_page(read(GUIDE), tmp_path)
    assert not problems, "\n".join(problems)
