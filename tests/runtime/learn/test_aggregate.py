"""The interquartile mean against the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import trim_mean

from agentc.runtime.learn.aggregate import aggregate, interquartile_mean


def test_of_few_figures():
    assert interquartile_mean([5.0]) == 5.0
    assert interquartile_mean([1.0, 2.0]) == pytest.approx(1.5)
    assert interquartile_mean([0.0, 1.0, 2.0, 100.0]) == pytest.approx(1.5)
    # of three cells of a third each, a quarter is cut at both ends: 1/12, 4/12, 1/12
    assert interquartile_mean([0.0, 6.0, 30.0]) == pytest.approx((0 + 24 + 30) / 6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=40).filter(lambda x: len(x) % 4 == 0))
def test_it_is_the_trimmed_mean_where_quarters_are_whole(figures):
    assert interquartile_mean(figures) == pytest.approx(trim_mean(figures, 0.25), abs=1e-9)


def test_the_interval_holds_the_mean_and_narrows():
    rng = np.random.default_rng(0)
    few, many = aggregate(rng.normal(3, 1, 5)), aggregate(rng.normal(3, 1, 200))
    assert few.lower <= few.mean <= few.upper and many.lower < 3 < many.upper
    assert many.upper - many.lower < few.upper - few.lower
    assert str(aggregate([1.0])) == "1 [1, 1]"


@pytest.mark.parametrize("bad", [[], [float("nan")]])
def test_nothing_to_average(bad):
    with pytest.raises(ValueError):
        interquartile_mean(bad)
