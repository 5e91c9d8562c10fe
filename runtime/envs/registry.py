"""The registry of environments: from the engine that a spec names to a ``gymnasium.Env`` and its signals.

An :class:`EnvironmentBinding` is one family of environments. It lives in a module of its own that is imported
only when the engine is asked for, so that what is not installed is a diagnostic that names the extra to
install. ``stdlib/env`` declares the signals of each family in the language; a test holds both together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, runtime_checkable

from agentc.lang.diagnostics import AgentcError, report

if TYPE_CHECKING:
    import gymnasium

    from agentc.compiler.agent import AgentIR, EnvironmentIR, Literalish
    from agentc.compiler.logic.ir import Value


@dataclass(frozen=True, slots=True)
class EngineArgument:
    """An argument that an engine takes; ``default`` None makes it required. Bounds are inclusive."""

    name: str
    kind: Literal["text", "int", "real", "bool"]
    default: Literalish = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    def domain(self) -> str:
        """What a value may be, as a phrase."""
        if self.choices:
            return "one of " + ", ".join(f"`{c}`" for c in self.choices)
        noun = {"text": "a text", "int": "an int", "real": "a number", "bool": "`true` or `false`"}[self.kind]
        if self.low is not None and self.high is not None:
            return f"{noun} in [{self.low:g}, {self.high:g}]"
        return noun if self.low is None else f"{noun} of at least {self.low:g}"

    def admits(self, value: Literalish) -> bool:
        """Whether ``value`` is of the argument's kind, in its bounds and among its choices."""
        if self.kind == "bool":
            return isinstance(value, bool)
        if self.kind == "text":
            return isinstance(value, str) and (not self.choices or value in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            return False
        if self.kind == "int" and value != int(value):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class SignalReader(Protocol):
    """Reads the signals of one environment, in the order in which they were asked for.

    Enum values are the names of members, vectors are tuples; a signal without a value at the step (``action``
    at the reset) is None.
    """

    def reset(self) -> list[Value]:
        """The signals at step 0; call it after every ``env.reset``."""
        ...

    def step(self, action: Any, reward: float) -> list[Value]:
        """The signals after ``env.step(action)``, which paid ``reward``."""
        ...


class EnvironmentBinding(Protocol):
    """A family of environments: how to make one and how to read its signals."""

    @property
    def engine(self) -> str:
        """The name that ``engine name(...)`` gives it."""
        ...

    @property
    def arguments(self) -> tuple[EngineArgument, ...]:
        """What the engine takes."""
        ...

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of the signals that it offers."""
        ...

    def ids(self) -> tuple[str, ...]:
        """The environments of the family, empty if there is only one."""
        ...

    def make(self, arguments: Mapping[str, Literalish], render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        """A new environment; ``arguments`` are complete and valid. Raises ``AgentcError``."""
        ...

    def accepts(self, env: gymnasium.Env[Any, Any]) -> bool:
        """Whether ``env`` is one of this family, so that its signals can be read."""
        ...

    def horizon(self, arguments: Mapping[str, Literalish]) -> int | None:
        """The greatest number of steps of an episode, if there is one."""
        ...

    def reader(self, env: gymnasium.Env[Any, Any], names: Sequence[str]) -> SignalReader:
        """A reader of the signals ``names`` of ``env``, a (wrapped) environment that ``accepts`` takes."""
        ...


@dataclass(frozen=True, slots=True)
class Engine:
    """A row of the registry: where the binding is and what it needs.

    ``module`` has a global ``BINDING``, or for several engines ``BINDINGS`` by their names; ``package`` is what it
    imports, ``extra`` what installs that. A package that is installed ``alone`` comes without its dependencies: the
    extra has those of them that are needed.
    """

    name: str
    module: str
    package: str
    extra: str
    alone: bool = False

    def missing(self, package: str) -> AgentcError:
        """The error for a package that is not installed."""
        code = "AS1490" if self.alone else "AS0902"
        return AgentcError([report(code, None, engine=self.name, package=package, extra=self.extra)])


SYSTEM = "system"
"""What the engine of a declared system is called; it has no binding, for every system has signals of its own."""

ENGINES: dict[str, Engine] = {
    row.name: row
    for row in (
        Engine("minigrid", "agentc.runtime.envs.minigrid", "minigrid", "minigrid"),
        Engine("classic", "agentc.runtime.envs.classic", "gymnasium", "classic"),
        Engine("office", "agentc.runtime.envs.office", "gymnasium", "train"),
        Engine("craft", "agentc.runtime.envs.craft", "gymnasium", "train"),
        Engine("water", "agentc.runtime.envs.water", "gymnasium", "train"),
        Engine("letters", "agentc.runtime.envs.letters", "gymnasium", "train"),
        Engine("zones", "agentc.runtime.envs.zones", "gymnasium", "train"),
        Engine("half_cheetah", "agentc.runtime.envs.half_cheetah", "mujoco", "mujoco"),
        Engine("corpus_qa", "agentc.runtime.envs.language", "gymnasium", "train"),
        Engine("retail", "agentc.runtime.envs.language", "gymnasium", "train"),
        Engine("airline", "agentc.runtime.envs.language", "gymnasium", "train"),
        Engine("form", "agentc.runtime.envs.language", "gymnasium", "train"),
        Engine("textworld", "agentc.runtime.envs.language", "textworld", "textworld", alone=True),
    )
}
"""Every engine that an ``environment`` declaration may name."""


def binding(engine: str) -> EnvironmentBinding:
    """The binding of an engine. Raises ``AgentcError`` if there is none or it is not installed."""
    row = ENGINES.get(engine)
    if row is None:
        known = ", ".join(f"`{name}`" for name in ENGINES)
        raise AgentcError([report("AS0901", None, name=engine, known=known, suggestion=nearest(engine, ENGINES))])
    try:
        module = import_module(row.module)
        if find_spec(row.package) is None:
            raise ModuleNotFoundError(name=row.package)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if not missing or missing == "agentc":
            raise
        raise row.missing(missing) from error
    found: EnvironmentBinding = module.BINDINGS[engine] if hasattr(module, "BINDINGS") else module.BINDING
    return found


def installed(engine: str) -> bool:
    """Whether everything that the engine needs can be imported."""
    try:
        binding(engine)
    except AgentcError:
        return False
    return True


def complete_arguments(
    engine: str, known: Sequence[EngineArgument], given: Mapping[str, Literalish]
) -> dict[str, Literalish]:
    """The arguments of an engine with defaults filled in. Raises ``AgentcError`` with all that is wrong."""
    by_name = {argument.name: argument for argument in known}
    names = ", ".join(f"`{name}`" for name in by_name) or "none"
    found = []
    for name, value in given.items():
        argument = by_name.get(name)
        if argument is None:
            found.append(
                report("AS0904", None, engine=engine, name=name, known=names, suggestion=nearest(name, by_name))
            )
        elif not argument.admits(value):
            suggestion = nearest(str(value), argument.choices)
            found.append(
                report("AS0905", None, engine=engine, name=name, value=value, domain=argument.domain(),
                       suggestion=suggestion)
            )  # fmt: skip
    for argument in known:
        if argument.default is None and argument.name not in given:
            found.append(report("AS0905", None, engine=engine, name=argument.name, value="", domain=argument.domain()))
    if found:
        raise AgentcError(found)
    complete = cast("dict[str, Literalish]", {})
    for argument in known:
        value = given.get(argument.name, argument.default)
        complete[argument.name] = int(cast(float, value)) if argument.kind == "int" else value
    return complete


def make_environment(environment: EnvironmentIR, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
    """The Gymnasium environment that a spec declares, without monitors.

    Raises ``AgentcError`` if the engine is unknown or not installed or refuses its arguments.
    """
    found = binding(environment.engine)
    return found.make(complete_arguments(found.engine, found.arguments, environment.arguments), render_mode)


def environment_of(agent: AgentIR, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
    """The Gymnasium environment of an agent that has one, without monitors: of an engine, or its declared system.

    Raises ``AgentcError`` as :func:`make_environment` does, and where the system cannot be simulated.
    """
    assert agent.environment is not None
    if agent.system is None:
        return make_environment(agent.environment, render_mode)
    try:
        from agentc.runtime.envs.declared import declared_environment
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        raise AgentcError([report("AS0902", None, engine=SYSTEM, package=package, extra="train")]) from error
    return declared_environment(agent, render_mode)


def horizon_of(environment: EnvironmentIR) -> int | None:
    """The greatest number of steps of an episode, as declared or as the binding knows it."""
    if environment.horizon is not None:
        return environment.horizon
    found = binding(environment.engine)
    return found.horizon(complete_arguments(found.engine, found.arguments, environment.arguments))


def signal_reader(engine: str, env: gymnasium.Env[Any, Any], names: Sequence[str]) -> SignalReader:
    """A reader of the signals ``names`` of ``env``. Raises ``AgentcError`` if it cannot read them."""
    if engine == SYSTEM:
        return _own_reader(env, names)
    found = binding(engine)
    if not found.accepts(env):
        raise AgentcError([report("AS0909", None, env=env, engine=engine)])
    known = ", ".join(f"`{name}`" for name in found.signals)
    missing = [
        report("AS0906", None, engine=engine, name=name, known=known, suggestion=nearest(name, found.signals))
        for name in names
        if name not in found.signals
    ]
    if missing:
        raise AgentcError(missing)
    return found.reader(env, names)


@runtime_checkable
class ReadsItself(Protocol):
    """An environment that knows its own signals, as that of a declared system does."""

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of the signals that it has."""
        ...

    def reader(self, names: Sequence[str]) -> SignalReader:
        """A reader of signals that it has."""
        ...


def _own_reader(env: gymnasium.Env[Any, Any], names: Sequence[str]) -> SignalReader:
    bare = env.unwrapped
    if not isinstance(bare, ReadsItself):
        raise AgentcError([report("AS0909", None, env=env, engine=SYSTEM)])
    missing = [name for name in names if name not in bare.signals]
    if missing:
        known = ", ".join(f"`{name}`" for name in bare.signals)
        suggestions = [nearest(name, bare.signals) for name in missing]
        raise AgentcError(
            [
                report("AS0906", None, engine=SYSTEM, name=name, known=known, suggestion=suggestion)
                for name, suggestion in zip(missing, suggestions, strict=True)
            ]
        )
    return bare.reader(names)


def unknown_id(engine: str, name: str, ids: Iterable[str]) -> AgentcError:
    """The error for an environment id that the engine does not have."""
    return AgentcError([report("AS0903", None, engine=engine, name=name, suggestion=nearest(name, ids))])


def nearest(word: str, valid: Iterable[str]) -> str | None:
    """The valid word nearest to a misspelt one, whatever its case; None if none is near."""
    from difflib import get_close_matches  # only where something is wrong

    by_fold = {v.casefold(): v for v in valid}
    matches = get_close_matches(word.casefold(), list(by_fold), n=1)
    return by_fold[matches[0]] if matches else None
