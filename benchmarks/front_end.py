"""The front end: start-up of ``check`` against its imports, lines parsed per second, reports per broken file.

The peer of start-up is Python importing the two libraries that the front end stands on. Parsing has no peer: no
other tool reads the language. ``run`` is called by ``agentc bench front-end``.
"""

from __future__ import annotations

import os
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from agentc.benchmarks.rows import Row, compared, interleaved

MISTAKES = (
    # (what it breaks, pattern, replacement): one independent mistake per item of the flagship spec
    ("an unknown signal", r"carrying == key", "carying == key"),
    ("a misspelt keyword", r"(?m)^  prop door_open", "  prp door_open"),
    ("a forgotten operand", r"tile == goal", "tile =="),
    ("an unknown setting", r"envs = 16", "envz = 16"),
    ("an impossible confidence", r"with confidence 0\.95", "with confidence 1.95"),
)


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """All rows of the benchmark; ``data`` is not needed."""
    spec = files("agentc.specs").joinpath("doorkey.agentspec")
    text = spec.read_text(encoding="utf-8")
    return [start_up(str(spec), rounds), parsing(text, rounds), *broken(text)]


def _cpu(command: list[str]) -> Callable[[], float]:
    """User and system seconds of a process, as the kernel counts them."""
    # an installed package has its bytecode on disk, whatever this shell says about writing it
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def measure() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return measure


def start_up(spec: str, rounds: int) -> Row:
    """CPU seconds of checking the flagship spec, as a process."""
    ours = _cpu([sys.executable, "-m", "agentc", "check", spec])
    peer = _cpu([sys.executable, "-c", "import lark, click"])
    mine, theirs = interleaved([ours, peer], max(rounds, 5), warm=2)
    return compared(
        "agentc check doorkey (process)", mine, theirs, peer_name="import lark, click", unit="CPU s",
        target="ratio <= 2.5", holds=lambda ratio: ratio <= 2.5,
    )  # fmt: skip


def parsing(text: str, rounds: int) -> Row:
    """Seconds to parse a long file of many agents."""
    from agentc.lang.parser import parse
    from agentc.lang.source import Source

    agent = text[text.index("agent DoorKey") :]
    copies = [agent.replace("DoorKey", f"DoorKey{k}") for k in range(100)]
    long = "\n".join([text[: text.index("agent DoorKey")], *copies])
    lines = long.count("\n") + 1

    def ours() -> float:
        start = time.process_time()
        result = parse(Source("long.agentspec", long))
        seconds = time.process_time() - start
        assert not result.diagnostics
        return lines / seconds

    (mine,) = interleaved([ours], rounds)
    return compared("parse 100 agents", mine, None, peer_name="", unit="lines/s", note=f"{lines} lines to a tree")


def broken(text: str) -> list[Row]:
    """Reports for a file with five independent mistakes, and over files with every non-empty choice of them."""
    from agentc.compiler.pipeline import check
    from agentc.lang.diagnostics import Severity
    from agentc.lang.source import Source

    def reports(chosen: list[tuple[str, str, str]]) -> int:
        spoilt = text
        for name, pattern, replacement in chosen:
            spoilt, count = re.subn(pattern, replacement, spoilt, count=1)
            assert count == 1, f"the flagship spec has no place for {name}"
        found = check(Source("broken.agentspec", spoilt)).diagnostics
        return sum(d.severity is Severity.ERROR for d in found)

    all_five = reports(list(MISTAKES))
    exact = total = 0
    order = list(MISTAKES)
    random.Random(0).shuffle(order)
    for choice in range(1, 2 ** len(order)):
        chosen = [m for k, m in enumerate(order) if choice >> k & 1]
        total += 1
        exact += reports(chosen) == len(chosen)
    return [
        Row("errors reported for 5 independent mistakes", all_five, 5, "mistakes made", all_five / 5, "reports", "5",
            all_five == 5),
        Row("broken files with exactly one report a mistake", exact, total, "files", exact / total, "files", "all",
            exact == total),
    ]  # fmt: skip
