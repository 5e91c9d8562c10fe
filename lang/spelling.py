"""'Did you mean': the nearest of some words."""

from __future__ import annotations

from collections.abc import Iterable


def distance(a: str, b: str, limit: int) -> int:
    """Damerau-Levenshtein distance (optimal string alignment), or ``limit + 1`` where it is larger than ``limit``."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        earlier, before, row = before, row, [i]
        for j, right in enumerate(b, 1):
            cost = min(row[j - 1] + 1, before[j] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return min(row[-1], limit + 1)


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that the word was probably meant to be, None if none is near.

    At most a third of the letters may differ (one in words of two or three letters, never more than three);
    upper and lower case count as the same letter, but the exact case wins. Ties go to the first in the alphabet.
    """
    if not word or len(word) > 60:
        return None
    limit = min(3, max(1, len(word) // 3))
    best: tuple[int, bool, str] | None = None
    for candidate in candidates:
        if candidate == word or not candidate:
            continue
        found = distance(word.lower(), candidate.lower(), limit)
        if found > limit or (found >= len(candidate) and found > 0):
            continue
        if found == 1 and len(word) == 1:
            continue  # every letter is near every other
        rank = (found, distance(word, candidate, found) > found, candidate)
        if best is None or rank < best:
            best = rank
    return best[2] if best else None
