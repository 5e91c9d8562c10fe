"""Modules: what ``import`` finds, and the scope of a file."""

from __future__ import annotations

from agentc.lang import ast
from agentc.lang.diagnostics import Diagnostic
from agentc.lang.scope import Scope


class Library:
    """Loads modules and keeps them: ``std.*`` from the standard library, all others from under the root."""

    def __init__(self, root: str | None = None, standard: str | None = None) -> None:
        self.root, self.standard = root, standard

    def module_scope(self, path: tuple[str, ...]) -> Scope:
        """The symbols that a module exports. Raises AgentcError if it cannot be had."""
        raise NotImplementedError


def file_scope(module: ast.Module, library: Library, diagnostics: list[Diagnostic]) -> Scope:
    """The scope of a file: its imports and its own definitions. Agents are not in it."""
    raise NotImplementedError
