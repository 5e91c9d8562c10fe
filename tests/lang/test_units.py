"""Units: the SI table, products and powers, and conversion without noise."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentc.lang.units import (
    _FIXED,
    _PREFIXED,
    _PREFIXES,
    BASE,
    DIMENSIONLESS,
    Unit,
    UnknownUnit,
    in_unit,
    parse_unit,
    to_si,
)


def exponents(**powers):
    return tuple(float(powers.get(b, 0)) for b in BASE)


@pytest.mark.parametrize(
    ("text", "scale", "powers"),
    [
        ("m", 1, {"m": 1}),
        ("km", 1e3, {"m": 1}),
        ("cm", 1e-2, {"m": 1}),
        ("mm", 1e-3, {"m": 1}),
        ("min", 60, {"s": 1}),
        ("h", 3600, {"s": 1}),
        ("ms", 1e-3, {"s": 1}),
        ("us", 1e-6, {"s": 1}),
        ("kg", 1, {"kg": 1}),
        ("g", 1e-3, {"kg": 1}),
        ("N", 1, {"kg": 1, "m": 1, "s": -2}),
        ("Hz", 1, {"s": -1}),
        ("1/s", 1, {"s": -1}),
        ("J", 1, {"kg": 1, "m": 2, "s": -2}),
        ("kW", 1e3, {"kg": 1, "m": 2, "s": -3}),
        ("V", 1, {"kg": 1, "m": 2, "s": -3, "A": -1}),
        ("m/s", 1, {"m": 1, "s": -1}),
        ("km/h", 1000 / 3600, {"m": 1, "s": -1}),
        ("m/s^2", 1, {"m": 1, "s": -2}),
        ("m/s/s", 1, {"m": 1, "s": -2}),
        ("kg*m/s^2", 1, {"kg": 1, "m": 1, "s": -2}),
        ("m^-1", 1, {"m": -1}),
        ("K", 1, {"K": 1}),
        ("mol", 1, {"mol": 1}),
        ("cd", 1, {"cd": 1}),
        ("rad", 1, {}),
        ("deg", math.pi / 180, {}),
        ("deg/s", math.pi / 180, {"s": -1}),
        ("rpm", 2 * math.pi / 60, {"s": -1}),
    ],
)
def test_meaning(text, scale, powers):
    unit = parse_unit(text)
    assert unit.exponents == exponents(**powers)
    assert unit.scale == pytest.approx(scale, rel=1e-14)
    assert unit.text == text


def test_equality_is_of_dimension():
    assert parse_unit("km") == parse_unit("mm") != parse_unit("s")
    assert parse_unit("N*m") == parse_unit("J")
    assert parse_unit("rad") == DIMENSIONLESS
    assert parse_unit("rad").dimensionless and not parse_unit("rad").bare


@pytest.mark.parametrize(
    ("text", "symbol", "offset"),
    [("mters", "mters", 0), ("m/sec", "sec", 2), ("kmin", "kmin", 0), ("m//s", "//s", 1), ("m s", "s", 2), ("", "", 0)],
)
def test_unknown(text, symbol, offset):
    with pytest.raises(UnknownUnit) as raised:
        parse_unit(text)
    assert (raised.value.symbol, raised.value.offset) == (symbol, offset)


def test_a_prefix_needs_a_unit_that_takes_one():
    for symbol in _FIXED:
        for prefix in _PREFIXES:
            if prefix + symbol not in _FIXED and symbol not in _PREFIXED and prefix + symbol != "min":
                with pytest.raises(UnknownUnit):
                    parse_unit(prefix + symbol)


units = st.lists(
    st.tuples(st.sampled_from(["*", "/"]), st.sampled_from([*_FIXED, *_PREFIXED, "km", "ms"]), st.integers(1, 3)),
    min_size=1,
    max_size=4,
)


def written(parts):
    text = "".join(f"{sign}{symbol}" + (f"^{power}" if power > 1 else "") for sign, symbol, power in parts)
    return text[1:] if text[0] == "*" else "1" + text


@given(units, units)
def test_products_and_quotients(one, other):
    a, b = parse_unit(written(one)), parse_unit(written(other))
    for product, sign in ((a * b, 1), (a / b, -1)):
        assert product.exponents == tuple(x + sign * y for x, y in zip(a.exponents, b.exponents, strict=True))
        assert product.scale == pytest.approx(a.scale * b.scale**sign, rel=1e-9)
    assert (a / b) * b == a
    assert (a**2) ** 0.5 == a


@given(units)
def test_si_text_is_read_back(parts):
    unit = parse_unit(written(parts))
    assert unit.dimensionless or parse_unit(unit.si) == unit
    assert unit.dimensionless or parse_unit(unit.si).scale == 1


@given(st.integers(0, 10**6), st.sampled_from(["ms", "cm", "mm", "us", "km", "min", "s"]))
def test_conversion_gives_the_nearest_number(value, symbol):
    exact = {"ms": (1, 1000), "cm": (1, 100), "mm": (1, 1000), "us": (1, 10**6), "km": (1000, 1), "min": (60, 1)}
    up, down = exact.get(symbol, (1, 1))
    assert to_si(value, parse_unit(symbol)) == value * up / down


def test_values_are_shown_in_their_unit():
    assert in_unit(0.3, parse_unit("ms")) == "300ms"
    assert in_unit(1.5, parse_unit("s")) == "1.5s"
    assert in_unit(2.0, Unit()) == "2"


def test_combined_units_remember_how_they_were_counted():
    assert (parse_unit("km/h") * parse_unit("h")).scale == pytest.approx(1000)
    assert parse_unit("km").joined(parse_unit("m")).scale is None
    assert parse_unit("km").joined(parse_unit("km")).scale == 1000
