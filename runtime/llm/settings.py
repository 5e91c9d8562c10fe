"""How a run is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.decoder import Decoder


@dataclass(frozen=True)
class RunSettings:
    """How a run is decoded: limits, temperature (0 is greedy), seed, and whether finite choices are exact.

    ``max_tokens`` is None where no limit is promised: content that is not regular asks for that. ``resample`` is the
    number of candidates of each step (:mod:`.resampling`).
    """

    max_tokens: int | None = 512
    max_steps: int | None = None
    temperature: float = 0.0
    seed: int = 0
    exact: bool = False
    resample: int = 1


MAX_RESAMPLE = 256


def settings_of(decoder: Decoder, **given: Any) -> RunSettings:
    """The settings of an agent's ``decode`` block, with what is given in their place.

    Raises ``AgentcError``: AS1433 for a setting that does not exist, AS1457 for a value that it cannot have, AS1458 for
    candidates that are all the same, as at temperature 0.
    """
    values: dict[str, Any] = {}
    for name, value in decoder.writer.decode.items():
        if name not in _WANTED:
            raise AgentcError([report("AS1433", None, name=name, known=", ".join(f"`{k}`" for k in _WANTED))])
        wanted, fits = _WANTED[name]
        if not fits(value):
            raise AgentcError([report("AS1457", None, name=name, value=value, wanted=wanted)])
        if name == "choice":
            values["exact"] = value == "exact"
        else:
            values[name] = value
    if decoder.irregular() is not None:
        values.setdefault("max_tokens", None)
    values.update({k: v for k, v in given.items() if v is not None})
    made = RunSettings(**values)
    if made.resample > 1 and made.temperature == 0:
        raise AgentcError([report("AS1458", None, count=made.resample)])
    return made


def _whole(least: int, most: int | None = None) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and least <= v and (most is None or v <= most)


def _temperature(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


_WANTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "max_tokens": ("a whole number of at least 1", _whole(1)),
    "max_steps": ("a whole number of at least 1", _whole(1)),
    "temperature": ("a number of at least 0", _temperature),
    "choice": ("`exact` or `masked`", lambda v: v in ("exact", "masked")),
    "resample": (f"a whole number from 1 to {MAX_RESAMPLE}", _whole(1, MAX_RESAMPLE)),
}
