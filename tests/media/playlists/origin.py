"""What a server of Smooth Streaming does with the files of a playlist: it cuts fragments out of them, found by their tables."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

SMIL = {"smil": "http://www.w3.org/2001/SMIL20/Language"}


class Origin:
    def __init__(self, manifest: Path) -> None:
        root = ET.parse(manifest).getroot()  # noqa: S314 (our own text)
        self._folder = manifest.parent
        meta = root.find("smil:head/smil:meta", SMIL)
        assert meta is not None
        self.client = self._folder / str(meta.get("content"))
        self._levels = {
            (kind, int(str(media.get("systemBitrate")))): (
                self._folder / unquote(str(media.get("src"))),
                int(str(media.find("smil:param", SMIL).get("value"))),  # type: ignore[union-attr]
            )
            for kind, element in (("video", "video"), ("audio", "audio"), ("text", "textstream"))
            for media in root.findall(f"smil:body/smil:switch/smil:{element}", SMIL)
        }

    def header(self, kind: str, rate: int) -> bytes:
        """What stands in front of the fragments of a level's file."""
        content = self._levels[kind, rate][0].read_bytes()
        return content[: content.index(b"moof") - 4]

    def track(self, kind: str, rate: int) -> int:
        return self._levels[kind, rate][1]

    def answer(self, path: str) -> bytes:
        """Of the address that a client manifest makes."""
        found = re.fullmatch(r"QualityLevels\((\d+)\)/Fragments\((video|audio|text)(?:_[a-z]{3})?=(\d+)\)", path)
        assert found is not None, path
        rate, kind, time = int(found[1]), found[2], int(found[3])
        file, track = self._levels[kind, rate]
        content = file.read_bytes()
        offset = dict(_fragments(content, track))[time]
        (moof,) = struct.unpack_from(">I", content, offset)
        (mdat,) = struct.unpack_from(">I", content, offset + moof)
        return content[offset : offset + moof + mdat]


def _fragments(content: bytes, wanted: int) -> Iterator[tuple[int, int]]:
    """Time and place of every fragment of a track, by the table that ends the file."""
    (size,) = struct.unpack(">I", content[-4:])
    at = len(content) - size + 8
    while content[at + 4 : at + 8] == b"tfra":
        length, _, version, track, lengths, count = struct.unpack_from(">I4sIIII", content, at)
        assert (version >> 24, lengths) == (1, 0)
        if track == wanted:
            for entry in range(count):
                yield struct.unpack_from(">QQ", content, at + 24 + 19 * entry)
        at += length
