"""The kernels against the definitions, at the ends of the array and for windows longer than it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn

from agentc.compiler.signals.arrays import NUMPY, Arrays
from agentc.compiler.signals.windows import Plain, Tracked, Tracking, combinations, extremum, until

NUMBERS = st.sampled_from([-np.inf, -2.0, -1.0, 0.0, 1.0, 3.0, np.inf])


@st.composite
def columns(draw, count=1):
    length, batch = draw(st.integers(1, 40)), draw(st.integers(1, 3))
    return [draw(drawn(np.float64, (length, batch), elements=NUMBERS)) for _ in range(count)]


def best(greatest, rows):
    return rows.max(0) if greatest else rows.min(0)


def tracked(x):
    return Tracked(x, np.arange(x.size).reshape(x.shape))


@given(columns(), st.integers(1, 50), st.booleans(), st.data())
def test_windows_are_what_they_are_defined_as(xs, width, greatest, data):
    (x,) = xs
    rows = data.draw(st.integers(1, len(x)))
    expected = np.stack([best(greatest, x[t : t + width]) for t in range(rows)])
    assert np.array_equal(extremum(Plain(NUMPY), greatest, x, width, rows), expected)
    found = extremum(Tracking(NUMPY), greatest, tracked(x), width, rows)
    assert np.array_equal(found.value, expected)
    assert np.array_equal(x.ravel()[found.place], expected)
    steps = found.place // x.shape[1]
    assert ((steps >= np.arange(rows)[:, None]) & (steps < np.arange(rows)[:, None] + width)).all()


@given(columns(2), st.integers(1, 50), st.booleans())
def test_until_is_what_it_is_defined_as(fg, width, greatest):
    f, g = fg
    inner, empty = (np.minimum, np.inf) if greatest else (np.maximum, -np.inf)
    expected = np.stack([
        best(greatest, np.stack([
            inner(g[s], inner.reduce(f[t:s], axis=0, initial=empty)) for s in range(t, min(t + width, len(g)))
        ])) for t in range(len(g))
    ])  # fmt: skip
    assert np.array_equal(until(Plain(NUMPY), greatest, f, g, width), expected)
    place = np.arange(f.size).reshape(f.shape)
    found = until(Tracking(NUMPY), greatest, Tracked(f, place), Tracked(g, place + f.size), width)
    assert np.array_equal(found.value, expected)
    assert np.array_equal(np.concatenate((f.ravel(), g.ravel()))[found.place], expected)


@settings(deadline=None)  # the first one imports torch
@given(columns(2), st.integers(1, 50), st.booleans())
def test_torch_has_the_same_kernels(fg, width, greatest):
    torch = pytest.importorskip("torch")
    f, g = fg
    plain = Plain(Arrays(torch))
    found = until(plain, greatest, torch.from_numpy(f), torch.from_numpy(g), width)
    assert np.array_equal(found.numpy(), until(Plain(NUMPY), greatest, f, g, width))
    found = extremum(plain, greatest, torch.from_numpy(f), width, len(f))
    assert np.array_equal(found.numpy(), extremum(Plain(NUMPY), greatest, f, width, len(f)))


def test_the_work_grows_with_the_logarithm_of_the_window():
    """How often `until` combines: never more than twice the number of binary digits."""
    for width in (1, 2, 3, 51, 1000, 2**20 - 1):
        assert combinations(width, 10**9) <= 2 * width.bit_length()
    assert combinations(10**9, 100) == 7
