"""Makes ``parse_table.json`` of ``grammar.lark``: ``python -m agentc.lang.parse_table [--check]``.

lark analyses the grammar; what is kept is the automaton, the productions with lark's rules for what becomes a
child (``?``, ``!``, ``_``, ``->`` and absent optional parts), and the terminals in the order in which lark's
basic lexer tries them. States, rules and symbols are numbered canonically, so the bytes depend on the grammar
alone and not on the hash seed of the run that made them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from agentc.lang.table import TABLE_FORMAT, TABLE_PATH

GRAMMAR_PATH = Path(__file__).with_name("grammar.lark")
STARTS = ("start", "formula")


def build_lark(*, strict: bool = False) -> Any:
    """lark's own parser of the grammar (``strict`` needs the package ``interegular``)."""
    from lark import Lark

    return Lark(
        GRAMMAR_PATH.read_text("utf-8"),
        parser="lalr",
        lexer="basic",
        strict=strict,
        propagate_positions=True,
        maybe_placeholders=True,
        start=list(STARTS),
    )


def make_table() -> bytes:
    """The bytes of ``parse_table.json`` for the grammar as it stands."""
    lark = build_lark()
    automaton = lark.parser.parser._parse_table
    rules = sorted(lark.rules, key=_rule_key)
    rule_number = {_rule_key(rule): number for number, rule in enumerate(rules)}
    terminals = sorted({name for row in automaton.states.values() for name in row if _is_terminal(name, lark)})
    nonterminals = sorted({rule.origin.name for rule in rules})
    symbols = terminals + nonterminals
    number_of = {name: number for number, name in enumerate(symbols)}

    order = _visit(automaton)
    packed: list[list[int]] = []
    packed_at: dict[tuple[int, ...], int] = {}
    states = []
    for state in order:
        row: list[int] = []
        for name in sorted(automaton.states[state], key=lambda name: number_of.get(name, -1)):
            if name not in number_of:
                continue
            action, argument = automaton.states[state][name]
            row.append(number_of[name])
            if number_of[name] >= len(terminals):
                row.append(order[argument])
            elif action.name == "Shift":
                row.append(2 * order[argument])
            else:
                row.append(2 * rule_number[_rule_key(argument)] + 1)
        states.append(packed_at.setdefault(tuple(row), len(packed)))
        if states[-1] == len(packed):
            packed.append(row)

    kinds, pattern, keywords = _lexer(lark)
    data = {
        "format": TABLE_FORMAT,
        "symbols": symbols,
        "terminals": len(terminals),
        "starts": {name: order[automaton.start_states[name]] for name in STARTS},
        "ends": {name: order[automaton.end_states[name]] for name in STARTS},
        "kinds": kinds,
        "pattern": pattern,
        "keywords": keywords,
        "soft": sorted(
            rule.expansion[0].name
            for rule in rules
            if rule.origin.name == "name" and rule.expansion[0].name not in ("NAME", "QNAME")
        ),
        "rules": [_rule(rule, number_of) for rule in rules],
        "rows": packed,
        "states": states,
    }
    return json.dumps(data, separators=(",", ":"), ensure_ascii=True).replace('],"', '],\n"').encode() + b"\n"


def _is_terminal(name: str, lark: Any) -> bool:
    return name == "$END" or name.lstrip("_").isupper()


def _rule_key(rule: Any) -> tuple[Any, ...]:
    empty = tuple(rule.options.empty_indices) if rule.options else ()
    return rule.origin.name, tuple(symbol.name for symbol in rule.expansion), str(rule.alias), empty


def _visit(automaton: Any) -> dict[int, int]:
    """States in breadth-first order, symbols by name: a numbering that no hash seed changes."""
    queue = [automaton.start_states[name] for name in STARTS]
    order = {state: number for number, state in enumerate(queue)}
    for state in queue:
        for name in sorted(automaton.states[state]):
            action, argument = automaton.states[state][name]
            if action.name == "Shift" and argument not in order:
                order[argument] = len(order)
                queue.append(argument)
    return order


def _rule(rule: Any, number_of: dict[str, int]) -> list[Any]:
    """A production as lark's tree builder reads it (``lark.parse_tree_builder.maybe_create_child_filter``)."""
    options = rule.options
    absent = [0] * (len(rule.expansion) + 1)
    if options.empty_indices:
        absent = [len(ones) for ones in "".join(str(int(bit)) for bit in options.empty_indices).split("0")]
    children: list[int] = []
    for position, symbol in enumerate(rule.expansion):
        children += [-1] * absent[position]
        if options.keep_all_tokens or not (symbol.is_term and symbol.filter_out):
            children.append(position)
    children += [-1] * absent[len(rule.expansion)]
    spliced = rule.origin.name.startswith("_")
    transparent = bool(options.expand1 and not rule.alias)
    action = None if spliced else rule.alias or rule.origin.name
    return [number_of[rule.origin.name], len(rule.expansion), action, children, int(transparent)]


def _lexer(lark: Any) -> tuple[list[str], str, dict[str, str]]:
    """Names of the groups, the pattern that reads blanks and one token, and the words that are keywords."""
    from lark import lexer as lark_lexer

    create_unless: Any = lark_lexer._create_unless
    lexer = lark.parser.lexer
    terminals, unless = create_unless(lexer.terminals, lexer.g_regex_flags, re, False)
    keywords: dict[str, str] = {}
    for name, callback in unless.items():
        if name != "NAME":
            raise ValueError(f"the terminal {name} hides keywords; only NAME may")
        keywords = {terminal.pattern.value: terminal.name for terminal in callback.scanner.terminals}
    ignored = [terminal.pattern.to_regexp() for terminal in terminals if terminal.name in lexer.ignore_types]
    read = [terminal for terminal in terminals if terminal.name not in lexer.ignore_types]
    groups = "|".join(f"({terminal.pattern.to_regexp()})" for terminal in read)
    pattern = f"(?:{'|'.join(ignored)})*(?:{groups})?"
    if re.compile(pattern).groups != len(read):
        raise ValueError("a terminal of the grammar has a capturing group")
    return [terminal.name for terminal in read], pattern, dict(sorted(keywords.items()))


def main(arguments: list[str]) -> int:
    """Write the table, or with ``--check`` say whether it is current."""
    made = make_table()
    if "--check" in arguments:
        current = TABLE_PATH.exists() and TABLE_PATH.read_bytes() == made
        sys.stdout.write("current\n" if current else "not current: python -m agentc.lang.parse_table\n")
        return 0 if current else 1
    TABLE_PATH.write_bytes(made)
    sys.stdout.write(f"{TABLE_PATH}: {len(made)} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
