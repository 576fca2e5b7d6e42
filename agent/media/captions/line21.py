"""The code of line 21 (CEA-608): characters, rows and commands of the first channel as pairs of seven-bit bytes.

A caption is loaded unseen, then shown at once; one pair goes with every frame of 30000/1001 per second.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final

from agent.media.captions.cues import Cue, flattened

Pair = tuple[int, int]

RATE: Final = Fraction(30000, 1001)
COLUMNS: Final = 32
ROWS: Final = 4
"""That one caption takes at most: more is shown one after the other."""

LOAD: Final = (0x14, 0x20)
CLEAR: Final = (0x14, 0x2C)
CLEAR_UNSEEN: Final = (0x14, 0x2E)
SHOW: Final = (0x14, 0x2F)

_UNLIKE_ASCII: Final = {
    0x2A: "á", 0x5C: "é", 0x5E: "í", 0x5F: "ó", 0x60: "ú", 0x7B: "ç", 0x7C: "÷", 0x7D: "Ñ", 0x7E: "ñ", 0x7F: "█",
}  # fmt: skip
STANDARD: Final[Mapping[int, str]] = {code: _UNLIKE_ASCII.get(code, chr(code)) for code in range(0x20, 0x80)}
SPECIAL: Final = dict(zip(range(0x30, 0x40), "®°½¿™¢£♪à èâêîôû", strict=True))
EXTENDED: Final[Mapping[int, Mapping[int, str]]] = {
    0x12: dict(zip(range(0x20, 0x40), "ÁÉÓÚÜü‘¡*'—©℠•“”ÀÂÇÈÊËëÎÏïÔÙùÛ«»", strict=True)),
    0x13: dict(zip(range(0x20, 0x40), "ÃãÍÌìÒòÕõ{}\\^_|~ÄäÖöß¥¤│ÅåØø┌┐└┘", strict=True)),
}
"""Each overwrites the character before it, which is what older decoders show."""
ROW_CODES: Final[Mapping[int, Pair]] = {
    1: (0x11, 0x40), 2: (0x11, 0x60), 3: (0x12, 0x40), 4: (0x12, 0x60), 5: (0x15, 0x40), 6: (0x15, 0x60),
    7: (0x16, 0x40), 8: (0x16, 0x60), 9: (0x17, 0x40), 10: (0x17, 0x60), 11: (0x10, 0x40), 12: (0x13, 0x40),
    13: (0x13, 0x60), 14: (0x14, 0x40), 15: (0x14, 0x60),
}  # fmt: skip

_STANDARD_CODES: Final = {character: code for code, character in STANDARD.items()}
_SPECIAL_CODES: Final = {character: code for code, character in SPECIAL.items() if character != " "}
_EXTENDED_CODES: Final = {
    character: (first, second) for first, table in EXTENDED.items() for second, character in table.items()
}
_NEAREST: Final = str.maketrans({"–": "-", "…": "...", "’": "'", "‚": ",", "„": "“", "\u00a0": " ", "♫": "♪"})


def is_written(character: str) -> bool:
    """Whether the character, or one that looks like it, is in the code."""
    return all(_code(one) is not None for one in character.translate(_NEAREST))


def with_parity(byte: int) -> int:
    """Every byte has an odd number of ones."""
    return byte | (0 if byte.bit_count() % 2 else 0x80)


def scheduled(cues: Sequence[Cue]) -> dict[int, Pair]:
    """Which pair goes with which frame; what is loaded later than its time is shown as soon as it can be."""
    slots: dict[int, Pair] = {}
    free = 0
    shown = [page for cue in flattened(cues) for page in pages(cue)]
    for number, page in enumerate(shown):
        loading = [_twice(LOAD), _twice(CLEAR_UNSEEN), *_text(page.lines)]
        start, end = _slot(page.start), _slot(page.end)
        loaded = _load(slots, loading, free, start)
        at = _first_room(slots, max(start, loaded), 2)
        slots[at] = slots[at + 1] = SHOW
        free = at + 2
        following = _slot(shown[number + 1].start) if number + 1 < len(shown) else None
        if following is None or following - end > 1:
            end = max(end, free)
            slots[end] = slots[end + 1] = CLEAR
    return slots


Unit = tuple[Pair, ...]
"""Pairs that nothing may come between: a command is sent twice, and taken once."""


def _twice(command: Pair) -> Unit:
    return (command, command)


def _load(slots: dict[int, Pair], units: Sequence[Unit], free: int, start: int) -> int:
    """Put everything into the last frames before the start that have room, or else the first there are; tells where it ends."""
    places: list[int] = []
    before = start
    for unit in reversed(units):
        if before < free:
            break
        before = _last_room(slots, before, len(unit), free)
        places.append(before)
    if before < free:
        places, after = [], free
        for unit in units:
            places.append(_first_room(slots, after, len(unit)))
            after = places[-1] + len(unit)
        places.reverse()
    for place, unit in zip(reversed(places), units, strict=True):
        slots.update(enumerate(unit, start=place))
    return places[0] + len(units[-1])


def _last_room(slots: Mapping[int, Pair], end: int, count: int, least: int) -> int:
    """The last frame from which on so many are free before `end`; less than the least, where there is none."""
    place = end - count
    while place >= least and any(place + one in slots for one in range(count)):
        place -= 1
    return place


def _first_room(slots: Mapping[int, Pair], begin: int, count: int) -> int:
    place = begin
    while any(place + one in slots for one in range(count)):
        place += 1
    return place


def _slot(time: int) -> int:
    return round(time * RATE / 1000)


def pages(cue: Cue) -> Iterator[Cue]:
    """What fits on the screen at once; several share the time."""
    rows = [row for line in cue.lines for row in _rows(line)]
    texts = [tuple(rows[first : first + ROWS]) for first in range(0, len(rows), ROWS)]
    length = cue.end - cue.start
    for number, text in enumerate(texts):
        yield Cue(cue.start + length * number // len(texts), cue.start + length * (number + 1) // len(texts), text)


def _rows(line: str) -> list[str]:
    return textwrap.wrap("".join(map(_spelled, line.translate(_NEAREST))), COLUMNS)


def _spelled(character: str) -> str:
    return character if _code(character) is not None else "?"


def _text(rows: Sequence[str]) -> list[Unit]:
    """The rows at the bottom of the screen, as near to its middle as steps of four columns allow."""
    units: list[Unit] = []
    for row, text in enumerate(rows, start=16 - len(rows)):
        first, second = ROW_CODES[row]
        step = (COLUMNS - len(text)) // 8
        units += [_twice((first, second | 0x10 | step << 1)), *_characters(text)]
    return units


def _characters(text: str) -> list[Unit]:
    units: list[Unit] = []
    half: int | None = None
    for code in (code for character in text for code in _code(character) or ()):
        if isinstance(code, int) and half is None:
            half = code
        elif isinstance(code, int):
            units.append(((half or 0, code),))
            half = None
        else:
            if half is not None:
                units.append(((half, 0),))
            units.append(_twice(code))
            half = None
    return units if half is None else [*units, ((half, 0),)]


def _code(character: str) -> tuple[int | Pair, ...] | None:
    """Single bytes, and pairs that must not be torn apart; None where the code has nothing like it."""
    if character in _STANDARD_CODES:
        return (_STANDARD_CODES[character],)
    if character in _SPECIAL_CODES:
        return ((0x11, _SPECIAL_CODES[character]),)
    bare = unicodedata.normalize("NFKD", character)[0]
    if character in _EXTENDED_CODES:
        return (_STANDARD_CODES.get(bare, 0x3F), _EXTENDED_CODES[character])
    return (_STANDARD_CODES[bare],) if bare in _STANDARD_CODES else None
