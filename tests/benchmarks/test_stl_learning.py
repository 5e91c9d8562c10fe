"""The benchmark of learning from STL: every arm runs, is judged and recorded, and what is recorded is not run again."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from agentc.benchmarks import stl_learning, stl_tasks
from agentc.benchmarks.stl_learning import BASELINES, OURS, Recorded, digest, missing, read, rows
from agentc.runtime.planning.cross_entropy import CrossEntropy, cross_entropy, rolled
from agentc.runtime.planning.problem import problem_of
from agentc.runtime.subgoals.terminal import TerminalVectorEnv

TASK = "linear_sequence"


def recorded(task=TASK, arm=OURS, seed=0, satisfied=900, starts=1000):
    return Recorded(task, arm, seed, satisfied, starts, 10, 1.0, 1.0, digest(task))


@pytest.mark.parametrize("arm", ["tgpo", "F-MDP", pytest.param("recurrent", marks=pytest.mark.slow)])
def test_an_arm_is_trained_judged_and_resumed(arm, tmp_path):
    found = stl_learning.run_one(TASK, arm, 0, tmp_path, limit=0.5, starts=12)
    assert found.starts == 12 and 0 <= found.satisfied <= 12 and found.spec == digest(TASK)
    assert 0 < found.steps < 800_000, "the limit ended it"
    again = stl_learning.run_one(TASK, arm, 0, tmp_path, limit=0.0, starts=12)
    assert again.steps > found.steps and again.training > found.training, "it went on from there"


def test_what_is_recorded_is_not_run_again(tmp_path):
    path = tmp_path / "rows.jsonl"
    stale = asdict(recorded(seed=1)) | {"spec": "of another text"}
    path.write_text(json.dumps(asdict(recorded())) + "\n" + json.dumps(stale) + "\n")
    done = read(path)
    assert done == [recorded()]
    left = missing(done, [TASK], 2)
    assert (TASK, OURS, 0) not in left and (TASK, OURS, 1) in left
    assert {arm for _, arm, _ in left} == {OURS, *BASELINES}
    assert {arm for _, arm, _ in missing([], ["linear_gate"], 2)} == {OURS}, "baselines have four tasks"


def test_rows_are_medians_with_the_best_baseline():
    done = [recorded(seed=s, satisfied=n) for s, n in enumerate((1000, 990, 100))]
    done += [recorded(arm="terminal", satisfied=20), recorded(arm="F-MDP", satisfied=30)]
    row = {r.case: r for r in rows(done)}[TASK]
    assert row.ours == 0.99 and row.holds and row.peer == 0.03 and row.peer_name == "F-MDP"
    assert "1.000, 0.990, 0.100" in row.note
    (other,) = {r.holds for r in rows(done) if r.case != TASK}
    assert other is None


def test_flags_count_what_holds():
    problem = problem_of(stl_learning.compiled(TASK).agent)
    env = TerminalVectorEnv(problem, 3, flags=True)
    plain = TerminalVectorEnv(problem, 3)
    first, bare = env.reset(5), plain.reset(5)
    number = (first.shape[1] - bare.shape[1]) // 2
    assert number >= 2 and first.shape[1] == bare.shape[1] + 2 * number
    now = env.step(np.zeros((3, 2), np.float32)).observation
    held, ago = now[:, -2 * number : -number] * problem.last, now[:, -number:] * problem.last
    # at rest near the origin no place is reached, and no stone is: what is to be kept clear of has held for two steps
    assert set(np.round(held).ravel().tolist()) == {0.0, 2.0}
    assert ((np.round(ago) == 0.0) == (np.round(held) == 2.0)).all()


def test_cross_entropy_finds_what_robustness_shows_the_way_to():
    problem = problem_of(stl_learning.compiled("unicycle_sequence").agent)
    inputs, value = cross_entropy(problem, problem.start, CrossEntropy(rounds=3, samples=40, best=5))
    trace = rolled(problem, problem.start, inputs[None])[0]
    n = len(problem.system.states)
    judged = problem.judge(inputs)
    assert judged.robustness == pytest.approx(value)
    assert np.allclose(judged.states, trace[:, :n])


def test_the_command_lists_and_refuses(capsys):
    from agentc.runtime.cli.application import invoke

    invoke(["bench", "stl-learning", "--format", "json"])
    assert [row["case"] for row in json.loads(capsys.readouterr().out)] == list(stl_tasks.SEEDS)
    assert invoke(["bench", "stl-learning", "linear_gaet"]) == 1
    assert "AS0968" in capsys.readouterr().err
