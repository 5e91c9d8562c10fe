"""Sentinels: a run that has collapsed is stopped, with the sign that was seen.

A collapse is a fall from something better, or numbers that no learning explains; that nothing has been learned yet is
none. What counts:

- *satisfaction* of a task was 50 % or more over a window of 100 episodes, and is 0 over a window;
- *violations* of a safe were 50 % or fewer over a window, and all episodes of a window violate it;
- *entropy* of the decisions is below 1 % of the greatest that is possible (of continuous actions: a deviation below
  0.001), for five lines of the log, while no task is satisfied in a window: nothing new will be tried;
- *divergence*: the policy moves by more than 10 nats in an update, or the squared error of the values is 10,000 times
  what returns explain, for three lines;
- *gradient*, of a controller that is trained through a declared system: none is left for five lines, while most
  rollouts break a formula: its outputs are stuck at the ends of their ranges;
- *return*, where there are no tasks: it was better, by half of what it is at most, and has been at its least for a
  fifth of the run.

The first three need whole windows; where a teacher or a reset changes the tasks, only entropy, divergence and gradient
count. A line of the log is all that is read, so that a resumed run knows what was before from ``metrics.jsonl``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentc.lang.diagnostics import Diagnostic, report
from agentc.runtime.learn import checkpoint as checkpoints
from agentc.runtime.learn.architecture import ActionHead, Architecture
from agentc.runtime.learn.configuration import StartingConfig, TrainingConfig
from agentc.runtime.learn.logs import read_metrics
from agentc.runtime.learn.statistics import WINDOW
from agentc.runtime.learn.train import Finish, Update, metrics_of

HIGH = 0.5
LITTLE_ENTROPY = 0.01
SMALL_DEVIATION = 1e-3
FAR = 10.0
"""Nats that a policy moves in one update, of which no update of a clipped objective comes near."""
UNEXPLAINED = 1e4
ENTROPY_LINES, DIVERGENCE_LINES, GRADIENT_LINES = 5, 3, 5
FLAT_SHARE = 0.2
NEAR_LEAST = 0.01
"""Of the range that the return has had: what counts as being at its least."""


@dataclass(frozen=True, slots=True)
class Sign:
    """What was seen: its name, a clause that says it with its numbers, and the steps after which it was seen."""

    name: str
    clause: str
    steps: int


class Sentinel:
    """Reads line after line; :meth:`read` says whether the run has collapsed. Also a callback of a run."""

    def __init__(self, config: TrainingConfig, folder: Path) -> None:
        """``folder`` is the run's: what was logged there before, and what kind of actions the policy chooses."""
        self._config, self._folder = config, folder
        self._changing = isinstance(config, StartingConfig) and (config.teacher != "none" or config.reset != "task")
        self._head: ActionHead | None = None
        self._began = False
        self._best: dict[str, float] = {}
        self._still = self._wild = self._stuck = 0
        self._low = self._high = math.nan
        self._flat_since: int | None = None
        self.sign: Sign | None = None
        """The sign that was seen, if one was."""

    def __call__(self, update: Update) -> Finish | None:
        """Stop a run that has collapsed, if the settings say so."""
        if not self._began:
            self._begin(update.steps)
        if update.finish is not None or self.sign is not None or self._config.sentinel == "off":
            return None
        self.sign = self.read(metrics_of(update))
        return Finish.COLLAPSED if self.sign is not None and self._config.sentinel == "stop" else None

    def diagnostic(self) -> Diagnostic | None:
        """The sign as a diagnostic: AS1550, a warning AS1551 where runs are not stopped; None if none was seen."""
        if self.sign is None:
            return None
        code = "AS1550" if self._config.sentinel == "stop" else "AS1551"
        return report(code, None, steps=self.sign.steps, why=self.sign.clause)

    def read(self, line: Mapping[str, Any]) -> Sign | None:
        """Take in a line of the log; what it shows of a collapse."""
        steps, episodes, learning = int(line["steps"]), line.get("episodes", {}), line.get("learning", {})
        full = int(episodes.get("episodes", 0)) >= WINDOW
        satisfied = episodes.get("satisfied", {}) if full else {}
        signs = [self._divergence(learning, episodes), self._entropy(learning, satisfied), self._gradient(learning)]
        if full and not self._changing:
            signs += [self._fallen(satisfied, episodes.get("violated", {})), self._flat(episodes, steps)]
        return next((Sign(name, clause, steps) for name, clause in filter(None, signs)), None)

    def _begin(self, steps: int) -> None:
        """What was before this process: the lines up to here, and what the policy chooses."""
        self._began = True
        self._head = Architecture.from_data(checkpoints.load(self._folder).architecture).action
        for line in read_metrics(self._folder):
            if int(line["steps"]) < steps:
                self.read(line)
        self._still = self._wild = self._stuck = 0  # of what ended a run before, nothing is held against it

    def _fallen(self, satisfied: Mapping[str, float], violated: Mapping[str, float]) -> tuple[str, str] | None:
        found = None
        for kind, rates in (("satisfied", satisfied), ("kept", {k: 1.0 - v for k, v in violated.items()})):
            for name, rate in rates.items():
                best = self._best[f"{kind}/{name}"] = max(rate, self._best.get(f"{kind}/{name}", 0.0))
                if rate == 0.0 and best >= HIGH:
                    said = f"`{name}` was {kind} in {best:.0%} of {WINDOW} episodes, and in none of the last {WINDOW}"
                    found = found or ("satisfaction" if kind == "satisfied" else "violations", said)
        return found

    def _entropy(self, learning: Mapping[str, float], satisfied: Mapping[str, float]) -> tuple[str, str] | None:
        entropy, head = learning.get("entropy"), self._head
        forced = learning.get("decisions", 1.0) == 0.0  # nothing was chosen, so that nothing is known of choices
        if entropy is None or head is None or forced or not satisfied or any(satisfied.values()):
            self._still = 0
            return None
        if head.kind in ("categorical", "multi"):
            most = sum(math.log(max(1, n)) for n in (head.choices or (head.size,)))
            least, shown = LITTLE_ENTROPY * most, f"of {most:.3g} nats"
        else:
            size = max(1, math.prod(head.shape) if head.shape else head.size)
            least = size * (0.5 * math.log(2 * math.pi * math.e) + math.log(SMALL_DEVIATION))
            shown = f"nats, a deviation below {SMALL_DEVIATION:g}"
        self._still = self._still + 1 if entropy < least else 0
        if self._still < ENTROPY_LINES:
            return None
        return "entropy", f"the entropy is {entropy:.2g} {shown}, and no task is satisfied in {WINDOW} episodes"

    def _divergence(self, learning: Mapping[str, float], episodes: Mapping[str, Any]) -> tuple[str, str] | None:
        self._range(episodes)
        moved, error = learning.get("kl", 0.0), learning.get("value_loss", learning.get("critic_loss", 0.0))
        size = 1.0 + max((x * x for x in (self._low, self._high) if x == x), default=0.0)
        far, off = moved > FAR, error > UNEXPLAINED * size and not math.isnan(self._low)
        self._wild = self._wild + 1 if far or off else 0
        if self._wild < DIVERGENCE_LINES:
            return None
        if far:
            return "divergence", f"the policy moves by {moved:.3g} nats in an update"
        return "divergence", f"the squared error of the values is {error:.3g}, and returns explain {size:.3g}"

    def _gradient(self, learning: Mapping[str, float]) -> tuple[str, str] | None:
        norm, share = learning.get("grad_norm"), learning.get("satisfied")
        gone = norm == 0.0 and share is not None and share < HIGH
        self._stuck = self._stuck + 1 if gone else 0
        if self._stuck < GRADIENT_LINES:
            return None
        return "gradient", f"no gradient is left, and {1 - (share or 0.0):.0%} of the rollouts break a formula"

    def _range(self, episodes: Mapping[str, Any]) -> None:
        mean = episodes.get("mean_return")
        if mean is not None:
            self._low = mean if math.isnan(self._low) else min(self._low, mean)
            self._high = mean if math.isnan(self._high) else max(self._high, mean)

    def _flat(self, episodes: Mapping[str, Any], steps: int) -> tuple[str, str] | None:
        mean, spread = episodes.get("mean_return"), self._high - self._low
        much = spread > HIGH * max(abs(self._low), abs(self._high))
        if mean is None or episodes.get("satisfied") or not much or mean > self._low + NEAR_LEAST * spread:
            self._flat_since = None
            return None
        if self._flat_since is None:
            self._flat_since = steps
        if steps - self._flat_since < FLAT_SHARE * self._config.steps:
            return None
        said = f"the return has been at its least, {mean:.4g}, for {steps - self._flat_since:,} steps; "
        return "return", said + f"it was {self._high:.4g}"
