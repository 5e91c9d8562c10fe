"""A language model whose logits are a fixed random function of the last tokens read."""

import numpy as np


class RandomModel:
    def __init__(self, vocabulary, seed=0, memory=3):
        self.name, self.vocabulary, self.seed, self.memory = "random", vocabulary, seed, memory
        self.passes = 0

    def prompt(self, system, user):
        return self.vocabulary.spell(f"{system}\n{user}\n")

    def stream(self):
        return RandomStream(self, ())


class RandomStream:
    def __init__(self, model, tokens):
        self.model, self.tokens = model, tokens

    @property
    def length(self):
        return len(self.tokens)

    def after(self, tokens):
        key = [self.model.seed, *(t + 1 for t in tokens[-self.model.memory :])]
        return np.random.default_rng(key).normal(scale=2.0, size=self.model.vocabulary.size).astype(np.float32)

    def read(self, tokens):
        self.model.passes += 1
        self.tokens = (*self.tokens, *tokens)
        return self.after(self.tokens)

    def score(self, options):
        found = []
        for option in options:
            total = 0.0
            for k in range(1, len(option)):
                logits = self.after((*self.tokens, *option[:k])).astype(np.float64)
                total += logits[option[k]] - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
            found.append(total)
        return found

    def fork(self):
        return RandomStream(self.model, self.tokens)
