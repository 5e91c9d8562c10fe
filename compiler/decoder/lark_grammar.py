"""Lark grammars as content: what a phase or an argument given by ``grammar("plan.lark")`` may hold.

The grammar is read by the package ``lark`` itself: rules, terminals, templates, repetitions, imports from its own
library (``%import common.NUMBER``), ``%ignore``. Its texts are the concatenations of terminals that the rules allow.

Where every recursion is left- or right-linear (what ``*`` and ``+`` become, and lists), the texts are regular, and are
read off by elimination. All other grammars go to the grammar engine, rule by rule. The engine takes the longest
match of a terminal, as Lark's own lexers do: two terminals that can stand next to each other should not run together.

Source: Arden, *Delayed-logic and finite-state machines*, 1961 (``X = A X | B`` has the least solution ``A* B``);
Tarjan, *Depth-first search and linear graph algorithms*, 1972.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agentc.compiler.decoder.context_free import Content, ContextFree
from agentc.compiler.decoder.regex_syntax import NotLinearError, parse_regex
from agentc.compiler.decoder.regular import EMPTY, EPSILON, Language, alt, cat, repeat, terminal

Production = tuple[str, ...]

MAX_SYMBOLS = 5_000
"""The most symbols in the rules of a grammar, repetitions written out."""


class GrammarError(Exception):
    """A text is no Lark grammar; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class GrammarFeatureError(Exception):
    """A terminal needs what cannot be matched in linear time: ``construct``, in ``name``."""

    def __init__(self, construct: str, name: str) -> None:
        super().__init__(f"{construct} in {name}")
        self.construct, self.name = construct, name


@dataclass(frozen=True)
class LarkGrammar:
    """The rules of a grammar that generate something: ``start`` first; ``terminals`` as languages."""

    start: str
    rules: Mapping[str, tuple[Production, ...]]
    terminals: Mapping[str, Language]
    ignored: Language
    """What may stand before, between and behind terminals; ``EPSILON`` if nothing may."""

    @property
    def covering(self) -> Language:
        """A regular language that has every text of the grammar: terminals in any order."""
        return repeat(alt(self.ignored, *self.terminals.values()), 0, None)


def read_grammar(text: str) -> LarkGrammar:
    """The grammar that a text is. Raises :class:`GrammarError` and :class:`GrammarFeatureError`."""
    import lark
    from lark.exceptions import LarkError

    if re.search(r"^\s*%import\s+\.", text, re.MULTILINE):
        raise GrammarError("it imports a file; only Lark's own library (`common`, `python`, ...) can be imported")
    if re.search(r"^\s*%(json|lark|llguidance|regex)\b", text, re.MULTILINE):
        raise GrammarError("it is in the engine's own dialect; Lark's is read here")
    try:
        made = lark.Lark(text, parser="earley", keep_all_tokens=True)
    except (LarkError, OSError, RecursionError, ValueError) as error:
        raise GrammarError(" ".join(str(error).split())[:200]) from None
    terminals: dict[str, Language] = {}
    for item in made.terminals:
        try:
            terminals[item.name] = parse_regex(item.pattern.to_regexp())
        except NotLinearError as error:
            raise GrammarFeatureError(error.construct, item.name) from None
        except re.error as error:
            raise GrammarError(f"{item.name} is no regex: {error}") from None
    rules: dict[str, list[Production]] = {}
    for rule in made.rules:
        expansion = tuple(("" if s.is_term else "rule ") + s.name for s in rule.expansion)
        rules.setdefault("rule " + rule.origin.name, []).append(expansion)
    if sum(len(p) + 1 for of in rules.values() for p in of) > MAX_SYMBOLS:
        raise GrammarError(f"it has more than {MAX_SYMBOLS} symbols")
    for name in {s for of in rules.values() for p in of for s in p if not s.startswith("rule ")} - set(terminals):
        raise GrammarError(f"{name} is declared, and nothing says how it is written")
    ignored = alt(*(terminals[n] for n in made.ignore_tokens))
    return _productive("rule start", rules, terminals, EPSILON if ignored is EMPTY else repeat(ignored, 0, None))


def _productive(
    start: str, rules: Mapping[str, Sequence[Production]], terminals: Mapping[str, Language], ignored: Language
) -> LarkGrammar:
    """Without what generates nothing, and what is not reached."""
    good = {name for name, of in terminals.items() if of is not EMPTY}
    while True:
        more = {n for n, of in rules.items() if n not in good and any(all(s in good for s in p) for p in of)}
        if not more:
            break
        good |= more
    if start not in good:
        raise GrammarError("it generates no text")
    kept: dict[str, tuple[Production, ...]] = {}
    for name in (todo := [start]):
        if name in kept:
            continue
        kept[name] = tuple(dict.fromkeys(p for p in rules[name] if all(s in good for s in p)))
        todo += [s for p in kept[name] for s in p if s in rules]
    used = {s for of in kept.values() for p in of for s in p if s in terminals}
    return LarkGrammar(start, kept, {n: terminals[n] for n in terminals if n in used}, ignored)


def content_of(grammar: LarkGrammar, written: Callable[[Language], Language] | None = None) -> Content:
    """The texts of a grammar, regular where its recursion is linear; ``written`` says how terminals are written."""
    as_is: Callable[[Language], Language] = (lambda of: of) if written is None else written
    spaces = as_is(grammar.ignored)
    terminals = {n: cat(as_is(of), spaces) for n, of in grammar.terminals.items()}
    found: dict[str, Language] = {}
    for names in _components(grammar):
        solved = _solved(grammar, names, {**terminals, **found})
        if solved is None:
            return _engine_rules(grammar, as_is, sorted(n.removeprefix("rule ") for n in names)[0])
        found.update(solved)
    return cat(spaces, found[grammar.start])


def _solved(grammar: LarkGrammar, names: Sequence[str], known: Mapping[str, Language]) -> dict[str, Language] | None:
    """The languages of rules that refer to each other; None unless all of them are linear to the same side."""
    inside = set(names)
    for left in (True, False):
        edges: dict[str, dict[str, Language]] = {n: {} for n in names}
        ends: dict[str, Language] = dict.fromkeys(names, EMPTY)
        fits = True
        for name in names:
            for production in grammar.rules[name]:
                at = [i for i, s in enumerate(production) if s in inside]
                rest = [known[s] for s in production if s not in inside]
                if not at:
                    ends[name] = alt(ends[name], cat(*rest))
                elif at == [0 if left else len(production) - 1]:
                    other = production[at[0]]
                    edges[name][other] = alt(edges[name].get(other, EMPTY), cat(*rest))
                else:
                    fits = False
        if fits:
            return _eliminated(names, edges, ends, left)
    return None


def _eliminated(
    names: Sequence[str], edges: dict[str, dict[str, Language]], ends: dict[str, Language], left: bool
) -> dict[str, Language]:
    """The least solution of ``X = A X' | ... | B`` (or ``X' A``), a variable at a time."""

    def joined(a: Language, b: Language) -> Language:
        return cat(b, a) if left else cat(a, b)

    for i, name in enumerate(names):
        loop = edges[name].pop(name, EMPTY)
        again = EPSILON if loop is EMPTY else repeat(loop, 0, None)
        edges[name] = {other: joined(again, of) for other, of in edges[name].items()}
        ends[name] = joined(again, ends[name])
        for later in names[i + 1 :]:
            through = edges[later].pop(name, None)
            if through is not None:
                for other, of in edges[name].items():
                    edges[later][other] = alt(edges[later].get(other, EMPTY), joined(through, of))
                ends[later] = alt(ends[later], joined(through, ends[name]))
    found: dict[str, Language] = {}
    for name in reversed(names):
        found[name] = alt(ends[name], *(joined(of, found[other]) for other, of in edges[name].items()))
    return found


def _components(grammar: LarkGrammar) -> list[list[str]]:
    """The rules that refer to each other, together; what is referred to comes first."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    open_: list[str] = []
    found: list[list[str]] = []
    below = {n: [s for p in of for s in p if s in grammar.rules] for n, of in grammar.rules.items()}
    work: list[tuple[str, int]] = [(grammar.start, 0)]
    while work:
        name, at = work.pop()
        if name not in number:
            number[name] = low[name] = len(number)
            open_.append(name)
        for i in range(at, len(below[name])):
            other = below[name][i]
            if other not in number:
                work += [(name, i), (other, 0)]  # it is looked at again, for what was found below
                break
            if other in open_:
                low[name] = min(low[name], low[other])
        else:
            if low[name] == number[name]:
                cut = open_.index(name)
                found.append(open_[cut:])
                del open_[cut:]
    return found


def _engine_rules(grammar: LarkGrammar, written: Callable[[Language], Language], looping: str) -> ContextFree:
    """The grammar in the engine's dialect, its names made its own."""
    spaces = written(grammar.ignored)
    texts = [f"{n}={t}" for n, t in grammar.terminals.items()] + [f"{n}={p}" for n, p in grammar.rules.items()]
    own = hashlib.sha256("\n".join([*texts, terminal(spaces)]).encode()).hexdigest()[:12]
    symbol = {name: f"r{own}-{i}" for i, name in enumerate(grammar.rules)}
    symbol |= {name: f"T{own.upper()}-{i}" for i, name in enumerate(grammar.terminals)}
    lines = []
    gap = ""
    if spaces is not EPSILON:
        gap = f" S{own.upper()}?"
        lines.append(f"S{own.upper()}: {terminal(repeat(spaces.parts[0], 1, None))}")
    for name, of in grammar.terminals.items():
        lines.append(f"{symbol[name]}: {terminal(written(of))}")
    for name, productions in grammar.rules.items():
        shown = " | ".join(
            " ".join(symbol[s] + (gap if s in grammar.terminals else "") for s in p) or '""' for p in productions
        )
        lines.append(f"{symbol[name]}: {shown}")
    start = f"r{own}"
    lines.append(f"{start}:{gap} {symbol[grammar.start]}")
    return ContextFree(start, "\n".join(lines) + "\n", f"the rule `{looping}` is recursive")
