"""Any number of pairs through every backend: ``python tests/conformance/run.py --pairs 1000000``.

Prints what was run and every disagreement, shrunk; ``--keep`` adds those to ``regressions.json``. The exit code is 1
if there was one. ``--mutants`` judges the frozen mutants instead; ``--freeze MODULE COUNT`` adds some of a module.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conformance import backends, mutants  # noqa: F401
from conformance.harness import first, run
from conformance.registry import BACKENDS
from conformance.regressions import keep


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--backend", action="append", help="only this one; may be repeated")
    parser.add_argument("--all", action="store_true", help="every formula through every backend, not in turn")
    parser.add_argument("--keep", action="store_true", help="add disagreements to regressions.json")
    parser.add_argument("--stop-at", type=int, default=10, help="stop after so many disagreements")
    parser.add_argument("--mutants", nargs="?", const="", help="judge the frozen mutants whose name contains this")
    parser.add_argument("--freeze", nargs=2, metavar=("MODULE", "COUNT"))
    options = parser.parse_args()
    if options.freeze:
        module, count = options.freeze
        mutants.freeze(mutants.choose(module, int(count)), f"{count} of {module}")
        return 0
    if options.mutants is not None:
        return _judge(options.mutants, options.pairs, options.seed)
    chosen = [BACKENDS[name] for name in options.backend] if options.backend else list(BACKENDS.values())
    if options.all:
        chosen = [mutants.replace(b, every=1) for b in chosen]
    started = time.process_time()
    report = run(chosen, first(options.seed, options.pairs), stop_at=options.stop_at)
    print(report.table())
    for d in report.disagreements:
        print(f"\n{d}")
        if options.keep:
            keep(f"{d.backend}: {d.found}, reference: {d.expected}", d.formula, d.trace)
    print(f"\n{len(report.disagreements)} disagreements; {time.process_time() - started:.1f} s of processor time")
    return 1 if report.disagreements else 0


def _judge(part: str, pairs: int, seed: str) -> int:
    offered = list(first(seed, pairs))
    counts: Counter[str] = Counter()
    argued = mutants.equivalent()
    for mutant in mutants.frozen():
        if part not in mutant.name:
            continue
        if mutant.name in argued and not part:
            counts["argued to be equivalent"] += 1
            continue
        if not mutants.exists(mutant):
            counts["stale"] += 1
            print(f"stale: {mutant.name}")
            continue
        outcome = mutants.judge(mutant, offered)
        counts[outcome.how or "missed"] += 1
        print(f"{outcome.how or 'MISSED':8} {outcome.pairs:7} {outcome.backend:28} {mutant.name}", flush=True)
        if not outcome.how:
            print(f"         {mutant.before}\n      -> {mutant.after}")
    print(dict(counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
