"""Episodes as a GIF: each step's picture, and under it what the monitors said and which states they are in.

An environment that draws pictures is asked for them; a declared system is drawn as ``agentc simulate --svg`` draws
it; of any other the values of its signals are written down. A file is kept small: pictures are scaled down, long films
show every second, third, ... step, and where the file still exceeds its bound, steps are left out until it does not.
The first and the last step of an episode, and those where a verdict changed, are always there.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.evaluate import Actor
from agentc.runtime.learn.seeding import evaluation_seeds
from agentc.runtime.report.filmstrip import opened, played, verdicts_of
from agentc.runtime.shield import ShieldTable

SIDE = 320
"""Pixels of the longer side of a picture."""
FRAMES = 240
BYTES = 3_000_000
STEP, PAUSE = 120, 1500
"""Milliseconds that a step is shown, and the last one of an episode."""
COLOURS = 64
LINE = 14
COLOUR = {"true": (84, 160, 92), "false": (196, 78, 62)}
GREY, PAPER, BLACK = (110, 110, 110), (250, 250, 248), (30, 30, 30)


@dataclass(frozen=True)
class Shot:
    """One step: its picture (None where nothing draws it), the values as text, and lines ``(text, colour)``."""

    episode: int
    step: int
    picture: NDArray[np.uint8] | None
    text: str
    lines: tuple[tuple[str, tuple[int, int, int]], ...]
    kept: bool


def animated(
    compiled: CompiledAgent,
    actor: Actor,
    *,
    episodes: int,
    seed: int,
    deterministic: bool = False,
    shield: ShieldTable | None = None,
    bound: int = BYTES,
    on_episode: Callable[[int], None] | None = None,
) -> bytes:
    """The first ``episodes`` episodes of the evaluation with this seed, as the bytes of a GIF of at most ``bound``.

    ``deterministic`` takes the likeliest actions.

    Raises :class:`AgentcError` if the environment cannot be made or the actor is for another.
    """
    shots: list[Shot] = []
    for number, each in enumerate(evaluation_seeds(seed, episodes)):
        spec, env = opened(compiled, actor, render=True, shield=shield)
        try:
            before: tuple[str, ...] | None = None
            film: list[Shot] = []
            for step, said in enumerate(played(env, actor, each, deterministic=deterministic)):
                lines = _lines(number, episodes, step, said)
                now = tuple(verdicts_of(said).values())
                picture = spec.render() if spec.render_mode == "rgb_array" else None
                kept, before = now != before, now
                text = "\n".join(f"{name} = {value}" for name, value in spec.valuation.items())
                drawn = _scaled(picture) if isinstance(picture, np.ndarray) else None
                film.append(Shot(number, step, drawn, text, lines, kept))
        finally:
            env.close()
        shots += [*film[:-1], replace(film[-1], kept=True)]
        if on_episode is not None:
            on_episode(number + 1)
    return encoded(shots, bound)


def encoded(shots: Sequence[Shot], bound: int = BYTES) -> bytes:
    """Shots as a GIF of at most ``bound`` bytes, if its necessary steps fit at the least size of the pictures."""
    side, most = SIDE, FRAMES
    while True:
        chosen = _thinned(shots, most)
        data = _gif(chosen, side)
        necessary = sum(shot.kept for shot in shots)
        if len(data) <= bound or (side <= SIDE // 4 and most <= necessary):
            return data
        if most > max(necessary, FRAMES // 8):
            most //= 2
        else:
            side //= 2
            if side < SIDE // 4:
                side, most = SIDE // 4, most // 2


def _thinned(shots: Sequence[Shot], most: int) -> list[Shot]:
    """Every k-th shot, and those that are always kept."""
    every = max(1, -(-len(shots) // most))
    return [shot for shot in shots if shot.kept or shot.step % every == 0]


def _gif(shots: Sequence[Shot], side: int) -> bytes:
    font = ImageFont.load_default()
    lines = max(len(shot.lines) for shot in shots)
    size = _size(shots, side)
    pictures = [_picture(shot, size, side, lines, font) for shot in shots]
    ends = {k for k in range(len(shots)) if k + 1 == len(shots) or shots[k + 1].episode != shots[k].episode}
    durations = [PAUSE if k in ends else STEP for k in range(len(shots))]
    out = io.BytesIO()
    indexed = [p.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE) for p in pictures]
    indexed[0].save(out, "GIF", save_all=True, append_images=indexed[1:], duration=durations, loop=0)
    return out.getvalue()


def _size(shots: Sequence[Shot], side: int) -> tuple[int, int]:
    """Width and height of the part with the picture, the same for all steps."""
    drawn = [shot.picture.shape for shot in shots if shot.picture is not None]
    if not drawn:
        rows = max(shot.text.count("\n") + 1 for shot in shots)
        return side, min(side, rows * LINE + LINE)
    height, width = max(s[0] for s in drawn), max(s[1] for s in drawn)
    scale = min(1.0, side / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _picture(shot: Shot, size: tuple[int, int], side: int, lines: int, font: Any) -> Image.Image:
    width = max(size[0], min(side, SIDE // 2), 160)
    canvas = Image.new("RGB", (width, size[1] + lines * LINE + 6), PAPER)
    draw = ImageDraw.Draw(canvas)
    if shot.picture is not None:
        image = Image.fromarray(shot.picture)
        scale = min(1.0, size[0] / image.width, size[1] / image.height)
        if scale < 1.0:
            image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
        canvas.paste(image, ((width - image.width) // 2, 0))
    else:
        draw.multiline_text((6, 6), shot.text, fill=BLACK, font=font, spacing=3)
    for k, (text, colour) in enumerate(shot.lines):
        draw.text((6, size[1] + 3 + k * LINE), text, fill=colour, font=font)
    return canvas


def _lines(number: int, episodes: int, step: int, said: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The caption: where the film is, each formula's verdict with the states of its automata, what holds."""
    episode = f"episode {number + 1} of {episodes}, " if episodes > 1 else ""
    found: list[tuple[str, Any]] = [(f"{episode}step {step}", BLACK)]
    states = said.get("states", {})
    for name, verdict in verdicts_of(said).items():
        where = f" (state {', '.join(map(str, states[name]))})" if states.get(name) else ""
        found.append((f"{name}: {verdict}{where}", COLOUR.get(verdict, GREY)))
    held = [name for name, truth in said.get("labels", {}).items() if truth]
    found.append((", ".join(held), GREY))
    return tuple(found)


def _scaled(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most ``SIDE`` pixels long, so that a film is small in memory too."""
    image = Image.fromarray(np.ascontiguousarray(picture[..., :3], np.uint8))
    image.thumbnail((SIDE, SIDE))
    return np.asarray(image)
