"""JSON Schemas as languages of texts: what a phase or an argument given by ``json("schema.json")`` may hold.

Values are written in one way only: as Python's ``json.dumps`` writes them (``, `` and ``: ``, no escape where none is
needed), numbers without an exponent and without needless zeros, the properties of an object in the order of the schema.
So union, intersection and complement of languages are those of the values (``oneOf``, ``allOf``, ``not``), and a schema
whose values are a regular set of texts has all that regular contents have: budgets, promises on them, exact choices.

A schema is regular without recursion, with closed objects (``additionalProperties: false``) and typed items. What is
not regular goes to the grammar engine as it is (:func:`for_engine`); what neither can do is refused by its name.

Source: JSON Schema, draft 2020-12 (Core and Validation). Patterns are those of ECMAScript: searched for, ``\\d`` and
``\\w`` are ASCII. Deviations: numbers have at most ``numerals.DECIMALS`` digits behind the point, and one that is not
an integer is written with one; ``format`` is enforced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from agentc.compiler.decoder import numerals
from agentc.compiler.decoder.json_text import json_text
from agentc.compiler.decoder.regex_syntax import NotLinearError, searched
from agentc.compiler.decoder.regular import (
    EMPTY,
    EPSILON,
    Language,
    alt,
    any_char,
    both,
    cat,
    complement,
    literal,
    repeat,
)

Schema = Any
"""A schema: a Boolean or an object."""

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
"""The types of values; ``number`` are all numbers."""

OF_TYPE = {
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains",
              "unevaluatedItems", "additionalItems"),
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties",
               "propertyNames", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties"),
    "null": (), "boolean": (),
}  # fmt: skip
"""The keywords that constrain values of one type."""

GENERAL = ("type", "enum", "const", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "$ref")
"""The keywords that constrain values of any type."""

SILENT = (
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$schema", "$id", "$comment",
    "$defs", "definitions", "$anchor", "$vocabulary",
)  # fmt: skip
"""The keywords that constrain nothing."""

ENGINE_LACKS = (
    "not", "if", "then", "else", "uniqueItems", "contains", "minContains", "maxContains", "unevaluatedItems",
    "additionalItems", "propertyNames", "dependentRequired", "dependentSchemas", "dependencies",
    "unevaluatedProperties",
)  # fmt: skip
"""The keywords that the grammar engine does not have."""

FORMATS = {
    "date": r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
    "time": r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$",
    "date-time": r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?"
                 r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$",
    "uuid": r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "ipv4": r"^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$",
}  # fmt: skip
"""Formats of texts that are regular here; the others are left to the engine. A date may be the 31st of any month."""

ENGINE_FORMATS = (*FORMATS, "duration", "email", "hostname", "ipv6", "uri", "unknown")

MAX_REFERENCES = 200
"""The deepest chain of references that is followed."""


class SchemaError(Exception):
    """A text is no JSON Schema; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FeatureError(Exception):
    """A schema needs what neither regular contents nor the engine have: ``feature``, at ``place`` (a JSON pointer)."""

    def __init__(self, feature: str, place: str, why: str = "") -> None:
        super().__init__(f"{feature} at {place}")
        self.feature, self.place, self.why = feature, place, why


class NotRegularError(Exception):
    """The texts of a schema are not regular; ``why`` says what makes them so."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def read_schema(text: str) -> Schema:
    """The schema that a text is. Raises :class:`SchemaError`."""
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SchemaError(str(error) or "it is nested too deeply") from None
    for place, node in nodes(schema):
        _check(node, place, schema)
    return schema


def language_of(schema: Schema) -> Language:
    """The texts of all values of a schema. Raises :class:`NotRegularError`, and :class:`NotLinearError` for a pattern.

    :class:`FeatureError` is not raised here: ask :func:`for_engine` for what is not regular.
    """
    return _Reader(schema).language(schema, TYPES, ())


def for_engine(schema: Schema, why: str = "") -> str:
    """The schema as the engine reads it, as JSON; ``why`` it is not regular. Raises :class:`FeatureError`."""
    for place, node in nodes(schema):
        if not isinstance(node, dict):
            continue
        for keyword, value in node.items():
            if keyword in ENGINE_LACKS or not _known(keyword):
                raise FeatureError(f"`{keyword}`", place, why)
            if keyword == "format" and value not in ENGINE_FORMATS:
                raise FeatureError(f"the format `{value}`", place, why)
            if keyword == "$ref" and not str(value).startswith("#"):
                raise FeatureError(f"the reference `{value}` to another file", place, why)
    options = {
        "item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False, "json_allowed_escapes": 'nrbtf\\"',
    }  # fmt: skip
    return json.dumps({"x-guidance": options, **(schema if isinstance(schema, dict) else {"allOf": [schema]})})


def nodes(schema: Schema, place: str = "#") -> Iterator[tuple[str, Schema]]:
    """Every schema inside of a schema, itself first, with the JSON pointer to it."""
    stack = [(place, schema)]
    while stack:
        at, node = stack.pop()
        yield at, node
        if not isinstance(node, dict):
            continue
        inner: list[tuple[str, Schema]] = []
        for keyword, value in node.items():
            here = f"{at}/{keyword}"
            if keyword in _ONE and not isinstance(value, list):
                inner.append((here, value))
            elif keyword in _MANY and isinstance(value, list):
                inner += [(f"{here}/{i}", item) for i, item in enumerate(value)]
            elif keyword in _NAMED and isinstance(value, dict):
                inner += [(f"{here}/{_escaped(name)}", item) for name, item in value.items()]
        stack += reversed(inner)


_ONE = (
    "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "unevaluatedItems",
    "unevaluatedProperties", "additionalItems",
)  # fmt: skip
_MANY = ("anyOf", "oneOf", "allOf", "prefixItems", "items")
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _known(keyword: str) -> bool:
    return keyword in GENERAL or keyword in SILENT or any(keyword in of for of in OF_TYPE.values())


_KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("properties", "patternProperties", "$defs", "definitions"), (dict,)),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems", "enum", "required"), (list,)),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), (int,)),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), (int, float)),
    **dict.fromkeys(("pattern", "format", "$ref"), (str,)),
}


def _check(node: Schema, place: str, root: Schema) -> None:
    """Raise :class:`SchemaError` for a schema that is malformed."""
    if isinstance(node, bool):
        return
    if not isinstance(node, dict):
        raise SchemaError(f"{place} is {json.dumps(node)[:40]}, and a schema is an object or a Boolean")
    for keyword, value in node.items():
        wanted = _KINDS.get(keyword)
        if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
            raise SchemaError(f"`{keyword}` at {place} is {json.dumps(value)[:40]}")
    for name in _types(node):
        if name not in TYPES:
            raise SchemaError(f"`type` at {place} is {json.dumps(name)[:40]}, none of {', '.join(TYPES)}")
    if isinstance(node.get("$ref"), str) and node["$ref"].startswith("#"):
        _resolved(root, node["$ref"], place)


def _types(node: Mapping[str, Any]) -> Sequence[str]:
    given = node.get("type", ())
    return [given] if isinstance(given, str) else list(given) if isinstance(given, list | tuple) else [given]


def _resolved(root: Schema, reference: str, place: str) -> Schema:
    """What a reference into the file points to. Raises :class:`SchemaError`."""
    at = root
    for part in reference.removeprefix("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(at, dict) and name in at:
            at = at[name]
        elif isinstance(at, list) and name.isdigit() and int(name) < len(at):
            at = at[int(name)]
        else:
            raise SchemaError(f"`$ref` at {place} points to {reference}, and nothing is there")
    return at


class _Reader:
    """Reads the schemas of one file."""

    def __init__(self, root: Schema) -> None:
        self.root = root

    def language(self, schema: Schema, types: Iterable[str], above: tuple[str, ...]) -> Language:
        """The values of some types; ``above`` are the references that are being followed."""
        if schema is False:
            return EMPTY
        if schema is True:
            schema = {}
        for keyword in schema:
            if not _known(keyword):
                raise NotRegularError(f"`{keyword}` is not known")
        return alt(*(self._of_type(schema, kind, above) for kind in _narrowed(types, _types(schema))))

    def _of_type(self, schema: Mapping[str, Any], kind: str, above: tuple[str, ...]) -> Language:
        parts: list[Language] = []
        if "enum" in schema:
            parts.append(_values(schema["enum"], kind))
        if "const" in schema:
            parts.append(_values([schema["const"]], kind))
        if any(keyword in schema for keyword in OF_TYPE[kind]):
            parts.append(self._own(schema, kind, above))
        if "$ref" in schema:
            parts.append(self._reference(str(schema["$ref"]), kind, above))
        parts += [self.language(part, (kind,), above) for part in schema.get("allOf", ())]
        if "anyOf" in schema:
            parts.append(alt(*(self.language(part, (kind,), above) for part in schema["anyOf"])))
        if "oneOf" in schema:
            parts.append(_exactly_one([self.language(part, (kind,), above) for part in schema["oneOf"]]))
        if not parts:
            parts.append(self._own(schema, kind, above))
        if "not" in schema:
            parts.append(complement(self.language(schema["not"], (kind,), above)))
        if "if" in schema:
            holds = self.language(schema["if"], (kind,), above)
            yes, no = (self.language(schema[k], (kind,), above) if k in schema else None for k in ("then", "else"))
            parts.append(
                alt(
                    holds if yes is None else both(holds, yes),
                    complement(holds) if no is None else both(complement(holds), no),
                )
            )
        return both(*parts)

    def _reference(self, reference: str, kind: str, above: tuple[str, ...]) -> Language:
        if not reference.startswith("#"):
            raise NotRegularError(f"the reference `{reference}` leaves the file")
        if reference in above:
            raise NotRegularError(f"`{reference}` refers to itself")
        if len(above) > MAX_REFERENCES:
            raise NotRegularError("references are nested too deeply")
        return self.language(_resolved(self.root, reference, "#"), (kind,), (*above, reference))

    def _own(self, schema: Mapping[str, Any], kind: str, above: tuple[str, ...]) -> Language:
        """The values of a type by the keywords of that type alone."""
        match kind:
            case "null":
                return literal("null")
            case "boolean":
                return alt(literal("true"), literal("false"))
            case "integer" | "number":
                return _numbers(schema, kind)
            case "string":
                return _strings(schema)
            case "array":
                return self._arrays(schema, above)
        return self._objects(schema, above)

    def _arrays(self, schema: Mapping[str, Any], above: tuple[str, ...]) -> Language:
        for keyword in ("uniqueItems", "contains", "unevaluatedItems", "additionalItems"):
            if schema.get(keyword) not in (None, False):
                raise NotRegularError(f"`{keyword}` is not regular here")
        if isinstance(schema.get("items"), list):
            raise NotRegularError("`items` is a list (use `prefixItems`)")
        first = [self.language(part, TYPES, above) for part in schema.get("prefixItems", ())]
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        if most is not None and most < least:
            return EMPTY
        rest: Language = EPSILON
        if most is None or most > len(first):
            more = None if most is None else most - len(first)
            if schema.get("items", True) is True:
                raise NotRegularError("an array without `items` can hold anything")
            item = self.language(schema["items"], TYPES, above)
            start = max(least - len(first), 0)
            if first:
                rest = repeat(cat(literal(", "), item), start, more)
            elif more != 0:
                tail = repeat(cat(literal(", "), item), max(start - 1, 0), None if more is None else more - 1)
                rest = alt(cat(item, tail), EMPTY if start else EPSILON)
        made = rest
        for i in reversed(range(len(first) if most is None else min(len(first), most))):
            made = cat(literal(", ") if i else EPSILON, first[i], made)
            if i >= least:
                made = alt(EPSILON, made)
        return cat(literal("["), made, literal("]"))

    def _objects(self, schema: Mapping[str, Any], above: tuple[str, ...]) -> Language:
        known = ("properties", "required", "additionalProperties")
        for keyword in OF_TYPE["object"]:
            if keyword in schema and keyword not in known:
                raise NotRegularError(f"`{keyword}` is not regular here")
        if schema.get("additionalProperties", True) is not False:
            raise NotRegularError("an object without `additionalProperties: false` can have any others")
        properties: dict[str, Schema] = schema.get("properties", {})
        required = set(schema.get("required", ()))
        if not required <= set(properties):
            return EMPTY
        behind: Language = EPSILON  # what may follow if something was written, and if nothing was
        begun: Language = EPSILON
        for name, part in reversed(properties.items()):
            value = self.language(part, TYPES, above)
            here = cat(literal(f"{json.dumps(name, ensure_ascii=False)}: "), value)
            skipped = (EMPTY, EMPTY) if name in required else (behind, begun)
            behind, begun = alt(cat(literal(", "), here, behind), skipped[0]), alt(cat(here, behind), skipped[1])
        return cat(literal("{"), begun, literal("}"))


def _narrowed(types: Iterable[str], declared: Sequence[str]) -> list[str]:
    """The types that are among ``types`` and the declared ones, without those that others include."""
    found = list(types)
    if declared:
        wanted = set(declared)
        found = [
            "integer" if t == "number" and "number" not in wanted else t
            for t in found
            if t in wanted or (t == "integer" and "number" in wanted) or (t == "number" and "integer" in wanted)
        ]
    found = list(dict.fromkeys(found))
    return [t for t in found if not (t == "integer" and "number" in found)]


def written(value: Any) -> str:
    """A value as it is written."""
    return json.dumps(_plain(value), ensure_ascii=False)


def ordered(schema: Schema, value: Any) -> Any:
    """A value with the properties of its objects in the order in which the schema first names them."""
    order: dict[str, int] = {}
    for _, node in nodes(schema):
        for name in node.get("properties", ()) if isinstance(node, dict) else ():
            order.setdefault(name, len(order))
    return _ordered(order, value)


def _ordered(order: Mapping[str, int], value: Any) -> Any:
    if isinstance(value, list):
        return [_ordered(order, v) for v in value]
    if isinstance(value, dict):
        return {k: _ordered(order, value[k]) for k in sorted(value, key=lambda k: order.get(k, len(order)))}
    return value


def _plain(value: Any) -> Any:
    """With numbers that are whole as integers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value


def _values(values: Sequence[Any], kind: str) -> Language:
    return alt(*(literal(written(v)) for v in values if _is(v, kind)))


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return not isinstance(value, bool) and isinstance(value, int | float) and float(value).is_integer()
        case "number":
            return not isinstance(value, bool) and isinstance(value, int | float)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
    return isinstance(value, dict)


def _exactly_one(parts: Sequence[Language]) -> Language:
    found = []
    for i, part in enumerate(parts):
        others = alt(*(p for k, p in enumerate(parts) if k != i))
        found.append(part if others is EMPTY else both(part, complement(others)))
    return alt(*found)


_CANONICAL = searched(r"^-?(0|[1-9]\d*)(\.\d*[1-9])?$", re.ASCII)


def _numbers(schema: Mapping[str, Any], kind: str) -> Language:
    """Numbers within bounds, without needless zeros."""
    if "multipleOf" in schema:
        raise NotRegularError("`multipleOf` is left to the engine")
    whole = kind == "integer"
    parts: list[Language] = [numerals.between(None, None, whole)]
    for keyword, below, strict in (
        ("minimum", False, False), ("exclusiveMinimum", False, True),
        ("maximum", True, False), ("exclusiveMaximum", True, True),
    ):  # fmt: skip
        if keyword in schema:
            bound = Decimal(repr(schema[keyword]))
            parts.append(numerals.bounded(bound, below, strict, whole))
    found = both(*parts)
    return found if whole else both(found, _CANONICAL)


def _strings(schema: Mapping[str, Any]) -> Language:
    inside = repeat(any_char(), int(schema.get("minLength", 0)), schema.get("maxLength"))
    if "pattern" in schema:
        try:
            inside = both(inside, searched(schema["pattern"], re.ASCII))
        except NotLinearError as error:
            raise NotLinearError(error.construct, schema["pattern"]) from None
    if "format" in schema:
        if schema["format"] not in FORMATS:
            raise NotRegularError(f"the format `{schema['format']}` is left to the engine")
        inside = both(inside, searched(FORMATS[schema["format"]], re.ASCII))
    return cat(literal('"'), json_text(inside), literal('"'))
