"""The decoder as a logits processor: what ``generate`` of ``transformers`` (and ``outlines``) calls at every token.

It keeps no state of its own that a caller could get out of step with: the state follows from the tokens behind the
prompt, so that batches, beams, continuation and reuse all work. What is remembered from one call to the next only saves
reading the same tokens again. Generation stops with the end token where the run ends and where the environment is next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from agentc.runtime.llm.decoder import Session

_Key = tuple[int, tuple[int, ...]]
"""Which prompt, and the tokens behind it."""


class PhaseLogitsProcessor:
    """Masks the logits of a batch so that every row keeps the agent's promises.

    Args:
        sessions: where each prompt of the batch stands; one for all, or one per prompt. They are not changed.
        prompt_length: how many tokens of ``input_ids`` are prompt (padded on the left to one length). Without it, all
            of them at the first call, and at the first one after :meth:`reset`.

    With beams or several samples per prompt there are several rows for each session, in the order of the prompts.
    """

    def __init__(self, sessions: Session | Sequence[Session], prompt_length: int | None = None) -> None:
        self._starts = [sessions] if isinstance(sessions, Session) else list(sessions)
        self._given = self._prompt_length = prompt_length
        self._known: dict[_Key, Session] = {}

    def reset(self) -> None:
        """Forget what was read, as ``outlines`` asks for before each generation."""
        self._prompt_length = self._given
        self._known = {}

    def process_logits(self, input_ids: Any, logits: Any) -> Any:
        """The same as a call, by the name that ``outlines`` has for it."""
        return self(input_ids, logits)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The scores ``(rows, vocabulary)`` with ``-inf`` for every token that is not legal in its row."""
        import torch

        if self._prompt_length is None:  # the first call of a generation sees the prompt alone
            self._prompt_length = int(input_ids.shape[1])
        rows = input_ids[:, self._prompt_length :].tolist()
        each = len(rows) // len(self._starts)
        if each * len(self._starts) != len(rows):
            raise ValueError(f"{len(rows)} rows do not belong to {len(self._starts)} sessions")
        width = scores.shape[1]
        legal = np.zeros((len(rows), width), np.bool_)
        keys = [(i // each, tuple(row)) for i, row in enumerate(rows)]
        children = Counter((prompt, tokens[:-1]) for prompt, tokens in dict.fromkeys(keys))
        after: dict[_Key, Session] = {}
        for i, key in enumerate(keys):
            session = after.get(key)
            if session is None:
                before = (key[0], key[1][:-1])
                children[before] -= 1
                session = after[key] = self._session(key, keep=children[before] > 0)
            found = self.legal(session)
            legal[i, : min(width, len(found))] = found[:width]
        self._known = after
        return scores.masked_fill(torch.from_numpy(~legal).to(scores.device), float("-inf"))

    def session(self, row: Sequence[int], prompt: int = 0) -> Session:
        """The session after the tokens of a row, the prompt left out; tokens behind the end are ignored."""
        return self._session((prompt, tuple(int(t) for t in row)))

    def _session(self, key: _Key, keep: bool = True) -> Session:
        """The session after a prompt and tokens; unless it is to be kept, that of one token less is gone afterwards."""
        prompt, tokens = key
        known = self._known.get(key)
        if known is not None:
            return known
        before = self._known.get((prompt, tokens[:-1])) if tokens else None
        if before is not None and not keep:
            session = self._known.pop((prompt, tokens[:-1]))
        else:
            session = (self._starts[prompt] if before is None else before).fork()
        for token in tokens if before is None else tokens[-1:]:
            if not stopped(session):
                session.advance(token)
        return session

    @staticmethod
    def legal(session: Session) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """The legal tokens of a session, the end token alone where generation has to stop."""
        if not stopped(session):
            return session.legal()
        found = np.zeros(session.decoder.vocabulary.size, np.bool_)
        found[session.decoder.vocabulary.eos] = True
        return found


def stopped(session: Session) -> bool:
    """Whether the agent writes nothing now: the run has ended, or it is the environment's turn."""
    return session.ended or bool(session.answering) or session.waiting is not None
