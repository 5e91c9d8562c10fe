"""The four verdicts of a running monitor, in truth order."""

from __future__ import annotations

from enum import IntEnum


class Verdict(IntEnum):
    """What is known of a formula after a prefix. Source: Bauer, Leucker, Schallhart, RV-LTL (2010), section 3.

    ``TRUE`` and ``FALSE`` are final, whatever follows, the trace ending at once included; the presumable ones
    say what it would be if the trace ended here. When it has ended, they are final.
    """

    FALSE = 0
    PRESUMABLY_FALSE = 1
    PRESUMABLY_TRUE = 2
    TRUE = 3

    @property
    def final(self) -> bool:
        """Whether nothing that follows can change it."""
        return self in (Verdict.FALSE, Verdict.TRUE)

    @property
    def holds(self) -> bool:
        """The truth value if the trace ended here."""
        return self >= Verdict.PRESUMABLY_TRUE

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        return ("false, whatever follows", "false if it ended here", "true if it ended here", "true, whatever follows")[
            self
        ]
