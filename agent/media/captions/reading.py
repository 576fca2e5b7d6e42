"""From the bytes of a sidecar file to cues, whatever format it is in: told by its content, never by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agent.media.captions import scc, srt, ttml, webvtt
from agent.media.captions.cues import Cues, Unreadable

MAX_BYTES: Final = 8 << 20


class NotUtf8(Unreadable):
    """The file is text of another encoding, or none."""


def read(content: bytes) -> Cues:
    """Raises Unreadable, or NotUtf8."""
    if len(content) > MAX_BYTES:
        raise Unreadable(f"it is larger than {MAX_BYTES >> 20} MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotUtf8("it is not UTF-8") from error
    try:
        return _reader(text)(text)
    except Unreadable:
        raise
    except Exception as error:  # whatever a file does to its reader is the file's fault
        raise Unreadable("it is damaged") from error


def _reader(text: str) -> Callable[[str], Cues]:
    begin = text[:4096].lstrip()
    if begin.startswith(webvtt.MAGIC):
        return webvtt.read
    if begin.startswith("Scenarist_SCC"):
        return scc.read
    if begin.startswith("<"):
        return ttml.read
    if any(map(srt.TIMING.match, text.splitlines())):
        return srt.read
    raise Unreadable("it is neither SubRip, WebVTT, SCC nor timed text in XML")
