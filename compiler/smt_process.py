"""The solver as a process that is asked, and ended where it does not answer; see :mod:`agentc.compiler.smt_worker`.

One process serves all requests of this one; it is started at the first, and again after it was ended.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from agentc.compiler.smt import BeyondError

PATIENCE = 8.0
"""The wall-clock seconds that are waited for each second of processor time which the solver is granted."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from agentc.compiler.smt_worker import serve; serve()"
)

Model = tuple[tuple[bool, ...], dict[str, bool | Fraction]]


class SolverProcess:
    """The solver's process; may be asked from several threads."""

    def __init__(self) -> None:
        self._popen: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The process's number; None where none is running."""
        return None if self._popen is None else self._popen.pid

    def models(
        self, problem: str, marks: Sequence[str], variables: Mapping[str, str], *, work: int, letters: int,
        seconds: float,
    ) -> list[Model]:  # fmt: skip
        """All combinations of the ``marks`` that are possible, each with values of the ``variables`` (name, sort).

        ``problem`` is SMT-LIB 2; ``work`` is the solver's own count, ``letters`` the most combinations, ``seconds`` of
        processor time. Raises :class:`BeyondError` where a limit was reached or the process ended.
        """
        request = dict(
            problem=problem, marks=list(marks), variables=dict(variables), work=work, letters=letters, seconds=seconds
        )
        with self._lock:
            answer = self._ask(json.dumps(request) + "\n", seconds * PATIENCE)
        if "beyond" in answer:
            raise BeyondError(answer["beyond"])
        return [
            (tuple(letter), {n: v if isinstance(v, bool) else Fraction(v) for n, v in values.items()})
            for letter, values in answer["models"]
        ]

    def _ask(self, line: str, seconds: float) -> dict[str, Any]:
        running = self._running()
        assert running.stdin is not None and running.stdout is not None
        watch = threading.Timer(seconds, running.kill)
        watch.daemon = True
        watch.start()
        answer = ""
        try:
            running.stdin.write(line)
            running.stdin.flush()
            answer = running.stdout.readline()
        except OSError:
            pass  # it has ended: there is no answer
        except BaseException:  # Ctrl-C: what it says later would answer another request
            self.close()
            raise
        finally:
            watch.cancel()
        if not answer.endswith("\n"):
            self.close()
            raise BeyondError("the solver's time ran out")
        found: dict[str, Any] = json.loads(answer)
        return found

    def _running(self) -> subprocess.Popen[str]:
        if self._popen is None or self._popen.poll() is not None:
            self.close()
            # A session of its own, so that Ctrl-C reaches whoever asks alone, who then ends it.
            self._popen = subprocess.Popen(
                [sys.executable, "-c", _START, json.dumps(sys.path)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", start_new_session=True,
            )  # fmt: skip
        return self._popen

    def close(self) -> None:
        """End the process."""
        ended, self._popen = self._popen, None
        if ended is None:
            return
        ended.kill()
        for stream in (ended.stdin, ended.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        ended.wait()


solver = SolverProcess()
"""The one that this process asks."""
atexit.register(solver.close)
