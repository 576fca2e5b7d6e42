"""Still pictures that tenants send along: what they are, or why they cannot be used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.media import argv
from agent.media.sizing import Size
from shared.failures import Cause, Failure, FailureCode

MAX_PIXELS: Final = 4096 * 4096
_DEMUXERS: Final = {b"\x89PNG\r\n\x1a\n": "png_pipe", b"\xff\xd8\xff": "jpeg_pipe"}
"""By what a file begins with: its name and what ffmpeg would take it for say nothing."""


@dataclass(frozen=True)
class Still:
    size: Size
    demuxer: str


SHOWN: Final = "frame=width,height:frame_side_data=rotation"


def demuxer_of(head: bytes) -> str | None:
    return next((demuxer for magic, demuxer in _DEMUXERS.items() if head.startswith(magic)), None)


def still_probe_argv(path: str, demuxer: str) -> list[str]:
    """Decodes what is there, up to a second picture: a file that only begins well is refused."""
    asked = ("-f", demuxer, "-err_detect", "explode", "-read_intervals", "%+#2", "-show_entries", SHOWN)
    return argv.ffprobe_argv(f"file:{path}", *asked, guards=argv.PICTURE_GUARDS)


def parse_still(output: bytes, demuxer: str, *, stderr: bytes = b"") -> Still | Failure:
    if b"Picture size" in stderr:
        return TOO_LARGE
    try:
        frames = json.loads(output.decode("utf-8", "replace")).get("frames") or []
        [size] = [_upright(frame) for frame in frames]
    except (ValueError, KeyError):
        return UNREADABLE
    return TOO_LARGE if size.width * size.height > MAX_PIXELS else Still(size, demuxer)


def _upright(frame: Mapping[str, Any]) -> Size:
    """As it is seen: ffmpeg turns what cameras say is to be turned."""
    size = Size(int(frame["width"]), int(frame["height"]))
    turns = [round(float(data["rotation"]) / 90) for data in frame.get("side_data_list", ()) if "rotation" in data]
    return size.lying if sum(turns) % 2 else size


UNREADABLE: Final = Failure(
    cause=Cause.INPUT,
    code=FailureCode.WATERMARK_UNREADABLE,
    message="A watermark is no png or jpg that can be read. Upload it again, whole, as a single picture.",
)
TOO_LARGE: Final = Failure(
    cause=Cause.INPUT,
    code=FailureCode.WATERMARK_TOO_LARGE,
    message="A watermark has more than 4096x4096 pixels; make it smaller and upload it again.",
)
