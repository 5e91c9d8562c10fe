"""``docs/methods.md``: made of what is recorded, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agentc.benchmarks.methods.experiment import registry
from agentc.benchmarks.methods.records import RECORDED, Standing, standing
from agentc.benchmarks.methods.verdict import Verdict, chance, compare
from agentc.runtime.learn.aggregate import aggregate

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"
"""Where the page lies in a checkout."""

_HEAD = """\
# Published methods

Each is a spec under `specs/methods/` and a comparison in `benchmarks/methods/`: an arm that is the method, an arm that
lacks exactly one slot value (the *control*), the same steps in every arm. `agentc bench methods NN` runs one or goes on
with it, and makes this page anew from `benchmarks/methods/recorded/`; so does `python -m agentc.benchmarks.methods`.

A figure is the interquartile mean over seeds with its 95 % bootstrap interval. The *gain* is how much better the method
is than the control; the verdict follows from its interval alone:
"""


def standings(folder: Path = RECORDED) -> tuple[Standing, ...]:
    """Every experiment with what is recorded of it, by number. Raises AS1506."""
    return tuple(standing(e, folder) for e in registry().values())


def page(found: Sequence[Standing]) -> str:
    """The text of the page."""
    lines = [_HEAD, *(f"- *{v.value}*: {v.sentence}." for v in Verdict), ""]
    lines += ["| # | method | metric | control | method | gain | verdict |", "| --- " * 7 + "|"]
    for s in found:
        e = s.experiment
        gain = "" if s.comparison is None else str(s.comparison.gain)
        cells = (e.number, e.title, f"{e.metric}, {e.better} is better", _figure(s, e.control), _figure(s, e.method))
        lines.append("| " + " | ".join(map(str, (*cells, gain, s.verdict))) + " |")
    for s in found:
        lines += ["", *_section(s)]
    return "\n".join(lines) + "\n"


def table(found: Sequence[Standing]) -> str:
    """The same for a terminal, a line each."""
    rows = [
        (
            f"{s.experiment.number}",
            s.experiment.title,
            f"{s.experiment.control} {_figure(s, s.experiment.control)}",
            f"{s.experiment.method} {_figure(s, s.experiment.method)}",
            s.verdict,
        )
        for s in found
    ]
    widths = [max((len(row[k]) for row in rows), default=0) for k in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def write_page(path: Path = PAGE, folder: Path = RECORDED) -> bool:
    """Write the page where there is a checkout; whether there is."""
    if not path.parent.is_dir():
        return False
    path.write_text(page(standings(folder)))
    return True


def _figure(s: Standing, arm: str) -> str:
    figures = s.figures(arm)
    return str(aggregate(figures)) if figures else "-"


def _gain_over(s: Standing, arm: str) -> str:
    """How much better the method's arm is than another one; the verdict rests on the control alone."""
    e = s.experiment
    if arm == e.method or s.comparison is None:
        return ""
    return str(compare(s.figures(e.method), s.figures(arm), e.better, paired=e.paired).gain)


def _section(s: Standing) -> list[str]:
    e = s.experiment
    told = f"{chance(len(e.seeds), paired=e.paired):.0%}"
    how = "compared seed by seed" if e.paired else "compared as two samples"
    lines = [
        f"## {e.number} {e.title}",
        "",
        f"{e.source}. Spec: `specs/{e.spec}`.",
        "",
        f"The control removes {e.removed}. {e.steps:,} steps a run, {len(e.seeds)} seeds, {how}: arms that do not "
        f"differ are told apart in {told} of such comparisons.",
    ]
    if e.notes:
        lines += ["", e.notes]
    lines += ["", f"| arm | what is different | {e.metric} | by seed | the method's gain over it | minutes |"]
    lines += ["| --- " * 6 + "|"]
    for arm in e.arms:
        own = [r for r in s.runs if r.arm == arm.name]
        each = ", ".join(f"{x:.4g}" for x in s.figures(arm.name)) or "-"
        minutes = f"{sum(r.wall for r in own) / 60:.1f}" if own else "-"
        gain = _gain_over(s, arm.name)
        lines.append(f"| {arm.name} | {arm.note} | {_figure(s, arm.name)} | {each} | {gain} | {minutes} |")
    gain = "" if s.comparison is None else f" Gain {s.comparison.gain}."
    lines += ["", f"Verdict: **{s.verdict}**.{gain}"]
    return lines
