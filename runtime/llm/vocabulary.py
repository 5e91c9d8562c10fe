"""The tokens of a tokenizer as bytes, and as the grammar engine wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.decoder.bytes_automaton import DEAD, ByteAutomaton

if TYPE_CHECKING:
    from llguidance import LLTokenizer

SLICES = (
    r'[^"\\\x00-\x1F\x7F]{1,10}', r'[^"\\\x00-\x1F\x7F]{1,30}', r'[^"\\\x00-\x1F\x7F]+', r"[^\n]{1,30}", r"[^\n]+",
)  # fmt: skip
"""Sets of tokens that are allowed together inside of a JSON string, and inside of a line of text."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """All tokens of a tokenizer.

    ``bytes_of[i]`` is what token ``i`` writes, empty for a special token. ``eos`` ends a reply; it may be the padding
    token too. ``size`` is the width of the model's logits, which may be larger than the number of tokens.
    """

    bytes_of: tuple[bytes, ...]
    eos: int
    engine: LLTokenizer
    size: int

    @staticmethod
    def of(tokenizer: Any, size: int | None = None) -> Vocabulary:
        """The vocabulary of a fast tokenizer of ``transformers``; ``size`` as above, by default the tokenizer's."""
        import llguidance.hf

        engine = llguidance.hf.from_tokenizer(tokenizer, n_vocab=size, eos_token=tokenizer.eos_token_id)
        return Vocabulary._of_engine(engine.with_slices(list(SLICES)), int(tokenizer.eos_token_id))

    @staticmethod
    def of_bytes() -> Vocabulary:
        """A vocabulary with one token for each byte, for tests and for models of bytes."""
        from llguidance import LLTokenizer

        engine = LLTokenizer("byte", slices=list(SLICES))
        return Vocabulary._of_engine(engine, engine.eos_token)

    @staticmethod
    def of_tokens(tokens: Sequence[bytes], eos: int) -> Vocabulary:
        """A vocabulary from its tokens; ``tokens[eos]`` is ignored. Texts are split greedily."""
        from llguidance import LLTokenizer, TokenizerWrapper

        wrapped = TokenizerWrapper(_Greedy(tokens, eos))
        return Vocabulary._of_engine(LLTokenizer(wrapped, slices=list(SLICES)), eos)

    @staticmethod
    def _of_engine(engine: LLTokenizer, eos: int) -> Vocabulary:
        found = tuple(
            b"" if engine.is_special_token(i) else engine.decode_bytes([i]) for i in range(engine.vocab_size)
        )
        return Vocabulary(found, eos, engine, engine.vocab_size)

    @cached_property
    def lengths(self) -> NDArray[np.intp]:
        """The bytes of each token."""
        return np.array([len(b) for b in self.bytes_of], np.intp)

    @cached_property
    def _columns(self) -> list[tuple[NDArray[np.intp], NDArray[np.uint8]]]:
        """For each position in a token, the tokens that are longer than it with their byte there."""
        found = []
        for k in range(int(self.lengths.max())):
            rows = np.flatnonzero(self.lengths > k)
            found.append((rows, np.array([self.bytes_of[i][k] for i in rows], np.uint8)))
        return found

    def advance(self, automaton: ByteAutomaton, state: int) -> NDArray[np.int32]:
        """The state after each token, ``DEAD`` where a token cannot follow (special tokens cannot)."""
        at = np.full(self.size, DEAD, np.int32)
        if not automaton.size:
            return at
        at[self.lengths > 0] = state
        for rows, column in self._columns:
            here = at[rows]
            alive = here != DEAD
            rows, column, here = rows[alive], column[alive], here[alive]
            at[rows] = automaton.next[here, column]
        return at

    def spell(self, text: str) -> list[int]:
        """The tokens of a text."""
        return list(self.engine.tokenize_str(text))

    def spell_bytes(self, data: bytes) -> list[int]:
        """The tokens of a text, as its bytes: it may end inside of a character."""
        return list(self.engine.tokenize_bytes(data))

    def unspellable(self) -> bytes:
        """The bytes that no token writes alone."""
        single = {b[0] for b in self.bytes_of if len(b) == 1}
        return bytes(b for b in range(256) if b not in single)


class _Greedy:
    """What the engine asks of a tokenizer: tokens as bytes, and a text as tokens."""

    def __init__(self, tokens: Sequence[bytes], eos: int) -> None:
        self.eos_token_id, self.bos_token_id = eos, None
        self.tokens = [b"" if i == eos else t for i, t in enumerate(tokens)]
        self.special_token_ids = [eos]
        self._ids = {t: i for i, t in enumerate(self.tokens) if t}
        self._longest = max(map(len, self.tokens))

    def __call__(self, text: str | bytes) -> list[int]:
        data = text.encode() if isinstance(text, str) else text
        found = []
        while data:
            for n in range(min(self._longest, len(data)), 0, -1):
                token = self._ids.get(data[:n])
                if token is not None:
                    found.append(token)
                    data = data[n:]
                    break
            else:
                data = data[1:]
        return found
