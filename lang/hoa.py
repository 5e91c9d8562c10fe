"""Automata in the Hanoi Omega-Automata format, version 1, as text: what a file says, without its meaning.

Source: Babiak et al., *The Hanoi Omega-Automata Format*, CAV 2015; https://adl.github.io/hoaf/.

The format has no convention for finite words. Read here are deterministic automata with one start state, explicit
labels and ``Acceptance: 1 Inf(0)``: a marked state accepts the finite word read so far, a marked edge the word that
ends with it. Whether a file means that, only a comment in it can tell (``finite``).
"""

from __future__ import annotations

import re
from typing import NoReturn

from agentc.lang.records import dataclass

MAX_STATES, MAX_PROPOSITIONS = 100_000, 10_000
FINITE_TOOL = "agentc"
"""The tool that writes nothing but automata over finite words with this convention."""

Label = tuple[int | str, ...]
"""A label in postfix: the number of a proposition, ``t`` or ``f``, and ``!``, ``&``, ``|`` of what is before them."""


class HoaError(ValueError):
    """What is wrong with a text, and in which line."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line, self.reason = line, reason


@dataclass(frozen=True, slots=True)
class HoaEdge:
    """``[label] target``, perhaps marked ``{0}``."""

    label: Label
    target: int
    marked: bool
    line: int


@dataclass(frozen=True, slots=True)
class HoaAutomaton:
    """What a text says. ``edges[s]`` are those of state ``s``; ``finite`` is whether it says that words are finite."""

    names: tuple[str, ...]
    start: int
    edges: tuple[tuple[HoaEdge, ...], ...]
    marked: tuple[bool, ...]
    finite: bool


_TOKEN = re.compile(
    r'\s+|(?P<comment>/\*.*?\*/)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<section>--[A-Z]+--)|(?P<header>[A-Za-z_][\w-]*:)'
    r"|(?P<alias>@[\w-]+)|(?P<int>\d+)|(?P<word>[A-Za-z_][\w-]*)|(?P<sign>[\[\]{}()!&|])",
    re.DOTALL,
)


def parse_hoa(text: str) -> HoaAutomaton:
    """What a text in the format says. Raises :class:`HoaError`."""
    return _Parser(text).automaton()


class _Parser:
    """A parser over a list of tokens."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        self.finite = False
        at, line = 0, 1
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise HoaError(line, f"`{text[at]}` stands in no token")
            if match.lastgroup == "comment":
                self.finite = self.finite or re.search(r"\bfinite\b", match.group(), re.IGNORECASE) is not None
            elif match.lastgroup is not None:
                self.tokens.append((match.lastgroup, match.group(), line))
            line += match.group().count("\n")
            at = match.end()
        self.tokens.append(("end", "", line))
        self.at = 0
        self.aliases: dict[str, Label] = {}

    def fail(self, reason: str, line: int | None = None) -> NoReturn:
        raise HoaError(self.tokens[min(self.at, len(self.tokens) - 1)][2] if line is None else line, reason)

    def next(self, kind: str, what: str | None = None) -> str:
        """The next token, which must be of that kind (and text)."""
        found, value, _ = self.tokens[self.at]
        if found != kind or (what is not None and value != what):
            self.fail(f"{what or _WORDS[kind]} is needed, not `{value or 'the end'}`")
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

    def automaton(self) -> HoaAutomaton:
        """The whole text."""
        self.next("header", "HOA:")
        self.next("word", "v1")
        states: int | None = None
        start: int | None = None
        names: list[str] = []
        accepts, acceptance = False, ""
        while self.peek()[0] == "header":
            header = self.next("header")
            if header == "States:":
                states = self.number(MAX_STATES)
            elif header == "Start:":
                if start is not None:
                    self.fail("there are two start states")
                start = self.number()
                if self.peek() == ("sign", "&"):
                    self.fail("it starts in several states at once: alternation is not read")
            elif header == "AP:":
                names = [_unquoted(self.next("string")) for _ in range(self.number(MAX_PROPOSITIONS))]
                if len(set(names)) != len(names):
                    self.fail("two propositions have one name", self.tokens[self.at - 1][2])
            elif header == "acc-name:":
                acceptance = self._rest()
            elif header == "Acceptance:":
                line = self.tokens[self.at][2]
                condition = self._rest()
                if condition != "1 Inf ( 0 )":
                    self.fail(_omega(acceptance, condition), line)
                accepts = True
            elif header == "Alias:":
                name = self.next("alias")
                self.aliases[name] = self.label(len(names))
            elif header == "tool:":
                tool = self._rest().lower()
                self.finite = self.finite or FINITE_TOOL in tool
            else:
                self._rest()
        self.next("section", "--BODY--")
        if start is None:
            self.fail("there is no start state")
        if not accepts:
            self.fail("there is no acceptance")
        return self.body(states, start, names)

    def _rest(self) -> str:
        """The tokens of a header that is not looked into."""
        first = self.at
        while self.peek()[0] not in ("header", "section", "end"):
            self.at += 1
        return " ".join(value for _, value, _ in self.tokens[first : self.at])

    def body(self, states: int | None, start: int, names: list[str]) -> HoaAutomaton:
        """The states and their edges."""
        edges: dict[int, list[HoaEdge]] = {}
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
            if self.marks():
                marked.add(state)
            if self.peek()[0] == "int":
                self.fail("an edge without a label is not read; label it")
            while self.peek() == ("sign", "["):
                line = self.tokens[self.at][2]
                self.at += 1
                label = self.label(len(names))
                self.next("sign", "]")
                target = self.number(MAX_STATES)
                if self.peek() == ("sign", "&"):
                    self.fail("an edge leads to several states at once: alternation is not read")
                edges[state].append(HoaEdge(label, target, self.marks(), line))
        self.next("section", "--END--")
        size = max([start, *edges, *(e.target for out in edges.values() for e in out), (states or 0) - 1]) + 1
        if states is not None and size > states:
            self.fail(f"state {size - 1} is not among the {states} states")
        return HoaAutomaton(
            tuple(names),
            start,
            tuple(tuple(edges.get(s, ())) for s in range(size)),
            tuple(s in marked for s in range(size)),
            self.finite,
        )

    def marks(self) -> bool:
        """``{0}``, if it stands here."""
        if self.peek() != ("sign", "{"):
            return False
        self.at += 1
        found = False
        while self.peek()[0] == "int":
            if self.number() != 0:
                self.at -= 1
                self.fail("the acceptance has the set 0 only")
            found = True
        self.next("sign", "}")
        return found

    def label(self, width: int) -> Label:
        """A label, up to the token that cannot go on with it. Operators wait on a stack, as deep as they nest."""
        made: list[int | str] = []
        waiting: list[str] = []
        operand = True  # whether an operand is due
        while True:
            kind, value = self.peek()
            if operand:
                if (kind, value) in (("sign", "!"), ("sign", "(")):
                    waiting.append(value)
                elif kind == "int":
                    level = self.number()
                    if level >= width:
                        self.at -= 1
                        self.fail(f"there is no proposition {level}")
                    self.at -= 1
                    made.append(level)
                elif kind == "alias" and value in self.aliases:
                    made += self.aliases[value]
                elif kind == "word" and value in ("t", "f"):
                    made.append(value)
                else:
                    self.fail(f"a label is needed, not `{value or 'the end'}`")
                operand = value in ("!", "(")
            elif value in ("&", "|"):
                while waiting and waiting[-1] in ("!", "&", value):
                    made.append(waiting.pop())
                waiting.append(value)
                operand = True
            elif value == ")" and "(" in waiting:
                while waiting[-1] != "(":
                    made.append(waiting.pop())
                waiting.pop()
            else:
                if "(" in waiting:
                    self.fail(f"`)` is needed, not `{value or 'the end'}`")
                return (*made, *reversed(waiting))
            self.at += 1


_WORDS = {"header": "a header", "word": "a word", "int": "a number", "string": "a quoted text", "section": "a section",
          "sign": "a sign", "alias": "an alias"}  # fmt: skip


def _omega(name: str, condition: str) -> str:
    """Why an acceptance is not read, in words."""
    shown = name.replace(" ", "-") or condition.replace(" ", "")
    return f"the acceptance `{shown}` judges infinite words, and traces are finite: it is not `1 Inf(0)`"


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])
