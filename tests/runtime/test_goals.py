"""What has to be reached and avoided, read off a machine; sampled sequences against the reference semantics."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from agentc.compiler.agent import AgentIR
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.envs.letter_world import LETTERS, TILES, LetterBatch
from agentc.runtime.envs.zone_world import ZoneBatch
from agentc.runtime.formulas import PartiallyOrdered, ReachAvoid, written
from agentc.runtime.goal_vector import STAGES, FormulaVectorEnv, GoalVectorEnv, follow, told
from agentc.runtime.goals import GoalPaths, goal_paths
from agentc.runtime.machine_table import tabulate


@cache
def agent(formula: str) -> AgentIR:
    text = (
        "import std.env.letters: letters\nagent Goal {\n  env letters\n"
        f"  task goal = {formula}\n  reward {{ goal : 1 }}\n}}\n"
    )
    result = check(Source("<test>", text))
    assert result.ok, [d.message for d in result.diagnostics]
    return result.agents[0]


def paths(formula: str, stages: int = STAGES) -> GoalPaths:
    return goal_paths(tabulate(agent(formula)), "letter", TILES, stages)


def members(row: np.ndarray) -> set[str]:
    return {TILES[m] for m in np.flatnonzero(row)}


def test_the_stages_of_a_formula() -> None:
    found = paths("!(letter == a | letter == b) U (letter == a & (!(letter == c) U letter == d))", stages=3)
    begin = found.of_state[found.start[0]]
    assert len(begin) == 1
    (row,) = begin
    assert [members(r) for r in found.reach[row]] == [{"a"}, {"d"}, set()]
    assert [members(r) for r in found.avoid[row]] == [{"b"}, {"c"}, set()]


def test_there_is_a_path_for_every_way() -> None:
    found = paths("F (letter == a & F letter == b) | F letter == c")
    begin = found.of_state[found.start[0]]
    ways = {tuple(tuple(sorted(members(r))) for r in found.reach[row]) for row in begin}
    assert (("c",), ()) in ways and any(way[0] == ("a",) and "b" in way[1] for way in ways)
    # where nothing is left to be earned there is no path
    lost = paths("!(letter == b) U letter == a")
    assert all(len(rows) == 0 or not lost.lost[u].all() for u, rows in enumerate(lost.of_state))


def test_the_machine_of_the_paths_is_the_formula() -> None:
    source = np.random.default_rng(2)
    samplers = (ReachAvoid((1, 3), (1, 2), (0, 2)), PartiallyOrdered((2, 2), (1, 2)))
    for k in range(12):
        text = samplers[k % 2].formula("letter", LETTERS[:5], source)
        found = paths(text)
        for _ in range(12):
            word = source.integers(6, size=int(source.integers(2, 9)))
            trace = Trace([{"letter": TILES[m]} for m in word])
            state, won, lost = int(found.start[word[0]]), False, False
            for m in word[1:]:
                won, lost = bool(found.goal[state, m]), bool(found.lost[state, m])
                if won or lost:
                    break
                state = int(found.next[state, m])
            holds = evaluate(agent(text).formula("goal").formula, trace)
            if won:
                assert holds, (text, word)
            if lost:
                assert not holds, (text, word)
            if not won and not lost:  # a formula that was true at step 0 pays on the first step
                assert not holds, (text, word)


def test_a_sampled_sequence_is_its_formula() -> None:
    # the environment of training steps sequences itself: it pays where the formula of the sequence is satisfied
    n = 40
    sampler = ReachAvoid((1, 3), (1, 2), (0, 2))
    env = GoalVectorEnv(LetterBatch(n, 40), sampler)
    env.reset(3)
    source = np.random.default_rng(0)
    traces: list[list[dict[str, str]]] = [[{"letter": "none"}] for _ in range(n)]

    def formula_of(i: int) -> str:
        length = env._length[i]
        stages = tuple(
            (frozenset(np.flatnonzero(env._reach[i, k]).tolist()), frozenset(np.flatnonzero(env._avoid[i, k]).tolist()))
            for k in range(length)
        )
        return written(stages, "letter", TILES)

    texts = [formula_of(i) for i in range(n)]
    judged = {True: 0, False: 0}
    for _ in range(60):
        actions = source.integers(4, size=n)
        where = env.world.cell.copy()  # type: ignore[attr-defined]
        tiles = env.world.tiles.copy()  # type: ignore[attr-defined]
        batch = env.step(actions)
        from agentc.runtime.envs.letter_world import NEXT

        at = tiles[np.arange(n), NEXT[where, actions]]
        for i in range(n):
            traces[i].append({"letter": TILES[at[i]]})
            if batch.terminated[i] and sum(judged.values()) < 60:
                holds = evaluate(agent(texts[i]).formula("goal").formula, Trace(traces[i]))
                assert holds == (batch.reward[i] > 0)
                judged[holds] += 1
            if batch.terminated[i] or batch.truncated[i]:
                traces[i], texts[i] = [{"letter": "none"}], formula_of(i)
    assert judged[True] > 5 and judged[False] > 5


@pytest.mark.parametrize("world", [LetterBatch(6), ZoneBatch(6)])
def test_what_is_told_is_where_things_are(world: LetterBatch | ZoneBatch) -> None:
    world.reset(np.ones(6, np.bool_), list(range(6)))
    nothing = np.zeros((6, len(world.members)), np.bool_)
    assert not world.marks(nothing).any()
    one = nothing.copy()
    one[:, 1] = True
    marks = world.marks(one)
    if isinstance(world, LetterBatch):
        assert (marks.sum(axis=1) == 2).all()
        assert (marks.reshape(6, 7, 7)[:, 3, 3] == (world.member() == 1)).all()
    else:
        assert (marks.reshape(6, 2, 3)[:, :, 2] == 1).all()
    window = np.stack([one, nothing], axis=1)
    assert told(world, window, window).shape[0] == 6


def test_following_by_hand() -> None:
    # a policy that walks to the nearest mark of what is to be reached, around what is to be avoided where it can
    world = LetterBatch(64, 75)
    found = paths("F (letter == a & F (letter == b & F letter == c))")

    def act(seen: np.ndarray) -> np.ndarray:
        reach = seen[:, :49].reshape(-1, 7, 7)
        y, x = np.meshgrid(np.arange(7) - 3, np.arange(7) - 3, indexing="ij")
        away = np.where(reach > 0, np.abs(y) + np.abs(x), 99).reshape(len(seen), -1).argmin(axis=1)
        dy, dx = away // 7 - 3, away % 7 - 3
        return np.where(dx > 0, 1, np.where(dx < 0, 3, np.where(dy > 0, 0, 2)))

    done = follow(world, found, act, lambda seen: np.zeros(len(seen), np.float32), 75)
    assert done.satisfied == 1.0 and done.violated == 0.0 and done.episodes == 64 and done.steps < 25


def test_one_formula_as_an_environment() -> None:
    env = FormulaVectorEnv(LetterBatch(5, 20), paths("!(letter == b) U letter == a"))
    env.reset(0)
    source = np.random.default_rng(0)
    rewards = set()
    for _ in range(200):
        batch = env.step(source.integers(4, size=5))
        assert isinstance(batch.observation, np.ndarray) and env.observation_space.contains(batch.observation[0])
        rewards |= set(batch.reward.tolist())
        assert (batch.terminated == (batch.reward != 0)).all()
    assert rewards == {-1.0, 0.0, 1.0}
