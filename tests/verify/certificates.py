"""Systematic damage to certificates: what a checker must not accept."""

import copy

from agentc.runtime.verify.certificate import seal


def resealed(document):
    body = {key: value for key, value in document.items() if key != "seal"}
    return {**body, "seal": seal(body)}


def induction_mutants(document, stronger=()):
    """Certificates of k-induction that lack something or claim more; each would prove what is not shown."""
    argument = document["argument"]

    def with_part(part, tokens):
        return {**document, "argument": {**argument, part: tokens}}

    for part in ("base", "step"):
        tokens = argument[part]
        for at, token in enumerate(tokens):
            yield with_part(part, tokens[:at])  # paths are left open
            yield with_part(part, [*tokens[:at], "r", *tokens[at + 1 :]])
            if token == 0:
                yield with_part(part, [*tokens[:at], ["r"], *tokens[at + 1 :]])  # nothing adds up to nothing
                yield with_part(part, [*tokens[:at], ["s", 99, 0], *tokens[at + 1 :]])
            elif token[0] == "r":
                yield with_part(part, [*tokens[:at], ["r"], *tokens[at + 1 :]])
                yield with_part(part, [*tokens[:at], ["r", *token[1:3], 0, -1], *tokens[at + 1 :]])
                yield with_part(part, [*tokens[:at], token[:-1], *tokens[at + 1 :]])
                if len(token) > 3:
                    yield with_part(part, [*tokens[:at], token[:3], *tokens[at + 1 :]])
        yield with_part(part, [*tokens, 0])
        yield with_part(part, {})
    for k in (0, argument["k"] + 1, argument["k"] - 1, "2", True):
        yield {**document, "argument": {**argument, "k": k}}
    yield {**document, "argument": {key: argument[key] for key in ("k", "base")}}
    yield {**document, "claim": {"holds": "everything"}}
    yield {**document, "kind": "model"}
    yield {**document, "kind": "network"}
    yield {**document, "subject": {**document["subject"], "item": 7}}
    yield {**document, "subject": {**document["subject"], "item": "0"}}
    worse = copy.deepcopy(document)
    system = worse["subject"]["agent"]["agent"]["system"]
    most = {v["name"]: v["hi"] for v in system["variables"]}
    for start in system["initial"]["components"][0]["starts"]:
        if start["values"] == [0]:
            start.update(kind="range", values=[0, int(most[start["variable"]])])
    yield worse  # it starts from everywhere
    for before, after in stronger:
        claimed = copy.deepcopy(document)
        for node in claimed["subject"]["agent"]["nodes"]:
            if node.get("value") == before:
                node["value"] = after
        yield claimed  # another bound, which does not hold


def damaged(value):
    """Every copy of a piece of JSON with one element or key left out, or one leaf of another type."""
    if isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
            for inner in damaged(value[key]):
                yield {**value, key: inner}
        yield {**value, "more": 1}
    elif isinstance(value, list):
        for at in range(len(value)):
            yield [*value[:at], *value[at + 1 :]]
            for inner in damaged(value[at]):
                yield [*value[:at], inner, *value[at + 1 :]]
    else:
        yield None
        yield [value]
        if not isinstance(value, str):
            yield str(value)


def mutants_of(document, most=400):
    """Certificates whose argument is damaged in one place each, spread over at most ``most``; sealed anew."""
    found = list(damaged(document["argument"]))
    step = max(1, len(found) // most)
    for argument in found[::step]:
        yield resealed({**document, "argument": argument})
    for part in ("subject", "claim", "argument", "kind"):
        yield resealed({key: value for key, value in document.items() if key != part})
    yield resealed({**document, "claim": {"holds": "everything"}})
    yield resealed({**document, "kind": "belief"})
    yield resealed({**document, "agentc certificate": 2})
    yield {**document, "seal": "sha256:" + "0" * 64}
