"""What a language-model agent writes, as plain data: phases, tools, model, prompts, decoding.

A step of such an agent's trace is one completed phase. A phase that ``result`` generates is the environment's, all
others are the agent's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from agentc.compiler.logic.ir import Formula, Value
from agentc.lang.records import dataclass
from agentc.lang.source import Source, Span

Setting = Value | tuple["Setting", ...] | Mapping[str, "Setting"]
"""A value of a record of settings."""


@dataclass(frozen=True, slots=True)
class GeneratorIR:
    """One way in which a phase is written.

    ======================  ==========================================================================
    ``text``                free text until ``until`` (not written by the model if None), at most ``max_tokens``
    ``call``                a call of one of the tools ``names``
    ``result``              what the environment answers to the phase ``names[0]``
    ``regex``               text that matches ``texts[0]`` as a whole
    ``choice``              one of ``texts``
    ``json``, ``grammar``   a JSON Schema, a Lark grammar: its file (empty for none) and its text
    ======================  ==========================================================================
    """

    kind: Literal["text", "call", "result", "regex", "choice", "json", "grammar"]
    names: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    until: str | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class PhaseIR:
    """A phase: its generators are met together, and ``where`` holds of what was written."""

    name: str
    generators: tuple[GeneratorIR, ...]
    where: Formula | None = None
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def answers(self) -> str | None:
        """The phase whose calls this one answers; None if the agent writes it."""
        return next((g.names[0] for g in self.generators if g.kind == "result"), None)

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools that may be called in it."""
        return next((g.names for g in self.generators if g.kind == "call"), ())


@dataclass(frozen=True, slots=True)
class ArgumentIR:
    """A parameter of a tool, or the type of its result (then without a name); ranges as in ``SignalIR``."""

    name: str
    kind: Literal["bool", "int", "real", "enum", "text", "vector"]
    members: tuple[str, ...] = ()
    lo: float | None = None
    hi: float | None = None
    size: tuple[int, int | None] | None = None
    default: Value = None
    content: GeneratorIR | None = None
    """What a text may be (``regex``, ``choice``, ``json``, ``grammar``); of ``json`` it is a JSON value by itself."""


@dataclass(frozen=True, slots=True)
class ToolIR:
    """A tool: typed arguments, the type of its result, settings such as ``timeout`` and ``irreversible``."""

    name: str
    arguments: tuple[ArgumentIR, ...]
    returns: ArgumentIR | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PromptIR:
    """A text that a model reads before it begins; ``system`` is the unnamed one. ``file`` is where it was read from."""

    name: str
    text: str
    file: str | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


def content_files(writer: WriterIR) -> tuple[Source, ...]:
    """The files of schemas, grammars and prompts that an agent reads, each once."""
    generators = [g for p in writer.phases for g in p.generators]
    generators += [a.content for t in writer.tools for a in t.arguments if a.content is not None]
    files = [(g.texts[0], g.texts[1]) for g in generators if g.kind in ("json", "grammar") and g.texts[0]]
    files += [(p.file, p.text) for p in writer.texts if p.file is not None]
    return tuple(Source(path, text) for path, text in dict(files).items())


@dataclass(frozen=True, slots=True)
class WriterIR:
    """All that a language-model agent is beside its formulas."""

    model: str | None
    phases: tuple[PhaseIR, ...]
    tools: tuple[ToolIR, ...]
    texts: tuple[PromptIR, ...] = ()
    settings: Mapping[str, Setting] = field(default_factory=dict)
    decode: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def prompts(self) -> Mapping[str, str]:
        """The texts of the prompts by name."""
        return {p.name: p.text for p in self.texts}

    def phase(self, name: str) -> PhaseIR:
        """The phase of that name. Raises ``KeyError``."""
        for item in self.phases:
            if item.name == name:
                return item
        raise KeyError(name)

    def tool(self, name: str) -> ToolIR:
        """The tool of that name. Raises ``KeyError``."""
        for item in self.tools:
            if item.name == name:
                return item
        raise KeyError(name)
