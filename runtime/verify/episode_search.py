"""The search for a violating episode of an environment: seeds, arguments and, where no policy acts, actions.

Random episodes first, then the optimiser of :mod:`.optimizers` over actions and arguments, from the seeds that came
nearest. A found episode is made shorter and plainer as long as it violates (Zeller, Hildebrandt, "Simplifying and
Isolating Failure-Inducing Input", 2002, with single pieces), and replayed in a new environment.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from agentc.runtime.verify.answer import Answer, Verdict, unknown
from agentc.runtime.verify.episodes import Episode, Episodes, Floats
from agentc.runtime.verify.optimizers import optimizer_of
from agentc.runtime.verify.problem import Problem

NAME = "falsify"
BATCH = 32
PIECES = 40
"""The most actions of an episode that are chosen apart; of longer ones several steps share one."""
TRIES = 60


def search_episodes(problem: Problem) -> Answer:
    """Falsified with an episode, or unknown with the episodes spent."""
    settings = problem.settings(NAME)
    episodes = Episodes(problem, str(settings["controller"]), str(settings["vary"]))
    try:
        return _searched(problem, episodes, int(settings["episodes"]), int(settings["seed"]), str(settings["search"]))
    finally:
        episodes.close()


class _Choice:
    """A point of the unit cube as an episode: the arguments, then the actions in pieces; the seed apart."""

    def __init__(self, problem: Problem, episodes: Episodes) -> None:
        self.episodes = episodes
        environment = problem.agent.environment
        horizon = environment.horizon if environment is not None and environment.horizon else 200
        self.pieces = min(horizon, PIECES) if episodes.free else 0
        self.held = max(1, -(-horizon // PIECES)) if episodes.free else 0
        self.fixed = len(episodes.varied)
        self.size = self.fixed + self.pieces * episodes.width

    def run(self, seed: int, point: Floats) -> Episode:
        """The episode of a point."""
        clipped = np.clip(point, 0.0, 1.0 - 1e-12)
        arguments = {s.name: s.value(float(u)) for s, u in zip(self.episodes.varied, clipped, strict=False)}
        if not self.episodes.free:
            return self.episodes.run(seed, arguments, None)
        rows = clipped[self.fixed :].reshape(self.pieces, -1)
        actions = [self.episodes.action(row) for row in rows for _ in range(self.held)]
        return self.episodes.run(seed, arguments, actions)


def _searched(problem: Problem, episodes: Episodes, most: int, seed: int, how: str) -> Answer:
    rng = np.random.default_rng(seed)
    choice = _Choice(problem, episodes)
    optimizer = optimizer_of(choice.size, seed, BATCH, how) if choice.size else None
    spent, least = 0, np.inf
    best: tuple[int, Floats] | None = None
    while spent < most and problem.left() > 0:
        guided = optimizer is not None and best is not None and spent >= min(most // 2, 4 * BATCH)
        if guided:
            assert optimizer is not None and best is not None
            points = optimizer.ask(rng, best[1])[: most - spent]
            seeds = [best[0]] * len(points) if episodes.free else rng.integers(2**31, size=len(points)).tolist()
        else:
            points = rng.random((min(BATCH, most - spent), choice.size))
            seeds = rng.integers(2**31, size=len(points)).tolist()
        values = np.empty(len(points))
        for k, (each, point) in enumerate(zip(seeds, points, strict=True)):
            if problem.left() <= 0:
                return _none(spent, least)
            episode = choice.run(int(each), point)
            spent += 1
            values[k] = np.clip(episode.robustness, -1e12, 1e12)
            if episode.violated:
                again = episodes.replay(_shrunk(problem, choice, episode))
                if again is not None:
                    return _found(problem, episodes, again, spent)
            if values[k] < least:
                least, best = float(values[k]), (int(each), point)
        if guided and optimizer is not None:
            optimizer.tell(points, values)
        problem.progress(f"{spent} episodes, least robustness {least:.4g}")
    return _none(spent, least)


def _shrunk(problem: Problem, choice: _Choice, found: Episode) -> Episode:
    """An episode that violates with fewer kinds of actions: each is that before it wherever that suffices."""
    if not choice.episodes.free:
        return found
    actions, tries = list(found.actions), 0
    for t in range(len(actions) - 1, 0, -1):
        if tries >= TRIES or problem.left() <= 0:
            break
        if np.array_equal(actions[t], actions[t - 1]):
            continue
        trial = choice.episodes.run(found.seed, found.arguments, [*actions[:t], actions[t - 1], *actions[t + 1 :]])
        tries += 1
        if trial.violated and len(trial.actions) <= len(actions):
            found, actions = trial, list(trial.actions)
            actions += [actions[-1]] * (t + 1 - len(actions))
    return replace(found)


def _found(problem: Problem, episodes: Episodes, episode: Episode, spent: int) -> Answer:
    said = f"the episode of seed {episode.seed} violates it after {len(episode.actions)} actions"
    if episode.arguments:
        said += " with " + ", ".join(f"{k} = {v:g}" for k, v in episode.arguments.items())
    said += f", of {spent} that were tried"
    if episodes.free:
        said += "; its actions are free, for no `controller` is named"
    return Answer(Verdict.FALSIFIED, NAME, said, evidence={**episode.evidence(), "episodes": spent})


def _none(spent: int, least: float) -> Answer:
    low = f"the least robustness is {least:.4g}" if np.isfinite(least) and abs(least) < 1e12 else "none came near"
    return unknown(NAME, f"no violation in {spent} episodes, {low}", episodes=spent)
