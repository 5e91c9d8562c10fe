"""Settings that cannot work together, said before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentc.compiler.settings import Scalar
from agentc.compiler.symmetry import parse

Rule = Callable[[Mapping[str, Scalar]], str | None]


def _number(values: Mapping[str, Scalar], name: str, default: float = 0.0) -> float:
    value = values.get(name, default)
    return float(value) if isinstance(value, int | float) else default


def _data(values: Mapping[str, Scalar]) -> str | None:
    if values.get("data", "x") == "" and "imitation" not in values:
        return "`data` has to name the file of recorded experience that is learned from"
    return None


def _warmup(values: Mapping[str, Scalar]) -> str | None:
    if "warmup" in values and _number(values, "warmup") > _number(values, "steps"):
        return f"`warmup` takes more than the {values['steps']} `steps`: no gradient step would be made"
    return None


def _returns(values: Mapping[str, Scalar]) -> str | None:
    if values.get("replay", "uniform") != "uniform" and _number(values, "n_step", 1) > 1:
        return f"`replay = {values['replay']}` keeps whole episodes step by step, and `n_step` is {values['n_step']}"
    return None


def _group(values: Mapping[str, Scalar]) -> str | None:
    if "minibatches" not in values:
        return None
    size = _number(values, "rollout") * _number(values, "envs") / _number(values, "minibatches", 1)
    if size < 2:
        return f"a minibatch of {size:g} samples: advantages are normalised over it, which takes two at least"
    return None


def _dual(values: Mapping[str, Scalar]) -> str | None:
    if 0.0 < _number(values, "dual_clip") <= 1.0:
        return f"`dual_clip` is {values['dual_clip']}: a bound of 1 or less would cut every bad sample"
    return None


def _epsilon(values: Mapping[str, Scalar]) -> str | None:
    if _number(values, "epsilon_end") > _number(values, "epsilon_start", 1.0):
        return "`epsilon_end` is above `epsilon_start`: exploration would grow"
    return None


def _memory(values: Mapping[str, Scalar]) -> str | None:
    if values.get("history", 0) == 1:
        return "`history` is 1: the present step alone, which is what 0 means"
    return None


def _demonstrations(values: Mapping[str, Scalar]) -> str | None:
    used = [name for name in ("pretrain", "imitation", "imitation_end") if _number(values, name) > 0]
    if not used:
        if "imitation" in values and values.get("data", "") != "":
            return "`data` names demonstrations that nothing uses: `pretrain` or `imitation` would clone them"
        return None
    if values.get("data") == "":
        return f"`{used[0]}` clones demonstrations, and `data` names no file of them"
    if values.get("normalize_observations") is True and _number(values, "pretrain") > 0:
        return "`pretrain` would clone before anything is known of the scale that `normalize_observations` finds"
    return None


def _teacher(values: Mapping[str, Scalar]) -> str | None:
    if values.get("teacher") == "staged" and values.get("stages") == "":
        return "`teacher = staged` goes through the tasks of `stages`, and there are none"
    return None


def _reset(values: Mapping[str, Scalar]) -> str | None:
    if values.get("reset") == "snapshots" and values.get("reset_data") == "":
        return "`reset = snapshots` begins in recorded states, and `reset_data` names no file of them"
    return None


def _box(values: Mapping[str, Scalar]) -> str | None:
    if values.get("box", "") != "" and _number(values, "history") > 0:
        return "`box` reads the present state, and with `history` the policy sees windows"
    return None


def _symmetry(values: Mapping[str, Scalar]) -> str | None:
    text = str(values.get("symmetry", ""))
    if not text:
        return None
    try:
        parse(text)
    except ValueError as error:
        return f"`symmetry` is {text!r}: {error}"
    for name in ("history", "normalize_observations", "privileged"):
        if values.get(name):
            return f"`symmetry` moves the numbers that are seen now, and `{name}` makes others of them"
    return None


def _counterfactual(values: Mapping[str, Scalar]) -> str | None:
    if values.get("counterfactual") is True and _number(values, "history") > 0:
        return "`counterfactual` relabels single steps, and with `history` the policy sees windows"
    return None


def _group_of_one(values: Mapping[str, Scalar]) -> str | None:
    if "group" in values and _number(values, "group") < 2:
        return "a group of one: advantages are normalised over the group, and each would be 0"
    return None


def _workers(values: Mapping[str, Scalar]) -> str | None:
    workers = _number(values, "workers")
    if workers == 0:
        return None
    if workers > _number(values, "envs"):
        return f"`workers` is {workers:g}, and there are {values['envs']} `envs` for them"
    if values.get("tasks", "together") == "each" or values.get("counterfactual") is True:
        return "`workers` have environments of the spec, and this learner reads the table of its reward machines"
    if values.get("replay", "uniform") != "uniform":
        return f"`replay = {values['replay']}` keeps whole episodes, and a worker that dies loses those under way"
    return None


RULES: tuple[Rule, ...] = (
    _data, _warmup, _returns, _group, _dual, _epsilon, _memory, _demonstrations, _teacher, _reset, _box,
    _counterfactual, _symmetry, _group_of_one, _workers,
)  # fmt: skip


def conflicts(values: Mapping[str, Scalar]) -> list[str]:
    """Why the settings of an algorithm cannot work together; none if they can."""
    return [reason for rule in RULES if (reason := rule(values)) is not None]
