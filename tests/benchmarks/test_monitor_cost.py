"""What a spec costs: a clock around calls, and the share of a run."""

import time

import pytest

from agentc.benchmarks import monitor_cost
from agentc.benchmarks.monitor_cost import Clock


class Worker:
    def outer(self) -> int:
        return self.inner() + 1

    def inner(self) -> int:
        return 1


def test_calls_within_calls_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(100))
    monkeypatch.setattr(time, "thread_time", lambda: float(next(ticks)))
    worker, clock = Worker(), Clock()
    clock.around(worker, "outer")
    clock.around(worker, "inner")
    assert worker.outer() == 2 and (clock.calls, clock.seconds) == (1, 1.0)
    assert worker.inner() == 1 and (clock.calls, clock.seconds) == (2, 2.0)


def test_the_share_of_a_spec_is_one_of_its_run() -> None:
    assert 0.0 < monitor_cost.share("cartpole.agentspec", 2048) < 1.0
