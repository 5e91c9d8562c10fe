"""``agentc verify``: an answer for every ``verify`` item; a network against a property; a certificate checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.runtime.cli.agents import missing_extra
from agentc.runtime.cli.application import worst
from agentc.runtime.cli.output import show, wants_color
from agentc.runtime.cli.specs import parameters, spec_arguments

if TYPE_CHECKING:
    from agentc.compiler.agent import AgentIR
    from agentc.lang.source import Span
    from agentc.runtime.verify.answer import Answer

FORMATS = ("text", "json", "sarif", "junit")


@click.command(name="verify")
@spec_arguments
@click.option("--agent", "names", multiple=True, metavar="NAME", help="Verify this agent only.")
@click.option("--network", type=click.Path(path_type=Path), metavar="ONNX", help="A network, with --property.")
@click.option("--property", "prop", type=click.Path(path_type=Path), metavar="VNNLIB", help="What it must satisfy.")
@click.option("--time", "seconds", type=click.FloatRange(0, min_open=True), default=60.0, show_default=True,
              help="Seconds for --network.")  # fmt: skip
@click.option("--check", "certificate", type=click.Path(path_type=Path), metavar="CERT", help="Check a certificate.")
@click.option("--jobs", type=click.IntRange(1), help="Items at a time (default: one for each core).")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              help="Where trained policies are.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), help="The run of this training seed (default: the first).")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("build"), show_default=True,
              help="Where certificates go.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
def command(
    files: tuple[str, ...],
    params: tuple[str, ...],
    allow_extern: tuple[str, ...],
    names: tuple[str, ...],
    network: Path | None,
    prop: Path | None,
    seconds: float,
    certificate: Path | None,
    jobs: int | None,
    runs: Path,
    seed: int | None,
    out: Path,
    form: str,
) -> int:
    """Prove or refute every `verify` item: proved, falsified, vacuous or unknown, with evidence.

    Exit code 0 if everything is proved, 1 if something is falsified or vacuous, 3 if something is unknown.
    """
    if certificate is not None:
        return _check(certificate, form)
    try:
        if network is not None or prop is not None:
            if network is None or prop is None:
                raise click.UsageError("--network and --property belong together")
            return _network(network, prop, seconds, out, form)
        return _specs(files, params, allow_extern, names, jobs, runs, seed, out, form)
    except ImportError as error:
        raise missing_extra(error) from error


def _check(path: Path, form: str) -> int:
    """The verdict of the independent checker on a file."""
    import json

    from agentc.runtime.verify.checker import check

    try:
        if path.stat().st_size > 1_000_000_000:
            raise ValueError("it is larger than 1 GB")
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise AgentcError([report("AS1320", None, path=str(path), reason=_reason(error))]) from error
    finding = check(document, path.parent)
    if not finding.accepted:
        show([report("AS1321", None, path=str(path), reason=finding.reason)], "text" if form == "junit" else form)
        return 1
    if form == "json":
        click.echo(json.dumps({"accepted": True, "facts": dict(finding.facts)}, indent=2))
    else:
        facts = ", ".join(f"{key} {value}" for key, value in finding.facts.items())
        click.echo(f"{path}: accepted ({facts})")
    return 0


def _reason(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


Row = tuple[str, "Answer | None", Sequence[Diagnostic], "Span | None"]


def _network(network: Path, prop: Path, seconds: float, out: Path, form: str) -> int:
    """A network against a property, both files."""
    from time import monotonic

    from agentc.runtime.verify.network.method import verify_files

    begun = monotonic()
    with _Live(form, {f"{network.stem}: {prop.stem}": seconds}) as live:
        item = f"{network.stem}: {prop.stem}"
        answer = verify_files(network, prop, seconds, lambda text: live.told(item, text))
    if answer.certificate is not None:  # beside the network, whose name it has, or with its own path to it
        import os

        subject = {**answer.certificate.subject, "network": os.path.relpath(network, out)}
        answer = replace(answer, certificate=replace(answer.certificate, subject=subject))
    return _said([(item, replace(answer, seconds=monotonic() - begun), (), None)], [out], form)[0]


def _specs(
    files: tuple[str, ...],
    params: tuple[str, ...],
    allow_extern: tuple[str, ...],
    names: tuple[str, ...],
    jobs: int | None,
    runs: Path,
    seed: int | None,
    out: Path,
    form: str,
) -> int:
    from agentc.lang.diagnostics import Severity
    from agentc.runtime.cli.agents import spec_of
    from agentc.runtime.cli.check import checked
    from agentc.runtime.verify.record import record
    from agentc.runtime.verify.session import Task, run, spanned

    result = checked(files, parameters(params), allow_extern)
    if not result.ok:
        raise AgentcError(result.diagnostics)
    show(d for d in result.diagnostics if d.severity is not Severity.NOTE)
    known = [agent.name for agent in result.agents]
    for name in names:
        if name not in known:
            from agentc.lang.spelling import nearest

            raise AgentcError([report("AS0203", None, kind="agent", name=name, suggestion=nearest(name, known))])
    policies = {a.name: _trained(a, runs, seed) for a in result.agents if not names or a.name in names}
    tasks = [
        Task(agent, i, spec_of(result, agent.name).absolute().parent, policies.get(agent.name))
        for agent in result.agents
        if not names or agent.name in names
        for i in range(len(agent.verifies))
    ]
    if not tasks:
        show([report("AS1305", None, files=", ".join(s.name for s in result.sources))])
        return 0
    place = {id(task): at for at, task in enumerate(tasks)}
    rows: dict[int, Row] = {}
    folders: dict[int, Path] = {}
    limits = {t.label: float(t.agent.verifies[t.index].settings.get("time", 60.0)) for t in tasks}  # type: ignore[arg-type]
    with _Live(form, limits) as live:
        for came in map(spanned, run(tasks, lambda task, text: live.told(task.label, text), jobs)):
            task, at = came.task, place[id(came.task)]
            folders[at] = out / f"{task.agent.name}.agent" / "certificates"
            answer = came.answer
            if answer is not None and answer.certificate is not None:
                answer = replace(answer, certificate=answer.certificate.placed(task.folder, folders[at]))
                _beside(answer, task.policy, folders[at])
            rows[at] = (task.label, answer, came.diagnostics, task.agent.verifies[task.index].span)
            live.told(task.label, came.answer.word if came.answer else "refused")
    order = sorted(rows)
    code, data = _said([rows[at] for at in order], [folders[at] for at in order], form)
    for agent in result.agents:
        of = [{**data[at], "index": tasks[at].index} for at in order if tasks[at].agent is agent]
        if of:
            _kept(agent, spec_of(result, agent.name), of, out / f"{agent.name}.agent")
            mine = [(tasks[at].index, rows[at][1], data[at]) for at in order if tasks[at].agent is agent]
            answered = [(index, answer, row["certificate"]) for index, answer, row in mine if answer is not None]
            folder = spec_of(result, agent.name).absolute().parent
            record(out / f"{agent.name}.agent", agent, answered, folder, policies[agent.name])
    return code


def _beside(answer: Answer, policy: Path | None, folder: Path) -> None:
    """Put the trained policy that a certificate is about where the certificate will lie."""
    import shutil

    certificate = answer.certificate
    if certificate is None or policy is None or certificate.subject.get("network") != policy.name:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(policy, folder / policy.name)
    except OSError as error:
        raise AgentcError([report("AS0808", None, path=str(folder), reason=_reason(error))]) from error


def _kept(agent: AgentIR, spec: Path, rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write the answers as data and as a page with pictures."""
    from agentc.runtime.report.verified import verification_page
    from agentc.runtime.runs import VERIFICATION, write_json

    page = folder / "verification.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / VERIFICATION, rows)
        page.write_text(verification_page(agent, spec.read_text(encoding="utf-8"), rows), encoding="utf-8")
    except OSError as error:
        raise AgentcError([report("AS0808", None, path=str(page), reason=_reason(error))]) from error


def _trained(agent: AgentIR, runs: Path, seed: int | None) -> Path | None:
    """The policy that was trained for an agent, exported, if an item asks for it and there is one.

    One that follows plans is exported with a plan inside. Raises AS1366 for a controller that predicts.
    """
    from agentc.compiler.verify_config import TRAINED

    asking = [v for v in agent.verifies if v.settings.get("controller") == TRAINED]
    if not asking:
        return None
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.runs import POLICY, RUN, find_runs, run_of, stale

    if seed is None and not any((runs / agent.name).glob(f"seed*/{RUN}")):
        return None
    run = find_runs(agent.name, runs)[0] if seed is None else run_of(agent.name, seed, runs)
    show(stale(run, agent))
    if agent.judged_on_traces:
        from agentc.runtime.compiled import CompiledAgent
        from agentc.runtime.subgoals.following import Following
        from agentc.runtime.training import actor_of

        actor = actor_of(CompiledAgent.from_ir(agent), run)
        if isinstance(actor, Following):
            return actor.export(run.folder / POLICY).absolute()
        what, mend = "it predicts with the declared system and reads the time", "`agentc eval` counts what it keeps"
        method = asking[0].method or "verify"
        raise AgentcError([report("AS1366", asking[0].span, method=method, agent=agent.name, what=what, mend=mend)])
    return Policy.load(run.folder).export(run.folder / POLICY).absolute()


def _said(rows: Sequence[Row], folders: Sequence[Path], form: str) -> tuple[int, list[dict[str, Any]]]:
    """Write the certificates, say the answers, and return the exit code and the answers as data."""
    from agentc.runtime.verify.saying import diagnostic, junit, row

    data: list[dict[str, Any]] = []
    found: list[Diagnostic] = []
    for at, ((item, answer, diagnostics, span), folder) in enumerate(zip(rows, folders, strict=True)):
        path: Path | None = None
        if answer is not None and answer.certificate is not None:
            path = folder / f"{at}-{re.sub(r'[^A-Za-z0-9]+', '-', item).strip('-')[:60]}.json"
            answer.certificate.write(path)
        found.extend(diagnostics)
        if answer is not None:
            found.append(diagnostic(item, answer, span))
        data.append(row(item, answer, diagnostics, None if path is None else str(path)))
    if form == "json":
        import json

        click.echo(json.dumps(data, indent=2))
    elif form == "junit":
        click.echo(junit([(item, answer, diagnostics) for item, answer, diagnostics, _ in rows]))
    else:
        show(found, form)
        if form == "text":
            for entry in data:
                where = f", certificate {entry['certificate']}" if entry.get("certificate") else ""
                took = f" ({entry['seconds']:.2f} s{where})" if "seconds" in entry else ""
                click.echo(f"{entry['item']}: {entry.get('word', entry['verdict'])}{took}")
    return worst(1 if answer is None else answer.exit_code for _, answer, _, _ in rows), data


EVERY = 5.0
"""Seconds between two lines of progress where there is no terminal."""


class _Live:
    """Progress: on a terminal one line that changes, else a line now and then, with the seconds that each item has."""

    def __init__(self, form: str, limits: Mapping[str, float] | None = None) -> None:
        from time import monotonic

        self._on = wants_color() and form == "text"
        self._limits = limits or {}
        self._begun: dict[str, float] = {}
        self._state: dict[str, str] = {}
        self._last, self._now = 0.0 if self._on else monotonic(), monotonic

    def __enter__(self) -> _Live:
        return self

    def __exit__(self, *_: object) -> None:
        if self._on and self._state:
            click.echo("\r\x1b[K", err=True, nl=False)

    def told(self, item: str, text: str) -> None:
        """Show how far an item is."""
        now = self._now()
        self._begun.setdefault(item, now)
        self._state[item] = text
        if now - self._last <= (0.1 if self._on else EVERY):
            return
        self._last = now
        if self._on:
            line = " | ".join(f"{name}: {state}{self._left(name, now)}" for name, state in self._state.items())
            click.echo("\r\x1b[K" + line[:150], err=True, nl=False)
        else:
            click.echo(f"{item}: {text}{self._left(item, now)}", err=True)

    def _left(self, item: str, now: float) -> str:
        limit = self._limits.get(item)
        return f" ({now - self._begun[item]:.0f} s of {limit:g} s)" if limit is not None else ""
