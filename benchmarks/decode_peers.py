"""Other engines on the texts of the decoder's benchmark: xgrammar and outlines-core at their best settings.

Each gets one regex for each phase, without the promises that ours keeps (what was seen, what may follow, budgets), so
theirs is the easier task. xgrammar compiles on one thread, without its cache; outlines-core builds its whole index
beforehand. Both fill a bit mask and take the token, as llguidance does.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

CHARACTER = r'([^"\\\x00-\x1f]|\\["\\bfnrt])'
REGEXES: Mapping[str, str] = {
    "thought": r"Thought: [^\n]*\n",
    "action": rf'Action: (search \{{"query": "{CHARACTER}{{1,80}}"\}}|finish \{{"answer": "{CHARACTER}{{1,60}}"\}})\n',
}
"""What the phases of ``specs/researcher.agentspec`` may hold."""


@dataclass(frozen=True)
class Peer:
    """An engine: what compiling took (CPU seconds), and a function that starts a phase; that gives mask and advance."""

    name: str
    compiled: float
    start: Callable[[str], tuple[Callable[[], None], Callable[[int], bool]]]


def peers(tokenizer: Any, size: int) -> tuple[list[Peer], list[str]]:
    """The engines that are installed, and the names of those that are not."""
    found, missing = [], []
    for name, make in (("xgrammar", _xgrammar), ("outlines-core", _outlines)):
        try:
            found.append(make(tokenizer, size))
        except ImportError:
            missing.append(name)
    return found, missing


def _xgrammar(tokenizer: Any, size: int) -> Peer:
    xgrammar: Any = importlib.import_module("xgrammar")
    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=size)
    compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
    begin = time.process_time()
    compiled = {phase: compiler.compile_regex(regex) for phase, regex in REGEXES.items()}
    seconds = time.process_time() - begin
    mask = xgrammar.allocate_token_bitmask(1, size)

    def start(phase: str) -> tuple[Callable[[], None], Callable[[int], bool]]:
        matcher = xgrammar.GrammarMatcher(compiled[phase])
        return lambda: matcher.fill_next_token_bitmask(mask), matcher.accept_token

    return Peer("xgrammar", seconds, start)


def _outlines(tokenizer: Any, size: int) -> Peer:
    core: Any = importlib.import_module("outlines_core")
    words: dict[bytes, list[int]] = {}
    backend: Any = importlib.import_module("llguidance.hf").from_tokenizer(tokenizer, n_vocab=size)
    for token in range(size):
        if not backend.is_special_token(token):
            words.setdefault(backend.decode_bytes([token]), []).append(token)
    vocabulary = core.Vocabulary(int(tokenizer.eos_token_id), words)
    begin = time.process_time()
    indices = {phase: core.Index(regex, vocabulary) for phase, regex in REGEXES.items()}
    seconds = time.process_time() - begin
    mask = np.zeros((size + 31) // 32, np.int32)  # written by its address, so it has to be kept
    address = mask.ctypes.data

    def start(phase: str) -> tuple[Callable[[], None], Callable[[int], bool]]:
        guide = core.Guide(indices[phase])

        def advance(token: int) -> bool:
            guide.advance(token, False)
            return True

        return lambda: guide.write_mask_into(address, mask.size, mask.itemsize), advance

    return Peer("outlines-core", seconds, start)
