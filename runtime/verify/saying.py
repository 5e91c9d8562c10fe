"""Answers for people and programs: diagnostics (text, JSON, SARIF) and JUnit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from agentc.lang.diagnostics import Diagnostic, report
from agentc.lang.source import Span
from agentc.runtime.verify.answer import Answer, Verdict

CODES = {
    Verdict.FALSIFIED: "AS1301",
    Verdict.VACUOUS: "AS1302",
    Verdict.UNKNOWN: "AS1303",
    Verdict.PROVED: "AS1304",
}
"""The diagnostic of each verdict."""


def diagnostic(item: str, answer: Answer, span: Span | None = None) -> Diagnostic:
    """An answer as a diagnostic at the item's place."""
    said = answer.sentence
    if answer.verdict is Verdict.PROVED and answer.assumptions:
        said += "; assuming that " + "; that ".join(answer.assumptions)
    code = CODES[answer.verdict]
    return report(code, span, item=item, method=answer.method, sentence=said, word=answer.word)


def junit(rows: Sequence[tuple[str, Answer | None, Sequence[Diagnostic]]]) -> str:
    """The rows ``(item, answer, diagnostics)`` as JUnit XML: falsified and vacuous fail, unknown is skipped."""
    failures = sum(1 for _, a, _ in rows if a is not None and a.exit_code == 1)
    errors = sum(1 for _, a, _ in rows if a is None)
    skipped = sum(1 for _, a, _ in rows if a is not None and a.exit_code == 3)
    suite = ElementTree.Element(
        "testsuite", name="agentc verify", tests=str(len(rows)), failures=str(failures), errors=str(errors),
        skipped=str(skipped), time=f"{sum(a.seconds for _, a, _ in rows if a is not None):.3f}",
    )  # fmt: skip
    for item, answer, found in rows:
        agent, _, name = item.partition(": ")
        case = ElementTree.SubElement(suite, "testcase", classname=agent, name=name or agent)
        if answer is None:
            ElementTree.SubElement(case, "error", message="; ".join(f"{d.code}: {d.message}" for d in found))
            continue
        case.set("time", f"{answer.seconds:.3f}")
        known = [("method", answer.method), ("word", answer.word), *(("assumption", a) for a in answer.assumptions)]
        if answer.certificate is not None:
            known.append(("certificate", answer.certificate.data()["seal"]))
        properties = ElementTree.SubElement(case, "properties")
        for key, value in known:
            ElementTree.SubElement(properties, "property", name=key, value=value)
        if answer.exit_code:
            kind = "failure" if answer.exit_code == 1 else "skipped"
            ElementTree.SubElement(case, kind, message=f"{answer.word}: {answer.sentence}")
        else:
            ElementTree.SubElement(case, "system-out").text = f"{answer.word}: {answer.sentence}"
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def row(item: str, answer: Answer | None, found: Sequence[Diagnostic], certificate: str | None) -> dict[str, Any]:
    """One row of the JSON output; the certificate is a file's path there."""
    if answer is None:
        return {"item": item, "verdict": "error", "diagnostics": [f"{d.code}: {d.message}" for d in found]}
    return {"item": item, **answer.data(), "word": answer.word, "certificate": certificate}
