"""Robustness: batches, gradients, long traces and online monitors, against STLCG++ and sentil.

The formula is ``G[0,100](x > 0 -> F[0,50](y > 0))`` over random walks. Everything runs on one thread and is timed in
processor seconds. STLCG++ (the package ``stlcgpp``, torch) is given the trace cut to the horizon where only the value
at step 0 is asked for, and the fastest of three ways to batch it: ``vmap`` and backward, ``vmap`` of the gradient, and
a loop over the traces; its recurrent operators are left out, since they give other values for this formula. sentil
(Rust) is given traces that are built already, and a packed vector of values online. ``run`` is called by
``agentc bench stl``.
"""

from __future__ import annotations

import contextlib
import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agentc.benchmarks.rows import Row, compared, interleaved
from agentc.compiler.agent import SignalIR
from agentc.compiler.pipeline import compile_formula
from agentc.compiler.signals.robustness import Robustness, compile_robustness

FORMULA = "G[0,100](x > 0 -> F[0,50](y > 0))"
SIGNALS = (SignalIR("x", "real"), SignalIR("y", "real"))
BATCHES, STEPS, LONG = (256, 1024), 256, 100_000


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """All rows of the benchmark; ``data`` is not needed."""
    compiled = compile_robustness(compile_formula(FORMULA, SIGNALS), SIGNALS)
    return [*gradients(compiled, rounds), *values(compiled, rounds), *online(rounds)]


def walks(batch: int, steps: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Random walks ``(batch, steps, 2)``."""
    return np.random.default_rng(0).normal(size=(batch, steps, 2)).cumsum(axis=1)


def cpu(function: Callable[[], Any], times: int = 1) -> Callable[[], float]:
    """A measure of the processor seconds of one call, the mean of several."""

    def measure() -> float:
        start = time.process_time()
        for _ in range(times):
            function()
        return (time.process_time() - start) / times

    return measure


def missing(case: str, peer: str, unit: str = "s") -> Row:
    """The row of a peer that is not installed."""
    return Row(case, None, None, peer, None, unit, "", None, f"{peer} is not installed")


# ---------------------------------------------------------------- gradients


def gradients(compiled: Robustness, rounds: int) -> list[Row]:
    """Value and gradient at step 0, and of the whole signal, against STLCG++."""
    try:
        import stlcgpp.formula as peer
        import torch
    except ImportError:
        return [missing("value and gradient", "STLCG++")]
    from agentc.compiler.signals import torch_robustness

    torch.set_num_threads(1)
    x, y = peer.Predicate("x", lambda s: s[..., 0]), peer.Predicate("y", lambda s: s[..., 1])
    theirs = peer.Always(peer.Implies(x > 0.0, peer.Eventually(y > 0.0, [0, 50])), [0, 100])

    def gradient(function: Callable[[torch.Tensor], torch.Tensor], of: torch.Tensor) -> torch.Tensor:
        leaf = of.clone().requires_grad_()
        total: Any = function(leaf).sum()
        total.backward()
        assert leaf.grad is not None
        return leaf.grad

    def one_by_one(of: torch.Tensor) -> None:
        for trace in of:
            gradient(theirs.robustness, trace)

    ways: dict[str, Callable[[torch.Tensor], Any]] = {
        "vmap, backward": lambda of: gradient(torch.vmap(theirs.robustness), of),
        "vmap of grad": lambda of: torch.vmap(torch.func.grad(theirs.robustness))(of),
        "a loop": one_by_one,
    }
    rows = []
    for batch in BATCHES:
        traces = torch.from_numpy(walks(batch, STEPS)).float()
        assert compiled.horizon is not None
        cut = traces[:, : compiled.horizon + 1].contiguous()

        def mine(of: torch.Tensor = traces) -> torch.Tensor:
            return gradient(lambda t: torch_robustness.robustness_at(compiled, t), of)

        if not torch.equal(mine()[:, : cut.shape[1]], gradient(torch.vmap(theirs.robustness), cut)):
            raise AssertionError("the gradients differ")
        calls = [functools.partial(way, cut) for way in ways.values()]
        tried = interleaved([cpu(call) for call in calls], 1)
        best = min(range(len(tried)), key=lambda k: tried[k][0])
        found = interleaved([cpu(mine, 20), cpu(calls[best])], min(rounds, 7))
        rows.append(
            compared(
                f"value and gradient at 0, {batch} x {STEPS}", *found, peer_name="STLCG++", unit="CPU s",
                target="ratio <= 1/300", holds=lambda ratio: ratio <= 1 / 300,
                note=f"the same gradients to the last bit; its fastest way: {list(ways)[best]}, {cut.shape[1]} steps",
            )
        )  # fmt: skip
    traces = torch.from_numpy(walks(BATCHES[0], STEPS)).float()
    whole = lambda: gradient(lambda t: torch_robustness.robustness(compiled, t)[:, :100], traces)
    other = lambda: gradient(lambda t: torch.vmap(theirs.robustness_trace)(t)[:, :100], traces)
    rows.append(
        compared(
            f"whole signal and gradient, {BATCHES[0]} x {STEPS}",
            *interleaved([cpu(whole, 5), cpu(other)], min(rounds, 5)), peer_name="STLCG++", unit="CPU s",
            target="ratio <= 1/20", holds=lambda ratio: ratio <= 1 / 20,
            note="the sum of the values at the first 100 steps is differentiated",
        )
    )  # fmt: skip
    return rows


# ---------------------------------------------------------------- values


def values(compiled: Robustness, rounds: int) -> list[Row]:
    """Values of batches, and the signal of one long trace, against sentil."""
    long = walks(1, LONG)
    case = f"signal of one trace of {LONG:,} steps"
    batched = (f"values at 0, 1024 x {STEPS}", f"signals, 1024 x {STEPS}")
    try:
        import sentil
    except ImportError:
        (mine,) = interleaved([cpu(lambda: compiled.robustness(long), 5)], rounds)
        return [
            Row(case, statistics.median(mine), None, "sentil", None, "CPU s", "<= 5 ms",
                statistics.median(mine) <= 0.005, "sentil is not installed"),
            *(missing(name, "sentil") for name in batched),
        ]  # fmt: skip
    theirs = sentil.Formula.parse(FORMULA)

    def trace(of: Any) -> Any:
        made = sentil.Trace.indexed(len(of))
        made.add_signals({"x": np.ascontiguousarray(of[:, 0]), "y": np.ascontiguousarray(of[:, 1])})
        return made

    built = trace(long[0])
    found = interleaved(
        [cpu(lambda: compiled.robustness(long), 5), cpu(lambda: theirs.robustness_signal(built), 3)], max(rounds, 7)
    )
    row = compared(case, *found, peer_name="sentil", unit="CPU s", target="<= 5 ms")
    rows = [replace(row, holds=statistics.median(found[0]) <= 0.005)]
    many = walks(1024, STEPS)
    traces = [trace(one) for one in many]
    pairs: list[tuple[Callable[[], Any], Callable[[], Any]]] = [
        (lambda: compiled.robustness_at(many), lambda: [theirs.robustness(t) for t in traces]),
        (lambda: compiled.robustness(many), lambda: [theirs.robustness_signal(t) for t in traces]),
    ]
    if not np.allclose(pairs[0][0](), pairs[0][1]()):
        raise AssertionError("the values differ")
    for name, (mine_, other) in zip(batched, pairs, strict=True):
        rows.append(
            compared(
                name, *interleaved([cpu(mine_, 10), cpu(other)], max(rounds, 7)), peer_name="sentil", unit="CPU s",
                target="ratio <= 1/5", holds=lambda ratio: ratio <= 1 / 5,
            )
        )  # fmt: skip
    return rows


# ---------------------------------------------------------------- online

THREE_DEEP = (
    "G (x > 0 -> F[0,50] (y > 0 & G[0,20] z > 0))",
    "G (x > 0 -> F[0,5000] (y > 0 & G[0,2000] z > 0))",
    "F (x > 0 & F (y > 0 & F z > 0))",
)
ENVS, ONLINE_STEPS = 1024, 2000


def online(rounds: int) -> list[Row]:
    """Microseconds a step of one environment, of many at once and of a single stream, against sentil's stream."""
    from agentc.runtime.robustness_monitor import RobustnessMonitor
    from agentc.runtime.robustness_stream import RobustnessStream

    signals = tuple(SignalIR(name, "real", lo=-100, hi=100) for name in "xyz")
    samples = np.random.default_rng(0).normal(size=(ONLINE_STEPS, 3, ENVS))
    many = [dict(zip("xyz", step, strict=True)) for step in samples]
    one = [{name: float(row[0]) for name, row in step.items()} for step in many]
    peer_: Any = None
    with contextlib.suppress(ImportError):
        import sentil

        peer_ = sentil
    rows = []
    for text in THREE_DEEP:
        formula = compile_formula(text, signals)

        def stepped(monitor: Any, steps: list[dict[str, Any]], envs: int) -> Callable[[], float]:
            def measure() -> float:
                monitor.reset()
                start = time.process_time()
                for step in steps:
                    monitor.step(step)
                return (time.process_time() - start) / len(steps) / envs * 1e6

            return measure

        def theirs(f: str = text) -> float:
            monitor = peer_.OnlineMonitor(f)
            order = sorted("xyz", key=lambda name: monitor.symbol_index(name) or 0)
            packed = [np.array([step[name] for name in order]) for step in one]
            start = time.process_time()
            for at, values_ in enumerate(packed):
                monitor.update_packed(float(at), values_)
            return (time.process_time() - start) / len(packed) * 1e6

        vectorised, stream = RobustnessMonitor(formula, ENVS, signals), RobustnessStream(formula, signals)
        measures = [stepped(vectorised, many, ENVS), stepped(stream, one, 1), *([theirs] if peer_ is not None else [])]
        found = interleaved(measures, min(rounds, 5))
        peer = found[2] if peer_ is not None else None
        note = "" if peer is not None else "sentil is not installed"
        row = compared(f"online, {ENVS} environments: {text}", found[0], peer, peer_name="sentil", unit="us/env-step",
                       target="<= 0.25 us, ratio <= 1/5", note=note)  # fmt: skip
        good = statistics.median(found[0]) <= 0.25 and (row.ratio is None or row.ratio <= 1 / 5)
        rows.append(replace(row, holds=good))
        row = compared(f"online, one stream: {text}", found[1], peer, peer_name="sentil", unit="us/step",
                       target="<= 5 us", note=note)  # fmt: skip
        rows.append(replace(row, holds=statistics.median(found[1]) <= 5))
    return rows
