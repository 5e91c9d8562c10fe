"""The frame of published methods: verdicts on hand-written numbers, runs that resume, and what is registered."""

import json
from pathlib import Path

import pytest

from agentc.benchmarks.methods import records
from agentc.benchmarks.methods.experiment import Arm, Experiment, find, module_path, registry, spec_path
from agentc.benchmarks.methods.page import PAGE, page, standings, table
from agentc.benchmarks.methods.running import carry_out
from agentc.benchmarks.methods.verdict import Verdict, chance, compare
from agentc.compiler.pipeline import check, read
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.cli.application import invoke

SPECS = Path(__file__).resolve().parents[2] / "specs" / "methods"


def made(number=1, seeds=(0, 1, 2), gain=1.0, calls=None, **others):
    def run_control(seed, folder):
        if calls is not None:
            calls.append(("without", seed))
        return {"score": float(seed)}

    def run_method(seed, folder):
        if calls is not None:
            calls.append(("with", seed))
        return {"score": seed + gain, "extra": 2.0}

    given = {"metric": "score", "better": "higher", "steps": 10, "paired": True} | others
    arms = (Arm("without", run_control), Arm("with", run_method))
    said = ("A method", "A paper", "methods/none.agentspec", "its idea")
    return Experiment(number, *said, seeds=seeds, arms=arms, **given)


# ---------------------------------------------------------------- verdicts


def test_the_interval_of_the_gain_decides():
    assert compare([3, 4, 5], [0, 1, 2], "higher").verdict is Verdict.REPRODUCED
    assert compare([3, 4, 5], [0, 1, 2], "lower").verdict is Verdict.NOT_REPRODUCED
    assert compare([0, 1, 2], [0, 1, 2], "higher").verdict is Verdict.INCONCLUSIVE
    assert compare([1, 1, 1], [1, 1, 1], "higher").verdict is Verdict.NOT_REPRODUCED  # no part of it is above zero


def test_pairs_are_told_apart_where_samples_are_not():
    control, method = [0.0, 10.0, 20.0], [1.0, 11.0, 21.0]
    assert compare(method, control, "higher").verdict is Verdict.INCONCLUSIVE
    paired = compare(method, control, "higher", paired=True)
    assert paired.verdict is Verdict.REPRODUCED and paired.gain.mean == paired.gain.lower == paired.gain.upper == 1.0
    with pytest.raises(ValueError, match="no pairs"):
        compare([1.0, 2.0], [1.0], "higher", paired=True)


def test_the_gain_is_of_interquartile_means():
    # Of three figures the middle one weighs 2/3 and each other 1/6.
    gain = compare([0.0, 3.0, 12.0], [0.0, 0.0, 6.0], "higher").gain
    assert gain.mean == pytest.approx((2 / 3 * 3 + 1 / 6 * 12) - 1 / 6 * 6)
    assert gain.lower <= gain.mean <= gain.upper


def test_few_seeds_are_told_apart_by_chance_more_often():
    assert chance(3, paired=True) > 0.2 > chance(10, paired=True) > 0.02
    assert chance(3, paired=False) > chance(10, paired=False)


# ---------------------------------------------------------------- an experiment


@pytest.mark.parametrize(
    "wrong", [{"seeds": (0, 1)}, {"seeds": (0, 0, 1)}, {"control": "other"}, {"method": "without"}, {"better": "more"}]
)
def test_an_experiment_needs_a_control_and_three_seeds(wrong):
    with pytest.raises(ValueError, match="experiment 1"):
        made(**wrong)


@pytest.fixture
def digests(monkeypatch):
    """Experiments of the tests have no module; what their digest is, the test says."""
    said = {"digest": "a"}
    monkeypatch.setattr(records, "digest", lambda e: said["digest"])
    monkeypatch.setattr("agentc.benchmarks.methods.running.digest", lambda e: said["digest"])
    return said


def test_runs_are_recorded_one_by_one_and_resumed(tmp_path, digests):
    calls, lines = [], []
    e = made(calls=calls)

    def stop_at_four(line):
        lines.append(line)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out(e, tmp_path / "runs", folder=tmp_path, tell=stop_at_four)
    half = records.standing(e, tmp_path)
    assert half.comparison is None and half.verdict == "3 of 6 runs" and ("with", 1) in half.missing
    carry_out(e, tmp_path / "runs", folder=tmp_path)
    assert len(calls) == 6 == len(set(calls))  # nothing twice
    whole = records.standing(e, tmp_path)
    assert whole.figures("with") == [1.0, 2.0, 3.0] and whole.verdict == "direction reproduced"
    assert "left" in lines[-1] and "run 4 of 6" in lines[-1]
    data = json.loads((tmp_path / "01.json").read_text())
    assert data["runs"][1]["figures"] == {"extra": 2.0, "score": 1.0} and data["runs"][1]["digest"] == "a"


def test_a_stale_record_is_said_to_be_and_replaced(tmp_path, digests):
    e = made()
    carry_out(e, tmp_path / "runs", folder=tmp_path)
    digests["digest"] = "b"
    s = records.standing(e, tmp_path)
    assert len(s.stale) == 6 and "stale" in s.verdict and "stale" in page([s]) and "stale" in table([s])
    carry_out(e, tmp_path / "runs", folder=tmp_path)
    assert not records.standing(e, tmp_path).stale


def test_an_arm_has_to_say_the_metric(tmp_path, digests):
    with pytest.raises(ValueError, match="missing is asked for"):
        carry_out(made(metric="missing"), tmp_path / "runs", folder=tmp_path)


def test_the_digest_is_of_what_is_said_not_of_its_layout(tmp_path, monkeypatch):
    module, spec = tmp_path / "m01_a.py", tmp_path / "a.agentspec"
    monkeypatch.setattr(records, "module_path", lambda e: module)
    monkeypatch.setattr(records, "spec_path", lambda e: spec)
    module.write_text('"""One."""\nx = 1\n')
    spec.write_text("agent A { }")
    first = records.digest(made())
    module.write_text('"""Another."""\n\nx = 1  # a comment\n')
    spec.write_text("# a comment\nagent A {\n}\n")
    assert records.digest(made()) == first
    spec.write_text("agent B { }")
    second = records.digest(made())
    module.write_text("from agentc.benchmarks.methods.shared import y\nx = 1\n")
    third = records.digest(made())
    (tmp_path / "shared.py").write_text("y = 2\n")
    assert len({first, second, third, records.digest(made())}) == 4


# ---------------------------------------------------------------- what is registered


def test_every_module_has_its_spec_and_its_number():
    for number, e in registry().items():
        assert e.number == number and e.spec.startswith(f"methods/{number:02d}_"), e
        assert spec_path(e).is_file() and module_path(e).is_file(), e
        assert e.source and e.removed and all(arm.note for arm in e.arms), e


def test_every_spec_has_its_row():
    numbers = {int(path.name[:2]) for path in SPECS.glob("*.agentspec")}
    assert numbers == set(registry())
    text = PAGE.read_text()
    for number, e in registry().items():
        assert f"\n| {number} | {e.title} |" in text


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.agentspec")), ids=lambda path: path.stem)
def test_specs_of_methods_check_and_are_formatted(path, capsys):
    result = check(read(str(path)))
    assert result.ok, [d.code for d in result.diagnostics]
    assert invoke(["fmt", "--check", str(path)]) == 0, capsys.readouterr().err


def test_the_page_is_what_is_recorded():
    assert PAGE.read_text() == page(standings())  # else: python -m agentc.benchmarks.methods


def test_the_command_lists_and_refuses(capsys):
    assert invoke(["bench", "methods", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [row["number"] for row in listed] == list(registry())
    with pytest.raises(AgentcError) as caught:
        find("x1")
    assert caught.value.diagnostics[0].code == "AS1505"


def test_agents_of_methods_have_names_of_their_own():
    result = check([read(str(path)) for path in sorted(SPECS.glob("*.agentspec"))])
    assert result.ok, [d.message for d in result.diagnostics]


def test_the_planner_solves_its_layouts(tmp_path):
    from agentc.benchmarks.methods.planner import demonstrations
    from agentc.benchmarks.methods.training import agent_of
    from agentc.runtime.learn.demonstrations.recorded import read_columns

    agent = agent_of("methods/08_demonstrations.agentspec")
    columns = read_columns(demonstrations(agent, 3, 0, tmp_path / "planned.safetensors"))
    assert columns["rewards"].sum() == 3 and not columns["truncated"].any()
    assert len(set(columns["seeds"].tolist())) == 3
