"""The decoder of line 21 (CEA-608): from the pairs of both fields to what each of the four channels showed, and when.

All three manners are read: captions that pop on, that roll up, and that are painted as they come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from agent.media.captions.cues import Cue, Cues, tidy
from agent.media.captions.line21 import COLUMNS, EXTENDED, ROW_CODES, SPECIAL, STANDARD

BOTTOM: Final = 15
_ROWS: Final = {code: row for row, code in ROW_CODES.items()}
Rows = dict[int, list[str]]


@dataclass(frozen=True)
class Sent:
    """One pair as it was received."""

    time: int
    field: int
    """0 or 1."""
    first: int
    second: int


def read(sent: Iterable[Sent], *, end: int) -> Cues:
    """The captions of the first channel that has any; what is still shown at the end is shown until then."""
    channels = decoded(sent, end=end)
    return next((cues for cues in channels if cues), ())


def decoded(sent: Iterable[Sent], *, end: int) -> tuple[Cues, ...]:
    """Of all four channels: two in each field."""
    decoder = Decoder()
    for pair in sent:
        decoder.take(pair)
    return decoder.ended(end)


class Decoder:
    """Takes one pair after the other."""

    def __init__(self) -> None:
        self._fields = (_Field(), _Field())

    def take(self, pair: Sent) -> None:
        self._fields[pair.field].take(pair.time, pair.first & 0x7F, pair.second & 0x7F)

    def ended(self, end: int) -> tuple[Cues, ...]:
        return tuple(tidy(channel.ended(end)) for one in self._fields for channel in one.channels)


class _Manner(Enum):
    NONE = auto()
    POP_ON = auto()
    ROLL_UP = auto()
    PAINT_ON = auto()


@dataclass
class _Channel:
    manner: _Manner = _Manner.NONE
    shown: Rows = field(default_factory=dict)
    unseen: Rows = field(default_factory=dict)
    row: int = BOTTOM
    column: int = 0
    depth: int = 2
    since: int | None = None
    cues: list[Cue] = field(default_factory=list)

    def ended(self, time: int) -> list[Cue]:
        self._close(time)
        return self.cues

    @property
    def _written(self) -> Rows:
        return self.unseen if self.manner is _Manner.POP_ON else self.shown

    def write(self, time: int, character: str) -> None:
        if self.manner is _Manner.NONE:
            return
        if self.manner is not _Manner.POP_ON and self.since is None:
            self.since = time
        line = self._written.setdefault(self.row, [" "] * COLUMNS)
        line[min(self.column, COLUMNS - 1)] = character
        self.column = min(self.column + 1, COLUMNS)

    def overwrite(self, time: int, character: str) -> None:
        self.column = max(0, self.column - 1)
        self.write(time, character)

    def place(self, row: int, column: int) -> None:
        if self.manner is _Manner.ROLL_UP and row != self.row:
            moved = {line + row - self.row: text for line, text in self.shown.items()}
            self.shown = {line: text for line, text in moved.items() if 1 <= line <= BOTTOM}
        self.row, self.column = row, column

    def command(self, time: int, code: int) -> None:
        match code:
            case 0x20:
                self.manner = _Manner.POP_ON
            case 0x21:
                self.column = max(0, self.column - 1)
                if self.row in self._written:
                    self._written[self.row][self.column] = " "
            case 0x24:
                if self.row in self._written:
                    self._written[self.row][self.column :] = [" "] * (COLUMNS - self.column)
            case 0x25 | 0x26 | 0x27:
                if self.manner is not _Manner.ROLL_UP:
                    self._erase(time)
                    self.row = BOTTOM
                self.manner, self.depth, self.column = _Manner.ROLL_UP, code - 0x23, 0
            case 0x29:
                self.manner = _Manner.PAINT_ON
            case 0x2A | 0x2B:
                self.manner = _Manner.NONE
            case 0x2C:
                self._erase(time)
            case 0x2D:
                self._roll(time)
            case 0x2E:
                self.unseen = {}
            case 0x2F:
                self._flip(time)

    def _roll(self, time: int) -> None:
        if self.manner is not _Manner.ROLL_UP:
            return
        self._close(time)
        rolled = {line - 1: text for line, text in self.shown.items() if line - 1 > self.row - self.depth}
        self.shown, self.column = rolled, 0
        self.since = time if _lines(rolled) else None

    def _flip(self, time: int) -> None:
        self._close(time)
        self.shown, self.unseen = self.unseen, self.shown
        self.manner = _Manner.POP_ON
        self.since = time if _lines(self.shown) else None

    def _erase(self, time: int) -> None:
        self._close(time)
        self.shown = {}

    def _close(self, time: int) -> None:
        if self.since is not None and (lines := _lines(self.shown)):
            self.cues.append(Cue(self.since, time, lines))
        self.since = None


class _Field:
    """Where two channels share the pairs: each command says whose the characters after it are."""

    def __init__(self) -> None:
        self.channels = (_Channel(), _Channel())
        self._current: _Channel | None = None
        self._last: tuple[int, int] | None = None
        self._in_service_data = False

    def take(self, time: int, first: int, second: int) -> None:
        if (first, second) == (0, 0):
            return
        if 0x01 <= first < 0x10:  # of the programme, not of captions; ends with 0x0F
            self._in_service_data = first != 0x0F
            return
        if 0x10 <= first < 0x20:
            self._in_service_data = False
            if (first, second) == self._last:
                self._last = None
                return
            self._last = (first, second)
            self._control(time, first, second)
            return
        self._last = None
        if not self._in_service_data and self._current is not None:
            for code in (first, second):
                if code in STANDARD:
                    self._current.write(time, STANDARD[code])

    def _control(self, time: int, first: int, second: int) -> None:
        channel = self._current = self.channels[first >> 3 & 1]
        kind = first & 0x17
        if (kind, second & 0x60) in _ROWS and second >= 0x40:
            indent = (second >> 1 & 7) * 4 if second & 0x10 else 0
            channel.place(_ROWS[kind, second & 0x60], indent)
        elif kind == 0x11 and 0x30 <= second < 0x40:
            channel.write(time, SPECIAL[second])
        elif kind in EXTENDED and second in EXTENDED[kind]:
            channel.overwrite(time, EXTENDED[kind][second])
        elif kind == 0x11 and 0x20 <= second < 0x30:
            channel.write(time, " ")  # colours and italics take a place
        elif kind in (0x14, 0x15) and 0x20 <= second < 0x30:
            channel.command(time, second)
        elif kind == 0x17 and 0x21 <= second <= 0x23:
            channel.column = min(channel.column + second - 0x20, COLUMNS - 1)


def _lines(rows: Rows) -> tuple[str, ...]:
    return tuple(line for line in _joined(rows) if line)


def _joined(rows: Rows) -> Iterator[str]:
    return ("".join(text).strip() for _, text in sorted(rows.items()))
