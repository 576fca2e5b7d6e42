"""How an attempt ended."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.capacity import Bytes
from shared.failures import Failure
from shared.models import Message
from shared.protocol.progress import DetectedProperties
from shared.statuses import JobStatus


class ProducedObject(Message):
    """A verified file, uploaded to staging as `name`, to become visible as `key`."""

    name: str
    key: str
    size: Bytes
    initialization_vector: str | None = Field(None, description="Base64, of what was encrypted.")
    role: Literal[
        "media", "media_playlist", "master_playlist", "thumbnail", "sprite", "sprite_map", "content_key", "captions"
    ]


class OutputResult(Message):
    index: int
    status: Literal[JobStatus.COMPLETE, JobStatus.ERROR]
    failure: Failure | None = None
    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    duration: float | None = None
    size: Bytes | None = None
    encoder: str | None = None
    applied_color_space_conversion: str | None = Field(
        None, description='"None", or the conversion of colours that was made: "Bt709ToBt601".'
    )
    objects: tuple[ProducedObject, ...] = ()


class PlaylistResult(Message):
    index: int
    status: Literal[JobStatus.COMPLETE, JobStatus.ERROR]
    failure: Failure | None = None
    objects: tuple[ProducedObject, ...] = ()


class Finished(Message):
    """Every output has ended, well or badly, and the good ones lie verified in staging."""

    type: Literal["finished"] = "finished"
    inputs: tuple[DetectedProperties, ...]
    outputs: tuple[OutputResult, ...]
    playlists: tuple[PlaylistResult, ...] = ()
    encode_seconds: float = Field(description="Wall time in ffmpeg.")


class Failed(Message):
    """Nothing came of it; the cause decides whether it is tried again."""

    type: Literal["failed"] = "failed"
    failure: Failure
    inputs: tuple[DetectedProperties, ...] = ()
    encode_seconds: float = Field(0.0, description="Wall time in ffmpeg, as far as it came.")


class Stopped(Message):
    """The process that was ordered to stop is gone, with everything it started."""

    type: Literal["stopped"] = "stopped"


class HandedBack(Message):
    """The node gives the work back as it ends in order: no attempt is spent. After a kill there is no such report: see hello."""

    type: Literal["handed_back"] = "handed_back"
    reason: str


Outcome = Annotated[Finished | Failed | Stopped | HandedBack, Field(discriminator="type")]
