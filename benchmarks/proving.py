"""Training until a proof closes: the specs of the repository that end proved, from scratch, for several seeds.

``rounds`` are the seeds 0, 1, 2, ... of each spec. Seconds are those of training and all verifications together.
``run`` is called by ``agentc bench proving``; there are no peers.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from agentc.benchmarks.rows import Row

SPECS = ("pendulum", "unicycle_goal", "cruise_control")


def run(rounds: int = 3, data: Path | None = None) -> list[Row]:
    """One row for each spec and seed."""
    return [row for name in SPECS for seed in range(rounds) for row in _proved(name, seed)]


def _proved(name: str, seed: int) -> Iterator[Row]:
    from agentc.compiler.pipeline import check
    from agentc.lang.source import Source
    from agentc.runtime.compiled import CompiledAgent
    from agentc.runtime.proving import train_until_proved
    from agentc.runtime.runs import run_of
    from agentc.runtime.training import configuration

    text = files("agentc.specs").joinpath(f"{name}.agentspec").read_text("utf-8")
    result = check([Source(f"{name}.agentspec", text)])
    compiled = CompiledAgent.from_ir(result.agents[0])
    config = replace(configuration(compiled.agent), seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        start, spent = time.perf_counter(), time.process_time()
        ended = train_until_proved(compiled, config, run_of(compiled.agent.name, seed, Path(folder)), Path(folder))
        seconds, spent = time.perf_counter() - start, time.process_time() - spent
    words = ", ".join(sorted({a.word for a in ended.answers.values()}))
    note = f"{ended.result.steps} gradient steps, {ended.rounds} rounds of verification, {spent:.0f} CPU s"
    yield Row(f"{name}, seed {seed}: {words}", seconds, None, "", None, "s", "proved", ended.proved, note)
