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
