"""The nearest word, measured by edits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentc.lang.spelling import distance, nearest

WORDS = ["agent", "task", "safe", "prop", "reward", "always", "until", "minigrid", "first"]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("agnt", "agent"), ("tsk", "task"), ("tsak", "task"), ("alwys", "always"), ("untill", "until"),
        ("minigird", "minigrid"), ("Safe", "safe"), ("SAFE", "safe"), ("rewrad", "reward"), ("xyz", None), ("", None),
        ("a", None), ("pr", None), ("task", None), ("frist", "first"), ("completely_different", None),
    ],
)  # fmt: skip
def test_nearest(word, found):
    assert nearest(word, WORDS) == found


def test_ties_and_case():
    assert nearest("bat", ["cat", "Bat"]) == "Bat"
    assert nearest("cot", ["cut", "cat"]) == "cat"


def reference(a, b):
    """Optimal string alignment by its recurrence."""
    table = {}
    for i in range(len(a) + 1):
        for j in range(len(b) + 1):
            if not i or not j:
                table[i, j] = i + j
                continue
            same = a[i - 1] == b[j - 1]
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (not same))
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return table[len(a), len(b)]


@given(st.text("abc", max_size=7), st.text("abc", max_size=7), st.integers(0, 7))
def test_distance_is_the_recurrence_up_to_its_limit(a, b, limit):
    assert distance(a, b, limit) == min(reference(a, b), limit + 1)
