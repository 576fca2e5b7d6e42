"""Requests out of the vendor's own model: valid in every shape, or with one thing wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hypothesis import strategies as st

UNKNOWN = "Nonsense"
Path = tuple[str | int, ...]


class Broken(NamedTuple):
    document: dict[str, Any]
    named: tuple[str, ...]
    """What a refusal has to name, whatever the size of its letters: what is wrong at last, before it what that lies in."""
    why: str


@dataclass(frozen=True, repr=False)
class Shapes:
    """`chosen` are the values to take for a shape, instead of any that its pattern allows; `taken` are requests by operation."""

    model: Mapping[str, Any]
    chosen: Mapping[str, st.SearchStrategy[Any]]
    taken: Mapping[str, Sequence[dict[str, Any]]]
    _made: dict[Any, Any] = field(default_factory=dict)
    """Strategies, each made once: that takes longer than to draw from it."""

    def __repr__(self) -> str:
        """Short: strategies are told by what they are made of."""
        return "Shapes"

    def request(self, operation: str) -> st.SearchStrategy[dict[str, Any]]:
        """What lies in the body, or in the path and query."""
        shape: str = self.model["operations"][operation]["input"]["shape"]
        return self.valid(shape)

    def valid(self, name: str) -> st.SearchStrategy[Any]:
        if name not in self._made:
            self._made[name] = self.chosen[name] if name in self.chosen else self._valid(name)
        made: st.SearchStrategy[Any] = self._made[name]
        return made

    def _valid(self, name: str) -> st.SearchStrategy[Any]:
        shape = self.model["shapes"][name]
        kind: str = shape["type"]
        if kind == "structure":
            members = {member: self.valid(told["shape"]) for member, told in shape["members"].items()}
            needed = set(shape.get("required", ()))
            optional = {member: value for member, value in members.items() if member not in needed}
            return st.fixed_dictionaries({member: members[member] for member in needed}, optional=optional)
        if kind == "list":
            return st.lists(self.valid(shape["member"]["shape"]), max_size=min(shape.get("max", 3), 3))
        if kind == "map":
            return st.dictionaries(self.valid(shape["key"]["shape"]), self.valid(shape["value"]["shape"]), max_size=3)
        assert kind in ("string", "integer", "long"), kind
        return self._text(shape) if kind == "string" else st.integers(0, 2**31 - 1)

    def _text(self, shape: Mapping[str, Any]) -> st.SearchStrategy[str]:
        if "enum" in shape:
            return st.sampled_from(shape["enum"])
        shortest, longest = shape.get("min", 0), shape.get("max", 40)
        if "pattern" in shape:
            letters = st.characters(exclude_categories=("C",))
            said = st.from_regex(re.compile(shape["pattern"], re.ASCII), fullmatch=True, alphabet=letters)
            return said.filter(lambda text: shortest <= len(text) <= shape.get("max", 2000))
        return st.text("abcxyz019 ./-_é€", min_size=shortest, max_size=min(longest, max(shortest, 12)))

    @st.composite
    @staticmethod
    def _broken(draw: st.DrawFn, shapes: Shapes, operation: str, *, is_taken: bool) -> Broken:
        document = draw(st.sampled_from(shapes.taken[operation]) if is_taken else shapes.request(operation))
        shape = shapes.model["operations"][operation]["input"]["shape"]
        place = draw(st.sampled_from([None, *shapes.places(shape, document, ())]))
        if place is None:
            return Broken({**document, UNKNOWN: "x"}, (UNKNOWN.lower(),), "unknown member")
        path, name, required = place
        wrong, why = draw(shapes.wrong(name, is_required=required))
        named = [part.lower() for part in path if isinstance(part, str)]
        if why == "unknown member":
            named.append(UNKNOWN.lower())
        return Broken(_with(document, path, wrong), tuple(named), f"{'.'.join(map(str, path))}: {why}")

    def broken(self, operation: str, *, is_taken: bool) -> st.SearchStrategy[Broken]:
        """A request that is valid but for one member, of whatever is in it; otherwise it would have been taken, or perhaps."""
        made: st.SearchStrategy[Broken] = Shapes._broken(self, operation, is_taken=is_taken)
        return made

    @st.composite
    @staticmethod
    def _changed(draw: st.DrawFn, shapes: Shapes, operation: str) -> dict[str, Any]:
        document = draw(st.sampled_from(shapes.taken[operation]))
        shape = shapes.model["operations"][operation]["input"]["shape"]
        path, name, _ = draw(st.sampled_from([((), shape, True), *shapes.places(shape, document, ())]))
        another = shapes.valid(name) if path and draw(st.booleans()) else shapes.another(name, _at(document, path))
        changed: dict[str, Any] = _with(document, path, draw(another))
        return changed

    def changed(self, operation: str) -> st.SearchStrategy[dict[str, Any]]:
        """What is taken, with one thing in it changed into what the model allows there: it may say something, or nonsense."""
        made: st.SearchStrategy[dict[str, Any]] = Shapes._changed(self, operation)
        return made

    def another(self, name: str, value: Any) -> st.SearchStrategy[Any]:
        """With a member more, or less, or the same twice; or another value."""
        shape = self.model["shapes"][name]
        if shape["type"] == "structure":
            members = {member: told["shape"] for member, told in shape["members"].items() if "location" not in told}
            less = [
                st.just({key: told for key, told in value.items() if key != gone}) for gone in members.keys() & value
            ]
            more = [
                self.valid(members[member]).map(lambda made, key=member: {**value, key: made})
                for member in members.keys() - value
            ]
            return st.one_of([*less, *more, st.just(value)])
        if shape["type"] == "list" and value:
            return st.sampled_from([[], value[1:], [*value, value[0]], value * 2])
        return self.valid(name)

    def places(self, name: str, value: Any, path: Path) -> Iterator[tuple[Path, str, bool]]:
        """What is in a request: where, of which shape, and whether it must be there; what lies in the path or query aside."""
        shape = self.model["shapes"][name]
        if shape["type"] == "structure":
            for member, told in shape["members"].items():
                if member in value and "location" not in told:
                    yield (*path, member), told["shape"], member in shape.get("required", ())
                    yield from self.places(told["shape"], value[member], (*path, member))
        elif shape["type"] == "list":
            for index, item in enumerate(value):
                yield (*path, index), shape["member"]["shape"], False
                yield from self.places(shape["member"]["shape"], item, (*path, index))

    def wrong(self, name: str, *, is_required: bool) -> st.SearchStrategy[tuple[Any, str]]:
        """What the shape does not allow, and why."""
        if (name, is_required) not in self._made:
            self._made[name, is_required] = self._wrong(name, is_required=is_required)
        made: st.SearchStrategy[tuple[Any, str]] = self._made[name, is_required]
        return made

    def _wrong(self, name: str, *, is_required: bool) -> st.SearchStrategy[tuple[Any, str]]:
        shape = self.model["shapes"][name]
        kinds = [_of_another_kind(shape["type"])]
        if is_required:
            kinds.append(st.just((None, "missing")))
        if "enum" in shape:
            kinds.append(
                st.sampled_from(["nonsense", "", " ", "AUTO", "\u00e9"]).map(lambda said: (said, "no such value"))
            )
        elif "pattern" in shape:
            pattern = re.compile(shape["pattern"], re.ASCII)
            texts = st.one_of(
                st.text(max_size=8), st.sampled_from(["nonsense\u00e9 of\tno form", "-1e9", "\u0663" * 4])
            )
            kinds.append(
                texts.filter(lambda said: pattern.search(said) is None).map(lambda said: (said, "of another form"))
            )
        if "max" in shape and shape["type"] == "string":
            kinds.append(st.just(("x" * (shape["max"] + 1), "too long")))
        if shape.get("min") and shape["type"] == "string":
            kinds.append(st.just(("", "too short")))
        if "max" in shape and shape["type"] == "list":
            kinds.append(st.just((["x"] * (shape["max"] + 1), "too many")))
        if shape["type"] == "structure":
            kinds.append(st.just(({UNKNOWN: "x"}, "unknown member")))
        return st.one_of(kinds)


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _of_another_kind(kind: str) -> st.SearchStrategy[tuple[Any, str]]:
    others: dict[str, list[Any]] = {
        "string": [7, 1.5, True, [], {}, ["x"]],
        "list": ["x", {"x": "y"}, 7, True],
        "map": ["x", ["y"], 7, True, {"x": 7}, {"x": None}],
        "structure": ["x", ["y"], 7, True],
        "integer": ["x", 1.5, [], {}],
        "long": ["x", 1.5, [], {}],
    }
    return st.sampled_from(others[kind]).map(lambda value: (value, "of another kind"))


def _with(value: Any, path: Path, wrong: Any) -> Any:
    if not path:
        return wrong
    first, rest = path[0], path[1:]
    replaced = _with(value[first], rest, wrong)
    if isinstance(value, list):
        assert isinstance(first, int)
        return [*value[:first], replaced, *value[first + 1 :]]
    return {**value, first: replaced}
