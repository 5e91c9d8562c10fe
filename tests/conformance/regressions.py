"""Pairs on which something once disagreed, kept as data and replayed through every backend."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.trace import Trace

KEPT = Path(__file__).with_name("regressions.json")


@dataclass(frozen=True)
class Regression:
    """A kept pair, and what it once showed."""

    note: str
    formula: Formula
    trace: Trace


def regressions() -> list[Regression]:
    """All kept pairs."""
    rows = json.loads(KEPT.read_text(encoding="utf-8"))
    return [Regression(row["note"], _formula(row["formula"]), _trace(row["trace"])) for row in rows]


def keep(note: str, f: Formula, trace: Trace) -> bool:
    """Adds a pair to the file; False if it is there already."""
    rows = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else []
    row = {"note": note, "text": ir.show(f), "formula": ir.to_data(f), "trace": [dict(v) for v in trace]}
    row = json.loads(json.dumps(row))
    if any(r["formula"] == row["formula"] and r["trace"] == row["trace"] for r in rows):
        return False
    lines = ",\n".join(json.dumps(r, ensure_ascii=False) for r in [*rows, row])
    KEPT.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return True


def _formula(data: dict[str, Any]) -> Formula:
    (f,) = ir.from_data(data)
    assert isinstance(f, Formula)
    return f


def _trace(rows: list[dict[str, Any]]) -> Trace:
    return Trace({k: tuple(v) if isinstance(v, list) else v for k, v in row.items()} for row in rows)
