"""The 55 property patterns: eleven patterns, each in five scopes, as formulas of the language.

Source: Dwyer, Avrunin, Corbett, *Patterns in property specifications for finite-state verification*, ICSE 1999, with
the catalogue of their LTL forms. ``p`` is what is spoken of, ``s`` and ``t`` what precedes or responds, ``z`` what may
not come between, ``q`` and ``r`` are the ends of the scope. ``X`` is read as the strong next of finite traces.
"""

from __future__ import annotations

SCOPES = ("globally", "before r", "after q", "between q and r", "after q until r")

_TWICE = "(!p & !r) U (r | ((p & !r) U (r | ((!p & !r) U (r | ((p & !r) U (r | {end})))))))"
_CHAIN = "p -> (!r U (s & !r & X(!r U t)))"
_FREE_CHAIN = "p -> (!r U (s & !r & !z & X((!r & !z) U t)))"
_ANSWER = "s & X(!r U t) -> X(!r U (t & F p))"

PATTERNS: dict[str, tuple[str, str, str, str, str]] = {
    "absence": (
        "G !p",
        "F r -> (!p U r)",
        "G (q -> G !p)",
        "G ((q & !r & F r) -> (!p U r))",
        "G ((q & !r) -> (!p W r))",
    ),
    "existence": (
        "F p",
        "!r W (p & !r)",
        "(G !q) | F (q & F p)",
        "G ((q & !r) -> (!r W (p & !r)))",
        "G ((q & !r) -> (!r U (p & !r)))",
    ),
    "bounded existence": (
        "!p W (p W (!p W (p W G !p)))",
        f"F r -> ({_TWICE.format(end='(!p U r)')})",
        "F q -> (!q U (q & (!p W (p W (!p W (p W G !p))))))",
        f"G ((q & F r) -> ({_TWICE.format(end='(!p U r)')}))",
        f"G (q -> ({_TWICE.format(end='(!p W r) | G p')}))",
    ),
    "universality": (
        "G p",
        "F r -> (p U r)",
        "G (q -> G p)",
        "G ((q & !r & F r) -> (p U r))",
        "G ((q & !r) -> (p W r))",
    ),
    "precedence": (
        "!p W s",
        "F r -> (!p U (s | r))",
        "(G !q) | F (q & (!p W s))",
        "G ((q & !r & F r) -> (!p U (s | r)))",
        "G ((q & !r) -> (!p W (s | r)))",
    ),
    "response": (
        "G (p -> F s)",
        "F r -> ((p -> (!r U (s & !r))) U r)",
        "G (q -> G (p -> F s))",
        "G ((q & !r & F r) -> ((p -> (!r U (s & !r))) U r))",
        "G ((q & !r) -> ((p -> (!r U (s & !r))) W r))",
    ),
    "two causes, one effect": (
        "F p -> (!p U (s & !p & X(!p U t)))",
        "F r -> (!p U (r | (s & !p & X(!p U t))))",
        "(G !q) | (!q U ((q & F p) -> (!p U (s & !p & X(!p U t)))))",
        "G ((q & F r) -> (!p U (r | (s & !p & X(!p U t)))))",
        "G (q -> (F p -> (!p U (r | (s & !p & X(!p U t))))))",
    ),
    "one cause, two effects": (
        "F (s & X F t) -> (!s U p)",
        "F r -> (!(s & !r & X(!r U (t & !r))) U (r | p))",
        "(G !q) | (!q U (q & (F (s & X F t) -> (!s U p))))",
        "G ((q & F r) -> (!(s & !r & X(!r U (t & !r))) U (r | p)))",
        "G (q -> ((!(s & !r & X(!r U (t & !r))) U (r | p)) | G !(s & X F t)))",
    ),
    "one response, two stimuli": (
        "G ((s & X F t) -> X F (t & F p))",
        f"F r -> (({_ANSWER}) U r)",
        "G (q -> G ((s & X F t) -> X(!t U (t & F p))))",
        f"G ((q & F r) -> (({_ANSWER}) U r))",
        f"G (q -> (({_ANSWER}) U (r | G ({_ANSWER}))))",
    ),
    "two responses, one stimulus": (
        "G (p -> F (s & X F t))",
        f"F r -> (({_CHAIN}) U r)",
        "G (q -> G (p -> (s & X F t)))",
        f"G ((q & F r) -> (({_CHAIN}) U r))",
        f"G (q -> (({_CHAIN}) U (r | G (p -> (s & X F t)))))",
    ),
    "constrained chain": (
        "G (p -> F (s & !z & X(!z U t)))",
        f"F r -> (({_FREE_CHAIN}) U r)",
        "G (q -> G (p -> (s & !z & X(!z U t))))",
        f"G ((q & F r) -> (({_FREE_CHAIN}) U r))",
        f"G (q -> (({_FREE_CHAIN}) U (r | G (p -> (s & !z & X(!z U t))))))",
    ),
}
"""By name, one formula for each of :data:`SCOPES`."""


def formulas() -> list[str]:
    """All of them, in order."""
    return [f for row in PATTERNS.values() for f in row]
