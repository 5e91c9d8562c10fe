"""A rollout as a filmstrip: pictures of the steps that matter, with what the monitors said under each."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.evaluate import Actor, Fitted, Remembering
from agentc.runtime.learn.seeding import evaluation_seeds
from agentc.runtime.learn.trajectory import parts
from agentc.runtime.report.page import Frame
from agentc.runtime.shield import ShieldTable
from agentc.runtime.spec_env import SpecEnv

MAX_FRAMES = 16
MAX_SIDE = 220
"""Pixels of the longer side of a picture."""


def film(
    compiled: CompiledAgent, actor: Actor, *, seed: int, render: bool = True, shield: ShieldTable | None = None
) -> tuple[Frame, ...]:
    """The frames of one fresh episode: its ends, the steps where a verdict or a proposition changed, and some between.

    Environments that draw nothing get their valuation as text.
    """
    spec, env = opened(compiled, actor, render=render, shield=shield)
    try:
        (episode_seed,) = evaluation_seeds(seed, 1)
        frames: list[Frame] = []
        for step, said in enumerate(played(env, actor, episode_seed)):
            frames.append(_frame(spec, step, said, frames[-1] if frames else None))
        return _chosen(frames)
    finally:
        env.close()


def opened(
    compiled: CompiledAgent, actor: Actor, *, render: bool, shield: ShieldTable | None = None
) -> tuple[SpecEnv, gymnasium.Env[Any, Any]]:
    """The environment of an agent, and the same as the actor sees it, which is to be closed.

    Raises :class:`AgentcError` if it cannot be made, or if the actor is for another.
    """
    spec = SpecEnv.make(compiled, render_mode="rgb_array" if render else None, shield=shield)
    env: gymnasium.Env[Any, Any] = actor.within(spec) if isinstance(actor, Remembering) else spec
    if isinstance(actor, Fitted):
        try:
            actor.check_spaces(env.observation_space, env.action_space)
        except AgentcError:
            env.close()
            raise
    return spec, env


def played(
    env: gymnasium.Env[Any, Any], actor: Actor, episode_seed: int, *, deterministic: bool = False
) -> Iterator[Mapping[str, Any]]:
    """An episode as an evaluation plays it: ``info["agentc"]`` of the reset and of every step."""
    randomness = None if deterministic else np.random.default_rng([episode_seed, 5])
    first = int(getattr(env.action_space, "start", 0))
    discrete = hasattr(env.action_space, "n")
    observation, info = env.reset(seed=episode_seed)
    yield info["agentc"]
    done = False
    while not done:
        mask = info.get("action_mask")
        batch = {key: np.asarray(a)[None] for key, a in parts(observation).items()}
        row = actor.act(batch, None if mask is None else np.asarray(mask, np.bool_)[None], randomness)[0]
        observation, _, terminated, truncated, info = env.step(int(row) + first if discrete else row)
        done = terminated or truncated
        yield info["agentc"]


def verdicts_of(said: Mapping[str, Any]) -> dict[str, str]:
    """What the monitors say of every formula, at the end where only that is known."""
    return dict(said["verdicts"] or _in_the_end(said))


def _frame(env: SpecEnv, step: int, said: Mapping[str, Any], before: Frame | None) -> Frame:
    picture = env.render() if env.render_mode == "rgb_array" else None
    verdicts = [f"{name}: {verdict}" for name, verdict in verdicts_of(said).items()]
    held = [name for name, truth in said["labels"].items() if truth]
    lines = (*verdicts, *([", ".join(held)] if held else []))
    good, bad = (any(v.endswith(f": {final}") for v in verdicts) for final in ("true", "false"))
    changed = before is None or before.lines != lines
    mark = ("bad" if bad else "good" if good else "") if changed else ""
    if isinstance(picture, np.ndarray):
        return Frame(step, lines, png=png(shrunk(picture)), mark=mark)
    text = "\n".join(f"{name} = {value}" for name, value in env.valuation.items())
    return Frame(step, lines, text=text, mark=mark)


def _in_the_end(said: Mapping[str, Any]) -> dict[str, str]:
    """Of formulas that are judged on whole traces, at the last step."""
    held = {**said.get("satisfied", {}), **{name: not lost for name, lost in said.get("violated", {}).items()}}
    return {name: "true" if truth else "false" for name, truth in held.items()}


def _chosen(frames: list[Frame]) -> tuple[Frame, ...]:
    """At most ``MAX_FRAMES`` of them, in order."""
    changes = [k for k in range(1, len(frames)) if frames[k].lines != frames[k - 1].lines]
    kept = dict.fromkeys([0, len(frames) - 1, *changes[: MAX_FRAMES - 2]])
    spare = MAX_FRAMES - len(kept)
    rest = [k for k in range(len(frames)) if k not in kept]
    if spare > 0 and rest:
        for k in np.linspace(0, len(rest) - 1, min(spare, len(rest))).round().astype(int):
            kept[rest[int(k)]] = None
    return tuple(frames[k] for k in sorted(kept))


def shrunk(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with its longer side at most ``MAX_SIDE`` pixels, by means over blocks."""
    factor = -(-max(picture.shape[:2]) // MAX_SIDE)
    if factor <= 1:
        return picture
    height, width = (side // factor * factor for side in picture.shape[:2])
    blocks = picture[:height, :width].reshape(height // factor, factor, width // factor, factor, -1)
    return np.asarray(blocks.mean(axis=(1, 3)).round(), np.uint8)


def png(picture: NDArray[np.uint8]) -> bytes:
    """An RGB picture, uint8 ``(height, width, 3)``, as PNG.

    Source: W3C, Portable Network Graphics, third edition (2025), sections 5 and 11; filter 0, one IDAT chunk.
    """
    height, width, _ = picture.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = np.concatenate([np.zeros((height, 1), np.uint8), picture.reshape(height, width * 3)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + content + chunk(b"IEND", b"")
