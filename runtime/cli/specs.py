"""Which spec files a command is about, and the options that every command on specs has."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from agentc.lang.diagnostics import AgentcError, report

F = TypeVar("F", bound=Callable[..., Any])


def spec_files(paths: Sequence[str]) -> list[Path]:
    """The files named, those in the folders named, or those of the current folder.

    Raises :class:`AgentcError` (AS0960) if there is none. A file that does not exist is kept: reading it is
    what reports it, with the others.
    """
    found: list[Path] = []
    for path in map(Path, paths or ["."]):
        if os.path.isdir(path):  # unlike Path.is_dir it never raises
            inside = sorted(path.glob("*.agentspec"))
            if not inside:
                raise AgentcError([report("AS0960", None, folder=str(path))])
            found.extend(inside)
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def parameters(values: Sequence[str]) -> dict[str, str]:
    """``-p name=value`` options as a dictionary of texts. Raises :class:`AgentcError` (AS0961)."""
    result = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name.strip():
            raise AgentcError([report("AS0961", None, value=value)])
        result[name.strip()] = text.strip()
    return result


def spec_arguments(function: F) -> F:
    """The arguments and options of a command on specs: files, ``-p``, ``--allow-extern``."""
    function = click.option(
        "--allow-extern", multiple=True, metavar="MODULE", help="Allow labelling functions of this Python module."
    )(function)
    function = click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a `param`.")(
        function
    )
    return click.argument("files", nargs=-1, metavar="[FILE]...")(function)
