"""What an attempt has to say for itself: the last lines of ffmpeg's complaints and of the agent's own remarks.

Bounded, and cleaned of addresses, paths and secrets before a line is kept: what is kept is told.
"""

from __future__ import annotations

from typing import Final

from shared.protocol import LOG_SIZE, LogTail
from shared.redaction import cleaned

LONGEST_LINE: Final = 2000
"""Bytes; a longer line is cut."""


class Tail:
    def __init__(self) -> None:
        self._text = ""
        self._said = 0
        self._rest = b""

    @property
    def told(self) -> LogTail:
        return LogTail(said=self._said, text=self._text)

    def remark(self, line: str) -> None:
        """A line of the agent's own."""
        self.flush()
        self._keep(f"-- {line}\n")

    def hear(self, chunk: bytes) -> None:
        """ffmpeg's words, in pieces as they come. Only whole lines are kept: half an address would not be known as one."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest[: LONGEST_LINE + 1]
        for line in lines:
            self._hear_line(line)

    def flush(self) -> None:
        """Nothing more comes: what is left is a line, too."""
        rest, self._rest = self._rest, b""
        if rest:
            self._hear_line(rest)

    def _hear_line(self, line: bytes) -> None:
        shown = line.rpartition(b"\r")[2] if line.strip() else b""
        if shown:
            self._keep(cleaned(shown.decode(errors="replace"))[:LONGEST_LINE] + "\n")

    def _keep(self, line: str) -> None:
        self._said += len(line)
        self._text = (self._text + line)[-LOG_SIZE:]
