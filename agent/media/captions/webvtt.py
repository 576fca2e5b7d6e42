"""WebVTT (W3C), whole and cut into the segments of HTTP Live Streaming."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from agent.media.captions import srt
from agent.media.captions.cues import MAX_LINES, Cue, Cues, tidy

MAGIC = "WEBVTT"


def read(text: str) -> Cues:
    """Blocks of comments, styles and regions have no times, and are passed over."""
    return tidy(srt.timed(text.splitlines()))


def written(cues: Iterable[Cue], *, head: str = "") -> str:
    blocks = (
        f"{srt.clock(cue.start, '.')} --> {srt.clock(cue.end, '.')}\n" + "\n".join(map(_escaped, cue.lines)) + "\n"
        for cue in cues
    )
    return "\n".join((f"{MAGIC}\n{head}", *blocks))


def segments(cues: Sequence[Cue], durations: Iterable[float], *, first_pts: int) -> Iterator[str]:
    """One text for every segment of media; a caption is in every one that shows it.

    `first_pts`: what the first picture of the media is stamped with (90 kHz), which is the time zero of captions.
    """
    head = f"X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:{first_pts % (1 << 33)}\n"
    at = 0.0
    waiting, shown = deque(cues), list[Cue]()
    for seconds in durations:
        start, end = round(at * 1000), round((at + seconds) * 1000)
        while waiting and waiting[0].start < end:
            shown.append(waiting.popleft())
        shown = [cue for cue in shown if cue.end > start][-MAX_LINES:]
        yield written(shown, head=head)
        at += seconds


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
