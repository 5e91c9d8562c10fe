"""Modules: what ``import`` finds, and the scope of a file.

``std.a.b`` is ``a/b.agentspec`` of the standard library, every other path a file under the root of the project; where
there is none of that name, a model in the PRISM language.
A module exports its definitions (``const param pattern prop region environment system machine``), not its imports
and not its agents.
"""

from __future__ import annotations

import os
from dataclasses import replace

from agentc.lang import ast
from agentc.lang.context import nearest, no_file
from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.lang.scope import Scope, Symbol, SymbolKind
from agentc.lang.source import Source, Span

SUFFIX = ".agentspec"
SUFFIXES = (".prism", ".nm", ".pm")
"""Of files in the PRISM language, which are read as a module with one system (:mod:`agentc.lang.prism`)."""
MAX_BYTES = 4_000_000
"""A module larger than this is not read."""

Path = tuple[str, ...]


class Library:
    """Loads modules and keeps them.

    ``root`` is the folder of the project; without one, only the standard library is there. ``standard`` is the
    folder of the standard library, by default the installed one.
    """

    def __init__(self, root: str | None = None, standard: str | None = None) -> None:
        self.root = os.path.realpath(root) if root is not None else None
        self._standard = standard
        self._modules: dict[Path, Scope] = {}
        self._failed: dict[Path, AgentcError] = {}
        self._loading: list[Path] = []
        self.sources: dict[Path, Source] = {}
        """The text of every module that was read, in the order in which they were."""
        self.diagnostics: list[Diagnostic] = []
        """What was wrong inside of modules; :func:`file_scope` hands it on."""

    @property
    def standard(self) -> str:
        """The folder of the standard library."""
        if self._standard is None:
            import agentc.stdlib

            self._standard = next(iter(agentc.stdlib.__path__))
        return self._standard

    def environments(self) -> list[str]:
        """The names of the modules ``std.env.*``."""
        return self._names(os.path.join(self.standard, "env"))

    def systems(self) -> list[str]:
        """The names of the modules ``std.systems.*``."""
        return self._names(os.path.join(self.standard, "systems"))

    def module_scope(self, path: Path, span: Span | None = None) -> Scope:
        """The symbols that a module exports; ``span`` is where it is asked for.

        Raises AgentcError if there is no such module (AS0210), it lies elsewhere (AS0213), cannot be read (AS0214)
        or imports itself (AS0212).
        """
        found = self._modules.get(path)
        if found is not None:
            return found
        name = ".".join(path)
        if path in self._loading:
            cycle = " -> ".join(".".join(p) for p in (*self._loading[self._loading.index(path) :], path))
            raise AgentcError([report("AS0212", span, cycle=cycle)])
        file = self._file(path, span)
        source = self._read(file, name, span)
        self._loading.append(path)
        try:
            from agentc.lang.parser import parse

            module, found_errors = parse(source)
            self.diagnostics.extend(found_errors)
            scope = _exports(file_scope(module, self, self.diagnostics))
        finally:
            self._loading.pop()
        self.sources[path] = source
        self._modules[path] = scope
        return scope

    def text(self, path: str, span: Span) -> str:
        """The text of a file of the project, by its path from the root. Raises AgentcError (AS1620)."""

        def fail(reason: str) -> AgentcError:
            return AgentcError([report("AS1620", span, path=path, reason=reason)])

        if self.root is None:
            return no_file(path, span)
        try:
            file = os.path.realpath(os.path.join(self.root, path))
            if os.path.commonpath([file, self.root]) != self.root:
                raise fail(f"it does not lie under {self.root}")
            if not os.path.isfile(file):
                raise fail(f"there is no such file under {self.root}")
            if os.path.getsize(file) > MAX_BYTES:
                raise fail("it is larger than 4 MB")
            with open(file, encoding="utf-8") as stream:
                return stream.read()
        except UnicodeDecodeError:
            raise fail("it is not UTF-8 text") from None
        except (OSError, ValueError) as error:
            raise fail(getattr(error, "strerror", None) or "it cannot be opened") from None

    def _file(self, path: Path, span: Span | None) -> str:
        name = ".".join(path)
        standard = path[0] == "std"
        folder = self.standard if standard else self.root
        if folder is None:
            raise AgentcError([report("AS0210", span, name=name, hint="there is no project folder to look in")])
        parts = path[1:] if standard else path
        file = os.path.join(folder, *parts) + SUFFIX
        if parts and not standard and not os.path.isfile(file):
            foreign = [os.path.join(folder, *parts) + suffix for suffix in SUFFIXES]
            file = next((f for f in foreign if os.path.isfile(f)), file)
        if not parts or not os.path.isfile(file):
            place = "the standard library" if standard else f"`{os.path.join(*parts)}{SUFFIX}` under {folder}"
            meant = nearest(name, self._candidates(path))
            hint = f"looked in {place}"
            beside = self._names(os.path.join(folder, *parts[:-1])) if standard and parts[1:] else []
            if beside:  # a package of the library: few modules, and the one that is meant may be named otherwise
                hint = f"`{'.'.join(path[:-1])}` has {', '.join(f'`{n}`' for n in beside)}"
            raise AgentcError([report("AS0210", span, name=name, hint=hint, suggestion=meant)])
        real, home = os.path.realpath(file), os.path.realpath(folder)
        if os.path.commonpath([real, home]) != home:
            raise AgentcError([report("AS0213", span, name=name, root=folder)])
        return file

    def _read(self, file: str, name: str, span: Span | None) -> Source:
        try:
            if os.path.getsize(file) > MAX_BYTES:
                raise AgentcError([report("AS0214", span, name=name, reason="it is larger than 4 MB")])
            with open(file, encoding="utf-8") as stream:
                found = Source(_shown(file), stream.read())
            if file.endswith(SUFFIX):
                return found
            from agentc.lang.prism import system_text

            text = system_text(found, name.rpartition(".")[2])
            return Source(f"{found.name} (read as a system)", text)
        except UnicodeDecodeError:
            raise AgentcError([report("AS0214", span, name=name, reason="it is not UTF-8 text")]) from None
        except OSError as error:
            reason = error.strerror or "it cannot be opened"
            raise AgentcError([report("AS0214", span, name=name, reason=reason)]) from None

    def _candidates(self, path: Path) -> list[str]:
        """Modules with names like ``path``."""
        found = [f"std.{name}" for name in self._names(self.standard)]
        for folder in ("env", "agents", "systems", "recipes"):
            found += [f"std.{folder}.{name}" for name in self._names(os.path.join(self.standard, folder))]
        if self.root is not None:
            for depth in range(len(path)):
                prefix = path[:depth]
                found += [".".join((*prefix, name)) for name in self._names(os.path.join(self.root, *prefix))]
        return found

    def _names(self, folder: str) -> list[str]:
        try:
            return sorted(f.removesuffix(SUFFIX) for f in os.listdir(folder) if f.endswith(SUFFIX))
        except OSError:
            return []


def _shown(file: str) -> str:
    """The file as a path from the current folder where it lies below, else in full."""
    here = os.getcwd()
    relative = os.path.relpath(file, here)
    return file if relative.startswith("..") else relative


def _exports(scope: Scope) -> Scope:
    return Scope(symbols={name: s for name, s in scope.symbols.items() if s.imported is None})


# ---------------------------------------------------------------- the scope of a file


def file_scope(module: ast.Module, library: Library, diagnostics: list[Diagnostic]) -> Scope:
    """The scope of a file: its imports and its own definitions. Agents are not in it.

    The bodies of the definitions are not looked at; :meth:`agentc.lang.elaborate.Elaborator.definition` does.
    """
    scope = Scope()
    for item in module.items:
        if isinstance(item, ast.Import):
            diagnostics.extend(_import(item, scope, library))
            diagnostics.extend(library.diagnostics if library.diagnostics is not diagnostics else ())
            if library.diagnostics is not diagnostics:
                library.diagnostics.clear()
        else:
            diagnostics.extend(declare(item, scope))
    return scope


def declare(item: ast.Item, scope: Scope) -> list[Diagnostic]:
    """Declare the name of a definition in a scope; items that define nothing are passed over.

    Names of items that could not be parsed are declared as well, so that their uses are not reported; where it
    cannot be told what such an item declares, the scope becomes lenient.
    """
    symbols: list[Symbol] = []
    match item:
        case ast.ErrorItem():
            names = item.names or _declared_names(item.span.text)
            scope.lenient = scope.lenient or not names
            symbols = [Symbol(name, "error") for name in names]
        case ast.Constant():
            kind: SymbolKind = "param" if item.is_param else "const"
            symbols = [Symbol(item.name, kind, None, item.name_span, item, scope)]
        case ast.FormulaItem():
            if item.name is not None:
                symbols = [Symbol(item.name, item.role, None, item.name_span, item, scope)]
        case ast.Machine():
            if item.name is not None:
                symbols = [Symbol(item.name, "machine", None, item.name_span, item, scope)]
        case ast.Pattern() | ast.Proposition() | ast.RegionItem() | ast.Environment() | ast.System() | ast.Recipe():
            symbols = [Symbol(item.name, _KINDS[type(item)], None, item.name_span, item, scope)]
    found = (scope.define(symbol) for symbol in symbols)
    return [d for d in found if d is not None]


def _declared_names(text: str) -> list[str]:
    """The names that a broken item would declare, as far as it is ``word name = ...`` or ``word a, b : ...``."""
    head, sign, _ = text.partition("=")
    if ":" in head:
        head, sign, _ = head.partition(":")
    words = head.replace(",", " , ").split()
    names, commas = words[1::2], words[2::2]
    whole = bool(sign) and bool(names) and all(n.isidentifier() for n in (words[0], *names))
    return names if whole and all(c == "," for c in commas) else []


_KINDS: dict[type[ast.Item], SymbolKind] = {
    ast.Pattern: "pattern", ast.Proposition: "prop", ast.RegionItem: "region", ast.Environment: "environment",
    ast.System: "system", ast.Recipe: "recipe",
}  # fmt: skip


def _import(item: ast.Import, scope: Scope, library: Library) -> list[Diagnostic]:
    """Declare what an import brings; of an import that fails, its names, so that their uses are not reported."""
    bound = [(n, n.alias or n.name, n.alias_span or n.name_span) for n in item.names or ()]
    try:
        exports = library.module_scope(item.path, item.path_span)
    except AgentcError as error:
        names = [alias for _, alias, _ in bound] if item.names is not None else [item.alias or item.path[-1]]
        for name in names:
            scope.symbols.setdefault(name, Symbol(name, "error"))
        return list(error.diagnostics)
    found: list[Diagnostic | None] = []
    if item.names is None:
        name, span = item.alias or item.path[-1], item.alias_span or item.path_span
        same = exports.symbols.get(item.path[-1])
        if same is not None and same.kind in ("environment", "system"):
            symbol = replace(same, name=name, exports=exports, imported=span)
        else:
            symbol = Symbol(name, "module", None, span, item, exports=exports, imported=span)
        found.append(scope.define(symbol))
    for written, alias, span in bound:
        exported = exports.symbols.get(written.name)
        if exported is None:
            known = list(exports.symbols)
            meant = nearest(written.name, known)
            found.append(
                report(
                    "AS0211",
                    written.name_span,
                    module=".".join(item.path),
                    name=written.name,
                    known=", ".join(known[:8]) + (", ..." if len(known) > 8 else "") if known else "no definitions",
                    suggestion=meant,
                )
            )
            for silent in (alias, meant or alias):  # the rest of the file may use either
                scope.symbols.setdefault(silent, Symbol(silent, "error"))
        else:
            found.append(scope.define(replace(exported, name=alias, imported=span)))
    return [d for d in found if d is not None]
