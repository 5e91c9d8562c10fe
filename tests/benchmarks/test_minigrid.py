"""The benchmark of MiniGrid's speed: what it measures, in small."""

import pytest

from agentc.benchmarks import minigrid


def test_a_small_measurement_has_both_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TASKS": minigrid.TASKS[:1], "ENVS": 4, "ROUND": 3, "PACKAGE_STEPS": 20, "POOL": 2}.items():
        monkeypatch.setattr(minigrid, name, value)
    pooled, anew = minigrid.run(rounds=1)
    assert pooled.holds is (pooled.ours is not None and pooled.ours >= minigrid.GOAL) and anew.holds is None
    assert pooled.peer == anew.peer and pooled.peer and pooled.ratio and anew.ratio
    assert pooled.target and not anew.target


def test_a_round_steps_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentc.runtime.envs.minigrid_batch import GridWorld

    monkeypatch.setattr(minigrid, "ENVS", 2)
    monkeypatch.setattr(minigrid, "ROUND", 7)
    measure = minigrid.port(minigrid.TASKS[0], 1)
    stepped, step = [], GridWorld.step
    monkeypatch.setattr(GridWorld, "step", lambda self, actions: stepped.append(len(actions)) or step(self, actions))
    assert measure() > 0
    assert stepped == [2] * 7
