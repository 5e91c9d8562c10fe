"""Runs the blocks of a page and says what is not as the page says."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from agentc.compiler import pipeline
from agentc.compiler.pipeline import CheckResult
from agentc.lang.diagnostics import AgentcError, Diagnostic, Severity
from agentc.lang.source import Source

from .page import Fence, commands, differences, expectations, missing_lines


def run_page(blocks: list[Fence], folder: Path) -> list[str]:
    """Problems of all blocks of a page, each run in a folder of its own with the files that stand above it."""
    problems: list[str] = []
    files: list[Fence] = []
    for i, block in enumerate(blocks):
        if block.kind in ("file", "link"):
            files.append(block)
        else:
            (folder / str(i)).mkdir()
            problems += run(block, files, folder / str(i))
    return problems


def run(fence: Fence, files: list[Fence], folder: Path) -> list[str]:
    """Problems of one block, none if all is well; ``files`` are those above it on the page."""
    for file in files:
        lay_out(file, folder)
    with inside(folder):
        match fence.kind:
            case "console":
                return run_console(fence)
            case "python":
                return run_python(fence)
            case "agentspec":
                return run_spec(fence, files, folder)
            case "trace":
                from .trace import run_trace

                return run_trace(fence)
            case _:
                return []


def lay_out(file: Fence, folder: Path) -> None:
    """Write a file of a page."""
    assert file.name is not None
    path = folder / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if file.kind == "link":
        path.symlink_to(file.text.strip())
    else:
        path.write_text(file.text, encoding=file.encoding)


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


# ---------------------------------------------------------------- programs


def run_python(fence: Fence) -> list[str]:
    """Whether a program ends as announced. The text is that of our own documentation."""
    if "alone" in fence.modes:
        return run_alone(fence)
    program = compile(fence.text, f"<line {fence.line}>", "exec")
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            exec(program, {"__name__": "__page__"})
    except AgentcError as error:
        # notes come beside an error and are not what is announced, unless they are
        notes = {d.code for d in error.diagnostics if d.severity is Severity.NOTE}
        codes = notes & {fence.raises} or {d.code for d in error.diagnostics} - notes
        return [] if codes == {fence.raises} else [f"line {fence.line}: raised {sorted(codes)}, not {fence.raises}"]
    return [f"line {fence.line}: {fence.raises} was not raised"] if fence.raises else []


def run_alone(fence: Fence) -> list[str]:
    """The same, in a process of its own: for what changes the interpreter."""
    done = subprocess.run([sys.executable, "-c", fence.text], capture_output=True, text=True, check=False)
    said = f"error[{fence.raises}]" in done.stderr if fence.raises else done.returncode == 0
    return [] if said else [f"line {fence.line}: not as announced\n{done.stdout}{done.stderr}"]


def run_console(fence: Fence) -> list[str]:
    """Whether commands print what they must, and end as they must."""
    from agentc.runtime.cli.application import invoke

    problems = []
    for command in commands(fence):
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
            code = invoke(list(command.arguments))
        output = stream.getvalue()
        wrong = [f"line {command.line}: not printed: {line}" for line in missing_lines(output, command.output)]
        if code != command.exit_code:
            wrong.append(f"line {command.line}: exit code {code}, not {command.exit_code}")
        problems += [*wrong, f"--- printed:\n{output}"] if wrong else []
    return problems


# ---------------------------------------------------------------- specs


def run_spec(fence: Fence, files: list[Fence], folder: Path) -> list[str]:
    """Whether a spec is accepted, or refused as announced; and whether its examples hold, if it is to be evaluated."""
    name = fence.name or "page.agentspec"
    texts = {file.name or "": file.text for file in files} | {name: fence.text}
    specs = {Path(file).name: text for file, text in texts.items() if file.endswith(".agentspec")}
    expected = [e for file, text in specs.items() for e in expectations(text, file)]
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(fence.text, encoding="utf-8")
    found = compiled(path) if "compile" in fence.modes else checked(path)
    problems = differences(found, expected)
    if "evaluated" in fence.modes and not problems:
        problems += evaluated(path)
    return [f"block at line {fence.line}: {problem}" for problem in problems]


def checked(path: Path) -> list[Diagnostic]:
    """What ``agentc check`` reports of a file."""
    return list(check(path).diagnostics)


def compiled(path: Path) -> list[Diagnostic]:
    """What ``agentc compile`` reports of a file: besides, what the automata of its formulas show."""
    from agentc.runtime.compilation import compile_checked

    return list(compile_checked(check(path), path.parent / "build").diagnostics)


def check(path: Path) -> CheckResult:
    return pipeline.check(Source(path.name, path.read_text(encoding="utf-8")), root=str(path.parent))


def evaluated(path: Path) -> list[str]:
    """Whether a file has examples; that they hold has been checked with the rest."""
    return [] if any(agent.examples for agent in check(path).agents) else ["nothing is evaluated"]
