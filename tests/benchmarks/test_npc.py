"""The benchmark of controllers trained through declared systems: what is missing, and what a short run records."""

from agentc.benchmarks import npc
from agentc.runtime.cli.waiting import Waiting


def test_what_is_recorded_is_not_run_again(tmp_path):
    row = npc.Recorded("maze", "alone", 0, 1, 2, 1.0, 1.0, 1.0, npc.digest("maze"))
    rest = [npc.Recorded("maze", arm, 0, 1, 2, 1.0, 1.0, 1.0, npc.digest("maze")) for arm in ("refined", "backup")]
    assert npc.missing([row], 1) == [("maze", 0), ("ship", 0), ("traffic", 0)]
    assert npc.missing([row, *rest], 2)[:2] == [("ship", 0), ("traffic", 0)]
    stale = tmp_path / "npc.jsonl"
    stale.write_text('{"task": "maze", "arm": "alone", "seed": 0, "satisfied": 1, "starts": 2, "training": 1.0, '
                     '"acting": 1.0, "own": 1.0, "spec": "of another text"}\n')  # fmt: skip
    assert npc.recorded(stale) == []


def test_a_short_training_is_settled_in_every_arm(tmp_path):
    with Waiting() as waiting:
        seconds = npc.trained("traffic", 0, tmp_path, waiting, steps=20)
        assert npc.trained("traffic", 0, tmp_path, waiting, steps=20) > seconds  # what was spent counts on
    found = {arm: npc.settle("traffic", 0, arm, tmp_path, seconds, starts=4) for arm in ("alone", "backup")}
    assert all(0 <= r.satisfied <= r.starts == 4 for r in found.values())
    assert found["alone"].own == 1.0
    assert [row.holds for row in npc.rows([*found.values()])].count(None) == 1
