"""Letter classes: letters that no state tells apart are one column of the transition table.

Few columns stay of an enum's many atoms, and where an automaton reads its atoms in combination. Where every letter is
told apart by some state, there is no such table, and the diagrams are stepped themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentc.compiler.automata.bdd import recursion
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.mtbdd import Mtbdd

MAX_CLASSES = 4096
MAX_CELLS = 1 << 22


@dataclass(frozen=True)
class LetterClasses:
    """The classes as a diagram over the atoms (leaf ``~c`` is class ``c``) and the dense table ``state x class``.

    If the alphabet rules letters out, they are a class of their own, and row ``size`` stands for outside.
    """

    nodes: tuple[tuple[int, int, int], ...]
    root: int
    count: int
    table: tuple[tuple[int, ...], ...]

    def of(self, letter: tuple[bool, ...]) -> int:
        """The class of a letter."""
        ref = self.root
        while ref >= 0:
            level, low, high = self.nodes[ref]
            ref = high if letter[level] else low
        return ~ref


def letter_classes(dfa: DFA, max_classes: int = MAX_CLASSES) -> LetterClasses | None:
    """The classes of an automaton; None if there are more than ``max_classes`` or the table would be too large."""
    with recursion(len(dfa.atoms)):
        table = Mtbdd(dfa.nodes)
        roots = list(dict.fromkeys(dfa.roots))
        steps: list[list[tuple[int, int]]] = []  # for each root, the class before it and the target of every class
        current = ~0
        for root in roots:
            pairs: dict[tuple[int, int], int] = {}

            def pair(before: int, target: int, pairs: dict[tuple[int, int], int] = pairs) -> int:
                return ~pairs.setdefault((~before, ~target), len(pairs))

            current = table.apply(pair, current, root, {})
            steps.append(list(pairs))
            if len(pairs) > max_classes or len(pairs) * dfa.size > MAX_CELLS:
                return None
        count = len(steps[-1])
        at = list(range(count))
        row_of: dict[int, tuple[int, ...]] = {}
        for root, step in zip(reversed(roots), reversed(steps), strict=True):
            row_of[root] = tuple(step[c][1] for c in at)
            at = [step[c][0] for c in at]
        rows = [row_of[root] for root in dfa.roots]
        if dfa.partial:
            rows.append((dfa.size,) * count)
        kept = Mtbdd()
        moved: dict[int, int] = {}
        stack = [current]
        while stack:
            ref = stack[-1]
            if ref in moved:
                stack.pop()
            elif ref < 0:
                moved[ref] = ref
            else:
                level, low, high = table.nodes[ref]
                missing = [c for c in (high, low) if c not in moved]
                if missing:
                    stack += missing
                else:
                    moved[ref] = kept.node(level, moved[low], moved[high])
        return LetterClasses(tuple(kept.nodes), moved[current], count, tuple(rows))
