"""Digital captions (CEA-708): the packets of service 1, one at most with every picture.

Two windows take turns: while one is shown, the next caption is written into the other, unseen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.media.captions.cues import Cue
from agent.media.captions.line21 import COLUMNS
from agent.media.captions.sei import Triplet

SERVICE: Final = 1
LONGEST_BLOCK: Final = 31
LEAD: Final = 1_500
"""Milliseconds before its time at which a caption is begun to be written: who tunes in later sees the next one."""

DISPLAY: Final = 0x89
DELETE: Final = 0x8C
DEFINE: Final = 0x98
PLACE_PEN: Final = 0x92
END_OF_TEXT: Final = 0x03

_START: Final = 3
_MORE: Final = 2
_NOTE: Final = 0x7F
_SECOND_SET: Final = {
    "…": 0x25, "Š": 0x2A, "Œ": 0x2C, "█": 0x30, "‘": 0x31, "’": 0x32, "“": 0x33, "”": 0x34, "•": 0x35, "™": 0x39, "š": 0x3A,
    "œ": 0x3C, "Ÿ": 0x3F,
}  # fmt: skip


def packets(pages: Sequence[Cue], times: Sequence[int], room: int) -> Iterator[list[Triplet]]:
    """With every picture, shown at these milliseconds, the triplets of its packet: at most `room`."""
    writer = _Writer(deque(enumerate(pages)))
    sequence = 0
    is_pending = False  # receivers may take a packet for whole only when the next one begins
    for time in times:
        commands = writer.commands(time, 2 * room - 1)
        if not commands and not is_pending:
            yield []
            continue
        yield list(_triplets(_packet(sequence, commands)))
        sequence = (sequence + 1) % 4
        is_pending = bool(commands)


@dataclass
class _Writer:
    waiting: deque[tuple[int, Cue]]
    """Captions nothing was sent of, with their numbers."""
    next: tuple[int, Cue] | None = None
    unsent: deque[bytes] = field(default_factory=deque)
    shown: tuple[int, Cue] | None = None

    def commands(self, time: int, room: int) -> list[bytes]:
        """What is sent with a picture; no command is ever cut in two."""
        sent: list[bytes] = []
        if self.shown is not None and self.shown[1].end <= time:
            sent.append(bytes((DELETE, _window(self.shown))))
            self.shown = None
        if self.next is not None and not self.unsent and self.next[1].start <= time:
            if self.shown is not None:
                sent.append(bytes((DELETE, _window(self.shown))))
            sent.append(bytes((DISPLAY, _window(self.next))))
            self.shown, self.next = self.next, None
        if self.next is None and self.waiting and self.waiting[0][1].start - LEAD <= time:
            self.next = self.waiting.popleft()
            self.unsent.extend(_written(*self.next))
        while self.unsent and _size([*sent, self.unsent[0]]) <= room:
            sent.append(self.unsent.popleft())
        return sent


def _window(numbered: tuple[int, Cue]) -> int:
    """As a bit of a mask."""
    return 1 << numbered[0] % 2


def _written(number: int, page: Cue) -> Iterator[bytes]:
    rows = len(page.lines)
    # unseen, rows and columns locked; its lower edge in the middle of the bottom, in parts of a hundred; plain styles
    yield bytes((DEFINE + number % 2, 0x18, 0x80 | 95, 50, 7 << 4 | rows - 1, COLUMNS - 1, 1 << 3 | 1))
    for row, line in enumerate(page.lines):
        yield bytes((PLACE_PEN, row, (COLUMNS - len(line)) // 2))
        yield from map(_code, line)
    yield bytes((END_OF_TEXT,))


def _code(character: str) -> bytes:
    if character == "♪":
        return bytes((_NOTE,))
    if character in _SECOND_SET:
        return bytes((0x10, _SECOND_SET[character]))
    code = ord(character)
    if 0x20 <= code < 0x7F or 0xA0 <= code < 0x100:
        return bytes((code,))
    return b"_" if code > 0xFFFF else bytes((0x18, code >> 8, code & 0xFF))


def _size(commands: Sequence[bytes]) -> int:
    return sum(1 + len(block) for block in _blocks(commands))


def _blocks(commands: Sequence[bytes]) -> list[bytes]:
    blocks: list[bytes] = []
    for command in commands:
        if not blocks or len(blocks[-1]) + len(command) > LONGEST_BLOCK:
            blocks.append(b"")
        blocks[-1] += command
    return blocks


def _packet(sequence: int, commands: Sequence[bytes]) -> bytes:
    """A header with its size in pairs of bytes, then blocks of the service."""
    body = b"".join(bytes((SERVICE << 5 | len(block),)) + block for block in _blocks(commands))
    pairs = (1 + len(body) + 1) // 2
    return (bytes((sequence << 6 | pairs % 64,)) + body).ljust(2 * pairs, b"\0")


def _triplets(packet: bytes) -> Iterator[Triplet]:
    for at in range(0, len(packet), 2):
        yield Triplet(_START if at == 0 else _MORE, packet[at], packet[at + 1])
