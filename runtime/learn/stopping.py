"""``train ... until satisfaction(f) >= p``: a callback that ends a run whose last episodes meet the condition."""

from __future__ import annotations

import re
from collections.abc import Callable

from agentc.runtime.learn.statistics import WINDOW, EpisodeStatistics
from agentc.runtime.learn.train import Callback, Update

_NUMBER = r"([-+]?[\d_]+\.?[\d_]*(?:[eE][-+]?\d+)?)"
_WHAT = r"(satisfaction|violations|return)(?:\(\s*(\w+)\s*\))?"


def stopping(until: str | None) -> Callback | None:
    """The callback of a condition as the spec writes it; None where there is none, or one that is no expectation.

    ``satisfaction(f)`` is the share of the last episodes that satisfy, ``violations(f)`` how many of them violate,
    ``return`` their mean return.
    """
    for pattern, turned in ((rf"{_WHAT}\s*([<>]=)\s*{_NUMBER}", False), (rf"{_NUMBER}\s*([<>]=)\s*{_WHAT}", True)):
        found = re.fullmatch(pattern, (until or "").strip())
        if found is not None:
            what, name, bound = (found[3], found[4], found[1]) if turned else (found[1], found[2], found[4])
            return _stops(what, name or "", float(bound))
    return None


def _stops(what: str, name: str, bound: float) -> Callback:
    measured: dict[str, Callable[[EpisodeStatistics], float | None]] = {
        "satisfaction": lambda e: e.satisfied.get(name),
        "violations": lambda e: None if name not in e.violated else round(e.violated[name] * e.counted),
        "return": lambda e: e.mean_return,
    }

    def callback(update: Update) -> bool:
        value = measured[what](update.episodes)
        if value is None or update.episodes.counted < WINDOW:
            return False
        return value <= bound if what == "violations" else value >= bound

    return callback
