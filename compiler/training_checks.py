"""Settings that cannot work together, said before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentc.compiler.training_config import Scalar

Rule = Callable[[Mapping[str, Scalar]], str | None]


def _number(values: Mapping[str, Scalar], name: str, default: float = 0.0) -> float:
    value = values.get(name, default)
    return float(value) if isinstance(value, int | float) else default


def _data(values: Mapping[str, Scalar]) -> str | None:
    if values.get("data", "x") == "":
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


RULES: tuple[Rule, ...] = (_data, _warmup, _returns, _group, _dual, _epsilon, _memory)


def conflicts(values: Mapping[str, Scalar]) -> list[str]:
    """Why the settings of an algorithm cannot work together; none if they can."""
    return [reason for rule in RULES if (reason := rule(values)) is not None]
