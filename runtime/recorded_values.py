"""From the raw cells of a recording to the values of declared signals, in SI base units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.ir import Value
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.units import parse_unit, to_si
from agentc.runtime.recordings import Sample

Missing = Literal["error", "hold", "none"]

_TRUE, _FALSE = ("true", "1", "1.0", "yes", "on"), ("false", "0", "0.0", "no", "off")


class Reader:
    """Reads the signals that formulas need from samples.

    ``columns`` maps signals to columns of other names. ``missing`` says what an empty cell or NaN is: an error, the
    value before, or no value (the atoms that read it are false). Numbers are taken in the unit that the signal
    declares.
    """

    def __init__(
        self, signals: Sequence[SignalIR], columns: Mapping[str, str] | None = None, missing: Missing = "error"
    ) -> None:
        self.signals, self._columns, self._missing = tuple(signals), dict(columns or {}), missing
        self._units = {s.name: parse_unit(s.unit) for s in self.signals if s.unit}
        self._last: dict[str, Value] = {}
        self._count = 0

    def read(self, sample: Sample) -> dict[str, Value]:
        """The values of a sample, None where there is none; absent is what is not there yet at the reset.

        Raises ``AgentcError`` (AS1001) for a missing column, (AS1011) for a value that is not of the signal's type,
        (AS1012) for a missing value.
        """
        found: dict[str, Value] = {}
        for signal in self.signals:
            value = self._value(signal, sample)
            if value is None and self._missing == "hold":
                value = self._last.get(signal.name)
            if value is None:
                # what the last action led to is not there yet at the reset
                at_reset = self._count == 0 and signal.name.split(".")[0] == "action"
                if self._missing != "none" and not at_reset:
                    raise AgentcError([report("AS1012", None, name=signal.name, row=sample.row)])
                if not at_reset:
                    found[signal.name] = None
            else:
                found[signal.name] = self._last[signal.name] = value
        self._count += 1
        return found

    def _value(self, signal: SignalIR, sample: Sample) -> Value:
        name = self._columns.get(signal.name, signal.name)
        if name in sample.values:
            return self._convert(signal, sample.values[name], sample.row)
        if signal.kind == "vector":
            size = 0 if signal.size is None else signal.size[0]
            parts = [f"{name}[{i}]" for i in range(size)]
            if parts and all(p in sample.values for p in parts):
                return self._convert(signal, [sample.values[p] for p in parts], sample.row)
        raise AgentcError([report("AS1001", None, name=name, known=", ".join(sample.values))])

    def _convert(self, signal: SignalIR, raw: Any, row: int) -> Value:
        text = raw.strip() if isinstance(raw, str) else raw
        if text is None or text == "" or (isinstance(text, float) and math.isnan(text)):
            return None
        try:
            match signal.kind:
                case "bool":
                    word = str(text).lower()
                    if word not in (*_TRUE, *_FALSE):
                        raise ValueError
                    return word in _TRUE
                case "enum":
                    if str(text) not in signal.members:
                        raise ValueError
                    return str(text)
                case "text":
                    return tuple(map(str, text)) if isinstance(text, list) else str(raw)
                case "vector":
                    parts = text if isinstance(text, list) else [float(v) for v in str(text).strip("()[]").split(";")]
                    if signal.size is not None and not signal.size[0] <= len(parts) <= signal.size[1]:
                        raise ValueError
                    return tuple(self._number(signal, float(v)) for v in parts)
            number = float(text)
            if math.isnan(number):
                return None
            number = self._number(signal, number)
            if signal.kind == "int":
                if number != int(number):
                    raise ValueError
                return int(number)
            return number
        except (TypeError, ValueError, OverflowError):
            raise AgentcError(
                [report("AS1011", None, name=signal.name, row=row, value=repr(raw)[:60], type=type_of(signal))]
            ) from None

    def _number(self, signal: SignalIR, number: float) -> float:
        unit = self._units.get(signal.name)
        value = number if unit is None else to_si(number, unit)
        low, high = signal.lo, signal.hi
        slack = 1e-9 * max(1.0, abs(value))  # what was converted and rounded on the way
        if not math.isfinite(value) or (low is not None and value < low - slack) or (
            high is not None and value > high + slack
        ):  # fmt: skip
            raise ValueError
        if low is not None and value < low:
            return low
        return high if high is not None and value > high else value


def type_of(signal: SignalIR) -> str:
    """The type of a signal in words."""
    if signal.kind == "enum":
        return f"one of {', '.join(signal.members)}"
    if signal.kind == "bool":
        return "true or false"
    if signal.kind == "vector":
        return f"vector of {signal.size[0] if signal.size else 'some'} numbers, as in `1;2` or in columns of their own"
    bounds = "" if signal.lo is None and signal.hi is None else f" in [{_shown(signal.lo)}, {_shown(signal.hi)}]"
    return f"finite number{bounds}" if signal.kind == "real" else f"whole number{bounds}"


def _shown(bound: float | None) -> str:
    return "..." if bound is None else f"{bound:g}"


def inferred(samples: Sequence[Sample], names: Mapping[str, bool], columns: Mapping[str, str]) -> list[SignalIR]:
    """The types of signals that nothing declares, by what their columns hold.

    ``names`` are True where the formula asks for a number. Numbers are ``real`` there and else ``bool``, words are an
    ``enum`` of all that occur.
    """
    found = []
    for name, numeric in names.items():
        column = columns.get(name, name)
        cells = {str(s.values[column]).strip() for s in samples if s.values.get(column) not in (None, "")}
        words = {c for c in cells if not _is_number(c)}
        if words and not {w.lower() for w in words} <= {*_TRUE, *_FALSE}:
            found.append(SignalIR(name, "enum", members=tuple(sorted(cells))))
        else:
            found.append(SignalIR(name, "real" if numeric and not words else "bool"))
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
