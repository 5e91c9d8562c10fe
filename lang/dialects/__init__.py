"""Formulas of other tools, read into this language, with what the reading is and where the meanings differ."""

from __future__ import annotations

from agentc.lang.dialects.dialect import Dialect, Reading, translate
from agentc.lang.dialects.ltlf import LTLF2DFA, LYDIA, SPOT
from agentc.lang.dialects.stl import RTAMT, STLCG

__all__ = ["DIALECTS", "Dialect", "Reading", "read_dialect", "translate"]

DIALECTS: dict[str, Dialect] = {d.name: d for d in (RTAMT, STLCG, SPOT, LYDIA, LTLF2DFA)}
"""By the name that `--dialect` takes."""


def read_dialect(text: str, name: str) -> Reading:
    """The formula of another tool in this language.

    Raises ``AgentcError`` (AS1030) where it is no formula of that tool, (AS1031) for an operator without counterpart.
    """
    return translate(text, DIALECTS[name])
