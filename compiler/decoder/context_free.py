"""Content that is not regular: rules of the grammar engine.

Such content has no byte automaton, so nothing that needs one: no budget of tokens, no promise that is kept inside of
it, no intersection. What is written is still what the grammar allows, token by token.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentc.compiler.decoder.regular import Language


@dataclass(frozen=True)
class ContextFree:
    """Rules in the engine's dialect of Lark, and the symbol that they begin with; ``why`` they are not regular."""

    start: str
    rules: str
    why: str


Content = Language | ContextFree
"""What may be written at one place."""
