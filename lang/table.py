"""The parse table and the lexer's patterns, read from the package's data.

The table is made of ``grammar.lark`` by ``python -m agentc.lang.parse_table`` and is plain JSON. It holds the
LALR(1) automaton that lark built, so that nothing of lark is imported when a file is parsed: rows are decoded
when their state is first visited, and no grammar is analysed at start-up.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

TABLE_FORMAT = 1
TABLE_PATH = Path(__file__).with_name("parse_table.json")


class Rule(NamedTuple):
    """A production: what it reduces to, how many symbols it takes, and how its node is made."""

    origin: str
    length: int
    action: str | None
    """Name of the builder's method; None where the children are spliced into the parent."""
    children: tuple[int, ...]
    """Positions of the symbols that become children, -1 for an optional part that is absent."""
    transparent: bool
    """Whether a single child stands for the node."""


class Table:
    """The LALR(1) automaton: ``rows[state]`` maps a terminal to an action, ``gotos[state]`` a nonterminal.

    An action ``2 * s`` shifts to state ``s``; ``2 * r + 1`` reduces by rule ``r``.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self._symbols: list[str] = data["symbols"]
        self._terminals: int = data["terminals"]
        self._packed: list[list[int]] = data["rows"]
        self._row_of: list[int] = data["states"]
        self._decoded: dict[int, tuple[dict[str, int], dict[str, int]]] = {}
        self.starts: dict[str, int] = data["starts"]
        self.ends: dict[str, int] = data["ends"]
        self.rules = [
            Rule(self._symbols[origin], length, action, tuple(children), bool(transparent))
            for origin, length, action, children, transparent in data["rules"]
        ]
        self.keywords: dict[str, str] = data["keywords"]
        self.pattern: re.Pattern[str] = re.compile(data["pattern"])
        self.kinds: list[str] = data["kinds"]
        self.soft = frozenset(data["soft"])
        """Kinds of the keywords that may be names."""
        self.rows: list[dict[str, int] | None] = [None] * len(self._row_of)
        self.gotos: list[dict[str, int] | None] = [None] * len(self._row_of)

    def row(self, state: int) -> dict[str, int]:
        """Actions of ``state`` by terminal."""
        row = self.rows[state]
        return self._decode(state)[0] if row is None else row

    def goto(self, state: int) -> dict[str, int]:
        """Successors of ``state`` by nonterminal."""
        goto = self.gotos[state]
        return self._decode(state)[1] if goto is None else goto

    def _decode(self, state: int) -> tuple[dict[str, int], dict[str, int]]:
        at = self._row_of[state]
        pair = self._decoded.get(at)
        if pair is None:
            pair = ({}, {})
            packed, names, terminals = self._packed[at], self._symbols, self._terminals
            for i in range(0, len(packed), 2):
                symbol = packed[i]
                pair[symbol >= terminals][names[symbol]] = packed[i + 1]
            self._decoded[at] = pair
        self.rows[state], self.gotos[state] = pair
        return pair


@cache
def load_table() -> Table:
    """The table of this package, read once per process."""
    data = json.loads(TABLE_PATH.read_bytes())
    if data["format"] != TABLE_FORMAT:
        raise RuntimeError(f"{TABLE_PATH.name} has format {data['format']}; regenerate it")
    return Table(data)
