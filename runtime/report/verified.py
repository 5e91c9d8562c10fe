"""What verification found, for people: each item's answer with a picture of what it rests on.

A tube of reachable sets is drawn over the plane of the spec's regions, and over time for each state that the formula
reads; a violation as its run, drawn and step by step; anything else is said in words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from agentc.compiler.agent import AgentIR
from agentc.compiler.logic.ir import const, signals, term
from agentc.runtime.envs.declared_view import Shape, drawing_of_agent, svg
from agentc.runtime.report.charts import Band, Series, band_chart, line_chart
from agentc.runtime.report.page import Frame, ProofSection, ReportPage, render_page

MOST_CHARTS, MOST_FRAMES, MOST_BOXES = 4, 12, 400
MARKS = {"proved": "good", "falsified": "bad", "vacuous": "bad"}


def proof_sections(agent: AgentIR, rows: Sequence[Mapping[str, Any]]) -> tuple[ProofSection, ...]:
    """The sections of the rows that ``agentc verify --format json`` writes, in their order; others are left out."""
    return tuple(_section(agent, row) for row in rows if isinstance(row.get("item"), str))


def story_rows(rounds: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], ...]:
    """The rounds of training until a proof closed, as a table with its head."""
    found: list[tuple[str, ...]] = []
    for row in rounds:
        for item in row.get("items", ()):
            fed = len(row.get("starts", ()))
            found.append((str(row["round"]), f"{row['steps']:,}", str(item["item"]), str(item["word"]),
                          str(item["sentence"]), f"{fed} starts" if fed else "-"))  # fmt: skip
    head = ("round", "steps", "formula", "verdict", "why", "back into training")
    return (head, *found) if found else ()


def _section(agent: AgentIR, row: Mapping[str, Any]) -> ProofSection:
    found = row.get("diagnostics") or ()
    word = str(row.get("word", row.get("verdict", "")))
    evidence = row.get("evidence")
    evidence = evidence if isinstance(evidence, Mapping) else {}
    lines = [f"assuming that {a}" for a in row.get("assumptions", ())]
    if row.get("certificate"):
        lines.append(f"certificate: {row['certificate']}")
    elif word.startswith("proved"):
        lines.append("no certificate: the argument is the method's own")
    index = row.get("index")
    formula = agent.verifies[index].formula if isinstance(index, int) and index < len(agent.verifies) else None
    read = [] if formula is None else [str(s) for s in signals(formula)]
    return ProofSection(
        item=str(row["item"]),
        word=word,
        method=str(row.get("method", "")),
        sentence=str(row.get("sentence", "; ".join(found))),
        lines=tuple(lines),
        pictures=tuple([*_tube(agent, evidence, read), *_run(agent, evidence, read)]),
        frames=_frames(evidence),
        mark=MARKS.get(word.split(" ")[0], ""),
    )


def _tube(agent: AgentIR, evidence: Mapping[str, Any], read: Sequence[str]) -> list[tuple[str, str]]:
    """The hulls of reachable sets: in the plane of the regions, and over time."""
    hulls = evidence.get("tube")
    if agent.system is None or not isinstance(hulls, list) or not hulls:
        return []
    boxes = np.array(hulls, float)  # (samples, 2, n)
    states, step = agent.system.states, agent.system.step or 1.0
    if boxes.ndim != 3 or boxes.shape[1:] != (2, len(states)) or not np.isfinite(boxes).all():
        return []
    pictures = []
    drawing = drawing_of_agent(agent)
    if len(drawing.axes) == 2 and any(s.role != "start" for s in drawing.shapes):
        shown = boxes[:: math.ceil(len(boxes) / MOST_BOXES)][:, :, list(drawing.axes)]
        shapes = [Shape("trail", term("box", [term("tuple", [const(float(x)) for x in c]) for c in b])) for b in shown]
        picture = svg(replace(drawing, shapes=(*shapes, *drawing.shapes)), np.zeros((0, 1, len(states))))
        pictures.append(("every reachable state at the samples, over the regions", picture))
    for i in _shown(agent, read):
        points = tuple((t * step, float(lo), float(hi)) for t, (lo, hi) in enumerate(boxes[:, :, i]))
        unit = f" [{states[i].unit}]" if states[i].unit else ""
        band = Band(states[i].name, points)
        pictures.append((f"reachable {states[i].name}", band_chart([band], x_label="time [s]",
                                                                   y_label=f"{states[i].name}{unit}")))  # fmt: skip
    return pictures


def _shown(agent: AgentIR, read: Sequence[str]) -> list[int]:
    """The states that are charted: those that the formula reads, else the first."""
    assert agent.system is not None
    names = [v.name for v in agent.system.states]
    return [names.index(n) for n in read if n in names][:MOST_CHARTS] or list(range(min(2, len(names))))


def _run(agent: AgentIR, evidence: Mapping[str, Any], read: Sequence[str]) -> list[tuple[str, str]]:
    """The run of a violation: its numbers over the steps, and in the plane of the regions."""
    trace = evidence.get("trace")
    if not isinstance(trace, list) or len(trace) < 2:
        return []
    pictures = []
    if agent.system is not None and not agent.system.commands:
        names = [v.name for v in agent.system.states]
        rows = [[row.get(n) for n in names] for row in trace if isinstance(row, Mapping)]
        drawing = drawing_of_agent(agent)
        planar = len(drawing.axes) == 2 and any(s.role != "start" for s in drawing.shapes)
        if planar and all(_is_number(x) for row in rows for x in row):
            pictures.append(("a run that violates it", svg(drawing, np.array(rows, float)[None], every=5)))
    columns = [n for n in (read or trace[0]) if any(_is_number(row.get(n)) for row in trace)][:MOST_CHARTS]
    series = [Series(n, tuple((float(t), float(row[n])) for t, row in enumerate(trace) if _is_number(row.get(n))))
              for n in columns]  # fmt: skip
    if series:
        pictures.append(("a run that violates it: " + ", ".join(columns), line_chart(series, x_label="step",
                                                                                     y_label="value")))  # fmt: skip
    return pictures


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _frames(evidence: Mapping[str, Any]) -> tuple[Frame, ...]:
    """The steps of a violation as a filmstrip: its ends, and where something that is no real number changes."""
    trace = evidence.get("trace")
    if not isinstance(trace, list):
        return ()
    rows = [row for row in trace if isinstance(row, Mapping)]
    changed = [t for t in range(1, len(rows)) if _kinds(rows[t]) != _kinds(rows[t - 1])]
    kept = sorted({*range(min(2, len(rows))), *changed[: MOST_FRAMES - 3], len(rows) - 1} - {-1})
    frames = []
    for t in kept:
        text = "\n".join(f"{k} = {v:.6g}" if isinstance(v, float) else f"{k} = {v}" for k, v in rows[t].items())
        frames.append(Frame(t, (), text=text, mark="bad" if t == len(rows) - 1 else ""))
    return tuple(frames)


def _kinds(row: Mapping[str, Any]) -> list[Any]:
    return [v for v in row.values() if not isinstance(v, float)]


def verification_page(agent: AgentIR, spec: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The page of an agent's verification alone."""
    page = ReportPage(agent.name, agent.doc or "", spec, proofs=proof_sections(agent, rows))
    return render_page(replace(page, footer=f"Verified by agentc: {len(rows)} items."))
