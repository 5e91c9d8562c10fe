"""What an experiment on a published method is: arms, one of which lacks exactly one slot value, and seeds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from pkgutil import iter_modules
from typing import Literal

from agentc.lang.diagnostics import AgentcError, report

Run = Callable[[int, Path], Mapping[str, float]]
"""From a seed and a folder of its own (kept between attempts, for checkpoints) to figures, the metric among them."""

_MODULE = re.compile(r"m(\d\d)_\w+")


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to learn; ``note`` says in a few words what is different in it."""

    name: str
    run: Run
    note: str = ""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A published method and its comparison.

    Args:
        number: the method's number; the module is ``mNN_name.py``, the spec ``methods/NN_name.agentspec``.
        source: the paper, as one cites it in a line.
        spec: the spec's path under ``specs/``.
        removed: which one slot value the arm ``control`` lacks.
        metric: which of the figures is compared; ``better`` is ``higher`` or ``lower``.
        steps: environment steps (or tokens, or gradient steps) of one run, the same in every arm.
        seeds: the seeds of every arm.
        control: the arm that lacks it; by default the first.
        method: the arm that is the method as published; by default the last.
        paired: whether the runs of one seed share their tasks or data, so that arms are compared seed by seed.
        notes: what is smaller or otherwise than in the paper, and what is not shown.

    Raises ``ValueError`` for fewer than two arms or three seeds, for names that are used twice or are no arm.
    """

    number: int
    title: str
    source: str
    spec: str
    removed: str
    metric: str
    better: Literal["higher", "lower"]
    steps: int
    seeds: tuple[int, ...]
    arms: tuple[Arm, ...]
    control: str = ""
    method: str = ""
    paired: bool = False
    notes: str = ""

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        object.__setattr__(self, "control", self.control or names[0])
        object.__setattr__(self, "method", self.method or names[-1])
        if len(set(names)) != len(names) or len(names) < 2 or not {self.control, self.method} <= set(names):
            raise ValueError(f"experiment {self.number}: arms {names}, control {self.control}, method {self.method}")
        if self.control == self.method:
            raise ValueError(f"experiment {self.number}: the control is the method, {self.method}")
        if len(set(self.seeds)) < 3 or len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"experiment {self.number}: seeds {self.seeds}, and at least three are needed")
        if self.better not in ("higher", "lower"):
            raise ValueError(f"experiment {self.number}: better is {self.better!r}")

    def arm(self, name: str) -> Arm:
        """The arm of that name. Raises ``KeyError``."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise KeyError(name)


def spec_path(experiment: Experiment) -> Path:
    """Where the spec of an experiment lies."""
    return Path(str(files("agentc.specs"))).joinpath(experiment.spec)


def module_path(experiment: Experiment) -> Path:
    """Where the module of an experiment lies."""
    return _modules()[experiment.number]


@cache
def registry() -> Mapping[int, Experiment]:
    """Every experiment by its number. Raises ``ValueError`` where a module and its experiment disagree."""
    found: dict[int, Experiment] = {}
    for number, path in sorted(_modules().items()):
        experiment = import_module(f"agentc.benchmarks.methods.{path.stem}").EXPERIMENT
        if experiment.number != number:
            raise ValueError(f"{path.name} holds the experiment {experiment.number}")
        found[number] = experiment
    return found


def find(which: str) -> Experiment:
    """The experiment of a number. Raises :class:`AgentcError` (AS1505) if there is none."""
    known = registry()
    if which.isdecimal() and int(which) in known:
        return known[int(which)]
    raise AgentcError([report("AS1505", None, number=which, known=", ".join(map(str, known)) or "none yet")])


@cache
def _modules() -> Mapping[int, Path]:
    folder = Path(__file__).parent
    found: dict[int, Path] = {}
    for info in iter_modules([str(folder)]):
        matched = _MODULE.fullmatch(info.name)
        if matched:
            number = int(matched[1])
            if number in found:
                raise ValueError(f"two modules have the number {number}")
            found[number] = folder / f"{info.name}.py"
    return found
