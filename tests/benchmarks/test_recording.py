"""Recorded rows: what is read again, what does not count, and where a run is said to be."""

from dataclasses import dataclass

from agentc.benchmarks import recording


@dataclass(frozen=True)
class Run:
    seed: int
    of: str


def test_rows_come_back_but_for_those_of_something_else(tmp_path) -> None:
    path = tmp_path / "new" / "runs.jsonl"
    assert recording.lines(path) == []
    recording.append(path, Run(0, "old"), {"seed": 1, "of": "new"})
    recording.append(path, Run(2, "new"))
    assert recording.rows(path, Run, lambda r: r.of == "new") == [Run(1, "new"), Run(2, "new")]
    recording.rewrite(path, [Run(2, "new")])
    assert recording.lines(path) == [{"seed": 2, "of": "new"}]
    assert [p.name for p in path.parent.iterdir()] == ["runs.jsonl"]


def test_what_is_left_is_as_long_as_what_was_before(monkeypatch) -> None:
    now = iter([0.0, 100.0, 120.0])
    monkeypatch.setattr(recording.time, "monotonic", lambda: next(now))
    assert list(recording.in_turn("abc")) == [
        ("a", "run 1 of 3"), ("b", "run 2 of 3, 3 min left"), ("c", "run 3 of 3, 60 s left")
    ]  # fmt: skip


def test_what_is_made_one_by_one_is_counted_by_the_caller() -> None:
    made = []
    found = recording.in_turn((made.append(k) for k in range(5)), "batch", 5)
    assert next(found) == (None, "batch 1 of 5") and made == [0]
