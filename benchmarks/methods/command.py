"""What ``agentc bench methods`` does: the table, or one experiment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from agentc.benchmarks.methods.experiment import find
from agentc.benchmarks.methods.page import PAGE, standings, table, write_page
from agentc.benchmarks.methods.records import Standing, standing
from agentc.benchmarks.methods.running import carry_out
from agentc.runtime.cli.waiting import Waiting
from agentc.runtime.learn.aggregate import interquartile_mean


def show(which: str | None, form: str, runs: Path, *, again: bool = False) -> int:
    """Print every experiment's standing; with ``which``, run or resume that one first and make the page anew.

    Raises :class:`AgentcError`: AS1505 for a number that no experiment has, AS1506 for a record that is none.
    """
    if which is None:
        found = standings()
    else:
        experiment = find(which)
        with Waiting() as waiting:
            carry_out(experiment, runs, again=again, tell=waiting)
        if write_page():
            click.echo(f"written: {PAGE}", err=True)
        found = (standing(experiment),)
    click.echo(json.dumps([_data(s) for s in found], indent=2) if form == "json" else table(found))
    return 0


def _means(s: Standing, arm: str) -> dict[str, float]:
    """Every figure of an arm."""
    names = dict.fromkeys(name for r in s.runs if r.arm == arm for name in sorted(r.figures))
    return {name: round(interquartile_mean(s.figures(arm, name)), 4) for name in names}


def _data(s: Standing) -> dict[str, Any]:
    e, c = s.experiment, s.comparison
    return {
        "number": e.number,
        "title": e.title,
        "metric": e.metric,
        "better": e.better,
        "steps": e.steps,
        "control": e.control,
        "method": e.method,
        "arms": {arm.name: s.figures(arm.name) for arm in e.arms},
        "interquartile means": {arm.name: _means(s, arm.name) for arm in e.arms},
        "gain": None if c is None else [c.gain.lower, c.gain.mean, c.gain.upper],
        "verdict": None if c is None else c.verdict.value,
        "missing": [list(m) for m in s.missing],
        "stale": [[r.arm, r.seed] for r in s.stale],
    }
