"""Automata: translation against Spot and MONA, monitors against the bare gather, learning from reward machines.

``run`` is called by ``agentc bench automata``. Every section measures ours and its peers in turn in one run; peers
that are missing are skipped with a word. Sections are functions ``(rounds) -> rows`` in :data:`SECTIONS`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agentc.benchmarks import mona, reward_machines
from agentc.benchmarks.patterns import formulas
from agentc.benchmarks.rows import Row, compared, interleaved
from agentc.benchmarks.spot import Spot

MOST_ROUNDS_OF_MONA = 3
SIZES = (1_024, 4_096, 16_384, 65_536)


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """All rows of the benchmark; ``data`` is not needed."""
    return [row for section in SECTIONS for row in section(rounds)]


# ---------------------------------------------------------------- translation


def patterns(rounds: int) -> list[Row]:
    """The 55 property patterns, all of them, each once a round, against Spot in this process and MONA as a process."""
    from agentc.compiler.automata.ltlf import translate
    from agentc.compiler.pipeline import compile_formula

    texts = formulas()
    compiled = [compile_formula(text) for text in texts]

    def ours() -> float:
        start = time.process_time()
        for f in compiled:
            translate(f)
        return time.process_time() - start

    case = f"{len(texts)} property patterns"
    target = "ratio <= 5"
    rows = []
    try:
        spot: Spot | None = Spot()
        missing = ""
    except OSError as error:
        spot, missing = None, str(error)
    if spot is None:
        (mine,) = interleaved([ours], rounds)
        rows.append(compared(case, mine, None, peer_name="Spot", unit="CPU s", target=target, note=missing))
    else:
        peer = spot

        def spot_seconds(compose: bool) -> Callable[[], float]:
            return lambda: sum(peer.seconds(text, compose=compose)[0] for text in texts)

        mine, at_once, by_parts = interleaved([ours, spot_seconds(False), spot_seconds(True)], max(rounds, 5), warm=2)
        better = at_once if statistics.median(at_once) <= statistics.median(by_parts) else by_parts
        how = "at once" if better is at_once else "by parts"
        rows.append(
            compared(case, mine, better, peer_name=f"Spot {how}, in process", unit="CPU s", target=target,
                     holds=lambda ratio: ratio <= 5)
        )  # fmt: skip
    rows += _against_mona(case, [compile_formula(text) for text in texts], ours, rounds)
    return rows


def _against_mona(case: str, compiled: Sequence[Any], ours: Callable[[], float], rounds: int) -> list[Row]:
    """Two rows: MONA's CPU seconds, and how long one waits for it."""
    target = "ratio <= 0.01"
    if not mona.available():
        return [Row(case, None, None, "MONA, process", None, "CPU s", target, None, "mona is not installed")]
    programs = [mona.encode(f) for f in compiled]
    waits: list[float] = []

    def theirs() -> float:
        start = time.perf_counter()
        used = sum(mona.seconds(program) or 60.0 for program in programs)
        waits.append(time.perf_counter() - start)
        return used

    def waited() -> float:
        start = time.perf_counter()
        ours()
        return time.perf_counter() - start

    mine, used, mine_waited = interleaved([ours, theirs, waited], min(rounds, MOST_ROUNDS_OF_MONA))

    def fast(ratio: float) -> bool:
        return ratio <= 0.01

    return [
        compared(case, mine, used, peer_name="MONA, process", unit="CPU s", target=target, holds=fast),
        compared(case, mine_waited, waits[1:], peer_name="MONA, process", unit="wall s", target=target, holds=fast),
    ]


def families(rounds: int) -> list[Row]:
    """Formulas whose automata are known, against a limit in seconds."""
    from agentc.compiler.automata.ltlf import translate
    from agentc.compiler.logic.ir import LAST, and_, formula, prop

    def nested(n: int) -> Any:
        f = prop(f"p{n}")
        for k in range(n - 1, 0, -1):
            f = formula("U", (prop(f"p{k}"), f))
        return f

    eventually = and_(*(formula("F", (prop(f"p{k}"),)) for k in range(10)))
    window = formula("F", (and_(prop("a"), formula("X", (LAST,), (10, 10))),))
    response = formula("G", (formula("implies", (prop("q"), formula("O", (prop("p"),), (0, 1000)))),))
    deadline = formula("G", (formula("implies", (prop("q"), formula("F", (prop("p"),), (0, 1000)))),))
    cases = (
        ("p1 U (p2 U ... U p20)", nested(20), 21, 0.05),
        ("60 nested U", nested(60), 61, 1.0),
        ("conjunction of ten F p", eventually, 1024, 0.05),
        ("F(a & X[10] last)", window, 2048, 0.15),
        ("G(q -> O[0,1000] p)", response, 1002, None),
        ("G(q -> F[0,1000] p)", deadline, 1002, None),
    )
    rows = []
    for case, f, states, limit in cases:

        def ours(f: Any = f, states: int = states) -> float:
            start = time.process_time()
            made = translate(f)
            seconds = time.process_time() - start
            assert made.size == states
            return seconds

        (mine,) = interleaved([ours], rounds)
        median = statistics.median(mine)
        target = "" if limit is None else f"< {limit:g} s"
        rows.append(
            Row(case, median, None, "", None, "CPU s", target, None if limit is None else median < limit,
                f"{states} states")
        )  # fmt: skip
    return rows


def conjuncts(rounds: int) -> list[Row]:
    """A thousand conjuncts: compiled, and a step of 1,024 environments."""
    import numpy as np

    from agentc.compiler.backends.monitor import compile_monitor
    from agentc.compiler.logic.ir import and_, formula, prop
    from agentc.runtime.monitor import Monitor

    def response(k: int) -> Any:
        return formula("G", (formula("implies", (prop(f"p{k}"), formula("F", (prop(f"q{k}"),)))),))

    f = and_(*(response(k) for k in range(1000)))
    programs = []

    def compiled() -> float:
        start = time.process_time()
        programs.append(compile_monitor("all", f, ())[0])
        return time.process_time() - start

    (mine,) = interleaved([compiled], min(rounds, 3))
    monitor = Monitor([programs[0]], 1024)
    letters = np.random.default_rng(0).random((len(monitor.atoms), 1024)) < 0.5

    def step() -> float:
        start = time.process_time()
        for _ in range(5):
            monitor.step_letters(letters.T)
        return (time.process_time() - start) / 5

    (steps,) = interleaved([step], rounds)
    parts = f"{len(programs[0].parts)} parts"
    return [
        Row("1,000 conjuncts: compile", statistics.median(mine), None, "", None, "CPU s", "", None, parts),
        Row("1,000 conjuncts: a step of 1,024", statistics.median(steps), None, "", None, "CPU s", "", None, parts),
    ]


# ---------------------------------------------------------------- monitors

MONITORED = (
    ("response", "G (p -> F q)"),
    ("constrained chain", formulas()[-1]),
    ("five eventualities", "(F a) & (F b) & (F c) & (F d) & (F e)"),
    ("2,048 states", "F (a & X[10] last)"),
    ("counted window", "G (q -> O[0, 100] p)"),
)


def monitors(rounds: int) -> list[Row]:
    """A step of N environments, truth values in and verdicts out, against ``np.take`` with a preallocated output.

    The peer gathers as many cells from a table of the same number of states and letters, with numpy's default mode;
    the note has the rate against the mode ``clip``, which is faster there and checks nothing.
    """
    rows = []
    for name, text in MONITORED:
        for size in SIZES:
            rows += _stepped(name, text, size, rounds)
    return rows


def _stepped(name: str, text: str, size: int, rounds: int) -> list[Row]:
    import numpy as np

    from agentc.compiler.backends.monitor import compile_monitor
    from agentc.compiler.pipeline import compile_formula
    from agentc.runtime.monitor import Monitor

    program, _ = compile_monitor(name, compile_formula(text), ())
    monitor = Monitor([program], size)
    states, width = len(program.parts[0].verdicts), len(monitor.atoms)
    random = np.random.default_rng(0)
    words = [random.random((width, size)) < 0.5 for _ in range(4)]
    packed = [(w.T @ (1 << np.arange(width - 1, -1, -1))).astype(np.uint8) for w in words]
    named = [{str(a): row for a, row in zip(monitor.atoms, w, strict=True)} for w in words]
    rowwise = [np.ascontiguousarray(w.T) for w in words]
    table = random.integers(0, states << width, states << width)
    index, out = random.integers(0, states << width, size), np.zeros(size, np.int64)
    repeat = max(4, 4 * (1 << 16) // size)

    def timed(step: Callable[[int], object]) -> Callable[[], float]:
        def measure() -> float:
            start = time.process_time()
            for turn in range(repeat):
                step(turn & 3)
            return repeat * size / (time.process_time() - start) / 1e6

        return measure

    measures = [
        timed(lambda k: monitor.step_packed(packed[k])),
        timed(lambda k: monitor.step(named[k])),
        timed(lambda k: monitor.step_letters(rowwise[k])),
        timed(lambda k: np.take(table, index, out=out)),
        timed(lambda k: np.take(table, index, out=out, mode="clip")),
    ]
    from_packed, from_named, from_rows, gather, clipped = interleaved(measures, rounds)
    best = statistics.median(clipped)
    made = []
    for how, mine, least in (
        ("packed letters", from_packed, 0.6),
        ("arrays by name", from_named, 0.2),
        ("array (N, atoms)", from_rows, 0.2),
    ):

        def enough(ratio: float, least: float = least) -> bool:
            return ratio >= least

        note = f"{statistics.median(mine) / best:.2f} of the rate of mode='clip'; {states} states, {width} atoms"
        made.append(
            compared(f"{name}, N={size:,}, {how}", mine, gather, peer_name="np.take", unit="M steps/s",
                     target=f"ratio >= {least}", holds=enough, note=note)
        )  # fmt: skip
    return made


def one_environment(rounds: int) -> list[Row]:
    """One environment in plain Python: a dictionary of truth values in, the verdict out."""
    from agentc.compiler.backends.monitor import compile_monitor
    from agentc.compiler.pipeline import compile_formula
    from agentc.runtime.scalar import ScalarMonitor

    rows = []
    for name, text in MONITORED:
        monitor = ScalarMonitor([compile_monitor(name, compile_formula(text), ())[0]])
        names = [str(a) for a in monitor.atoms]
        word = [{n: bool((turn * 7 + k * 3) % 5 > 2) for k, n in enumerate(names)} for turn in range(1000)]

        def step(monitor: ScalarMonitor = monitor, word: list[dict[str, bool]] = word) -> float:
            monitor.reset()
            start = time.process_time()
            for valuation in word:
                monitor.step(valuation)
            return (time.process_time() - start) / len(word) * 1e6

        (mine,) = interleaved([step], max(rounds, 5), warm=2)
        median = statistics.median(mine)
        rows.append(Row(f"{name}, one environment", median, None, "", None, "us/step", "<= 1", median <= 1))
    return rows


def learning(rounds: int) -> list[Row]:
    """The office and craft worlds, learned from formulas by their reward machines."""
    return reward_machines.run(rounds)


SECTIONS: tuple[Callable[[int], list[Row]], ...] = (
    patterns, families, conjuncts, monitors, one_environment, learning,
)  # fmt: skip
"""What is run, in order."""
