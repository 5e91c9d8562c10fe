"""Training until a proof closes: the specs of the repository that end proved, from scratch, for several seeds.

``rounds`` are the seeds 0, 1, 2, ... of each spec. Seconds are those of training and all verifications together.
Each seed is trained as the spec says, which asks runs for a margin; with no margin, which is what that is worth; and
with no margin but the loss of reach tubes in its place.
``run`` is called by ``agentc bench proving``; there are no peers.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from agentc.benchmarks.rows import Row

SPECS = ("pendulum", "unicycle_goal", "cruise_control")


ARMS: dict[str, dict[str, Any]] = {
    "margin": {}, "no margin": {"margin": 0.0}, "tubes": {"margin": 0.0, "tube": 1.0},
}  # fmt: skip
"""Changes of the settings."""


def run(rounds: int = 3, data: Path | None = None) -> list[Row]:
    """One row for each spec and seed."""
    return [row for name in SPECS for seed in range(rounds) for how in ARMS for row in _proved(name, seed, how)]


def _proved(name: str, seed: int, how: str) -> Iterator[Row]:
    from agentc.compiler.pipeline import check
    from agentc.lang.source import Source
    from agentc.runtime.compiled import CompiledAgent
    from agentc.runtime.proving import train_until_proved
    from agentc.runtime.runs import run_of
    from agentc.runtime.training import configuration

    text = files("agentc.specs").joinpath(f"{name}.agentspec").read_text("utf-8")
    result = check([Source(f"{name}.agentspec", text)])
    compiled = CompiledAgent.from_ir(result.agents[0])
    config = replace(configuration(compiled.agent), **{"seed": seed, **ARMS[how]})
    with tempfile.TemporaryDirectory() as folder:
        start, spent = time.perf_counter(), time.process_time()
        ended = train_until_proved(compiled, config, run_of(compiled.agent.name, seed, Path(folder)), Path(folder))
        seconds, spent = time.perf_counter() - start, time.process_time() - spent
    words = ", ".join(sorted({a.word for a in ended.answers.values()}))
    note = f"{ended.result.steps} gradient steps, {ended.rounds} rounds of verification, {spent:.0f} CPU s"
    wanted, holds = ("proved", ended.proved) if how != "no margin" else ("", None)
    yield Row(f"{name}, seed {seed}, {how}: {words}", seconds, None, "", None, "s", wanted, holds, note)
