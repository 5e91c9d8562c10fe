"""Answers are values with their sentence: proved, falsified, vacuous or unknown, and what each rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from agentc.runtime.verify.certificate import Certificate


class Verdict(Enum):
    """What became of an item; the value is the word that people read."""

    PROVED = "proved"
    FALSIFIED = "falsified"
    VACUOUS = "vacuous"
    UNKNOWN = "unknown"

    @property
    def sentence(self) -> str:
        """What the word means."""
        return _SENTENCES[self]


_SENTENCES = {
    Verdict.PROVED: "it holds for everything that the assumptions allow",
    Verdict.FALSIFIED: "a concrete run violates it",
    Verdict.VACUOUS: "it cannot fail, whatever the agent does",
    Verdict.UNKNOWN: "neither a proof nor a violation was found",
}

EXIT = {Verdict.PROVED: 0, Verdict.FALSIFIED: 1, Verdict.VACUOUS: 1, Verdict.UNKNOWN: 3}
"""The exit code of each verdict."""


@dataclass(frozen=True)
class Answer:
    """What a method says of one item.

    Attributes:
        verdict: the word.
        method: who says it.
        sentence: why, in one sentence; for ``unknown`` how far it got.
        assumptions: what a proof takes for granted: model, noise, arithmetic.
        evidence: plain data: the trace of a violation, the share that is proved, bounds of a probability.
        certificate: what an independent checker can verify, if the method has one.
        checked: whether that checker has accepted the certificate.
        seconds: wall time.
    """

    verdict: Verdict
    method: str
    sentence: str
    assumptions: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    certificate: Certificate | None = None
    checked: bool = False
    seconds: float = 0.0

    @property
    def word(self) -> str:
        """The verdict for people; a proof that no checker accepted says so."""
        if self.verdict is Verdict.PROVED and not self.checked:
            return "proved (unchecked)"
        return self.verdict.value

    @property
    def exit_code(self) -> int:
        """0 holds, 1 does not hold, 3 unknown."""
        return EXIT[self.verdict]

    def data(self) -> dict[str, Any]:
        """The answer as plain data for JSON."""
        return {
            "verdict": self.verdict.value,
            "checked": self.checked,
            "method": self.method,
            "sentence": self.sentence,
            "assumptions": list(self.assumptions),
            "evidence": dict(self.evidence),
            "certificate": None if self.certificate is None else self.certificate.data(),
            "seconds": self.seconds,
        }

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Answer:
        """The inverse of :meth:`data`. Raises ``KeyError`` or ``ValueError`` for other data."""
        certificate = data["certificate"]
        return Answer(
            Verdict(data["verdict"]),
            data["method"],
            data["sentence"],
            tuple(data["assumptions"]),
            data["evidence"],
            None if certificate is None else Certificate.from_data(certificate),
            data["checked"],
            data["seconds"],
        )


def unknown(method: str, sentence: str, **evidence: Any) -> Answer:
    """An answer that decides nothing."""
    return Answer(Verdict.UNKNOWN, method, sentence, evidence=evidence)
