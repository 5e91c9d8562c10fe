"""What is shown of a run that a sentinel has stopped: an episode of its policy, with what the monitors said."""

from __future__ import annotations

from agentc.lang.diagnostics import AgentcError, Diagnostic
from agentc.lang.source import Source
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.report.filmstrip import film
from agentc.runtime.report.page import Frame, ReportPage, render_page
from agentc.runtime.runs import Run
from agentc.runtime.shielded import shield_of_run
from agentc.runtime.training import actor_of

PAGE = "collapse.html"


def last_episode(compiled: CompiledAgent, run: Run, steps: int, *, render: bool) -> tuple[Frame, ...]:
    """The steps that matter of an episode of the policy as it is now, on a seed that comes from ``steps``.

    None of them where the environment cannot be made for a single episode. Without ``render`` a frame has the values
    of the signals as text.
    """
    try:
        actor = actor_of(compiled, run)
        return film(compiled, actor, seed=steps, render=render, shield=shield_of_run(run, compiled.agent))
    except AgentcError:
        return ()


def frames_as_text(frames: tuple[Frame, ...]) -> str:
    """A line for each frame that differs from the one before: the step, signals, verdicts, propositions that hold."""
    said = [";  ".join([frame.text.replace("\n", ", "), *frame.lines]) for frame in frames]
    kept = [k for k in range(len(said)) if k in (0, len(said) - 1) or said[k] != said[k - 1]]
    return "\n".join(f"  step {frames[k].step:>4}  {said[k]}" for k in kept)


def write_page(run: Run, found: Diagnostic, source: Source, frames: tuple[Frame, ...]) -> str:
    """Write the film of the episode beside the run's checkpoint; the path."""
    title = f"{run.agent}, seed {run.seed}: the run has collapsed"
    page = ReportPage(title, f"{found.message[0].upper()}{found.message[1:]}.", source.text, frames=frames)
    path = run.folder / PAGE
    path.write_text(render_page(page), encoding="utf-8")
    return str(path)
