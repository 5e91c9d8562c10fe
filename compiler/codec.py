"""The agent's meaning as JSON and back: models for validation and the published schema, made from the dataclasses.

The dataclasses of :mod:`agentc.compiler.agent` are the one description of an agent; their pydantic models are
derived field by field, so the two cannot drift apart. Formulas and terms become indices into one table of nodes
(:func:`agentc.compiler.logic.ir.to_data`), which keeps their sharing. Spans stay behind: a bundle says what an
agent means, not where it was written.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from agentc.compiler.agent import AgentIR, Literalish
from agentc.compiler.logic.ir import Formula, Node, Term, Value, from_data, to_data
from agentc.compiler.wellformed import check_agent
from agentc.lang.source import Span

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
"""Of all models here: no key that is unknown, no value of another type than the one stated, every number finite."""


class NodeModel(BaseModel):
    """One node of the table: its operator, the indices of its arguments (all smaller than its own), its payload."""

    model_config = STRICT
    op: str
    kind: typing.Literal["formula", "term"]
    args: list[int] = []
    interval: tuple[int, int | None] | None = None
    value: JsonValue = None


def _is_node(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Node)


def _model_type(hint: Any) -> Any:
    """The type of a field in its JSON form."""
    if hint in (Value, Literalish) or isinstance(hint, typing.ForwardRef):
        return JsonValue
    if _is_node(hint):
        return int
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return model_of(hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        members = tuple(dict.fromkeys(_model_type(a) for a in args))
        return typing.Union[members]  # noqa: UP007  # members are computed
    if origin is tuple:
        if args[-1] is Ellipsis:
            return list[_model_type(args[0])]  # type: ignore[misc]
        return tuple[tuple(_model_type(a) for a in args)]  # type: ignore[misc]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return dict[str, _model_type(args[1])]  # type: ignore[misc]
    return hint


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _fields(cls: type) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(cls) if Span not in typing.get_args(_hints(cls)[f.name])]


@cache
def model_of(cls: type) -> type[BaseModel]:
    """The pydantic model of one of the dataclasses of an agent."""
    fields: dict[str, Any] = {}
    for field in _fields(cls):
        shadows = hasattr(BaseModel, field.name)  # `construct` is a method of every pydantic model
        name = f"{field.name}_" if shadows else field.name
        fields[name] = (_model_type(_hints(cls)[field.name]), Field(alias=field.name) if shadows else ...)
    model: type[BaseModel] = create_model(
        cls.__name__,
        __config__=ConfigDict(**STRICT, title=cls.__name__),
        __doc__=cls.__doc__,
        **fields,
    )
    return model


@cache
def document_model() -> type[BaseModel]:
    """The model of ``ir.json``: the table of nodes and the agent that refers to it."""
    return create_model(
        "AgentDocument",
        __config__=STRICT,
        __doc__="The typed meaning of one agent.",
        nodes=(list[NodeModel], ...),
        agent=(model_of(AgentIR), ...),
    )


def encode_agent(agent: AgentIR) -> dict[str, Any]:
    """The agent as plain data for JSON."""
    roots: dict[Node, None] = {}

    def collect(value: Any) -> None:
        if isinstance(value, Node):
            roots[value] = None
        elif dataclasses.is_dataclass(value):
            for field in _fields(type(value)):
                collect(getattr(value, field.name))
        elif isinstance(value, tuple):
            for item in value:
                collect(item)
        elif isinstance(value, Mapping):
            for item in value.values():
                collect(item)

    collect(agent)
    data = to_data(*roots)
    index = dict(zip(roots, typing.cast(list[int], data["roots"]), strict=True))

    def encode(value: Any) -> Any:
        if isinstance(value, Node):
            return index[value]
        if dataclasses.is_dataclass(value):
            cls: type = type(value)
            return {f.name: encode(_as_stated(getattr(value, f.name), _hints(cls)[f.name])) for f in _fields(cls)}
        if isinstance(value, tuple | list):
            return [encode(item) for item in value]
        if isinstance(value, Mapping):
            return {str(key): encode(item) for key, item in value.items()}
        return value

    return {"nodes": data["nodes"], "agent": encode(agent)}


def decode_agent(data: Any) -> AgentIR:
    """The inverse of :func:`encode_agent`.

    Raises ``pydantic.ValidationError`` or ``ValueError`` (:class:`~agentc.compiler.wellformed.MalformedError` with
    the place) if the data does not describe an agent that a spec could denote.
    """
    # as JSON, where an array is a tuple and yet `1.0` is no whole number and `1` no Boolean
    document_model().model_validate_json(json.dumps(data, allow_nan=False))
    count = len(data["nodes"])
    nodes = from_data({"nodes": data["nodes"], "roots": list(range(count))})

    def decode(value: Any, hint: Any) -> Any:
        if value is None:
            return None
        if hint in (Value, Literalish) or isinstance(hint, typing.ForwardRef):
            return _frozen(value)
        if _is_node(hint):
            if not 0 <= value < count or not isinstance(nodes[value], hint):
                raise ValueError(f"node {value} is not a {hint.__name__.lower()} of the table of {count} nodes")
            return nodes[value]
        if dataclasses.is_dataclass(hint):
            assert isinstance(hint, type)
            hints = _hints(hint)
            return hint(**{f.name: decode(value[f.name], hints[f.name]) for f in _fields(hint)})
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            members = [a for a in args if a is not type(None)]
            if members == [Formula, Term]:
                if not 0 <= value < count:
                    raise ValueError(f"node {value} is not in the table of {count} nodes")
                return nodes[value]
            return decode(value, members[0]) if len(members) == 1 else _frozen(value)
        if origin is tuple:
            if args[-1] is Ellipsis:
                return tuple(decode(item, args[0]) for item in value)
            return tuple(decode(item, a) for item, a in zip(value, args, strict=True))
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {key: decode(item, args[1]) for key, item in value.items()}
        return float(value) if hint is float else value

    agent = decode(data["agent"], AgentIR)
    assert isinstance(agent, AgentIR)
    check_agent(agent)
    return agent


def _as_stated(value: Any, hint: Any) -> Any:
    """A whole number in a field of real ones is one of them: the agent that is read back has the same bytes."""
    kinds = {hint, *typing.get_args(hint)}
    if float in kinds and int not in kinds and type(value) is int:
        return float(value)
    return value


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value
