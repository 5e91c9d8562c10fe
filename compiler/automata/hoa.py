"""Automata in the Hanoi Omega-Automata format, version 1, out and in.

Source: Babiak et al., *The Hanoi Omega-Automata Format*, CAV 2015; https://adl.github.io/hoaf/.

The format has no convention for finite words. Ours: state-based, ``Acceptance: 1 Inf(0)``, and a marked state accepts
the finite word read so far; a comment in the header says so. The initial state has read nothing; its mark means
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from agentc.compiler.automata.bdd import Budget, recursion
from agentc.compiler.automata.dfa import DFA, MAX_SECONDS, MAX_STATES, build
from agentc.compiler.automata.guards import covers, label
from agentc.compiler.automata.mtbdd import NO, YES, Mtbdd
from agentc.compiler.logic.alphabet import free_alphabet
from agentc.compiler.logic.ir import Formula, prop
from agentc.lang.diagnostics import AgentcError, report

CONVENTION = "finite words: a marked state accepts the finite non-empty word read so far"


def write_hoa(dfa: DFA, name: str = "") -> str:
    """The automaton as text; complete: letters that cannot occur go where a neighbouring letter goes."""
    total = dfa.completed()
    lines = ["HOA: v1"]
    if name:
        lines.append(f"name: {_quoted(name)}")
    lines += [
        'tool: "agentc"',
        f"States: {total.size}",
        "Start: 0",
        " ".join(["AP:", str(len(total.atoms)), *(_quoted(label(a)) for a in total.atoms)]),
        "acc-name: Buchi",
        "Acceptance: 1 Inf(0)",
        "properties: trans-labels explicit-labels state-acc deterministic complete",
        f"/* {CONVENTION} */",
        "--BODY--",
    ]
    for state in range(total.size):
        lines.append(f"State: {state} {{0}}" if total.accepting[state] else f"State: {state}")
        for target, cover in covers(total, state).items():
            products = ["&".join(f"{'' if sign else '!'}{level}" for level, sign in p) or "t" for p in sorted(cover)]
            lines.append(f"  [{' | '.join(products)}] {target}")
    lines.append("--END--")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# ---------------------------------------------------------------- in

_TOKEN = re.compile(
    r'\s+|/\*.*?\*/|(?P<string>"(?:[^"\\]|\\.)*")|(?P<section>--[A-Z]+--)|(?P<header>[A-Za-z_][\w-]*:)'
    r"|(?P<alias>@[\w-]+)|(?P<int>\d+)|(?P<word>[A-Za-z_][\w-]*)|(?P<sign>[\[\]{}()!&|])",
    re.DOTALL,
)


def read_hoa(text: str, atoms: Mapping[str, Formula] | None = None) -> DFA:
    """The minimal automaton of a text with the convention above; what is missing of it goes to a rejecting state.

    ``atoms`` gives the formulas of the propositions, by their text; others are Boolean signals of that name. Raises
    ``AgentcError`` (AS0705), with the line, for what cannot be read or is not deterministic.
    """
    return _Reader(text, atoms or {}).read()


class _Reader:
    """A recursive-descent reader over a list of tokens; labels are bounded in depth by their length."""

    def __init__(self, text: str, atoms: Mapping[str, Formula]) -> None:
        self.known = atoms
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            line = text.count("\n", 0, at) + 1
            if match is None:
                self.fail(f"`{text[at]}` stands in no token", line)
            if match.lastgroup is not None:
                self.tokens.append((match.lastgroup, match.group(), line))
            at = match.end()
        self.tokens.append(("end", "", text.count("\n") + 1))
        self.at = 0
        self.table = Mtbdd()
        self.aliases: dict[str, int] = {}
        self.meets: dict[tuple[int, int], int] = {}
        self.joins: dict[tuple[int, int], int] = {}

    def fail(self, reason: str, line: int | None = None) -> NoReturn:
        if line is None:
            line = self.tokens[min(self.at, len(self.tokens) - 1)][2]
        mend = "it takes HOA v1: one start state, state-based `Acceptance: 1 Inf(0)`, explicit labels"
        raise AgentcError([report("AS0705", None, line=line, reason=reason, mend=mend)])

    def next(self, kind: str, what: str | None = None) -> str:
        """The next token, which must be of that kind (and text)."""
        found, value, _ = self.tokens[self.at]
        if found != kind or (what is not None and value != what):
            self.fail(f"{what or kind} is needed, not `{value or 'the end'}`")
        self.at += 1
        return value

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at][:2]

    def number(self, limit: int = 1_000_000) -> int:
        """A number below a limit."""
        digits = self.next("int")
        value = int(digits) if len(digits) < 10 else limit
        if value >= limit:
            self.at -= 1
            self.fail(f"{digits} is too large")
        return value

    def read(self) -> DFA:
        """The whole text."""
        self.next("header", "HOA:")
        self.next("word", "v1")
        states, start, names, accepts = None, None, [], False
        while self.peek()[0] == "header":
            header = self.next("header")
            if header == "States:":
                states = self.number(MAX_STATES)
            elif header == "Start:":
                if start is not None:
                    self.fail("there are two start states")
                start = self.number()
            elif header == "AP:":
                names = [_unquoted(self.next("string")) for _ in range(self.number(10_000))]
            elif header == "Acceptance:":
                if [self.tokens[self.at + i][1] for i in range(5) if self.at + i < len(self.tokens)] != [
                    "1", "Inf", "(", "0", ")",
                ]:  # fmt: skip
                    self.fail("the acceptance is not `1 Inf(0)`")
                self.at, accepts = self.at + 5, True
            elif header == "Alias:":
                name = self.next("alias")
                with recursion(len(self.tokens) + len(names)):
                    self.aliases[name] = self.disjunction(len(names))
            else:
                while self.peek()[0] not in ("header", "section", "end"):
                    self.at += 1
        self.next("section", "--BODY--")
        if start is None:
            self.fail("there is no start state")
        if not accepts:
            self.fail("there is no acceptance")
        with recursion(len(self.tokens) + len(names)):
            return self.body(states, start, names)

    def body(self, states: int | None, start: int, names: list[str]) -> DFA:
        """The states and their edges."""
        edges: dict[int, list[tuple[int, int]]] = {}
        marked: set[int] = set()
        while self.peek() == ("header", "State:"):
            self.at += 1
            if self.peek() == ("sign", "["):
                self.fail("a label of a state is not read; label its edges")
            state = self.number(MAX_STATES)
            if state in edges:
                self.at -= 1
                self.fail(f"state {state} is given twice")
            edges[state] = []
            if self.peek()[0] == "string":
                self.at += 1
            if self.peek() == ("sign", "{"):
                self.at += 1
                while self.peek()[0] == "int":
                    self.at += 1
                    marked.add(state)
                self.next("sign", "}")
            while self.peek() == ("sign", "["):
                self.at += 1
                letters = self.disjunction(len(names))
                self.next("sign", "]")
                target = self.number(MAX_STATES)
                if self.peek() == ("sign", "{"):
                    self.fail("acceptance on an edge is not read; mark the state")
                edges[state].append((letters, target))
        self.next("section", "--END--")
        size = max([start, *edges, *(t for out in edges.values() for _, t in out), (states or 0) - 1]) + 1
        if states is not None and size > states:
            self.fail(f"state {size - 1} is not among the {states} states")
        roots = []
        for state in range(size):
            root = ~size  # the rejecting state that takes what is missing
            covered = NO
            for letters, target in edges.get(state, ()):
                if self.table.apply(lambda x, y: YES if x == y == YES else NO, covered, letters, self.meets) != NO:
                    self.fail(f"state {state} is not deterministic: two edges share a letter")
                covered = self.table.apply(lambda x, y: YES if YES in (x, y) else NO, covered, letters, self.joins)
                root = self.table.apply(lambda x, y, t=target: ~t if y == YES else x, root, letters, {})  # type: ignore[misc]
            roots.append(root)
        roots.append(~size)
        accepting = [s in marked for s in range(size)] + [False]
        order = free_alphabet([self.known.get(n, prop(n)) for n in names])
        if len(set(order.atoms)) != len(names):
            self.fail("two propositions have one name")
        return build(order, self.table, roots, accepting, start, Budget(MAX_STATES, MAX_SECONDS))

    # ------------------------------------------------------------ labels

    def disjunction(self, width: int) -> int:
        """``a | b``"""
        made = self.conjunction(width)
        while self.peek() == ("sign", "|"):
            self.at += 1
            other = self.conjunction(width)
            made = self.table.apply(lambda x, y: YES if YES in (x, y) else NO, made, other, self.joins)
        return made

    def conjunction(self, width: int) -> int:
        """``a & b``"""
        made = self.literal(width)
        while self.peek() == ("sign", "&"):
            self.at += 1
            other = self.literal(width)
            made = self.table.apply(lambda x, y: YES if x == y == YES else NO, made, other, self.meets)
        return made

    def literal(self, width: int) -> int:
        """An atom, a constant, an alias, a negation, or a label in parentheses."""
        kind, value = self.peek()
        if (kind, value) == ("sign", "!"):
            self.at += 1
            return self.table.map(lambda x: NO if x == YES else YES, self.literal(width), {})
        if (kind, value) == ("sign", "("):
            self.at += 1
            made = self.disjunction(width)
            self.next("sign", ")")
            return made
        if kind == "int":
            level = self.number()
            if level >= width:
                self.at -= 1
                self.fail(f"there is no proposition {level}")
            return self.table.node(level, NO, YES)
        if kind == "alias" and value in self.aliases:
            self.at += 1
            return self.aliases[value]
        if kind == "word" and value in ("t", "f"):
            self.at += 1
            return YES if value == "t" else NO
        self.fail(f"a label is needed, not `{value or 'the end'}`")


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])
