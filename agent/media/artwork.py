"""Pictures that are put into a file of sound: which, how large, and by which command lines."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from agent.media import argv, sizing
from agent.media.facts import Cover, MediaFacts
from agent.media.pictures import MAX_PIXELS, Still
from agent.media.planning import OUT, PlannedOutput
from agent.media.planning.muxers import MUXERS
from agent.media.sizing import Size
from shared.failures import Cause, Failure, FailureCode
from shared.jobspec import Container, ThumbnailSettings
from shared.jobspec.artwork import CARRIERS, MergePolicy
from shared.protocol import AlbumArtSpec, ArtworkSpec

USUAL: Final = 600
"""Pixels of a picture that is bound by nothing else."""
FORMATS: Final = {"mjpeg": "jpg", "png": "png"}
"""Of covers that inputs carry, by their codec; others are left behind."""
_DEMUXERS: Final = {"jpg": "jpeg_pipe", "png": "png_pipe"}
_BY_DEMUXER: Final = {demuxer: form for form, demuxer in _DEMUXERS.items()}
COMMENT: Final = "METADATA_BLOCK_PICTURE"
"""How a cover is called among the comments of Ogg."""
FRONT_COVER: Final = 3
COMMENTS_GUARDS: Final[dict[str, Any]] = {"protocol_whitelist": "file", "format_whitelist": "ffmetadata"}
IN_COMMENTS: Final = frozenset({Container.OGA, Container.OGG})
_FRONT, _OTHER = "Cover (front)", "Other"


def _failure(code: FailureCode, message: str) -> Failure:
    return Failure(cause=Cause.INPUT, code=code, message=message)


UNREADABLE: Final = _failure(
    FailureCode.ARTWORK_UNREADABLE,
    "A picture for the album is no png or jpg that can be read. Upload it again, whole, as a single picture.",
)
TOO_LARGE: Final = _failure(
    FailureCode.ARTWORK_TOO_LARGE,
    "A picture for the album has more than 4096x4096 pixels; make it smaller and upload it again.",
)
EMBEDDED_UNREADABLE: Final = _failure(
    FailureCode.EMBEDDED_ARTWORK_UNREADABLE,
    "A picture in the input cannot be read. Remove it from the input, or have it replaced.",
)
EMBEDDED_TOO_LARGE: Final = _failure(
    FailureCode.EMBEDDED_ARTWORK_TOO_LARGE,
    "A picture in the input has more than 4096x4096 pixels. Remove it from the input, or have it replaced.",
)


@dataclass(frozen=True)
class Picture:
    """One that is to be embedded: drawn from what the job names, or taken over from an input."""

    name: str
    """In out/."""
    argv: list[str]
    """What makes it."""
    form: str
    size: Size
    is_of_input: bool

    @property
    def demuxer(self) -> str:
        return _DEMUXERS[self.form]


def pictures(
    output: PlannedOutput, inputs: Sequence[tuple[int, MediaFacts]], stills: Mapping[int, Still]
) -> tuple[Picture, ...]:
    """In the order of the file. `inputs`: place and facts of each; `stills`: every picture that the job names, by its place."""
    wanted = output.spec.album_art
    if wanted is None:
        return ()
    index = output.index
    own = [_own(f"a{index}_{number}", art, stills[art.input]) for number, art in enumerate(wanted.artwork)]
    found = [(place, cover) for place, facts in inputs for cover in facts.covers if cover.codec in FORMATS]
    kept = [_kept(f"k{index}_{number}", place, cover) for number, (place, cover) in enumerate(found)]
    return tuple(_merged(wanted, own, kept))


def unfit(output: PlannedOutput, shown: Sequence[Picture]) -> Failure | None:
    """Why they cannot all be in the file."""
    container = output.spec.settings.container
    if any(one.is_of_input and one.size.width * one.size.height > MAX_PIXELS for one in shown):
        return EMBEDDED_TOO_LARGE
    if len(shown) > CARRIERS[container]:
        message = f"With those of the input there are {len(shown)} pictures; {container} holds {CARRIERS[container]}."
        return _failure(FailureCode.TOO_MANY_ARTWORKS, message)
    return None


def adorning_argv(output: PlannedOutput, shown: Sequence[Picture], *, target: str) -> list[str]:
    """Copies the output into `target`, with the pictures; those of Ogg lie among its comments instead: see `comments`."""
    container = output.spec.settings.container
    file = argv.source(f"{OUT}/{output.file}")
    options: dict[str, Any] = {"c": "copy"} | MUXERS[container]
    if container in IN_COMMENTS:
        options["map_metadata:s:a"] = "1:g"
        unmapped = argv.unmapped(f"{OUT}/{comments_file(output)}", "ffmetadata", COMMENTS_GUARDS)
        return argv.ffmpeg_argv([argv.sink([file["a"]], f"{OUT}/{target}", options)], threads=1, unmapped=unmapped)
    streams = [argv.still(f"{OUT}/{one.name}", one.demuxer)["v"] for one in shown]
    for number in range(len(shown)):
        options[f"disposition:v:{number}"] = "attached_pic"
        options[f"metadata:s:v:{number}"] = f"comment={_OTHER if number else _FRONT}"
    if container is Container.MP3:
        options["id3v2_version"] = 3
    return argv.ffmpeg_argv([argv.sink([file["a"], *streams], f"{OUT}/{target}", options)], threads=1)


def comments_file(output: PlannedOutput) -> str:
    return f"c{output.index}.txt"


def comments(picture: bytes, form: str, size: Size) -> bytes:
    """A cover as FLAC has it (RFC 9639 §8.8), as a comment of Ogg, in a file of ffmpeg's."""
    mime = b"image/jpeg" if form == "jpg" else b"image/png"
    head = struct.pack(">II", FRONT_COVER, len(mime)) + mime
    facts = struct.pack(">IIIIII", 0, size.width, size.height, 24, 0, len(picture))
    text = base64.b64encode(head + facts + picture).decode()
    return f";FFMETADATA1\n{COMMENT}={text.replace('=', chr(92) + '=')}\n".encode()


def _merged(wanted: AlbumArtSpec, own: list[Picture], kept: list[Picture]) -> list[Picture]:
    match wanted.merge_policy:
        case MergePolicy.REPLACE:
            return own
        case MergePolicy.PREPEND:
            return own + kept
        case MergePolicy.APPEND:
            return kept + own
        case MergePolicy.FALLBACK:
            return kept or own


def _own(stem: str, art: ArtworkSpec, still: Still) -> Picture:
    form = art.format or _BY_DEMUXER[still.demuxer]
    bounds = ThumbnailSettings(
        max_width=art.max_width or USUAL,
        max_height=art.max_height or USUAL,
        sizing_policy=art.sizing_policy,
        padding_policy=art.padding_policy,
    )
    sized = sizing.of_thumbnails(bounds, still.size, Fraction(1))
    stream = argv.still(f"in/{art.input}", still.demuxer)["v"]
    if sized.crops:
        stream = stream.filter("crop", sized.cropped.width, sized.cropped.height)
    stream = stream.filter("scale", sized.scaled.width, sized.scaled.height)
    if sized.pads:  # before colours are coarser than pictures: bars may have any width
        stream = stream.filter("format", "rgb24").filter(
            "pad", sized.frame.width, sized.frame.height, "(ow-iw)/2", "(oh-ih)/2", "white"
        )
    stream = stream.filter("setsar", 1).filter("format", "rgb24" if form == "png" else "yuvj420p")
    coding: dict[str, Any] = {"c:v": "png"} if form == "png" else {"c:v": "mjpeg", "q:v": 2}
    return Picture(f"{stem}.{form}", _single(stream, f"{stem}.{form}", coding), form, sized.frame, is_of_input=False)


def _kept(stem: str, place: int, cover: Cover) -> Picture:
    form = FORMATS[cover.codec]
    stream = argv.source(f"in/{place}")[str(cover.index)]
    line = _single(stream, f"{stem}.{form}", {"c:v": "copy"})
    return Picture(f"{stem}.{form}", line, form, Size(cover.width, cover.height), is_of_input=True)


def _single(stream: argv.Stream, name: str, coding: dict[str, Any]) -> list[str]:
    options = {"f": "image2", "update": 1, "frames:v": 1} | coding
    return argv.ffmpeg_argv([argv.sink([stream], f"{OUT}/{name}", options)], threads=1)
