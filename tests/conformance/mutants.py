"""One-line semantic mutants of the backends, by operator: is the harness any good?

A mutant is made by rewriting one node of a module's syntax tree; the mutated source is compiled into a fresh
module, and what depends on it is imported anew, so that no file changes. Mutants have stable names: module,
function, operator, and a digest of the expression and its place among equal ones in the function. The chosen ones
are frozen in ``mutants.json``; those that no test could tell from the original are argued one by one in
``equivalent.json``.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib
import importlib.util
import json
import signal as os_signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import CodeType, FrameType

from conformance.harness import run
from conformance.registry import BACKENDS, Backend, Case

FROZEN = Path(__file__).with_name("mutants.json")

COSMETIC = ("show", "describe", "sentence", "__repr__", "__str__", "size", "to_dot", "to_hoa", "to_svg", "horizon")
"""Functions whose results are for people's eyes or are measures only."""

RESOURCES = ("Budget", "budget", "recursion", "growing", "_short", "strict=True")
"""What stands in the functions and expressions that limit time, memory and depth, or check lengths: they have no part
in the meaning, and no mutant is chosen from them."""


@dataclass(frozen=True)
class Mutant:
    """One mutation: an expression of a module before and after."""

    name: str
    module: str
    function: str
    operator: str
    before: str
    after: str


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: ``how`` is ``value``, ``error``, ``timeout``, or empty if it was missed."""

    mutant: Mutant
    how: str
    backend: str = ""
    pairs: int = 0
    example: str = ""


# ---------------------------------------------------------------- operators of mutation

_COMPARISONS: dict[type[ast.cmpop], tuple[str, type[ast.cmpop]]] = {
    ast.Lt: ("strictness", ast.LtE), ast.LtE: ("strictness", ast.Lt), ast.Gt: ("strictness", ast.GtE),
    ast.GtE: ("strictness", ast.Gt), ast.Eq: ("equality", ast.NotEq), ast.NotEq: ("equality", ast.Eq),
    ast.Is: ("equality", ast.IsNot), ast.IsNot: ("equality", ast.Is), ast.In: ("membership", ast.NotIn),
    ast.NotIn: ("membership", ast.In),
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Mult: ast.Add,
}  # fmt: skip
_TWINS = (
    ("min", "max"), ("any", "all"), ("minimum", "maximum"), ("logical_and", "logical_or"), ("TRUE", "FALSE"),
    ("FIRST", "LAST"), ("and_", "or_"), ("_and", "_or"), ("con", "dis"), ("conjunction", "disjunction"),
    ("zeros", "ones"), ("unit", "zero"), ("lo", "hi"), ("low", "high"), ("then", "otherwise"), ("left", "right"),
    ("first", "last"), ("intersection", "union"), ("a", "b"), ("c", "d"), ("f", "g"),
)  # fmt: skip
_WORDS = (
    ("U", "R"), ("F", "G"), ("X", "WX"), ("S", "T"), ("O", "H"), ("Y", "WY"), ("M", "W"), ("first", "last"),
    ("and", "or"), ("true", "false"), ("xor", "iff"), ("<", "<="), (">", ">="), ("==", "!="),
)  # fmt: skip
_NAMES = dict(_TWINS) | {b: a for a, b in _TWINS}
_STRINGS = dict(_WORDS) | {b: a for a, b in _WORDS}

Change = Callable[[], None]


def _swap_arguments(call: ast.Call) -> None:
    call.args[0], call.args[1] = call.args[1], call.args[0]


def _sites(node: ast.AST, local: frozenset[str]) -> Iterator[tuple[str, Change]]:
    """The mutations of one node, each with its operator."""

    def put(target: ast.AST, **fields: object) -> Change:
        return lambda: [setattr(target, k, v) for k, v in fields.items()] and None

    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            kind, other = _COMPARISONS[type(op)]
            yield kind, (lambda i=i, other=other: node.ops.__setitem__(i, other()))
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        yield "arithmetic", put(node, op=_ARITHMETIC[type(node.op)]())
    elif isinstance(node, ast.BoolOp):
        yield "connective", put(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        for i in range(len(node.values)):
            kept = [v for j, v in enumerate(node.values) if j != i]
            yield "condition dropped", put(node, values=kept if len(kept) > 1 else kept * 2)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield "negation dropped", put(node, op=ast.UAdd()) if not isinstance(node.op, ast.Not) else put(
            node, operand=ast.UnaryOp(ast.Not(), node.operand)
        )
    elif isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            yield "Boolean constant", put(node, value=not value)
        elif isinstance(value, int):
            yield "off by one", put(node, value=value + 1)
            if value > 0:
                yield "off by one", put(node, value=value - 1)
        elif isinstance(value, str) and value in _STRINGS:
            yield "operator's name", put(node, value=_STRINGS[value])
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in _NAMES:
        if len(node.id) > 1 or _NAMES[node.id] in local:
            yield "twin", put(node, id=_NAMES[node.id])
    elif isinstance(node, ast.Attribute) and node.attr in _NAMES and len(node.attr) > 1:
        yield "twin", put(node, attr=_NAMES[node.attr])
    elif isinstance(node, ast.If | ast.While):
        yield "branch", put(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.IfExp):
        yield "branch", put(node, body=node.orelse, orelse=node.body)
    elif isinstance(node, ast.Call):
        if len(node.args) == 2 and not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args):
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            if called not in ("isinstance", "min", "max", "zip", "and_", "or_", "cast", "getattr"):
                yield "arguments swapped", (lambda: _swap_arguments(node))
        if isinstance(node.func, ast.Name) and node.func.id in ("not_", "negate", "_not") and len(node.args) == 1:
            yield "dual missing", put(node, func=ast.Name("_same", ast.Load()))
    elif isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
        yield "arithmetic", put(node, op=_ARITHMETIC[type(node.op)]())


def _walk(tree: ast.Module) -> Iterator[tuple[str, ast.AST, frozenset[str]]]:
    """Every node that may be mutated, with the function it stands in and the names known there."""
    stack: list[tuple[str, ast.AST, frozenset[str]]] = [("", node, frozenset()) for node in reversed(tree.body)]
    while stack:
        where, node, local = stack.pop()
        if isinstance(node, ast.Raise | ast.Assert | ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Global):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.FunctionDef):
            if node.name in COSMETIC:
                continue
            names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            names |= {a.arg for a in node.args.args}
            inside = f"{where}.{node.name}".lstrip(".")
            children: list[ast.AST] = [*node.args.defaults, *node.body]
            stack.extend((inside, child, local | names) for child in reversed(children))
            continue
        if isinstance(node, ast.ClassDef):
            stack.extend((f"{where}.{node.name}".lstrip("."), child, local) for child in reversed(node.body))
            continue
        if isinstance(node, ast.If) and any(isinstance(n, ast.Raise) for n in node.body):
            stack.extend((where, child, local) for child in reversed(node.orelse))
            continue  # a check of what is asked
        yield where, node, local
        children = [
            child
            for name, field in ast.iter_fields(node)
            if name not in ("annotation", "returns", "op", "ops", "ctx", "decorator_list")
            for child in (field if isinstance(field, list) else [field])
            if isinstance(child, ast.AST)
        ]
        stack.extend((where, child, local) for child in reversed(children))


def _find(tree: ast.Module, module: str) -> list[tuple[Mutant, Change]]:
    """Every mutant of a syntax tree; the change is made in place."""
    found: list[tuple[Mutant, Change]] = []
    seen: dict[str, int] = {}
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for where, node, local in _walk(tree):
        shown = node
        while isinstance(shown, ast.Name | ast.Constant | ast.Attribute) and shown in parents:
            shown = parents[shown]
        for operator, change in _sites(node, local):
            before = _text(shown)
            key = f"{where}|{operator}|{before}"
            seen[key] = seen.get(key, -1) + 1
            digest = hashlib.sha256(f"{key}|{seen[key]}".encode()).hexdigest()[:8]
            name = f"{module.removeprefix('agentc.')}:{where or 'module'}:{operator}:{digest}"
            found.append((Mutant(name, module, where, operator, before, ""), change))
    return found


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While):
        return f"if {ast.unparse(node.test)}"
    if isinstance(node, ast.FunctionDef):
        return node.name
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 160 else text[:157] + "..."


def _source(module: str) -> tuple[Path, str]:
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    path = Path(spec.origin)
    return path, path.read_text(encoding="utf-8")


def mutants(module: str) -> list[Mutant]:
    """Every mutant of a module that the operators make, ``after`` left empty."""
    return [mutant for mutant, _ in _find(ast.parse(_source(module)[1]), module)]


def _with_after(mutant: Mutant) -> Mutant:
    """The mutant with the line as it becomes."""
    source = _source(mutant.module)[1]
    tree = _changed(mutant, source)
    old, new = ast.unparse(ast.parse(source)).splitlines(), ast.unparse(tree).splitlines()
    changed = [line.strip() for line, was in zip(new, old, strict=False) if line != was]
    return replace(mutant, after=changed[0] if changed else "")


def _changed(mutant: Mutant, source: str) -> ast.Module:
    tree = ast.parse(source)
    for candidate, change in _find(tree, mutant.module):
        if candidate.name == mutant.name:
            change()
            return ast.fix_missing_locations(tree)
    raise LookupError(mutant.name)


def exists(mutant: Mutant) -> bool:
    """Whether the module still has the expression that the mutant changes."""
    return any(m.name == mutant.name for m in _of_module(mutant.module))


@functools.cache
def _of_module(module: str) -> tuple[Mutant, ...]:
    return tuple(mutants(module))


def compiled(mutant: Mutant) -> tuple[CodeType, Path]:
    """The code of the mutated module. Raises ``LookupError`` if the module no longer has that expression."""
    path, source = _source(mutant.module)
    tree = _changed(mutant, source)
    if mutant.operator == "dual missing":
        at = max(i for i, n in enumerate(tree.body) if isinstance(n, ast.Import | ast.ImportFrom)) + 1
        tree.body.insert(at, ast.fix_missing_locations(ast.parse("def _same(x): return x")).body[0])
    return compile(tree, str(path), "exec"), path


# ---------------------------------------------------------------- a world with a mutated module

KEPT = ("ir", "trace", "verdict", "semantics", "finality")
"""The oracle and what it stands on are never imported anew: formulas are compared by identity."""


def _imports(name: str) -> set[str]:
    module = sys.modules.get(name)
    origin = getattr(module, "__file__", None)
    if origin is None or not origin.endswith(".py"):
        return set()
    found: set[str] = set()
    for node in ast.walk(ast.parse(Path(origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return found


def _dependents(module: str) -> set[str]:
    """Loaded modules of the project that import the module, also through others."""
    kept = {f"agentc.compiler.logic.{name}" for name in KEPT}
    graph = {name: _imports(name) for name in sys.modules if name.startswith("agentc.") and name not in kept}
    found = {module}
    while True:
        more = {name for name, uses in graph.items() if uses & found} - found
        if not more:
            return found
        found |= more


@contextlib.contextmanager
def world(mutant: Mutant) -> Iterator[None]:
    """Within it, imports give the mutated module, and fresh ones of all that depend on it."""
    code, path = compiled(mutant)
    hidden = {name: sys.modules[name] for name in _dependents(mutant.module) if name in sys.modules}
    attributes = {}
    for name, module in hidden.items():
        parent, _, last = name.rpartition(".")
        if getattr(sys.modules.get(parent), last, None) is module:
            attributes[name] = module
    for name in hidden:
        del sys.modules[name]
    for name in attributes:
        parent, _, last = name.rpartition(".")
        if parent in sys.modules:
            delattr(sys.modules[parent], last)
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location(mutant.module, path)
    assert spec is not None
    fresh = importlib.util.module_from_spec(spec)
    try:
        sys.modules[mutant.module] = fresh
        exec(code, fresh.__dict__)  # our own source, changed in one place
        parent, _, last = mutant.module.rpartition(".")
        setattr(importlib.import_module(parent), last, fresh)
        yield
    finally:
        for name in [n for n in sys.modules if n in hidden or n not in before]:
            if name.startswith(("agentc.", "conformance.")):
                del sys.modules[name]
        sys.modules.update(hidden)
        for name, module in attributes.items():
            parent, _, last = name.rpartition(".")
            setattr(sys.modules[parent], last, module)


class Stuck(BaseException):
    """A mutant that does not come to an end."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises :class:`Stuck` inside the block after so many seconds."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stuck

    before = os_signal.signal(os_signal.SIGALRM, stop)
    os_signal.setitimer(os_signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        os_signal.setitimer(os_signal.ITIMER_REAL, 0)
        os_signal.signal(os_signal.SIGALRM, before)


def backends_of(module: str) -> list[Backend]:
    """The backends that show what a module means."""
    return [b for b in BACKENDS.values() if module in b.modules]


def judge(mutant: Mutant, offered: Sequence[Case], seconds: float = 120.0) -> Outcome:
    """Whether the harness notices a mutant on the cases that are offered."""
    progress = [0]

    def counted() -> Iterator[Case]:
        for case in offered:
            progress[0] += len(case.traces)
            yield case

    try:
        with time_limit(seconds), world(mutant):
            report = run(backends_of(mutant.module), counted(), importlib.import_module, stop_at=1, minimise=False)
    except Stuck:
        return Outcome(mutant, "timeout", pairs=progress[0])
    except Exception as error:  # the module does not even load
        return Outcome(mutant, "error", pairs=progress[0], example=f"{type(error).__name__}: {error}")
    if not report.disagreements:
        return Outcome(mutant, "", pairs=progress[0])
    d = report.disagreements[0]
    return Outcome(mutant, "error" if d.expected == "an answer" else "value", d.backend, progress[0], str(d))


# ---------------------------------------------------------------- the frozen choice


def choose(module: str, count: int) -> list[Mutant]:
    """So many mutants of a module: in turn from every operator, within one by the digests of their names."""
    heaps: dict[str, list[Mutant]] = {}
    for mutant in sorted(mutants(module), key=lambda m: hashlib.sha256(m.name.encode()).hexdigest()):
        if not any(word in f"{mutant.function} {mutant.before}" for word in RESOURCES):
            heaps.setdefault(mutant.operator, []).append(mutant)
    chosen: list[Mutant] = []
    while len(chosen) < count and any(heaps.values()):
        for operator in sorted(heaps):
            if heaps[operator] and len(chosen) < count:
                chosen.append(_with_after(heaps[operator].pop(0)))
    return chosen


def frozen() -> list[Mutant]:
    """The mutants of ``mutants.json``."""
    return [Mutant(**row) for row in json.loads(FROZEN.read_text(encoding="utf-8"))["mutants"]]


def equivalent() -> dict[str, str]:
    """The mutants that are argued to be equivalent, with the argument."""
    return dict(json.loads(FROZEN.with_name("equivalent.json").read_text(encoding="utf-8")))


def refresh() -> None:
    """Writes the frozen mutants' changed lines anew; which mutants there are stays."""
    data = json.loads(FROZEN.read_text(encoding="utf-8"))
    data["mutants"] = [asdict(_with_after(m)) for m in frozen()]
    FROZEN.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def freeze(chosen: Iterable[Mutant], note: str) -> None:
    """Adds mutants to ``mutants.json``; those that are there stay."""
    data = json.loads(FROZEN.read_text(encoding="utf-8")) if FROZEN.exists() else {"notes": [], "mutants": []}
    names = {row["name"] for row in data["mutants"]}
    data["mutants"].extend(asdict(m) for m in chosen if m.name not in names)
    data["notes"].append(note)
    FROZEN.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
