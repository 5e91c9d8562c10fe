"""Settings that a block may have, as plain data: kinds, ranges, defaults, and what is wrong with a given value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Literal, NamedTuple

from agentc.lang.diagnostics import Diagnostic, report
from agentc.lang.records import dataclass
from agentc.lang.source import Span

Kind = Literal["int", "float", "bool", "choice", "duration", "text"]
Scalar = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a ``train`` block.

    ``low`` and ``high`` are inclusive unless ``low_open``; they and the default of a ``duration`` are in
    seconds. ``choices`` only for a ``choice``, whose values are written as bare words.
    """

    name: str
    kind: Kind
    default: Scalar
    doc: str
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    choices: tuple[str, ...] = ()

    def domain(self) -> str:
        """What a value may be, as a phrase: ``an int of at least 1``."""
        if self.kind == "choice":
            return "one of " + ", ".join(f"`{c}`" for c in self.choices)
        if self.kind == "bool":
            return "`true` or `false`"
        if self.kind == "text":
            return 'a text such as `"a b"`'
        noun = {"int": "an int", "float": "a number", "duration": "a duration such as `30s`"}[self.kind]
        if self.low is not None and self.high is not None:
            return f"{noun} in {'(' if self.low_open else '['}{self.low:g}, {self.high:g}]"
        if self.low is not None:
            return f"{noun} {'above' if self.low_open else 'of at least'} {self.low:g}"
        return noun


@dataclass(frozen=True, slots=True)
class TrainerSchema:
    """The settings of one algorithm; ``elsewhere`` names keys that are said in another place of the spec."""

    algorithm: str
    doc: str
    settings: tuple[Setting, ...]
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def setting(self, name: str) -> Setting | None:
        """The setting of that name, or None."""
        return next((s for s in self.settings if s.name == name), None)

    def defaults(self) -> dict[str, Scalar]:
        """Every key with its default."""
        return {s.name: s.default for s in self.settings}


class Given(NamedTuple):
    """A value as the author gave it.

    A bare word is a ``str``. A quantity with a unit of time has been converted to seconds, with
    ``is_duration`` set. The spans are of the key and of the value.
    """

    value: object
    is_duration: bool = False
    key_span: Span | None = None
    value_span: Span | None = None


def joined(*groups: tuple[Setting, ...], **defaults: Scalar) -> tuple[Setting, ...]:
    """Groups joined, a later setting of a name in place of an earlier one, with other defaults where given."""
    made = {s.name: s for group in groups for s in group}
    return tuple(replace(s, default=defaults.get(s.name, s.default)) for s in made.values())


def check_against(schema: TrainerSchema, given: Mapping[str, Given]) -> tuple[dict[str, Scalar], list[Diagnostic]]:
    """Validate settings against a schema, as :func:`check_settings` does for an algorithm."""
    values = schema.defaults()
    found: list[Diagnostic] = []
    for name, entry in given.items():
        setting = schema.setting(name)
        if setting is None:
            if name in schema.elsewhere:
                found.append(report("AS0612", entry.key_span, name=name, place=schema.elsewhere[name]))
            else:
                near = nearest(name, [s.name for s in schema.settings])
                owner = schema.algorithm
                found.append(report("AS0611", entry.key_span, name=name, algorithm=owner, suggestion=near))
            continue
        value = _convert(setting, entry)
        where = entry.value_span or entry.key_span
        if value is None:
            near = nearest(str(entry.value), setting.choices) if setting.kind == "choice" else None
            shown = _show(entry)
            found.append(report("AS0613", where, name=name, value=shown, domain=setting.domain(), suggestion=near))
        elif not _within(setting, value):
            found.append(report("AS0614", where, name=name, value=_show(entry), domain=setting.domain()))
        else:
            values[name] = value
    return values, found


def described(setting: Setting) -> str:
    """A setting as `agentc explain` shows it."""
    default = str(setting.default).lower() if isinstance(setting.default, bool) else setting.default
    if setting.kind == "text":
        default = f'"{default}"'
    unit = "s" if setting.kind == "duration" else ""
    return f"{setting.name} = {default}{unit}\n    {setting.doc} It is {setting.domain()}.\n"


def _convert(setting: Setting, entry: Given) -> Scalar | None:
    value = entry.value
    if setting.kind == "bool":
        return value if isinstance(value, bool) else None
    if setting.kind == "choice":
        return value if isinstance(value, str) and value in setting.choices else None
    if setting.kind == "text":
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value != value or value in (float("inf"), float("-inf")):
        return None
    if entry.is_duration != (setting.kind == "duration"):
        return None
    if setting.kind == "int":
        return int(value) if value == int(value) else None
    return float(value)


def _within(setting: Setting, value: Scalar) -> bool:
    if isinstance(value, str) or setting.kind == "bool":
        return True
    if setting.low is not None and (value < setting.low or (setting.low_open and value == setting.low)):
        return False
    return setting.high is None or value <= setting.high


def _show(entry: Given) -> str:
    if isinstance(entry.value, bool):
        return "true" if entry.value else "false"
    return f"{entry.value}s" if entry.is_duration else str(entry.value)


def nearest(word: str, valid: Mapping[str, object] | list[str] | tuple[str, ...]) -> str | None:
    """The name that was probably meant, if one is near."""
    from difflib import get_close_matches  # only where something is wrong

    matches = get_close_matches(word, list(valid), n=1)
    return matches[0] if matches else None
