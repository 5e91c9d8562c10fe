"""Models in the PRISM language, read as systems of guarded commands: the common subset, module for module.

Marta Kwiatkowska, Gethin Norman, David Parker: "PRISM 4.0: Verification of Probabilistic Real-time Systems", CAV 2011;
the language is that of the tool's manual. Read are ``dtmc`` and ``mdp``, constants with values, formulas, modules with
bounded ints and bools, renamed modules, global variables, guarded commands that are synchronised over their labels (all
modules that have the label, in parallel), labels and rewards of states. Everything else is refused where it stands
(AS1349).

The result is text of this language: a ``system``, whose commands are those of the composition, and a ``pattern`` with
the variables as parameters for each label. Deviations: where nothing is enabled a run ends, which in PRISM stays for
ever; the uniform choice that a ``dtmc`` makes among several enabled commands is one of the ways to act, so that bounds
over all ways enclose its probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.literals import write_name
from agentc.lang.prism_expressions import Expression, Token, evaluate, parse, tokens, written
from agentc.lang.records import dataclass
from agentc.lang.source import Source


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable: a bool, or an int from ``lo`` to ``hi``."""

    name: str
    bounds: tuple[int, int] | None
    initial: int | bool


@dataclass(frozen=True, slots=True)
class Branch:
    """A probability and what is assigned."""

    probability: float
    updates: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Command:
    """``[label] guard -> branches``; the label is empty where the module moves alone."""

    label: str
    guard: Expression
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class PrismModel:
    """What a file says: its variables, the commands of the composition, its labels and rewards of states."""

    kind: str
    variables: tuple[Variable, ...]
    commands: tuple[Command, ...]
    labels: Mapping[str, Expression]
    rewards: Mapping[str, tuple[tuple[Expression, Expression], ...]]

    def text(self, name: str) -> str:
        """The model as a file of this language, its system being called ``name``."""
        lines = [f"system {write_name(name)} {{"]
        lines += [f"  state {write_name(v.name)} : {_type(v)}" for v in self.variables]
        bools = frozenset(v.name for v in self.variables if v.bounds is None)
        used: dict[str, int] = {}
        for command in self.commands:
            label = command.label or "step"
            used[label] = used.get(label, 0) + 1
            named = write_name(label if used[label] == 1 else f"{label}_{used[label]}")
            lines.append(f"  command {named} when {written(command.guard, bools)} {{")
            alone = len(command.branches) == 1
            for branch in command.branches:
                chance = "" if alone else f"{branch.probability!r} : "
                updates = [f"{write_name(name)}' = {written(e, bools)}" for name, e in branch.updates]
                first = write_name(self.variables[0].name)  # a branch that changes nothing
                lines.append(f"    {chance}{', '.join(updates) or f'{first}{chr(39)} = {first}'}")
            lines.append("  }")
        starts = "; ".join(f"{write_name(v.name)} = {_value(v.initial)}" for v in self.variables)
        lines += [f"  init {{ {starts} }}", "}"]
        kinds = {v.name: "bool" if v.bounds is None else "int" for v in self.variables}
        for label, expression in self.labels.items():
            read = [v for v in kinds if v in expression.names]
            given = ", ".join(f"{write_name(v)} : {kinds[v]}" for v in read)
            lines.append(f"pattern {write_name(label)}({given}) = {written(expression, bools)}")
        return "\n".join(lines) + "\n"


def _type(variable: Variable) -> str:
    return "bool" if variable.bounds is None else f"int in [{variable.bounds[0]}, {variable.bounds[1]}]"


def _value(value: int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_prism(source: Source) -> PrismModel:
    """The model of a file. Raises :class:`AgentcError` (AS1349) at what is not read."""
    return _Reader(source).model()


@dataclass(frozen=True, slots=True)
class _Module:
    name: str
    variables: tuple[Variable, ...]
    commands: tuple[Command, ...]


class _Reader:
    """Reads the tokens of a file in order."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tokens = tokens(source)
        self._at = 0
        self._constants: dict[str, float | int | bool] = {}
        self._formulas: dict[str, Expression] = {}
        self._bodies: dict[str, list[Token]] = {}
        self._modules: list[_Module] = []
        self._globals: list[Variable] = []
        self._labels: dict[str, Expression] = {}
        self._rewards: dict[str, tuple[tuple[Expression, Expression], ...]] = {}

    # ------------------------------------------------------------ tokens

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at].text if at < len(self._tokens) else ""

    def _next(self, wanted: str | None = None) -> Token:
        if self._at >= len(self._tokens):
            raise self._refused(f"the file ends where {wanted or 'more'} is needed", len(self._tokens) - 1)
        token = self._tokens[self._at]
        if wanted is not None and token.text != wanted:
            raise self._refused(f"`{token.text}` stands where `{wanted}` is needed")
        self._at += 1
        return token

    def _refused(self, what: str, at: int | None = None) -> AgentcError:
        place = self._tokens[min(self._at if at is None else at, len(self._tokens) - 1)].span if self._tokens else None
        return AgentcError([report("AS1349", place, what=what)])

    def _expression(self, *stops: str) -> Expression:
        """An expression up to one of some tokens, formulas and constants in place."""
        begin, depth = self._at, 0
        while self._at < len(self._tokens):
            text = self._peek()
            if depth == 0 and text in stops:
                break
            depth += (text in "([{") - (text in ")]}")
            self._at += 1
        return parse(self._tokens[begin : self._at], self._constants, self._formulas, self._source)

    def _constant(self, *stops: str) -> float | int | bool:
        begin = self._at
        expression = self._expression(*stops)
        value = evaluate(expression)
        if value is None:
            raise self._refused("this has to be a constant", begin)
        return value

    # ------------------------------------------------------------ parts

    def model(self) -> PrismModel:
        """The whole file."""
        kind = self._next().text if self._tokens else ""
        if kind not in ("dtmc", "mdp"):
            raise self._refused(f"`{kind or 'an empty file'}`: `dtmc` and `mdp` are read", 0)
        while self._at < len(self._tokens):
            word = self._peek()
            if word == "const":
                self._constant_item()
            elif word == "formula":
                self._next()
                name = self._next().text
                self._next("=")
                self._formulas[name] = self._expression(";")
                self._next(";")
            elif word == "global":
                self._next()
                self._globals.append(self._variable())
            elif word == "module":
                self._module()
            elif word == "label":
                self._next()
                name = self._next().text.strip('"')
                self._next("=")
                self._labels[name] = self._expression(";")
                self._next(";")
            elif word == "rewards":
                self._reward_item()
            else:
                raise self._refused(f"`{word}` is not read")
        variables = (*self._globals, *(v for m in self._modules for v in m.variables))
        if not variables:
            raise self._refused("a model without variables", 0)
        return PrismModel(kind, tuple(variables), tuple(_composed(self._modules)), self._labels, self._rewards)

    def _constant_item(self) -> None:
        self._next("const")
        kind = self._next().text if self._peek() in ("int", "double", "bool") else "int"
        name = self._next().text
        if self._peek() != "=":
            raise self._refused(f"the constant `{name}` has no value: give it one in the file")
        self._next("=")
        value = self._constant(";")
        self._constants[name] = float(value) if kind == "double" else value
        self._next(";")

    def _variable(self) -> Variable:
        name = self._next().text
        self._next(":")
        bounds: tuple[int, int] | None = None
        if self._peek() == "bool":
            self._next()
        elif self._peek() == "[":
            self._next()
            lo = self._constant("..")
            self._next("..")
            hi = self._constant("]")
            self._next("]")
            bounds = (int(lo), int(hi))
        else:
            raise self._refused(f"a variable of type `{self._peek()}`: `[a..b]` and `bool` are read")
        initial: int | bool = False if bounds is None else bounds[0]
        if self._peek() == "init":
            self._next()
            value = self._constant(";")
            initial = bool(value) if bounds is None else int(value)
        self._next(";")
        return Variable(name, bounds, initial)

    def _module(self) -> None:
        self._next("module")
        name = self._next().text
        if self._peek() == "=":
            self._renamed(name)
            return
        begin = self._at
        variables, commands = [], []
        while self._peek() != "endmodule":
            if self._peek() == "[":
                commands.append(self._command())
            elif self._peek(1) == ":":
                variables.append(self._variable())
            elif self._at < len(self._tokens):
                raise self._refused(f"`{self._peek()}` in a module is not read")
            else:
                self._next("endmodule")
        self._bodies[name] = self._tokens[begin : self._at + 1]
        self._next("endmodule")
        self._modules.append(_Module(name, tuple(variables), tuple(commands)))

    def _renamed(self, name: str) -> None:
        """``module b = a [x = y, ...] endmodule``: the tokens of ``a`` with other names."""
        self._next("=")
        other = self._next().text
        if other not in self._bodies:
            raise self._refused(f"there is no module `{other}` before this", self._at - 1)
        names: dict[str, str] = {}
        self._next("[")
        while self._peek() != "]":
            before = self._next().text
            self._next("=")
            names[before] = self._next().text
            if self._peek() == ",":
                self._next()
        self._next("]")
        self._next("endmodule")
        made = [replace(t, text=names.get(t.text, t.text)) for t in self._bodies[other]]
        head = [replace(made[0], text="module"), replace(made[0], text=name)]
        self._tokens[self._at : self._at] = [*head, *made]
        self._module()

    def _command(self) -> Command:
        self._next("[")
        label = "" if self._peek() == "]" else self._next().text
        self._next("]")
        guard = self._expression("->")
        self._next("->")
        branches = []
        while True:
            begin = self._at
            probability = 1.0
            if self._probable():
                probability = float(self._constant(":"))
                self._next(":")
                if not 0 <= probability <= 1:
                    raise self._refused(f"{probability:g} is no probability", begin)
            branches.append(Branch(probability, self._updates()))
            if self._next().text == ";":
                break
            self._at -= 1
            self._next("+")
        return Command(label, guard, tuple(b for b in branches if b.probability > 0))

    def _probable(self) -> bool:
        """Whether a branch begins with a probability: a ``:`` comes before its end."""
        depth = 0
        for token in self._tokens[self._at :]:
            depth += (token.text in "([") - (token.text in ")]")
            if depth == 0 and token.text in (":", ";"):
                return token.text == ":"
        return False

    def _updates(self) -> tuple[tuple[str, Expression], ...]:
        if self._peek() == "true":
            self._next()
            return ()
        found = []
        while True:
            self._next("(")
            target = self._next().text
            if not target.endswith("'"):
                raise self._refused(f"`{target}` stands where a variable with a prime is needed", self._at - 1)
            self._next("=")
            found.append((target[:-1], self._expression(")")))
            self._next(")")
            if self._peek() != "&":
                return tuple(found)
            self._next()

    def _reward_item(self) -> None:
        self._next("rewards")
        name = self._next().text.strip('"') if self._peek().startswith('"') else "reward"
        found = []
        while self._peek() != "endrewards":
            if self._peek() == "[":
                raise self._refused("a reward of a transition is not read")
            guard = self._expression(":")
            self._next(":")
            found.append((guard, self._expression(";")))
            self._next(";")
        self._next("endrewards")
        self._rewards[name] = tuple(found)


def _composed(modules: Sequence[_Module]) -> Iterator[Command]:
    """The commands of the parallel composition: alone without a label, together over one."""
    for module in modules:
        yield from (c for c in module.commands if not c.label)
    for label in dict.fromkeys(c.label for m in modules for c in m.commands if c.label):
        parts = [own for m in modules if (own := [c for c in m.commands if c.label == label])]
        for together in product(*parts):
            guard = together[0].guard
            for other in together[1:]:
                guard = guard.both(other.guard)
            yield Command(label, guard, tuple(_joined(c.branches for c in together)))


def _joined(branches: Iterator[tuple[Branch, ...]]) -> Iterator[Branch]:
    """Every combination of branches: probabilities multiplied, updates at once."""
    for parts in product(*branches):
        probability = 1.0
        for part in parts:
            probability *= part.probability
        yield Branch(probability, tuple(u for part in parts for u in part.updates))


def system_text(source: Source, name: str) -> str:
    """A PRISM file as text of this language, in which its system is called ``name``. Raises as :func:`read_prism`."""
    return read_prism(source).text(name)
