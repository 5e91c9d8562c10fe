"""The syntax tree: what was written, with the place of every node.

Every node is frozen and carries the ``span`` it came from; spans take no part in equality, so that
``parse(print(tree)) == tree`` can be stated. Names have spans of their own (``name_span``, ``name_spans``, ...);
an item without a name has its whole span there. Formulas and arithmetic share one expression language; which
of the two an expression is, is the checker's business. Sequences are tuples.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from agentc.lang.records import dataclass
from agentc.lang.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the tree."""

    span: Span = field(compare=False, repr=False)


# ---------------------------------------------------------------- expressions


class Expr(Node):
    """A formula, a number, a text, a set, a record: anything that stands where a value can stand."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Name(Expr):
    """An identifier; ``id`` has lost its back-ticks."""

    id: str


@dataclass(frozen=True, slots=True)
class Number(Expr):
    """A number without a unit; ``text`` as it was written (``300_000``), ``value`` int or float."""

    value: int | float = field(compare=False)
    text: str


@dataclass(frozen=True, slots=True)
class Quantity(Expr):
    """A number with its unit glued to it: ``0.1s``, ``50m/s``."""

    value: int | float = field(compare=False)
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class String(Expr):
    """A text; ``long`` if it was written in triple quotes."""

    value: str
    long: bool = False


@dataclass(frozen=True, slots=True)
class Bool(Expr):
    """``true`` or ``false``."""

    value: bool


@dataclass(frozen=True, slots=True)
class Infinity(Expr):
    """``inf``, only as a bound of a range or an interval."""


@dataclass(frozen=True, slots=True)
class TupleExpr(Expr):
    """``(x, y)``: two or more coordinates."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class ListExpr(Expr):
    """``[a, b]``."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class SetExpr(Expr):
    """``{a, b}`` behind ``in``."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Range(Expr):
    """``[lo, hi]``, ``[lo, inf)``, ``(-inf, hi]``: an interval of numbers behind ``in``."""

    lo: Expr
    hi: Expr


@dataclass(frozen=True, slots=True)
class Record(Expr):
    """``{ key = value; ... }``; an entry that is no ``key = value`` (``x in [0, 1]``) has key ``None``."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Entry(Node):
    """One line of a record."""

    key: str | None
    value: Expr
    key_span: Span | None = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Attribute(Expr):
    """``base.name``: ``prev.door``, ``finish.answer``."""

    base: Expr
    name: str
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Index(Expr):
    """``base[index]``."""

    base: Expr
    index: Expr


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """An argument of a call: positional if ``name`` is None; ``when`` only in ``sum(x when p)``."""

    name: str | None
    value: Expr
    when: Expr | None = None
    name_span: Span | None = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """``function(a, b = c)``; ``interval`` only for aggregates over the past: ``count[<= 10](p)``."""

    function: Expr
    arguments: tuple[Argument, ...]
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Unary(Expr):
    """``!f``, ``-x``, ``+x``; ``not`` is ``!``."""

    op: Literal["!", "-", "+"]
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Expr):
    """Arithmetic and the Boolean operators that do not associate freely."""

    op: Literal["-", "/", "**", "->", "<->", "xor"]
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Nary(Expr):
    """A chain of one associative operator, flat: ten thousand conjuncts are one node. ``and`` is ``&``."""

    op: Literal["&", "|", "+", "*"]
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Compare(Expr):
    """``a < b``, or a chain ``0 <= x < 5``: ``len(ops) == len(operands) - 1``."""

    ops: tuple[str, ...]
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Member(Expr):
    """``item in domain``, ``item not in domain``; the domain is a region, set, range or ``seen(p)``."""

    item: Expr
    domain: Expr
    negated: bool = False


@dataclass(frozen=True, slots=True)
class From(Expr):
    """``value from source``: the value came out of that phase (or ``user``)."""

    item: Expr
    source: Expr


@dataclass(frozen=True, slots=True)
class Bound(Node):
    """A bound of an interval. ``count`` names what is counted where that was written (``8 turns``)."""

    value: Expr
    count: Literal["steps", "turns"] | None = None


@dataclass(frozen=True, slots=True)
class Interval(Node):
    """``[a, b]``, ``[a, inf)``, ``[<= b]``, ``[>= a]`` and, for ``X WX Y WY``, ``[k]``."""

    form: Literal["closed", "up", "at_most", "at_least", "count"]
    lo: Bound | None
    hi: Bound | None


UNARY_TEMPORAL = ("G", "F", "X", "WX", "Y", "WY", "O", "H")
BINARY_TEMPORAL = ("U", "W", "R", "M", "S", "T")


@dataclass(frozen=True, slots=True)
class Temporal(Expr):
    """``G f``, ``F[0, 5] f``, ...; ``op`` is the letter, whichever way it was written; ``word`` how it was."""

    op: str
    interval: Interval | None
    operand: Expr
    word: str = field(compare=False, default="")


@dataclass(frozen=True, slots=True)
class TemporalBinary(Expr):
    """``f U g`` and its kin."""

    op: str
    interval: Interval | None
    left: Expr
    right: Expr
    word: str = field(compare=False, default="")


@dataclass(frozen=True, slots=True)
class Each(Expr):
    """``each id : f``, for each value of ``id`` that occurs; only at the head of a formula."""

    names: tuple[str, ...]
    body: Expr
    name_spans: tuple[Span, ...] = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class ErrorExpr(Expr):
    """What stands where an expression could not be parsed; every pass is silent about it."""


# ---------------------------------------------------------------- types


@dataclass(frozen=True, slots=True)
class TypeExpr(Node):
    """``real in [0, 1] [m/s]``, ``enum {a, b}``, ``text[1..80]``, ``vec[2] [m]``.

    ``size`` is ``(2, 2)`` for ``vec[2]`` and ``(1, 80)`` for ``text[1..80]``; ``members`` only for ``enum``;
    ``content`` only for an argument of a tool that is given like a phase (``regex("...")``, ``json("f.json")``);
    ``name`` is None in a declaration that gives a domain alone (``w in [-1, 1]``).
    """

    name: str | None
    members: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    domain: Expr | None = None
    unit: str | None = None
    content: Call | None = None
    name_span: Span | None = field(default=None, compare=False, repr=False, kw_only=True)
    member_spans: tuple[Span, ...] = field(default=(), compare=False, repr=False, kw_only=True)
    unit_span: Span | None = field(default=None, compare=False, repr=False, kw_only=True)

    @property
    def given(self) -> Call | None:
        """What writes the argument, where it is given like a phase; it is a text then."""
        return self.content if self.name in CONTENTS else None


CONTENTS = ("regex", "json", "grammar", "choice")
"""What writes a phase or an argument, beside ``text``, ``call`` and ``result``."""


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """A parameter of a pattern, environment, system, tool, prop or region."""

    name: str
    type: TypeExpr
    default: Expr | None = None
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Declaration(Node):
    """``x, y : real [m]``: names of one type (states, inputs, disturbances)."""

    names: tuple[str, ...]
    type: TypeExpr
    name_spans: tuple[Span, ...] = field(compare=False, repr=False, kw_only=True)


# ---------------------------------------------------------------- items


class Item(Node):
    """Something that stands on a line of its own in a file or a block."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ErrorItem(Item):
    """What stands for an item that could not be parsed.

    ``names`` are the names that it would have declared as far as that can be told, so that their uses
    elsewhere are not reported as unknown: a resolver should take them as declared and stay silent.
    """

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Doc(Item):
    """A docstring."""

    text: str


@dataclass(frozen=True, slots=True)
class ImportedName(Node):
    """``x as y`` in an import."""

    name: str
    alias: str | None = None
    name_span: Span = field(compare=False, repr=False, kw_only=True)
    alias_span: Span | None = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Import(Item):
    """``import a.b``, ``import a.b as n`` (``names`` is None) or ``import a.b: x, y as z``."""

    path: tuple[str, ...]
    alias: str | None = None
    names: tuple[ImportedName, ...] | None = None
    path_span: Span = field(compare=False, repr=False, kw_only=True)
    alias_span: Span | None = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Constant(Item):
    """``const c : t = v``, or ``param`` if it can be set from the command line."""

    name: str
    type: TypeExpr | None
    value: Expr
    is_param: bool = False
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Pattern(Item):
    """A parametric formula."""

    name: str
    parameters: tuple[Parameter, ...]
    body: Expr
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Proposition(Item):
    """``prop p = ...``, perhaps with parameters."""

    name: str
    parameters: tuple[Parameter, ...]
    body: Expr
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class RegionItem(Item):
    """``region r = circle(...)``, perhaps with parameters."""

    name: str
    parameters: tuple[Parameter, ...]
    body: Expr
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Signal(Item):
    """``signal x : real [m]``; ``value`` defines it from others, ``extern`` names a Python function."""

    names: tuple[str, ...]
    type: TypeExpr
    value: Expr | None = None
    extern: str | None = None
    doc: str | None = None
    name_spans: tuple[Span, ...] = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Setting(Item):
    """A one-line item that is a word and a value: ``engine e``, ``init e``, ``env e``, ``discount = e``,
    ``shape f``, ``require e``, ``fallback e``, ``monitor f``; in ``decode``, ``choice exact``."""

    word: str
    value: Expr
    word_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class StepSize(Item):
    """``step 0.1s by rk4``."""

    duration: Expr
    integrator: str | None = None
    integrator_span: Span | None = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Environment(Item):
    """``environment name(...) { engine ...; signal ... }``."""

    name: str
    parameters: tuple[Parameter, ...]
    items: tuple[Item, ...]
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Variables(Item):
    """``state``, ``input``, ``output`` or ``disturbance`` with its declarations."""

    kind: Literal["state", "input", "output", "disturbance"]
    declarations: tuple[Declaration, ...]


@dataclass(frozen=True, slots=True)
class Equation(Item):
    """``x' = e`` (``target`` without its prime)."""

    target: str
    value: Expr
    target_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Branch(Item):
    """``0.9 : x' = x + 1, y' = y`` in a guarded command; ``probability`` is None where there is one branch."""

    probability: Expr | None
    updates: tuple[Equation, ...]


@dataclass(frozen=True, slots=True)
class Command(Item):
    """``command name when guard { branch; branch }`` of a transition system."""

    name: str
    guard: Expr | None
    branches: tuple[Item, ...]
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Mode(Item):
    """``mode name { equations; on guard -> mode { resets } }`` of a hybrid system."""

    name: str
    items: tuple[Item, ...]
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Edge(Item):
    """``on guard -> target : reward`` of a machine, ``on guard -> target { x' = e }`` of a mode."""

    guard: Expr
    target: str
    value: Expr | None = None
    resets: tuple[Item, ...] = ()
    target_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Controller(Item):
    """``controller stop { v = 0; omega = 0 }``: a fallback that a system declares."""

    name: str
    body: Record
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class System(Item):
    """``system name(...) { ... }``."""

    name: str
    parameters: tuple[Parameter, ...]
    items: tuple[Item, ...]
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Agent(Item):
    """``agent Name { ... }``."""

    name: str
    items: tuple[Item, ...]
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Role(Item):
    """``role name { ... }``: one of several agents in a spec."""

    name: str
    items: tuple[Item, ...]
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class FormulaItem(Item):
    """``task``, ``safe``, ``behavior`` or ``assume`` (which may lack a name)."""

    role: Literal["task", "safe", "behavior", "assume"]
    name: str | None
    body: Expr
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class CostItem(Item):
    """``cost c = e``."""

    name: str
    value: Expr
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Budget(Item):
    """``budget c <= 25``."""

    cost: str
    limit: Expr
    cost_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class RewardTerm(Item):
    """``reach : +1.0``, ``reach : +1.0 ends``, ``step : -0.001``, ``robustness(f) : 0.1``."""

    subject: Expr
    amount: Expr
    ending: Literal["ends", "continues"] | None = None


@dataclass(frozen=True, slots=True)
class MachineState(Item):
    """``state u0 accepting { on g -> u1 : 0.1 }``."""

    name: str
    accepting: bool
    edges: tuple[Item, ...]
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Machine(Item):
    """``machine { state ... }`` or, with a name, ``machine m { ... }``; its first state is the initial one."""

    name: str | None
    states: tuple[Item, ...]
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Reward(Item):
    """``reward { ... }``."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class TextGenerator(Node):
    """``text until "\\n" max 64 tokens``."""

    until: str | None
    max_tokens: int | None


@dataclass(frozen=True, slots=True)
class CallGenerator(Node):
    """``call(search | finish)``."""

    tools: tuple[str, ...]
    tool_spans: tuple[Span, ...] = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class ResultGenerator(Node):
    """``result(action)``: written by the environment."""

    phase: str
    phase_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class ContentGenerator(Node):
    """``regex("...")``, ``json("f.json")``, ``grammar("f.lark")``, ``choice("a", "b")``."""

    content: Call
    max_tokens: int | None


Generator = TextGenerator | CallGenerator | ResultGenerator | ContentGenerator


@dataclass(frozen=True, slots=True)
class Phase(Item):
    """``phase name = generator [& generator ...] [where constraint]``."""

    name: str
    generators: tuple[Generator, ...]
    where: Expr | None = None
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Tool(Item):
    """``tool name(parameters) -> type { settings }``."""

    name: str
    parameters: tuple[Parameter, ...]
    returns: TypeExpr | None = None
    settings: Record | None = None
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Model(Item):
    """``model "name" { settings }``."""

    name: str
    settings: Record | None = None
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Prompt(Item):
    """``prompt [name] "..."``, or ``prompt [name] from "file"``, where ``text`` is the path."""

    name: str | None
    text: String
    from_file: bool = False
    name_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Train(Item):
    """``train algorithm [until condition] { configuration }``."""

    algorithm: str
    until: Expr | None = None
    settings: Record | None = None
    algorithm_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Recipe(Item):
    """``recipe name = algorithm { configuration }``: settings under a name, which ``train name`` takes."""

    name: str
    algorithm: str
    settings: Record | None = None
    name_span: Span = field(compare=False, repr=False, kw_only=True)
    algorithm_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Expect(Item):
    """``expect condition [with confidence c]``."""

    condition: Expr
    confidence: Expr | None = None


@dataclass(frozen=True, slots=True)
class Verify(Item):
    """``verify f [by method] { ... }`` or ``verify P >= p [f] ...`` (then ``bound`` is ``(op, p)``).

    ``measure`` is ``E`` where the bound is of an expected sum: ``verify E <= 30 [x until g]``.
    """

    subject: Expr
    bound: tuple[str, Expr] | None = None
    method: str | None = None
    settings: Record | None = None
    measure: Literal["P", "E"] = "P"
    method_span: Span | None = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Shield(Item):
    """``shield f [by method] { ... }``."""

    formula: str
    method: str | None = None
    settings: Record | None = None
    formula_span: Span = field(compare=False, repr=False, kw_only=True)
    method_span: Span | None = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Block(Item):
    """``deploy { ... }`` and ``decode { ... }``."""

    word: Literal["deploy", "decode"]
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class ExampleStep(Item):
    """One step of an example; ``value`` is None for the empty step ``-``."""

    value: Expr | None


@dataclass(frozen=True, slots=True)
class Example(Item):
    """``example "title" satisfies f { step; step }``."""

    title: str
    satisfies: bool
    formula: str
    steps: tuple[Item, ...]
    title_span: Span = field(compare=False, repr=False, kw_only=True)
    formula_span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Module(Node):
    """A whole file."""

    items: tuple[Item, ...]
