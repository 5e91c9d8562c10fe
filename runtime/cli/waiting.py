"""What a command is at, for who waits: one line that changes on a terminal, plain lines after two seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import click

PATIENCE = 2.0
"""Seconds that nobody needs to be told about."""


class Waiting:
    """Call it with what comes next; use it as a context manager, so that the line is cleared at the end."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._shown = False

    def __enter__(self) -> Waiting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            click.echo("\r\033[K", nl=False, err=True)

    def __call__(self, what: str) -> None:
        """Say what is being done now."""
        if self._terminal:
            click.echo(f"\r{what} ...\033[K", nl=False, err=True)
            self._shown = True
        elif time.monotonic() - self._began > PATIENCE:
            click.echo(f"{what} ...", err=True)
