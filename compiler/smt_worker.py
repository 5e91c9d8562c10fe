"""The solver in a process of its own, which can be ended: all models of a formula over some Boolean marks.

The solver counts its work and stops at a limit, but in nonlinear arithmetic it may look at that limit too rarely to
ever stop. So :mod:`agentc.compiler.smt_process` runs it here and ends this process where an answer does not come.

A request is a line of JSON on standard input: ``problem`` (SMT-LIB 2), ``marks`` (names of Boolean constants),
``variables`` (names of constants whose values are wanted), ``work`` (the solver's own count), ``letters`` (the most
models) and ``seconds`` of processor time. Each is solved in a context of its own: what was asked before changes no
answer. The answer is a line of JSON: ``models``, each ``[letter, values]``, or ``beyond``, why there are none.
The process ends when its input does.

Source: Lahiri, Nieuwenhuis, Oliveras, *SMT techniques for fast predicate abstraction*, CAV 2006 (all models over a set
of atoms).
"""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

MEMORY = 2048
"""Megabytes that the solver may take."""


def serve() -> None:
    """Answer requests until there are no more."""
    import z3  # type: ignore[import-untyped]

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks is told, and ends this process
    z3.set_param("memory_max_size", MEMORY)
    incoming, outgoing = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in incoming:
        request = json.loads(line)
        limit_processor(request["seconds"])
        try:
            answer: dict[str, Any] = {"models": models(z3, request)}
        except Beyond as error:
            answer = {"beyond": str(error)}
        except z3.Z3Exception as error:
            answer = {"beyond": f"the solver gave up: {error}"}
        try:
            outgoing.write(json.dumps(answer) + "\n")
            outgoing.flush()
        except OSError:
            return  # nobody reads any more


def limit_processor(seconds: float) -> None:
    """Let the system end this process after so many further seconds of processor time, where it can."""
    try:
        import resource
    except ImportError:  # the limit of whoever asks is left
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (wanted if hard < 0 else min(wanted, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


class Beyond(Exception):
    """Why there is no answer, in words."""


def models(z3: Any, request: dict[str, Any]) -> list[tuple[list[bool], dict[str, Any]]]:
    """For each combination of the marks that is possible, values that have it. Raises :class:`Beyond`."""
    context = z3.Context()
    solver = z3.Solver(ctx=context)
    solver.set("rlimit", request["work"])  # a count of the solver's own: the same on every machine
    solver.add(z3.parse_smt2_string(request["problem"], ctx=context))
    marks = [z3.Bool(name, context) for name in request["marks"]]
    made = {"Bool": z3.Bool, "Int": z3.Int, "Real": z3.Real}
    variables = {name: made[sort](name, context) for name, sort in request["variables"].items()}
    found: list[tuple[list[bool], dict[str, Any]]] = []
    deadline = time.process_time() + request["seconds"]
    while True:
        if time.process_time() > deadline:
            raise Beyond("the solver's time ran out")
        if len(found) > request["letters"]:
            raise Beyond(f"more than {request['letters']} letters")
        answer = solver.check()
        if answer == z3.unsat:
            return found
        if answer != z3.sat:
            raise Beyond(f"the solver gave up: {solver.reason_unknown()}")
        model = solver.model()
        letter = [bool(z3.is_true(model.eval(mark, model_completion=True))) for mark in marks]
        found.append((letter, {name: value(z3, model, variable) for name, variable in variables.items()}))
        others = [z3.Not(mark) if held else mark for mark, held in zip(marks, letter, strict=True)]
        solver.add(z3.Or(*others, z3.BoolVal(False, context)))


def value(z3: Any, model: Any, variable: Any) -> bool | str:
    """A variable's value in a model: a Boolean, or a fraction in words."""
    found = model.eval(variable, model_completion=True)
    if z3.is_bool(variable):
        return bool(z3.is_true(found))
    if z3.is_algebraic_value(found):
        found = found.approx(20)
    return str(found.as_long()) if z3.is_int(variable) else f"{found.numerator_as_long()}/{found.denominator_as_long()}"


if __name__ == "__main__":
    serve()
