"""What environments there are: the declarations of the standard library beside what is installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agentc.lang import ast
from agentc.lang.imports import Library
from agentc.runtime.envs.registry import ENGINES, SYSTEM, binding, installed


@runtime_checkable
class PartlyVectorised(Protocol):
    """An environment binding that steps some of its environments many at once."""

    def vectorised(self) -> tuple[str, ...]:
        """Their ids."""
        ...


@dataclass(frozen=True, slots=True)
class ListedSignal:
    """A declared signal: its name, its type as written, what it means."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True, slots=True)
class ListedEnvironment:
    """A declared environment.

    ``usage`` is how a spec names it, with types and defaults; ``ids`` are the environments of the family (empty if
    there is one, or if it is not installed); ``install`` is the command that installs it, None if it is there;
    ``built`` is false for a family that no engine of this version runs; ``vectorised`` are the ids that are stepped
    many at once, as arrays, where others are stepped one after the other.
    """

    name: str
    module: str
    usage: str
    doc: str
    engine: str
    signals: tuple[ListedSignal, ...]
    ids: tuple[str, ...]
    install: str | None
    built: bool = True
    vectorised: tuple[str, ...] = ()


def list_environments(library: Library | None = None) -> tuple[ListedEnvironment, ...]:
    """The environments of the standard library and then its systems, by module and in their order there."""
    library = library or Library()
    found = []
    for name in library.environments():
        scope = library.module_scope(("std", "env", name))
        for symbol_name in scope.names("environment"):
            symbol = scope.lookup(symbol_name)
            if symbol is not None and isinstance(symbol.node, ast.Environment):
                found.append(_listed(symbol.node, f"std.env.{name}"))
    for name in library.systems():
        scope = library.module_scope(("std", "systems", name))
        for symbol_name in scope.names("system"):
            symbol = scope.lookup(symbol_name)
            if symbol is not None and isinstance(symbol.node, ast.System):
                found.append(_listed_system(symbol.node, f"std.systems.{name}"))
    return tuple(found)


def _listed_system(item: ast.System, module: str) -> ListedEnvironment:
    """A declared system: its states and inputs are its signals."""
    signals: list[ListedSignal] = []
    doc = ""
    for part in item.items:
        if isinstance(part, ast.Doc) and not doc:
            doc = " ".join(part.text.split())
        elif isinstance(part, ast.Variables) and part.kind in ("state", "input"):
            before = "action." if part.kind == "input" else ""
            signals += [
                ListedSignal(f"{before}{name}", d.type.span.text, "") for d in part.declarations for name in d.names
            ]
    parameters = ", ".join([*(p.span.text for p in item.parameters), "horizon : int", "init = {...}"])
    there = installed("office")  # which needs no more than an environment of a system does
    return ListedEnvironment(
        name=item.name,
        module=module,
        usage=f"{item.name}({parameters})",
        doc=doc,
        engine=SYSTEM,
        signals=tuple(signals),
        ids=(),
        install=None if there else "pip install agentspec-compiler[train]",
    )


def _listed(item: ast.Environment, module: str) -> ListedEnvironment:
    signals: list[ListedSignal] = []
    doc, engine, fixed = "", "", ""
    for part in item.items:
        if isinstance(part, ast.Doc) and not doc:
            doc = " ".join(part.text.split())
        elif isinstance(part, ast.Signal):
            said = " ".join((part.doc or "").split())
            signals += [ListedSignal(name, part.type.span.text, said) for name in part.names]
        elif isinstance(part, ast.Setting) and part.word == "engine":
            engine, fixed = _engine(part.value)
    row = ENGINES.get(engine)
    there = row is not None and installed(engine)
    ids = (fixed,) if fixed else binding(engine).ids() if there else ()
    return ListedEnvironment(
        name=item.name,
        module=module,
        usage=f"{item.name}({', '.join(p.span.text for p in item.parameters)})",
        doc=doc,
        engine=engine,
        signals=tuple(signals),
        ids=ids,
        install=None if there or row is None else f"pip install agentspec-compiler[{row.extra}]",
        built=row is not None,
        vectorised=_vectorised(engine) if there and not fixed else (),
    )


def _vectorised(engine: str) -> tuple[str, ...]:
    found = binding(engine)
    return found.vectorised() if isinstance(found, PartlyVectorised) else ()


def _engine(value: ast.Expr) -> tuple[str, str]:
    """The engine that is named, and the id if the declaration fixes one."""
    if isinstance(value, ast.Name):
        return value.id, ""
    if not isinstance(value, ast.Call) or not isinstance(value.function, ast.Name):
        return "", ""
    for argument in value.arguments:
        if argument.name == "id" and isinstance(argument.value, ast.String):
            return value.function.id, argument.value.value
    return value.function.id, ""
