"""The examples of the page on environments run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "environments.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(EXAMPLES[number], f"example {number}", "exec"), {})


def test_the_keys_are_those_that_there_are() -> None:
    from agentc.runtime.spec_env import SpecEnv, compiled_spec

    env = SpecEnv.make(compiled_spec(ROOT / "specs" / "office_coffee.agentspec"))
    env.reset(seed=0)
    said: dict[str, object] = {}
    while "episode" not in said:
        said = env.step(0)[4]["agentc"]
    section = PAGE.split('## `info["agentc"]`')[1].split("## ")[0]
    documented = set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE))
    assert documented == {*said, "machine"}
