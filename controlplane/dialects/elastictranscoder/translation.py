"""From a structure of the wire to the native one, and back: both ways are made from the structures' members."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, get_args, get_origin

from controlplane.dialects.elastictranscoder.conversion import Native, Structure

Fields = dict[str, Any]
Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Member:
    """Of a structure: what it is called there, and where in the native structure its value is."""

    name: str
    wire: str
    native: Native
    structure: type[Structure] | None
    is_list: bool

    @property
    def path(self) -> tuple[str, ...]:
        return tuple((self.native.path or self.name).split("."))


def to_native(sent: Structure) -> Fields:
    found: Fields = {}
    readers, values = _readers(type(sent)), sent.__dict__
    for name in sent.model_fields_set:
        value = values[name]
        if value is None or name not in readers:
            continue
        above, last, convert = readers[name]
        if convert is not None:
            value = convert(value)
            if value is None:
                continue
        place = found
        for step in above:
            place = place.setdefault(step, {})
        place[last] = value
    return found


def to_wire(structure: type[Structure], native: Mapping[str, Any]) -> Fields:
    """What there is of a structure in a native one, whether that was asked for over this wire or natively."""
    found: Fields = {}
    for wire, first, below, convert in _writers(structure):
        value = native.get(first)
        for step in below:
            value = value.get(step) if value is not None else None
        if value is None:
            continue
        if convert is not None:
            value = convert(value)
            if value is None:
                continue
        found[wire] = value
    return found


@cache
def members(structure: type[Structure]) -> Mapping[str, Member]:
    """By name."""
    found = {}
    for name, field in structure.model_fields.items():
        parts = [*field.metadata, *_parts(field.annotation)]
        inner = next((part for part in parts if isinstance(part, type) and issubclass(part, Structure)), None)
        native = next((part for part in parts if isinstance(part, Native)), Native())
        found[name] = Member(name, field.alias or name, native, inner, is_list=tuple in parts)
    return found


def _parts(annotation: Any) -> Iterator[Any]:
    """A type, and everything that it is made of or annotated with."""
    yield get_origin(annotation) or annotation
    yield from getattr(annotation, "__metadata__", ())
    for inner in get_args(annotation):
        yield from _parts(inner)


@cache
def _readers(structure: type[Structure]) -> Mapping[str, tuple[tuple[str, ...], str, Convert | None]]:
    """By a member's name: the steps to the native field, its name, and how the value becomes a native one."""
    found = {}
    for member in members(structure).values():
        if member.native.is_kept:
            (*above, last), inner = member.path, _each(member, to_native)
            found[member.name] = (tuple(above), last, _chain(inner, member.native.read))
    return found


@cache
def _writers(structure: type[Structure]) -> Sequence[tuple[str, str, tuple[str, ...], Convert | None]]:
    """What a member is called on the wire, the native field, the steps below that, and how the value becomes one of the wire."""
    found = []
    for member in members(structure).values():
        if member.native.is_kept:
            (first, *below), inner = member.path, member.structure and _each(member, partial(to_wire, member.structure))
            found.append((member.wire, first, tuple(below), _chain(member.native.write, inner)))
    return found


def _each(member: Member, convert: Convert) -> Convert | None:
    """For what a member holds, whether that is one structure or many."""
    if member.structure is None:
        return None
    return partial(_all, convert) if member.is_list else convert


def _all(convert: Convert, values: Sequence[Any]) -> list[Any]:
    return [convert(value) for value in values]


def _chain(first: Convert | None, then: Convert | None) -> Convert | None:
    if first is None or then is None:
        return first or then
    return lambda value: then(first(value))
