"""What an attempt has to say for itself: the last lines of ffmpeg's complaints and of the agent's own remarks.

Bounded, and cleaned of addresses, paths and secrets before a line is told. Lines are looked at when somebody asks, not as
they come: a program that says a gigabyte costs hardly more than one that says a page.
"""

from __future__ import annotations

from typing import Final

from shared.protocol import LOG_SIZE, LogTail
from shared.redaction import cleaned

LONGEST_LINE: Final = 2000
"""Bytes; a longer line is cut."""
UNREAD: Final = 2 * LOG_SIZE
"""Bytes that are kept of what nobody has looked at yet."""


class Tail:
    def __init__(self) -> None:
        self._text = ""
        self._said = 0
        self._unread = bytearray()

    @property
    def told(self) -> LogTail:
        self._look(self._unread.rfind(b"\n") + 1)
        return LogTail(said=self._said, text=self._text)

    def remark(self, line: str) -> None:
        """A line of the agent's own."""
        self.flush()
        self._keep(f"-- {line}\n")

    def hear(self, chunk: bytes) -> None:
        """ffmpeg's words, in pieces as they come. Only whole lines are kept: half an address would not be known as one."""
        self._unread += chunk
        if len(self._unread) > 2 * UNREAD:
            self._forget()

    def flush(self) -> None:
        """Nothing more comes: what is left is a line, too."""
        self._look(len(self._unread))

    def _look(self, end: int) -> None:
        """At what came since the last look."""
        for line in bytes(self._unread[:end]).removesuffix(b"\n").split(b"\n"):
            self._hear_line(line)
        del self._unread[:end]

    def _forget(self) -> None:
        """The oldest of it, in whole lines; of one line that is longer than all that may be kept, its end."""
        whole = self._unread.find(b"\n", len(self._unread) - UNREAD) + 1
        if whole:
            self._said += whole
            del self._unread[:whole]
        else:
            start = self._unread.rfind(b"\n") + 1
            self._said += len(self._unread) - LONGEST_LINE - 1
            self._unread = self._unread[start : start + LONGEST_LINE + 1]

    def _hear_line(self, line: bytes) -> None:
        shown = line.rpartition(b"\r")[2] if line.strip() else b""
        if shown:
            self._keep(cleaned(shown.decode(errors="replace"))[:LONGEST_LINE] + "\n")

    def _keep(self, line: str) -> None:
        self._said += len(line)
        self._text = (self._text + line)[-LOG_SIZE:]
