"""Whether pictures are woven of two fields. Files say so of progressive pictures, too: what the pictures show decides with them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal

from agent.media import argv
from agent.media.facts import MediaFacts

LOOKED_AT: Final = 250
"""Pictures."""
_LEAST_SHARE: Final = 0.25
"""Of those that could be told, how many must be woven: in film shown at 60 fields, two of five are."""
_COUNTER: Final = re.compile(rb"lavfi\.idet\.multiple\.(tff|bff|progressive)=(\d+)")


@dataclass(frozen=True)
class Woven:
    """Of the pictures that were looked at, how many were woven with which field first, and how many were not."""

    top_first: int
    bottom_first: int
    progressive: int

    @property
    def is_shown(self) -> bool:
        """Pictures in which nothing moves show nothing: then the file is believed."""
        told = self.top_first + self.bottom_first + self.progressive
        return told == 0 or self.top_first + self.bottom_first >= _LEAST_SHARE * told

    @property
    def parity(self) -> Literal["tff", "bff"]:
        return "bff" if self.bottom_first > self.top_first else "tff"


def needs_a_look(facts: MediaFacts, interlaced: Literal["auto", True, False]) -> bool:
    video = facts.video
    return video is not None and (interlaced is True or (interlaced == "auto" and video.interlaced))


def idet_argv(name: str, facts: MediaFacts, *, start: float, demuxer: str | None, threads: int) -> list[str]:
    """Looks at the first pictures of a stretch."""
    assert facts.video is not None
    options = {"f": demuxer} if demuxer else {}
    options |= {"ss": f"{start:.6f}"} if start else {}
    picture = argv.source(name, threads=threads, **options)[str(facts.video.index)]
    seen = picture.filter("idet").filter("metadata", mode="print", file="-")
    return argv.ffmpeg_argv([argv.nowhere([seen], {"frames:v": LOOKED_AT})], threads=threads)


def parse_idet(output: bytes) -> Woven:
    """From the counters as they stood at the last picture."""
    last = {name: int(count) for name, count in _COUNTER.findall(output)}
    return Woven(last.get(b"tff", 0), last.get(b"bff", 0), last.get(b"progressive", 0))


def settled(facts: MediaFacts, interlaced: Literal["auto", True, False], woven: Woven | None) -> MediaFacts:
    """What is said, and what was seen, as facts."""
    video = facts.video
    if video is None:
        return facts
    if interlaced is True:
        video = replace(video, interlaced=True, parity=woven.parity if woven else "tff")
    elif interlaced is False:
        video = replace(video, interlaced=False)
    else:
        video = replace(video, interlaced=video.interlaced and (woven is None or woven.is_shown))
    return replace(facts, video=video)
