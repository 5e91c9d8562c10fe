"""Records behave as the standard frozen dataclasses do."""

import copy
import dataclasses
from dataclasses import field, fields, replace

import pytest

from agentc.lang.records import dataclass as record


def families():
    for maker in (record, dataclasses.dataclass):

        @maker(frozen=True, slots=True, kw_only=True)
        class Base:
            """Base."""

            place: int = field(compare=False, repr=False)

        @maker(frozen=True, slots=True)
        class Leaf(Base):
            """Leaf."""

            name: str
            parts: tuple = ()
            rows: list = field(default_factory=list)

            @property
            def size(self):
                return len(self.parts)

        @maker(frozen=True, slots=True, eq=False)
        class Alone:
            """Alone."""

            value: int = 3

        yield Base, Leaf, Alone


(Base, Leaf, Alone), (StandardBase, StandardLeaf, StandardAlone) = families()


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("a",), {"place": 1}),
        (("a", (1,)), {"place": 1, "rows": [2]}),
        ((), {"name": "a", "place": 1, "parts": (2,)}),
        ((), {"place": 1}),
        (("a",), {}),
        (("a",), {"name": "b", "place": 1}),
        (("a",), {"place": 1, "other": 2}),
        (("a", (), [], 4), {}),
    ],
)
def test_construction(args, named):
    try:
        standard = StandardLeaf(*args, **named)
    except TypeError:
        with pytest.raises(TypeError):
            Leaf(*args, **named)
        return
    ours = Leaf(*args, **named)
    assert [getattr(ours, f.name) for f in fields(ours)] == [getattr(standard, f.name) for f in fields(standard)]
    assert repr(ours).partition(".Leaf")[2] == repr(standard).partition(".Leaf")[2]
    assert ours.size == standard.size


def test_equality_and_hash():
    a, b, c = Leaf("a", place=1, rows=()), Leaf("a", place=2, rows=()), Leaf("b", place=1, rows=())
    assert a == b != c and hash(a) == hash(b)
    assert a != StandardLeaf("a", place=1, rows=())
    assert Alone() != Alone() and len({Alone(), Alone()}) == 2


def test_frozen_slots_copies_and_replacement():
    a = Leaf("a", place=1)
    for change in (lambda: setattr(a, "name", "b"), lambda: setattr(a, "new", 1), lambda: delattr(a, "name")):
        with pytest.raises(AttributeError):
            change()
    assert not hasattr(a, "__dict__")
    assert replace(a, name="b", place=3).place == 3
    assert copy.copy(a) == a and copy.deepcopy(a) == a
    assert a.rows is not Leaf("a", place=1).rows
    assert Leaf.__match_args__ == StandardLeaf.__match_args__
    match a:
        case Leaf("a", ()):
            pass
        case _:
            pytest.fail("no match")


def test_only_what_is_frozen_and_has_slots():
    with pytest.raises(TypeError):
        record(slots=True)
