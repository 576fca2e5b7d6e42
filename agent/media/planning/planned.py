"""What has been decided of a task: values between choosing, drawing, judging and packaging."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar, Final

from agent.media import encoders, sizing
from agent.media.encoders import Device
from agent.media.filters import Picture, Stills
from agent.media.planning.programme import Programme
from shared.failures import Failure
from shared.jobspec import Container
from shared.protocol import OutputSpec, ThumbnailSpec

OUT: Final = "out"
"""Where everything lies that is made."""
EXTENSIONS: Final[Mapping[Container, str]] = {container: container.value for container in Container} | {
    Container.FMP4: "mp4"
}


def tracks_file(output: int) -> str:
    """In in/: the captions of an output that embeds them as tracks."""
    return f"t{output}.mp4"


@dataclass(frozen=True)
class PlannedVideo:
    encoder: encoders.VideoEncoder
    picture: Picture
    seconds: float | None
    """How long it will be, where the source's container says so."""
    held: int = 0
    """Pictures for which the last one of the source stays, until the sound is over."""

    @property
    def stays_on_gpu(self) -> bool:
        """From its decoder to its encoder, where both are on a card: no filter there repeats a picture."""
        return self.encoder.on_gpu and self.picture.stays_on_gpu and not self.held


@dataclass(frozen=True)
class PlannedAudio:
    encoder: encoders.AudioEncoder
    sample_rate: int
    channels: int
    tracks: int
    """More than one: every channel is a track of its own."""
    source_channels: int
    seconds: float | None
    filled: float | None = None
    """Seconds from the beginning up to which silence follows it, until the picture is over."""


@dataclass(frozen=True)
class PlannedThumbnails:
    spec: ThumbnailSpec
    stills: Stills
    count: int | None

    @property
    def sizing(self) -> sizing.Sizing:
        return self.stills.sizing


@dataclass(frozen=True)
class PlannedOutput:
    spec: OutputSpec
    video: PlannedVideo | None
    audio: PlannedAudio | None
    thumbnails: PlannedThumbnails | None
    source_seconds: float | None
    """How long the input is, where its container says so and the output carries all that the input has."""
    longest: float | None = None
    """Seconds of the longest of several inputs: what is missing in the end is missing of one of them."""
    caption_tracks: int = 0
    """Of text within the output, which lie ready in a file of their own."""
    every: Fraction | None = None
    """Seconds after which it starts anew, for players that come in there: a whole number of pictures."""

    @property
    def index(self) -> int:
        return self.spec.index

    @property
    def encoder(self) -> str:
        if self.video is not None:
            return self.video.encoder.name
        assert self.audio is not None
        return self.audio.encoder.name

    @property
    def picture(self) -> Picture | None:
        return None if self.video is None else self.video.picture

    @property
    def is_segmented(self) -> bool:
        return self.spec.segment_duration is not None and self.spec.settings.container is Container.TS

    @property
    def file(self) -> str:
        """The one file of the output; of a segmented one ffmpeg's own playlist, which nobody gets to see."""
        return f"o{self.index}.{'m3u8' if self.is_segmented else EXTENSIONS[self.spec.settings.container]}"

    @property
    def tracks_file(self) -> str:
        return tracks_file(self.index)

    @property
    def segment_pattern(self) -> str:
        return f"o{self.index}_%05d.ts"

    @property
    def takes_two_passes(self) -> bool:
        """A card's encoder looks ahead by itself."""
        settings = self.spec.settings.video
        return settings is not None and settings.two_pass and self.video is not None and not self.video.encoder.on_gpu

    @property
    def is_made_alone(self) -> bool:
        """It needs to see everything twice, or its encoder wants a process for itself."""
        return self.takes_two_passes or (self.video is not None and self.video.encoder.works_alone)

    @property
    def thumbnail_pattern(self) -> str:
        assert self.thumbnails is not None
        return f"t{self.index}_%05d.{self.thumbnails.spec.settings.format}"

    @property
    def seconds(self) -> float | None:
        """How long it will be: as long as the longest of what it carries."""
        parts = [part.seconds for part in (self.video, self.audio) if part is not None]
        known = [seconds for seconds in parts if seconds is not None]
        return max(known) if len(known) == len(parts) else None


@dataclass(frozen=True)
class Feeders:
    """Processes that run one after the other, each of which writes to a pipe what another reads as one input."""

    LIST: ClassVar[str] = "joined"
    """In in/: names the pipes, which lie there too."""
    commands: tuple[list[str], ...]
    ends: tuple[Fraction, ...]
    """Of what each writes, in seconds of the whole."""

    @staticmethod
    def pipe(number: int) -> str:
        return f"{Feeders.LIST}{number}"

    @property
    def pipes(self) -> list[str]:
        return [self.pipe(number) for number in range(len(self.commands))]

    @property
    def listed(self) -> str:
        """As ffmpeg reads it. Lengths are told so that rounding them never adds up."""
        ends = [round(end * 1_000_000) for end in self.ends]
        lengths = (end - begin for begin, end in pairwise([0, *ends]))
        entries = (f"file {name}\nduration {length}us\n" for name, length in zip(self.pipes, lengths, strict=True))
        return "ffconcat version 1.0\n" + "".join(entries)


@dataclass(frozen=True)
class Pass:
    """One ffmpeg process, or the same twice."""

    argv: list[str]
    outputs: tuple[PlannedOutput, ...]
    duration: float
    """Seconds of media that it goes through; 0 when nobody knows."""
    programme: Programme
    device: Device
    threads: int
    gpu: int = 0
    """The card of what is done on one."""
    decodes_on_gpu: bool = False
    analysis: list[str] | None = None
    """What has to be run first, where the encoder looks through everything before it begins."""
    feeders: Feeders | None = None
    """Who run beside each of the two, where there are more inputs than one process can hold open."""

    @property
    def steps(self) -> list[list[str]]:
        """Command lines in their order."""
        return [self.argv] if self.analysis is None else [self.analysis, self.argv]

    @property
    def is_on_gpu(self) -> bool:
        return any(output.video is not None and output.video.encoder.on_gpu for output in self.outputs)


@dataclass(frozen=True)
class Plan:
    passes: tuple[Pass, ...]
    refused: Mapping[int, Failure]
    """Outputs that this input cannot become, by index."""
