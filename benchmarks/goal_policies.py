"""One policy for many tasks: trained on sampled reach-avoid sequences, followed zero-shot on other, longer formulas.

After LTL2Action (ICML 2021) and DeepLTL (ICLR 2025), in the letter world and the zone world: see
:mod:`agentc.runtime.goal_vector`. Training draws one or two stages with up to two things to avoid; the formulas of the
test are longer or of another form, compiled from their text as every task is. Beside it, a policy for each test formula
that is trained on that formula alone for as many steps (``--alone``).

    python -m agentc.benchmarks.goal_policies letters --steps 100000 --seeds 3
    python -m agentc.benchmarks.goal_policies zones --steps 200000 --seeds 3
    python -m agentc.benchmarks.goal_policies zones --steps 200000 --seeds 3 --alone
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentc.runtime.formulas import PartiallyOrdered, ReachAvoid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agentc.runtime.goal_vector import Followed, GoalVectorEnv, MarkedWorld
    from agentc.runtime.goals import GoalPaths


@dataclass(frozen=True)
class Domain:
    """A world, its signal, and how a policy for it is trained."""

    name: str
    signal: str
    horizon: int
    discount: float
    formulas: tuple[tuple[str, str], ...]


DOMAINS = {
    "letters": Domain(
        "letters", "letter", 75, 0.94,
        (
            ("three in order", "F (letter == a & F (letter == b & F letter == c))"),
            ("five in order", "F (letter == f & F (letter == b & F (letter == k & F (letter == c & F letter == h))))"),
            (
                "three, avoiding",
                "!(letter == a | letter == c) U (letter == c & (!(letter == d | letter == e) U (letter == e &"
                " (!(letter == f | letter == g) U letter == h))))",
            ),
            ("two of two, any order", "F (letter == a & F letter == b) & F (letter == c & F letter == d)"),
            ("either way", "F (letter == a & F letter == b) | F (letter == c & F letter == d)"),
        ),
    ),
    "zones": Domain(
        "zones", "zone", 300, 0.98,
        (
            ("three in order", "F (zone == green & F (zone == yellow & F zone == blue))"),
            ("four in order", "F (zone == green & F (zone == blue & F (zone == yellow & F zone == magenta)))"),
            (
                "three, avoiding",
                "!(zone == blue | zone == green) U (zone == green & (!(zone == yellow | zone == magenta) U"
                " (zone == magenta & (!(zone == green) U zone == blue))))",
            ),
            ("two of two, any order", "F (zone == green & F zone == blue) & F zone == yellow"),
            ("either way", "(!(zone == blue) U zone == green) | (!(zone == blue) U zone == magenta)"),
        ),
    ),
}  # fmt: skip
"""The test formulas are of other lengths and forms than those of training."""

TRAINED_ON = ReachAvoid(stages=(1, 2), avoided=(0, 2))
LONGER = ReachAvoid(stages=(3, 4), avoided=(0, 2))


def world_of(domain: Domain, num_envs: int) -> MarkedWorld:
    """N rows of the domain's world."""
    from agentc.runtime.envs.letter_world import LetterBatch
    from agentc.runtime.envs.zone_world import ZoneBatch

    return LetterBatch(num_envs, domain.horizon) if domain.name == "letters" else ZoneBatch(num_envs, domain.horizon)


def paths_of(domain: Domain, formula: str) -> GoalPaths:
    """The paths of a formula's reward machine."""
    from agentc.compiler.pipeline import check
    from agentc.lang.source import Source
    from agentc.runtime.goal_vector import STAGES
    from agentc.runtime.goals import goal_paths
    from agentc.runtime.machine_table import tabulate

    name = domain.name
    body = f"env {name}\n  task goal = {formula}\n  reward {{ goal : 1 }}"
    text = f"import std.env.{name}: {name}\nagent Goal {{\n  {body}\n}}\n"
    result = check(Source("<formula>", text))
    assert result.ok, [d.message for d in result.diagnostics]
    return goal_paths(tabulate(result.agents[0]), domain.signal, world_of(domain, 1).members, STAGES)


@dataclass
class Policy:
    """A trained network as the two functions that following a formula takes."""

    network: Any
    randomness: Any

    def act(self, seen: NDArray[np.float32]) -> Any:
        """Sampled actions."""
        import torch

        from agentc.runtime.learn.acting import draw, enacted

        head = self.network.architecture.action
        with torch.inference_mode():
            noise = draw(head, (len(seen),), self.randomness)
            action = self.network.policy(self.network.inputs({"": seen})).sample(torch.from_numpy(noise)).numpy()
        return enacted(head, action)

    def value(self, seen: NDArray[np.float32]) -> Any:
        """The critic's values."""
        import torch

        with torch.inference_mode():
            return self.network.value(self.network.inputs({"": seen})).numpy()


def trained(domain: Domain, env: GoalVectorEnv | Any, steps: int, seed: int, tell: bool) -> Policy:
    """PPO for that many environment steps."""
    import numpy as np

    from agentc.runtime.learn.policy import Policy as Loaded
    from agentc.runtime.learn.ppo import PPOConfig
    from agentc.runtime.learn.train import Update, train

    config = PPOConfig(
        steps=steps, envs=env.num_envs, seed=seed, rollout=64, epochs=4, minibatches=8, learning_rate=1e-3, anneal=True,
        entropy_coef=0.01, hidden=128, layers=2, activation="relu", discount=domain.discount,
    )  # fmt: skip
    marks = iter(range(steps // 10, steps + 1, max(1, steps // 10)))
    due = next(marks)

    def say(update: Update) -> bool:
        nonlocal due
        if tell and update.steps >= due:
            due = next(marks, steps + 1)
            won = update.episodes.satisfied.get("sequence", float("nan"))
            lost = update.episodes.violated.get("sequence", float("nan"))
            _say(f"  {update.steps:>9,} steps: reached {won:.2f}, spoiled {lost:.2f}, {update.seconds:.0f} s")
        return False

    with tempfile.TemporaryDirectory() as folder:
        train(env, config, Path(folder), callbacks=[say])
        network = Loaded.load(Path(folder))._network
    return Policy(network, np.random.default_rng([seed, 9]))


def evaluate(domain: Domain, policy: Policy, formulas: list[tuple[str, str]], episodes: int) -> list[Followed]:
    """How the policy follows each formula, from fresh episodes."""
    from agentc.runtime.goal_vector import follow

    return [
        follow(world_of(domain, episodes), paths_of(domain, text), policy.act, policy.value, domain.horizon)
        for _, text in formulas
    ]


def sampled(domain: Domain, count: int = 10) -> list[tuple[str, str]]:
    """Formulas that are drawn: longer reach-avoid sequences, and partially ordered ones."""
    import numpy as np

    randomness = np.random.default_rng(5)
    members = world_of(domain, 1).members[1:]
    short = ReachAvoid(stages=(3, 4), avoided=(0, 1)) if domain.name == "zones" else LONGER
    drawn = [("longer sequences", short.formula(domain.signal, members, randomness)) for _ in range(count)]
    ordered = PartiallyOrdered((2, 2), (2, 2))
    return drawn + [("partially ordered", ordered.formula(domain.signal, members, randomness)) for _ in range(count)]


def main(arguments: list[str] | None = None) -> int:
    """Train, follow, and say how it went."""
    import numpy as np

    from agentc.runtime.goal_vector import GoalVectorEnv
    from agentc.runtime.learn.curves import interquartile_mean

    parser = argparse.ArgumentParser(description="One policy for many formulas.")
    parser.add_argument("domain", choices=tuple(DOMAINS))
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=256)
    parser.add_argument("--alone", action="store_true", help="train a policy for each test formula alone instead")
    given = parser.parse_args(arguments)
    domain = DOMAINS[given.domain]
    named, drawn = list(domain.formulas), sampled(domain)
    if given.alone:
        _alone(domain, named, given.steps, given.seeds, given.episodes)
        return 0
    results: list[list[Followed]] = []
    for seed in range(given.seeds):
        began = time.process_time()
        _say(f"{domain.name}, seed {seed}")
        avoided = (0, 1) if domain.name == "zones" else (0, 2)
        env = GoalVectorEnv(world_of(domain, 64), ReachAvoid(stages=(1, 2), avoided=avoided))
        policy = trained(domain, env, given.steps, seed, tell=True)
        results.append(evaluate(domain, policy, [*named, *drawn], given.episodes))
        for kind in dict.fromkeys(name for name, _ in [*named, *drawn]):
            went = [f.satisfied for f, (name, _) in zip(results[-1], [*named, *drawn], strict=True) if name == kind]
            _say(f"    {kind:<24} {np.mean(went):.3f}")
        _say(f"  {time.process_time() - began:.0f} s CPU")
    _say(f"{'formula':<24} {'satisfied':>9} {'violated':>9} {'steps':>7}   over {given.seeds} seeds")
    every = [*named, *drawn]
    for kind in dict.fromkeys(name for name, _ in every):
        rows = [k for k, (name, _) in enumerate(every) if name == kind]
        won = np.array([np.mean([r[k].satisfied for k in rows]) for r in results])
        lost = np.array([np.mean([r[k].violated for k in rows]) for r in results])
        steps = np.nanmean([[r[k].steps for k in rows] for r in results])
        _say(f"{kind:<24} {interquartile_mean(won):>9.3f} {interquartile_mean(lost):>9.3f} {steps:>7.1f}")
    return 0


def _alone(domain: Domain, named: list[tuple[str, str]], steps: int, seeds: int, episodes: int) -> None:
    """A policy per formula: PPO on that formula's machine, with the goals told along its machine's paths."""
    import numpy as np

    from agentc.runtime.goal_vector import FormulaVectorEnv
    from agentc.runtime.learn.curves import interquartile_mean

    _say(f"{'one policy per formula':<24} {'satisfied':>9} {'violated':>9}")
    for name, text in named:
        found = []
        for seed in range(seeds):
            env = FormulaVectorEnv(world_of(domain, 64), paths_of(domain, text))
            policy = trained(domain, env, steps, seed, tell=False)
            found += evaluate(domain, policy, [(name, text)], episodes)
        won = interquartile_mean(np.array([f.satisfied for f in found]))
        lost = interquartile_mean(np.array([f.violated for f in found]))
        _say(f"{name:<24} {won:>9.3f} {lost:>9.3f}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
