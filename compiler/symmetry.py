"""``symmetry = "..."`` of a ``train`` block: how a mirror or a quarter turn moves the numbers seen and the actions.

``"mirror 1 3 > 0"``: the numbers 1 and 3 of the observation change their sign in the mirror, and so does number 0 of
the action. ``"turn 0,1 2,3 > 0,1"``: a quarter turn takes each pair ``(x, y)`` to ``(-y, x)``. Choices among actions
are moved as they are: ``> 0,1`` swaps two of them in the mirror, ``> 0,1,2,3`` passes four of them round in a turn.
What is not named stays. Numbers count from 0.
"""

from __future__ import annotations

from agentc.lang.records import dataclass

ORDERS = {"mirror": 2, "turn": 4}
"""How often each is done until nothing has changed."""


@dataclass(frozen=True, slots=True)
class Symmetry:
    """What moves: groups of numbers of the observation, and of the action."""

    kind: str
    seen: tuple[tuple[int, ...], ...]
    done: tuple[tuple[int, ...], ...]


def parse(text: str) -> Symmetry:
    """A symmetry from its text. Raises ``ValueError`` with the reason."""
    words = text.split()
    if not words or words[0] not in ORDERS or words.count(">") != 1:
        raise ValueError('it is written "mirror 1 3 > 0" or "turn 0,1 > 0,1"')
    at = words.index(">")
    kind = words[0]
    sides = []
    for part in (words[1:at], words[at + 1 :]):
        try:
            groups = tuple(tuple(int(n) for n in word.split(",")) for word in part)
        except ValueError:
            raise ValueError(f"`{' '.join(part)}` holds something that is no number") from None
        numbers = [n for group in groups for n in group]
        if any(n < 0 for n in numbers) or len(set(numbers)) < len(numbers):
            raise ValueError(f"`{' '.join(part)}` names a number twice, or one below 0")
        sides.append(groups)
    seen, done = sides
    if not seen:
        raise ValueError("it names no number of the observation")
    if any(len(group) != (1 if kind == "mirror" else 2) for group in seen):
        raise ValueError("a mirror takes single numbers of the observation, a turn pairs of them")
    return Symmetry(kind, seen, done)
