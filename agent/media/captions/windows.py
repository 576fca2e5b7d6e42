"""The decoder of digital captions (CEA-708): from the triplets of all pictures to what each service showed, and when.

A service writes into up to eight windows, each of them seen or not. Of where they lie only the order from top to bottom counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.media.captions.cues import MAX_CUES, Cue, Cues, Unreadable, tidy
from agent.media.captions.sei import Triplet

SERVICES: Final = range(1, 7)
WINDOWS: Final = range(8)
MOST_ROWS: Final = 16
MOST_COLUMNS: Final = 64
_START: Final = 3
_EXTENDED: Final = 7
"""Stands where the number of a service would, and says that it follows."""

SECOND_SET: Final[Mapping[int, str]] = {
    0x20: " ", 0x21: " ", 0x25: "…", 0x2A: "Š", 0x2C: "Œ", 0x30: "█", 0x31: "‘", 0x32: "’", 0x33: "“", 0x34: "”", 0x35: "•",
    0x39: "™", 0x3A: "š", 0x3C: "œ", 0x3D: "℠", 0x3F: "Ÿ", 0x76: "⅛", 0x77: "⅜", 0x78: "⅝", 0x79: "⅞", 0x7A: "│", 0x7B: "┐",
    0x7C: "└", 0x7D: "─", 0x7E: "┘", 0x7F: "┌",
}  # fmt: skip
UNKNOWN: Final = "_"


class Decoder:
    """Takes what comes with one picture after the other, in the order in which they are shown."""

    def __init__(self) -> None:
        self._packet = bytearray()
        self._size = 0
        self._services = {number: _Service() for number in SERVICES}

    def take(self, time: int, one: Triplet) -> None:
        """`time`: of the picture, in milliseconds. What is left of a packet that another one interrupts is lost."""
        if one.kind == _START:
            self._packet.clear()
            self._size = 2 * (one.first & 0x3F or 64)
        if not self._size:
            return
        self._packet += bytes((one.first, one.second))
        if len(self._packet) >= self._size:
            self._size = 0
            self._blocks(time, bytes(self._packet[1:]))

    def ended(self, end: int) -> dict[int, Cues]:
        """What is still shown at the end is shown until then."""
        return {number: tidy(service.ended(end)) for number, service in self._services.items()}

    def _blocks(self, time: int, body: bytes) -> None:
        at = 0
        while at < len(body):
            number, size = body[at] >> 5, body[at] & 0x1F
            at += 1
            if number == 0 or size == 0:
                return
            if number == _EXTENDED:
                number, at = (body[at] & 0x3F if at < len(body) else 0), at + 1
            if number in self._services:
                self._services[number].take(time, body[at : at + size])
            at += size


@dataclass
class _Window:
    is_seen: bool = False
    top: int = 0
    rows: int = 1
    columns: int = MOST_COLUMNS
    text: list[list[str]] = field(default_factory=lambda: [[]])
    row: int = 0
    column: int = 0
    _joined: list[str] | None = None
    """The lines, as long as nothing is written."""

    def shape(self, rows: int, columns: int) -> None:
        """What is written stays as far as there is room for it."""
        if (rows, columns) == (self.rows, self.columns):
            return
        self.rows, self.columns, self._joined = rows, columns, None
        self.text = [line[:columns] for line in self.text[:rows]] + [[] for _ in range(rows - len(self.text))]
        self.row, self.column = min(self.row, rows - 1), min(self.column, columns - 1)

    def clear(self) -> None:
        self.text = [[] for _ in range(self.rows)]
        self.row = self.column = 0
        self._joined = None

    def clear_row(self) -> None:
        self.text[self.row], self.column, self._joined = [], 0, None

    def place(self, row: int, column: int) -> None:
        self.row, self.column = min(row, self.rows - 1), min(column, self.columns - 1)

    def write(self, character: str) -> None:
        line = self.text[self.row]
        line += [" "] * (self.column + 1 - len(line))
        line[self.column] = character
        self.column = min(self.column + 1, self.columns - 1)
        self._joined = None

    def back(self) -> None:
        self.column = max(0, self.column - 1)
        del self.text[self.row][self.column :]
        self._joined = None

    @property
    def would_roll(self) -> bool:
        return self.row == self.rows - 1

    def new_line(self) -> None:
        if self.would_roll:
            self.text, self._joined = [*self.text[1:], []], None
        else:
            self.row += 1
        self.column = 0

    @property
    def lines(self) -> list[str]:
        if self._joined is None:
            self._joined = [line for line in ("".join(text).strip() for text in self.text) if line]
        return self._joined


class _Service:
    def __init__(self) -> None:
        self._windows: dict[int, _Window] = {}
        self._current: _Window | None = None
        self._since: int | None = None
        self._cues: list[Cue] = []
        self._held_until = 0

    def take(self, time: int, block: bytes) -> None:
        for code, arguments in _commands(block):
            self._do(max(time, self._held_until), code, arguments)

    def ended(self, time: int) -> list[Cue]:
        self._keep(time, self._lines())
        return self._cues

    def _do(self, time: int, code: int, arguments: bytes) -> None:
        if code in range(0x20, 0x80) or code in range(0xA0, 0x100) or code == _CODE_OF_ANY or code >= _SECOND:
            self._write(time, _character(code, arguments))
        elif code in range(0x80, 0x88):
            self._current = self._windows.get(code - 0x80)
        elif code in range(0x98, 0xA0):
            self._changed(time, lambda: self._define(code - 0x98, arguments))
        elif code in _OF_WINDOWS:
            self._changed(time, lambda: self._each(code, arguments[0]))
        elif code == 0x8D:
            self._held_until = time + 100 * arguments[0]
        elif code == 0x8E:
            self._held_until = 0
        elif code == 0x8F:
            self._changed(time, self._reset)
        elif self._current is not None:
            self._in_window(time, self._current, code, arguments)

    def _in_window(self, time: int, window: _Window, code: int, arguments: bytes) -> None:
        if code == 0x92:
            window.place(arguments[0] & 0x0F, arguments[1] & 0x3F)
        elif code == 0x08:
            window.back()
        elif code == 0x0C:
            self._changed(time, window.clear)
        elif code == 0x0D and window.would_roll:
            self._changed(time, window.new_line)
        elif code == 0x0D:
            window.new_line()
        elif code == 0x0E:
            window.clear_row()

    def _write(self, time: int, character: str) -> None:
        if self._current is None:
            return
        self._current.write(character)
        if self._current.is_seen and self._since is None and character != " ":
            self._since = time

    def _define(self, number: int, arguments: bytes) -> None:
        window = self._windows.setdefault(number, _Window())
        window.is_seen = bool(arguments[0] & 0x20)
        window.top = arguments[1] & 0x7F
        window.shape(min((arguments[3] & 0x0F) + 1, MOST_ROWS), min((arguments[4] & 0x3F) + 1, MOST_COLUMNS))
        self._current = window

    def _each(self, code: int, mask: int) -> None:
        for number in WINDOWS:
            window = self._windows.get(number) if mask >> number & 1 else None
            if window is not None:
                self._to(code, number, window)

    def _to(self, code: int, number: int, window: _Window) -> None:
        match code:
            case 0x88:
                window.clear()
            case 0x89:
                window.is_seen = True
            case 0x8A:
                window.is_seen = False
            case 0x8B:
                window.is_seen = not window.is_seen
            case _:
                del self._windows[number]
                self._current = None if self._current is window else self._current

    def _reset(self) -> None:
        self._windows, self._current, self._held_until = {}, None, 0

    def _changed(self, time: int, change: Callable[[], None]) -> None:
        """What was shown until now and is shown no more becomes a cue; what is only moved or shown on goes on."""
        before = self._lines()
        change()
        after = self._lines()
        if before == after:
            return
        self._keep(time, before)
        self._since = time if after else None

    def _keep(self, time: int, lines: tuple[str, ...]) -> None:
        if not lines or self._since is None or self._since >= time:
            return
        if len(self._cues) >= MAX_CUES:
            raise Unreadable(f"there are more than {MAX_CUES} captions")
        self._cues.append(Cue(self._since, time, lines))

    def _lines(self) -> tuple[str, ...]:
        seen = sorted((window.top, number) for number, window in self._windows.items() if window.is_seen)
        return tuple(line for _, number in seen for line in self._windows[number].lines)


_OF_WINDOWS: Final = range(0x88, 0x8D)
_ARGUMENTS: Final = {
    **dict.fromkeys(_OF_WINDOWS, 1), 0x8D: 1, 0x90: 2, 0x91: 3, 0x92: 2, 0x97: 4, **dict.fromkeys(range(0x98, 0xA0), 6),
}  # fmt: skip
_ANOTHER_SET: Final = 0x10
_CODE_OF_ANY: Final = 0x18
_SECOND: Final = 0x1000
"""Added to the codes of the second set."""


def _commands(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Each code with what follows it; one that is cut off is none."""
    at = 0
    while at < len(block):
        code, at = block[at], at + 1
        if code == _ANOTHER_SET:
            if at >= len(block):
                return
            code, at = _SECOND + block[at], at + 1
        size = _follow(code, block[at : at + 1])
        if at + size > len(block):
            return
        if not _SECOND <= code < _SECOND + 0x20 and not _SECOND + 0x80 <= code < _SECOND + 0xA0:
            yield code, block[at : at + size]
        at += size


def _follow(code: int, head: bytes) -> int:
    """How many bytes belong to a code. Those of the second set that are none yet say it by where they are."""
    if code >= _SECOND:
        low = code - _SECOND
        if low < 0x20:
            return low // 8
        if 0x80 <= low < 0x90:
            return low // 8 - 12
        return 1 + (head[0] & 0x3F if head else 0) if 0x90 <= low < 0xA0 else 0
    if code < 0x20:
        return code // 8 - 1 if code > _ANOTHER_SET else 0
    return _ARGUMENTS.get(code, 0)


def _character(code: int, arguments: bytes) -> str:
    if code >= _SECOND:
        return SECOND_SET.get(code - _SECOND, UNKNOWN)
    if code == _CODE_OF_ANY:
        character = chr(arguments[0] << 8 | arguments[1])
        return character if character.isprintable() else UNKNOWN
    return "♪" if code == 0x7F else chr(code)
