"""What writes the steps of a run: a model that is read token by token here; those behind servers in `served_writer`.

Tokens that have no alternative are never sampled: they are read in one pass together with what comes before the next
choice. Where a finite choice is open (the next phase, the tool, a member of an enum) and ``decode { choice exact }`` is
given, the choice is drawn from the model's own distribution over the whole texts, scored in one batched pass: masking
token by token would give each first token the probability of everything that begins with it, legal or not. With
``decode { resample 8 }`` whole steps are drawn like that, one of 8 candidates (:mod:`.resampling`).
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Protocol

import numpy as np

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.choices import exact_choice
from agentc.runtime.llm.decoder import Decoder, Session, Step
from agentc.runtime.llm.models import LanguageModel, Logits, Stream
from agentc.runtime.llm.resampling import resample_step
from agentc.runtime.llm.settings import RunSettings

UNLIMITED = 4_096
"""The most tokens of a run without a limit, which nothing promises to end."""

Show = Callable[[str], None]
"""Shown each piece of text as it is written."""


class StepWriter(Protocol):
    """Writes the agent's steps of one run."""

    tokens: int
    """Tokens that the agent has written."""
    forced: int
    """Of those, tokens that had no alternative."""
    passes: int
    """Passes of the model, or requests."""
    drawn: int
    """Tokens of the model that candidates took, those that were not accepted included."""
    promise: str
    """How the promises are kept: ``by construction`` or ``checked``."""

    def start(self, decoder: Decoder) -> Session:
        """The session of the run. Raises ``AgentcError`` (AS1407) for limits that no run fits."""
        ...

    def begin(self, system: str, user: str) -> None:
        """Read the conversation up to where the agent begins."""
        ...

    def read(self, text: str) -> None:
        """Read what the environment has written."""
        ...

    def write(self, session: Session, show: Show) -> Step | None:
        """Write until a step is finished (its signals are not given yet), or the run has ended."""
        ...


class TokenWriter:
    """A model whose logits are masked; tokens that have no alternative are read in one pass and never sampled."""

    promise = "by construction"

    def __init__(self, model: LanguageModel, settings: RunSettings) -> None:
        """See the class; a run without a limit is broken off after ``UNLIMITED`` tokens (AS1456)."""
        self._model, self._settings = model, settings
        self._randomness = np.random.default_rng(settings.seed)
        self._stream: Stream = model.stream()
        self._logits: Logits = np.zeros(0, np.float32)
        self._unread: list[int] = []
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self.tokens = self.forced = self.passes = self.drawn = 0

    def start(self, decoder: Decoder) -> Session:
        """See :class:`StepWriter`."""
        return decoder.start(self._settings.max_tokens, self._settings.max_steps)

    def begin(self, system: str, user: str) -> None:
        """See :class:`StepWriter`."""
        self._unread = list(self._model.prompt(system, user))

    def read(self, text: str) -> None:
        """See :class:`StepWriter`."""
        self._unread += self._model.vocabulary.spell(text)

    def write(self, session: Session, show: Show) -> Step | None:
        """See :class:`StepWriter`."""
        while True:
            tokens = session.forced() if self._settings.resample == 1 else []
            if tokens:
                self.forced += len(tokens)
            else:
                tokens = self._chosen(session)
            if session.max_tokens is None and session.tokens > UNLIMITED:
                raise AgentcError([report("AS1456", None, limit=UNLIMITED)])
            data = b""
            for token in tokens:
                step = session.advance(token)
                self.tokens = session.tokens
                if session.ended:
                    return None
                self._unread.append(token)
                data += session.decoder.vocabulary.bytes_of[token]
                if step is not None:
                    show(self._text.decode(data))
                    return step
            show(self._text.decode(data))

    def _chosen(self, session: Session) -> list[int]:
        """One token, or one choice of several, as the model has it."""
        if self._unread:
            self.passes += 1
            self._logits = self._stream.read(self._unread)
            self._unread = []
        settings = self._settings
        if settings.resample > 1:
            found = resample_step(
                session, self._stream, self._logits, settings.resample, settings.temperature, self._randomness
            )
            self.passes += found.passes
            self.drawn += found.read
            return found.tokens
        if self._settings.exact and (options := session.options()):
            chosen = exact_choice(self._stream, self._logits, options, self._settings.temperature, self._randomness)
            return list(options[chosen])
        return [self._choose(session, self._logits)]

    def _choose(self, session: Session, logits: Logits) -> int:
        legal = session.legal()
        scores = np.where(legal[: len(logits)], logits[: len(legal)], -np.inf)
        if self._settings.temperature == 0.0:
            return int(np.argmax(scores))
        weights = np.exp((scores - scores.max()) / self._settings.temperature)
        return int(self._randomness.choice(len(weights), p=weights / weights.sum()))
