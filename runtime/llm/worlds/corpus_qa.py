"""Questions whose answers stand in a small corpus: search it, look further, finish with an answer.

The corpus is the project's own (``stdlib/env/corpus_qa.json``). ``search`` returns the passage that shares most words
with the query, by inverse document frequency; ``lookup`` the sentences of the last passage that hold a word.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np

from agentc.compiler.logic.ir import Value
from agentc.runtime.llm.decoder import Step
from agentc.runtime.llm.tools import Function

NOTHING_FOUND = "nothing was found"


class CorpusQA:
    """One question an episode, drawn from ``split`` (``train`` or ``test``) by the seed."""

    def __init__(self, split: str = "train") -> None:
        data = json.loads((files("agentc.stdlib.env") / "corpus_qa.json").read_text(encoding="utf-8"))
        self.passages: list[tuple[str, str]] = [(p["title"], p["text"]) for p in data["passages"]]
        self.questions = [q for q in data["questions"] if q["split"] == split]
        self._words = [Counter(_words(f"{title} {text}")) for title, text in self.passages]
        found = Counter(w for words in self._words for w in words)
        self._weight = {w: math.log(1 + len(self.passages) / n) for w, n in found.items()}
        self.question: Mapping[str, str] = self.questions[0]
        self._passage = ""
        self._given: str | None = None

    def reset(self, seed: int) -> str:
        """The question."""
        self.question = self.questions[int(np.random.default_rng(seed).integers(len(self.questions)))]
        self._passage, self._given = "", None
        return self.question["question"]

    @property
    def tools(self) -> Mapping[str, Function]:
        """``search``, ``lookup`` and ``finish``."""
        return {"search": self.search, "lookup": self.lookup, "finish": self.finish}

    def search(self, query: str) -> str:
        """The passage that shares most with the query."""
        wanted = set(_words(query))
        scores = [sum(self._weight[w] for w in words if w in wanted) for words in self._words]
        best = int(np.argmax(scores))
        if scores[best] == 0.0:
            return NOTHING_FOUND
        self._passage = self.passages[best][1]
        return self._passage

    def lookup(self, word: str) -> str:
        """The sentences of the latest passage that hold a word."""
        sentences = re.split(r"(?<=[.]) ", self._passage)
        return " ".join(s for s in sentences if word.lower() in s.lower()) or NOTHING_FOUND

    def finish(self, answer: str) -> str:
        """Give the answer."""
        self._given = answer
        return "thank you"

    def signals(self, step: Step) -> Mapping[str, Value]:
        """``correct``: whether this step gives the expected answer, whatever its case and articles."""
        given: Any = step.arguments.get("answer") if step.tool == "finish" else None
        return {"correct": given is not None and self._expected(str(given)), "title": self._title()}

    @property
    def ended(self) -> bool:
        """Whether an answer was given."""
        return self._given is not None

    @property
    def solved(self) -> bool:
        """Whether the expected answer was given."""
        return self._given is not None and self._expected(self._given)

    def snapshot(self) -> tuple[Mapping[str, str], str, str | None]:
        """The question, the latest passage, and the answer that was given."""
        return self.question, self._passage, self._given

    def restore(self, snapshot: tuple[Mapping[str, str], str, str | None]) -> None:
        """Go back to a snapshot."""
        self.question, self._passage, self._given = snapshot

    def _expected(self, answer: str) -> bool:
        return _plain(answer) == _plain(self.question["answer"])

    def _title(self) -> str:
        return next((title for title, text in self.passages if text == self._passage), "")


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _plain(text: str) -> list[str]:
    return [w for w in _words(text) if w not in ("a", "an", "the")]
