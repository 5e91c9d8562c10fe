"""Frozen dataclasses that cost little to define.

The standard ``dataclass`` compiles half a dozen methods for every class, which for the syntax tree's hundred
classes takes longer than parsing a file. Here the fields are found by the standard one, and the methods are shared
closures: ``fields`` and ``replace`` of :mod:`dataclasses`, and ``match``, work as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from collections.abc import Callable
    from dataclasses import MISSING, Field, FrozenInstanceError, fields
    from dataclasses import dataclass as standard
    from operator import attrgetter
    from typing import Any

    def dataclass(
        cls: type | None = None, /, *, frozen: bool = False, slots: bool = False, kw_only: bool = False, eq: bool = True
    ) -> Any:
        """A frozen dataclass with slots; ``eq=False`` leaves equality to be identity."""
        if not (frozen and slots):
            raise TypeError("only frozen dataclasses with slots are made here")
        plain = standard(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)

        def wrap(cls: type) -> type:
            return _finished(plain(cls), eq)

        return wrap if cls is None else wrap(cls)

    def _finished(cls: type, eq: bool) -> type:
        own = fields(cls)
        cls.__init__ = _initializer(cls, own)
        cls.__setattr__, cls.__delattr__ = _set, _delete
        names = tuple(f.name for f in own)
        cls.__getstate__ = lambda self: tuple(getattr(self, name) for name in names)
        cls.__setstate__ = lambda self, state: self.__init__(**dict(zip(names, state, strict=True)))
        if "__repr__" not in cls.__dict__:
            cls.__repr__ = _representation(tuple(f.name for f in own if f.repr))
        if eq:
            compared = tuple(f.name for f in own if f.compare)
            values = attrgetter(*compared) if compared else lambda self: ()
            cls.__eq__ = lambda self, other: (
                values(self) == values(other) if self.__class__ is other.__class__ else NotImplemented
            )
            cls.__hash__ = lambda self: hash(values(self))
        return cls

    def _initializer(cls: type, own: tuple[Field[Any], ...]) -> Callable[..., None]:
        setters = {f.name: getattr(cls, f.name).__set__ for f in own}
        positional = tuple(f.name for f in own if not f.kw_only)
        in_order = tuple(setters[name] for name in positional)
        order = {name: i for i, name in enumerate(positional)}
        defaults = {f.name: f.default for f in own if f.default is not MISSING}
        factories = {f.name: f.default_factory for f in own if f.default_factory is not MISSING}
        count = len(own)

        def initialize(self: Any, *args: Any, **named: Any) -> None:
            given = len(args)
            if given > len(in_order):
                raise TypeError(f"{cls.__name__}() takes {len(in_order)} positional arguments, not {given}")
            for put, value in zip(in_order, args, strict=False):
                put(self, value)
            for name, value in named.items():
                put = setters.get(name)
                if put is None or order.get(name, given) < given:
                    what = "has no field" if put is None else "got twice the field"
                    raise TypeError(f"{cls.__name__}() {what} {name!r}")
                put(self, value)
            if given + len(named) < count:
                for name, put in setters.items():
                    if name in named or order.get(name, given) < given:
                        continue
                    if name in defaults:
                        put(self, defaults[name])
                    elif name in factories:
                        put(self, factories[name]())
                    else:
                        raise TypeError(f"{cls.__name__}() needs {name!r}")

        return initialize

    def _set(self: Any, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def _delete(self: Any, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def _representation(names: tuple[str, ...]) -> Callable[[Any], str]:
        def represent(self: Any) -> str:
            return f"{self.__class__.__qualname__}({', '.join(f'{n}={getattr(self, n)!r}' for n in names)})"

        return represent


__all__ = ["dataclass"]
