"""How a run is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.decoder import Decoder


@dataclass(frozen=True)
class RunSettings:
    """How a run is decoded: limits, temperature (0 is greedy), seed, and whether finite choices are exact.

    ``max_tokens`` is None where no limit is promised: content that is not regular asks for that.
    """

    max_tokens: int | None = 512
    max_steps: int | None = None
    temperature: float = 0.0
    seed: int = 0
    exact: bool = False


def settings_of(decoder: Decoder, **given: Any) -> RunSettings:
    """The settings of an agent's ``decode`` block, with what is given in their place.

    Raises ``AgentcError`` (AS1433) for a setting that does not exist.
    """
    known = ("max_tokens", "max_steps", "temperature", "choice")
    values: dict[str, Any] = {}
    for name, value in decoder.writer.decode.items():
        if name not in known:
            raise AgentcError([report("AS1433", None, name=name, known=", ".join(f"`{k}`" for k in known))])
        if name == "choice":
            values["exact"] = value == "exact"
        else:
            values[name] = value
    if decoder.irregular() is not None:
        values.setdefault("max_tokens", None)
    values.update({k: v for k, v in given.items() if v is not None})
    return RunSettings(**values)
