"""What a backend is: a name, the fragment that it does, and what it makes of an agent.

A backend is one file in this folder and one row of ``BUILT_IN``; another package adds its own with
:func:`register`. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agentc.compiler.agent import AgentIR
from agentc.compiler.logic.fragments import Fragment, outside
from agentc.lang.diagnostics import Diagnostic
from agentc.lang.source import Span


@dataclass(frozen=True)
class Artifact:
    """One file of a bundle: its path inside, and its text (deterministic, ends with a newline)."""

    path: str
    text: str


@dataclass(frozen=True)
class Emission:
    """What a backend made of an agent, and what it has to say about it."""

    artifacts: tuple[Artifact, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


@runtime_checkable
class Backend(Protocol):
    """Turns the meaning of an agent into artifacts."""

    @property
    def name(self) -> str:
        """The name that diagnostics call it by."""
        ...

    @property
    def does(self) -> Fragment:
        """The fragment of formulas that it does."""
        ...

    def accepts(self, fragment: Fragment, span: Span | None = None) -> tuple[Diagnostic, ...]:
        """What it cannot do of a fragment: one diagnostic per operator that is outside, none if it does it all."""
        ...

    def emit(self, agent: AgentIR) -> Emission:
        """The artifacts for an agent. Raises ``AgentcError`` if a formula is outside its fragment or over budget."""
        ...


BUILT_IN = {
    "automaton": "agentc.compiler.backends.automaton:AutomatonBackend",
    "monitor": "agentc.compiler.backends.monitor:MonitorBackend",
    "decoder": "agentc.compiler.backends.decoder:DecoderBackend",
    "reward": "agentc.compiler.backends.reward_compilation:RewardBackend",
    "game": "agentc.compiler.backends.game:GameBackend",
    "subgoals": "agentc.compiler.backends.subgoals:SubgoalsBackend",
}
"""The backends that come with the compiler: name to ``module:class``."""

_registered: dict[str, Backend] = {}


def register(backend: Backend) -> None:
    """Add a backend of one's own. Raises ``ValueError`` if its name is taken."""
    if backend.name in BUILT_IN or backend.name in _registered:
        raise ValueError(f"there already is a backend named {backend.name!r}")
    _registered[backend.name] = backend


def backends() -> dict[str, Backend]:
    """All backends by name, the built-in ones first."""
    return {name: backend(name) for name in (*BUILT_IN, *_registered)}


def backend(name: str) -> Backend:
    """The backend of that name. Raises ``KeyError``."""
    if name in _registered:
        return _registered[name]
    module, _, attribute = BUILT_IN[name].partition(":")
    made = getattr(importlib.import_module(module), attribute)()
    assert isinstance(made, Backend)
    return made


def refused(name: str, does: Fragment, used: Fragment, span: Span | None = None) -> tuple[Diagnostic, ...]:
    """The diagnostics of :meth:`Backend.accepts` for a backend that does ``does``."""
    if used <= does:
        return ()
    others = {other.name: other.does for other in backends().values()}
    return outside(used, name, does, others, span)
