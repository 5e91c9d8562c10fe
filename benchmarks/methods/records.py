"""What is recorded of experiments: every run, with the digest of the spec and the module that made it.

``recorded/NN.json`` lies beside this file. The digest is of what spec and module say, without comments, docstrings and
layout, and of the modules of this package that the module imports; a run with another digest is *stale*.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from agentc.benchmarks.methods.experiment import Experiment, module_path, spec_path
from agentc.benchmarks.methods.verdict import Comparison, compare
from agentc.lang import ast as ast_of_specs
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.lexer import tokenize
from agentc.lang.parser import parse
from agentc.lang.source import Source

RECORDED = Path(__file__).parent / "recorded"
_FRAME = {"experiment", "records", "verdict", "page", "running", "command", "training"}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run: its arm and seed, what it gave, its steps, its time in seconds, and what made it."""

    arm: str
    seed: int
    figures: Mapping[str, float]
    steps: int
    wall: float
    digest: str
    versions: str


def versions() -> str:
    """The versions that a run's numbers depend on."""
    named = [f"Python {platform.python_version()}"]
    for package in ("numpy", "torch"):
        try:
            named.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(named)


def record_path(experiment: Experiment, folder: Path = RECORDED) -> Path:
    """Where the runs of an experiment are recorded."""
    return folder / f"{experiment.number:02d}.json"


def read(experiment: Experiment, folder: Path = RECORDED) -> tuple[Recorded, ...]:
    """The recorded runs, none if there is no file. Raises :class:`AgentcError` (AS1506) for a file that is none."""
    path = record_path(experiment, folder)
    try:
        data = json.loads(path.read_text())
        runs = tuple(Recorded(**row) for row in data["runs"])
        if any(not math.isfinite(x) for run in runs for x in (*run.figures.values(), run.wall)):
            raise ValueError("a figure is not finite")
        return runs
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise AgentcError([report("AS1506", None, path=str(path), reason=str(error))]) from None


def write(experiment: Experiment, runs: Sequence[Recorded], folder: Path = RECORDED) -> None:
    """Write all runs of an experiment, in the order of its seeds and arms. Raises AS0843."""
    e = experiment
    order = {(arm.name, seed): (i, k) for i, seed in enumerate(e.seeds) for k, arm in enumerate(e.arms)}
    kept = sorted((r for r in runs if (r.arm, r.seed) in order), key=lambda r: order[r.arm, r.seed])
    rows = [json.dumps(asdict(run), sort_keys=True) for run in kept]
    text = f'{{"number": {experiment.number}, "runs": [\n  ' + ",\n  ".join(rows) + "\n]}\n"
    path = record_path(experiment, folder)
    work = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        work.write_text(text)
        os.replace(work, path)
    except OSError as error:
        raise AgentcError([report("AS0843", None, path=str(path), reason=error.strerror or str(error))]) from None


@dataclass(frozen=True, slots=True)
class Standing:
    """An experiment with what is recorded of it. ``comparison`` is None until every arm has every seed."""

    experiment: Experiment
    runs: tuple[Recorded, ...]
    stale: tuple[Recorded, ...]
    missing: tuple[tuple[str, int], ...]
    comparison: Comparison | None

    def figures(self, arm: str, name: str = "") -> list[float]:
        """A figure (the metric, if none is named) of an arm's runs that have it, in the order of the seeds."""
        name = name or self.experiment.metric
        by_seed = {r.seed: float(r.figures[name]) for r in self.runs if r.arm == arm and name in r.figures}
        return [by_seed[seed] for seed in self.experiment.seeds if seed in by_seed]

    @property
    def verdict(self) -> str:
        """The verdict in words; what is missing or stale is said."""
        if self.comparison is None:
            total = len(self.experiment.arms) * len(self.experiment.seeds)
            return f"{total - len(self.missing)} of {total} runs" if self.runs else "not run yet"
        return self.comparison.verdict.value + (" (stale: its spec or module has changed)" if self.stale else "")


def standing(experiment: Experiment, folder: Path = RECORDED) -> Standing:
    """What is recorded of an experiment, compared. Raises AS1506."""
    e = experiment
    runs = tuple(r for r in read(e, folder) if e.metric in r.figures)
    have = {(r.arm, r.seed) for r in runs}
    missing = tuple((arm.name, seed) for seed in e.seeds for arm in e.arms if (arm.name, seed) not in have)
    now = digest(e)
    bare = Standing(e, runs, tuple(r for r in runs if r.digest != now), missing, None)
    if missing:
        return bare
    found = compare(bare.figures(e.method), bare.figures(e.control), e.better, paired=e.paired)
    return Standing(e, bare.runs, bare.stale, missing, found)


# ---------------------------------------------------------------- digest


def digest(experiment: Experiment) -> str:
    """16 hexadecimal digits of what the spec and the module say."""
    spec = spec_path(experiment)
    said = json.dumps([_tokens(spec), _modules(module_path(experiment), {})], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _tokens(spec: Path) -> list[list[str]]:
    """What a spec says, and the recipes that it imports; comments and layout left out."""
    if not spec.exists():
        return []
    source = Source(spec.name, spec.read_text())
    found = [[t.text for t in tokenize(source).tokens]]
    for item in parse(source).module.items:
        if isinstance(item, ast_of_specs.Import) and item.path[:2] == ("std", "recipes"):
            found += _tokens(Path(str(files("agentc.stdlib"))).joinpath(*item.path[1:]).with_suffix(".agentspec"))
    return found


def _modules(path: Path, found: dict[str, Any]) -> dict[str, Any]:
    """A module and those of its own folder that it imports, the frame left out."""
    if path.stem in found or path.stem in _FRAME or not path.exists():
        return found
    tree = ast.parse(path.read_text())
    found[path.stem] = _plain(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("agentc.benchmarks.methods"):
            names = [node.module.rpartition(".")[2]] if node.module.count(".") > 2 else [a.name for a in node.names]
            for name in names:
                _modules(path.with_name(f"{name}.py"), found)
    return found


def _plain(node: Any) -> Any:
    """A syntax tree as data, the same whatever the version of Python: empty fields and docstrings are left out."""
    if isinstance(node, list):
        return [_plain(n) for n in node]
    if not isinstance(node, ast.AST):
        return node if isinstance(node, str | int | float | bool | None) else repr(node)
    fields: dict[str, Any] = {}
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(value, list):
            value = [n for n in value if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
        if value not in (None, []):
            fields[name] = _plain(value)
    return [type(node).__name__, fields]
