"""The report as one self-contained HTML file: no script, no font, no image from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files


@dataclass(frozen=True)
class FormulaSection:
    """A formula as it was written, in English, and its automaton as SVG (None where it was not drawn)."""

    name: str
    role: str
    source: str
    reading: str
    drawing: str | None = None
    caption: str = ""


@dataclass(frozen=True)
class Frame:
    """One picture of a rollout (PNG bytes, or text where the environment draws none) and what the monitors said."""

    step: int
    lines: tuple[str, ...]
    png: bytes | None = None
    text: str = ""
    mark: str = ""


@dataclass(frozen=True)
class ProofSection:
    """What became of a ``verify`` item, with pictures ``(caption, svg)`` and the steps of a violation."""

    item: str
    word: str
    method: str
    sentence: str
    lines: tuple[str, ...] = ()
    pictures: tuple[tuple[str, str], ...] = ()
    frames: tuple[Frame, ...] = ()
    mark: str = ""


@dataclass(frozen=True)
class ReportPage:
    """Everything the page shows, already measured; rows are pairs of texts, a table's first row its head."""

    title: str
    doc: str
    spec: str
    formulas: tuple[FormulaSection, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    training: tuple[tuple[str, str], ...] = ()
    curves: tuple[tuple[str, str], ...] = ()
    results: tuple[tuple[str, ...], ...] = ()
    seeds: tuple[tuple[str, ...], ...] = ()
    frames: tuple[Frame, ...] = ()
    films: tuple[tuple[str, bytes], ...] = ()
    proofs: tuple[ProofSection, ...] = ()
    proving: tuple[tuple[str, ...], ...] = ()
    missing: tuple[str, ...] = ()
    footer: str = ""
    automata_note: str = field(
        default="Circles are states, double circles those in which the trace read so far satisfies the formula; "
        "the color says what is final."
    )


def _table(rows: Sequence[Sequence[str]], head: bool) -> str:
    parts = ["<table>"]
    for k, row in enumerate(rows):
        tag = "th" if head and k == 0 else "td"
        parts.append("<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>")
    return "".join(parts) + "</table>"


def _formula(section: FormulaSection) -> str:
    caption = f"<figcaption>{escape(section.caption)}</figcaption>" if section.caption else ""
    figure = f"<figure>{section.drawing}{caption}</figure>" if section.drawing else ""
    return (
        f'<article id="{escape(section.name)}"><h3><span class="role">{escape(section.role)}</span> '
        f"{escape(section.name)}</h3><pre><code>{escape(section.source)}</code></pre>"
        f'<p class="reading">{escape(section.reading)}</p>{figure}</article>'
    )


def _frame(frame: Frame) -> str:
    if frame.png is not None:
        data = base64.b64encode(frame.png).decode()
        picture = f'<img alt="step {frame.step}" src="data:image/png;base64,{data}">'
    else:
        picture = f"<pre>{escape(frame.text)}</pre>"
    lines = "".join(f"<li>{escape(line)}</li>" for line in frame.lines)
    mark = f' class="{escape(frame.mark)}"' if frame.mark else ""
    return f"<li{mark}><figure>{picture}<figcaption><b>step {frame.step}</b><ul>{lines}</ul></figcaption></figure></li>"


def _animation(caption: str, gif: bytes) -> str:
    data = base64.b64encode(gif).decode()
    image = f'<img alt="{escape(caption)}" src="data:image/gif;base64,{data}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _proof(proof: ProofSection) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in proof.lines)
    pictures = "".join(f"<figure><figcaption>{escape(c)}</figcaption>{svg}</figure>" for c, svg in proof.pictures)
    film = "".join(map(_frame, proof.frames))
    by = f" by {escape(proof.method)}" if proof.method else ""
    return (
        f'<article class="proof"><h3>{escape(proof.item)} is <span class="{escape(proof.mark)}">{escape(proof.word)}'
        f"</span>{by}</h3><p>{escape(proof.sentence)}</p>"
        + (f'<ul class="note">{lines}</ul>' if lines else "")
        + (f'<div class="charts">{pictures}</div>' if pictures else "")
        + (f'<ol class="film">{film}</ol>' if film else "")
        + "</article>"
    )


def render_page(page: ReportPage) -> str:
    """The page as text; equal data give equal bytes."""
    style = files("agentc.runtime.report").joinpath("report.css").read_text(encoding="utf-8")
    body = [f"<header><h1>{escape(page.title)}</h1><p>{escape(page.doc)}</p></header><main>"]

    def section(name: str, title: str, content: str) -> None:
        if content:
            body.append(f'<section id="{name}"><h2>{title}</h2>{content}</section>')

    section("results", "Does it hold?", _table(page.results, head=True) if page.results else "")
    section("proofs", "Is it proved?", "".join(map(_proof, page.proofs)))
    section("proving", "How the proof came about", _table(page.proving, head=True) if page.proving else "")
    section("seeds", "Training runs", _table(page.seeds, head=True) if page.seeds else "")
    charts = "".join(f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>" for title, svg in page.curves)
    section("curves", "Learning", f'<div class="charts">{charts}</div>' if charts else "")
    films = "".join(_animation(caption, gif) for caption, gif in page.films)
    section("films", "Episodes of the evaluation", f'<div class="charts">{films}</div>' if films else "")
    film = "".join(map(_frame, page.frames))
    section("rollout", "One episode, on a fresh seed", f'<ol class="film">{film}</ol>' if film else "")
    formulas = "".join(map(_formula, page.formulas))
    section("formulas", "What it must do", f'<p class="note">{page.automata_note}</p>{formulas}' if formulas else "")
    section("spec", "The spec", f"<pre><code>{escape(page.spec)}</code></pre>")
    section("environment", "Environment", _table(page.environment, head=False) if page.environment else "")
    section("training", "Training settings", _table(page.training, head=False) if page.training else "")
    missing = "".join(f"<li>{escape(line)}</li>" for line in page.missing)
    section("missing", "Not built yet", f"<ul>{missing}</ul>" if missing else "")
    body.append(f"</main><footer>{escape(page.footer)}</footer>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(page.title)}</title><style>{style}</style></head><body>{''.join(body)}</body></html>\n"
    )
