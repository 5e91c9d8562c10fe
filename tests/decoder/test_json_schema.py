"""JSON Schemas as languages: random schemas and values against an independent validator."""

import itertools
import json
import random

import pytest

from agentc.compiler.decoder.bytes_automaton import byte_automaton
from agentc.compiler.decoder.json_schema import (
    FeatureError,
    NotRegularError,
    SchemaError,
    for_engine,
    language_of,
    nodes,
    ordered,
    read_schema,
    written,
)

jsonschema = pytest.importorskip("jsonschema")

TEXTS = ("", "a", "ab", "ba7", 'q"\\\n', "\u00e9")
NUMBERS = (-2, 0, 1, 3, 7, 0.5, 2.25, -1.5)


def random_schema(randomness, depth):
    """A schema whose values are regular."""
    kind = randomness.choice(("null", "boolean", "integer", "number", "string", "enum", "const")
                             if depth == 0 else ("array", "object", "anyOf", "oneOf", "allOf", "not", "if"))
    low = randomness.choice((-2, 0, 1, 2.25))
    match kind:
        case "integer" | "number":
            found = {"type": kind}
            found[randomness.choice(("minimum", "exclusiveMinimum"))] = low
            found[randomness.choice(("maximum", "exclusiveMaximum"))] = low + randomness.choice((0, 1, 5))
            return found
        case "string":
            found = {"type": "string", "minLength": randomness.randrange(2), "maxLength": randomness.randrange(1, 4)}
            if randomness.random() < 0.5:
                found["pattern"] = randomness.choice(("^a", "b$", "a|b", "^[a-b7]*$", "[^a]"))
            return found
        case "enum":
            return {"enum": [random_value(randomness, 1) for _ in range(3)]}
        case "const":
            return {"const": random_value(randomness, 0)}
        case "array":
            found = {"type": "array", "items": random_schema(randomness, depth - 1)}
            if randomness.random() < 0.5:
                found["prefixItems"] = [random_schema(randomness, depth - 1) for _ in range(randomness.randrange(1, 3))]
            found["minItems"] = randomness.randrange(3)
            if randomness.random() < 0.7:
                found["maxItems"] = randomness.randrange(4)
            return found
        case "object":
            names = randomness.sample(["x", "y", "\u00e9 \""], 2)
            return {
                "type": "object", "properties": {n: random_schema(randomness, depth - 1) for n in names},
                "required": names[: randomness.randrange(3)], "additionalProperties": False,
            }  # fmt: skip
        case "anyOf" | "oneOf":
            return {kind: [random_schema(randomness, depth - 1) for _ in range(2)]}
        case "allOf":
            return {"allOf": [random_schema(randomness, 0), {"type": ["integer", "string", "boolean"]}]}
        case "not":
            return {"type": ["integer", "string", "null"], "not": random_schema(randomness, 0)}
        case "if":
            return {"type": ["integer", "boolean"], "if": {"type": "integer", "minimum": 1}, "then": {"maximum": 3},
                    "else": {"maximum": -2}}  # fmt: skip
    return {"type": kind}


def random_value(randomness, depth):
    leaf = [None, True, False, randomness.choice(NUMBERS), randomness.choice(TEXTS)]
    if depth == 0 or randomness.random() < 0.4:
        return randomness.choice(leaf)
    parts = [random_value(randomness, depth - 1) for _ in range(randomness.randrange(4))]
    if randomness.random() < 0.5:
        return parts
    return dict(zip(("x", "y", "\u00e9 \""), parts, strict=False))


def accepts(schema, value):
    return byte_automaton(language_of(schema)).accepts(written(value))


def agree(cases, seed):
    """Compare random schemas with the validator; how many values were accepted and refused."""
    randomness = random.Random(seed)
    found = {True: 0, False: 0}
    for _ in range(cases):
        schema = random_schema(randomness, randomness.randrange(3))
        if randomness.random() < 0.2:
            schema = {"$defs": {"it": schema}, "type": ["array", "null"], "items": {"$ref": "#/$defs/it"}}
        validator = jsonschema.Draft202012Validator(schema)
        automaton = byte_automaton(language_of(read_schema(json.dumps(schema))))
        for _ in range(40):
            value = ordered(schema, random_value(randomness, 2))
            valid = validator.is_valid(value)
            names = [list(n["properties"]) for _, n in nodes(schema) if isinstance(n, dict) and "properties" in n]
            if any(a[::-1] == b for a, b in itertools.combinations(names, 2)):
                continue  # two orders of the same properties: not every value has both
            assert automaton.accepts(written(value)) == valid, (schema, value)
            found[valid] += 1
        word = automaton.shortest()
        if word is not None:
            validator.validate(json.loads(word))
    return found


def test_the_language_is_the_validators():
    found = agree(60, "schemas")
    assert found[True] > 100 and found[False] > 500


@pytest.mark.slow
def test_the_language_is_the_validators_on_many():
    found = agree(2000, "more schemas")
    assert found[True] > 2000


@pytest.mark.parametrize("form", ["date", "time", "date-time", "uuid", "ipv4"])
def test_formats(form):
    good = {"date": "2024-02-29", "time": "23:59:59Z", "date-time": "2024-02-29T12:00:00.5+01:00",
            "ipv4": "192.168.0.1", "uuid": "123e4567-e89b-12d3-a456-426614174000"}  # fmt: skip
    schema = {"type": "string", "format": form}
    for name, text in good.items():
        assert accepts(schema, text) == (name == form)


@pytest.mark.parametrize(
    ("schema", "why"),
    [({"$ref": "#"}, "itself"), ({"type": "object"}, "additionalProperties"), ({"type": "array"}, "items"),
     ({"type": "integer", "multipleOf": 3}, "multipleOf"), ({"type": "string", "format": "uri"}, "uri"),
     ({"type": "array", "items": {"type": "null"}, "uniqueItems": True}, "uniqueItems")],
)  # fmt: skip
def test_what_is_not_regular_says_why(schema, why):
    with pytest.raises(NotRegularError, match=why):
        language_of(read_schema(json.dumps(schema)))


@pytest.mark.parametrize(
    "text", ["{", "3", '{"type": "text"}', '{"$ref": "#/nothing"}', '{"properties": 3}', '{"items": {"minimum": "1"}}']
)
def test_what_is_no_schema(text):
    with pytest.raises(SchemaError):
        read_schema(text)


def test_what_the_engine_lacks_is_named():
    for schema, feature, place in [
        ({"type": "array", "uniqueItems": True}, "`uniqueItems`", "#"),
        ({"properties": {"a/b": {"format": "colour"}}}, "the format `colour`", "#/properties/a~1b"),
        ({"$ref": "other.json"}, "the reference `other.json` to another file", "#"),
    ]:
        with pytest.raises(FeatureError) as caught:
            for_engine(schema)
        assert (caught.value.feature, caught.value.place) == (feature, place)
