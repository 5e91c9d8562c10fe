"""MONA as a peer: formulas of LTLf written in the logic that it reads, one process each.

The encoding is the standard one (De Giacomo, Vardi, *Linear temporal logic and linear dynamic logic on finite
traces*, IJCAI 2013, section 4; Zhu, Pu, Vardi, *First-order vs. second-order encodings for LTLf-to-automata
translation*, TAMC 2019): a trace is a string, a proposition the set of the positions at which it holds, a formula
at a position a first-order formula of that position. Debian has the package ``mona``.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

from agentc.compiler.logic.ir import Formula, atoms
from agentc.compiler.logic.rewrite import desugar


def available() -> bool:
    """Whether MONA is installed."""
    return shutil.which("mona") is not None


def encode(f: Formula) -> str:
    """The program that MONA reads. Raises ``ValueError`` for past operators and intervals beyond ``[1,1]``."""
    core = desugar(f)
    names = {a: f"P{k}" for k, a in enumerate(atoms(core))}
    count = 0

    def fresh() -> str:
        nonlocal count
        count += 1
        return f"x{count}"

    def at(f: Formula, x: str) -> str:
        match f.op:
            case "true" | "false":
                return f.op
            case "atom":
                return f"({x} in {names[f]})"
            case "not":
                return f"~({at(f.args[0], x)})"
            case "and" | "or":
                return "(" + (" & " if f.op == "and" else " | ").join(at(a, x) for a in f.args) + ")"
        y, z = fresh(), fresh()
        if f.op == "U" and f.interval == (1, 1):
            return f"(ex1 {y}: {y} in $ & {y} = {x} + 1 & {x} < max($) & {at(f.args[1], y)})"
        if f.op == "R" and f.interval == (1, 1):
            return f"(all1 {y}: ({y} in $ & {y} = {x} + 1 & {x} < max($)) => {at(f.args[1], y)})"
        if f.interval != (0, None) or f.op not in ("U", "R"):
            raise ValueError(f"no encoding of {f}")
        before = f"({z} in $ & {x} <= {z} & {z} < {y})"
        if f.op == "U":
            held = f"(all1 {z}: {before} => {at(f.args[0], z)})"
            return f"(ex1 {y}: {y} in $ & {x} <= {y} & {at(f.args[1], y)} & {held})"
        freed = f"(ex1 {z}: {before} & {at(f.args[0], z)})"
        return f"(all1 {y}: ({y} in $ & {x} <= {y}) => ({at(f.args[1], y)} | {freed}))"

    header = f"var2 {', '.join(names.values())};\n" if names else ""
    return f"m2l-str;\n{header}{at(core, '0')};\n"


def seconds(program: str, limit: float = 60.0) -> float | None:
    """CPU seconds of a process that translates a program; None if it took longer than ``limit``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "formula.mona"
        path.write_text(program, encoding="utf-8")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            done = subprocess.run(["mona", "-q", "-w", str(path)], capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            return None
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise ValueError(f"MONA does not read {program!r}: {done.stdout}{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def states(program: str) -> int:
    """The number of states that MONA finds, its state before the first letter included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "formula.mona"
        path.write_text(program, encoding="utf-8")
        shown = subprocess.run(["mona", "-q", "-w", str(path)], capture_output=True, text=True, check=True).stdout
    return int(shown.split("Automaton has ")[1].split()[0])
