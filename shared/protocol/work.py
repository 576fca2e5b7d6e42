"""What is to be done."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.capacity import Bytes
from shared.jobspec import (
    Forms,
    HardwarePreference,
    PlaylistFormat,
    Settings,
    ThumbnailSettings,
    WatermarkSlot,
    forms,
    master_keys,
)
from shared.jobspec.artwork import MergePolicy as ArtworkMergePolicy
from shared.jobspec.captions import CaptionFormat, MergePolicy
from shared.jobspec.encryption import EncryptionMode
from shared.jobspec.inputs import InputContainer
from shared.jobspec.outputs import Rotation
from shared.jobspec.sizing import AspectRatio, PaddingPolicy, SizingPolicy
from shared.jobspec.video import FrameRate
from shared.models import Message


class Cipher(Message):
    """How an object is encrypted. The key is in base64, and in nobody's log."""

    mode: EncryptionMode
    key: str = Field(repr=False)
    initialization_vector: str = Field(description="Base64, 16 bytes; of several objects, the first's.")


class InputSpec(Message):
    index: int
    url: str = Field(description="Signed GET; relative to the control plane, or absolute.")
    size: Bytes
    sha256: str | None = Field(None, description="In hexadecimal, where the tenant named it.")
    encryption: Cipher | None = Field(None, description="How what is fetched is encrypted.")
    is_input: bool = Field(
        True, description="Otherwise what single outputs need: only they fail when it cannot be read."
    )


class Span(Message):
    """In seconds."""

    start: float = 0.0
    duration: float | None = Field(None, description="Null: up to the end.")


class PartSpec(Message):
    """A stretch of an input, and how its sender says that it is to be read."""

    source: int = Field(0, description="Its place in the row of the order's inputs.")
    clip: Span | None = None
    frame_rate: FrameRate | Literal["auto"] = "auto"
    resolution: str = Field("auto", description='Of the upright picture: "640x480".')
    aspect_ratio: AspectRatio = Field("auto", description="Of the upright picture.")
    interlaced: Literal["auto", True, False] = "auto"
    container: InputContainer = "auto"


class SpriteSpec(Message):
    key: str = Field(description="The whole key; sheets add a count and their extension, the map `.vtt`.")
    columns: int
    rows: int


class ThumbnailSpec(Message):
    pattern: str = Field(description="The whole key, {count} and {resolution} still in it, without extension.")
    settings: ThumbnailSettings
    encryption: Cipher | None = None
    sprite: SpriteSpec | None = None


class CaptionSourceSpec(Message):
    input: int = Field(description="Which of the task's `inputs` it is.")
    language: str
    offset: float = Field(0.0, description="Seconds by which every caption is shown later than the file says.")
    label: str | None = None


class InputCaptionsSpec(Message):
    merge_policy: MergePolicy
    sources: tuple[CaptionSourceSpec, ...] = ()


class CaptionFormatSpec(Message):
    format: CaptionFormat
    pattern: str | None = Field(None, description="The whole key, {language} still in it, without count and extension.")
    encryption: Cipher | None = None


class OutputCaptionsSpec(Message):
    formats: tuple[CaptionFormatSpec, ...]
    own: InputCaptionsSpec | None = Field(None, description="Instead of what the task says of its only input.")


class WatermarkSpec(Message):
    input: int = Field(description="Which of the task's `inputs` the picture is.")
    slot: WatermarkSlot


class ArtworkSpec(Message):
    input: int = Field(description="Which of the task's `inputs` the picture is.")
    max_width: int | None = None
    max_height: int | None = None
    sizing_policy: SizingPolicy
    padding_policy: PaddingPolicy
    format: Literal["jpg", "png"] | None = None


class AlbumArtSpec(Message):
    merge_policy: ArtworkMergePolicy
    artwork: tuple[ArtworkSpec, ...] = ()


class OutputSpec(Message):
    index: int
    key: str = Field(description="The whole key; with `segment_duration` the stem of playlist and segments.")
    settings: Settings
    segment_duration: float | None = None
    thumbnails: ThumbnailSpec | None = None
    captions: OutputCaptionsSpec | None = None
    encryption: Cipher | None = None
    rotate: Rotation = "auto"
    watermarks: tuple[WatermarkSpec, ...] = Field((), description="From the lowest to the uppermost.")
    album_art: AlbumArtSpec | None = None
    clip: Span | None = Field(None, description="Of all parts together; all of it when null.")


class SegmentProtection(Message):
    """AES-128 as HLS has it: every segment by itself, in CBC mode, all with one vector."""

    cipher: Cipher
    url: str | None = Field(None, description="Where players get the key. Null: from an object beside the playlists.")


class LicenseProtection(Message):
    """Common encryption (ISO/IEC 23001-7, scheme cenc) of samples, with a PlayReady header that says where licences are."""

    cipher: Cipher = Field(description="In CTR mode; the vector has 8 bytes and is the first sample's.")
    key_id: str = Field(description="A UUID.")
    url: str


class PlaylistSpec(Message):
    index: int
    key: str = Field(description="The whole key, extension included.")
    format: PlaylistFormat
    outputs: tuple[int, ...] = Field(description="Indices of outputs, in the tenant's order.")
    hls_protection: SegmentProtection | None = None
    license_protection: LicenseProtection | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """Of all objects that it is; `key` is the first of them."""
        return master_keys(self.key, self.format)


class TranscodeFile(Message):
    """Make every output of a job from its inputs, one after the other."""

    kind: Literal["transcode_file"] = "transcode_file"
    parts: tuple[PartSpec, ...] = Field(
        (PartSpec(),), min_length=1, description="In the order in which they are shown."
    )
    outputs: tuple[OutputSpec, ...]
    playlists: tuple[PlaylistSpec, ...] = ()
    hardware: HardwarePreference = HardwarePreference.PREFER
    captions: tuple[InputCaptionsSpec | None, ...] = Field(
        (), description="Of each input, where it was told; without it, those that are embedded."
    )

    def forms(self, output: OutputSpec) -> Forms:
        """How an output is published, as what its playlists want of it."""
        protection = self.segment_protection(output)
        return forms(
            output.settings.container,
            segmented=output.segment_duration is not None,
            formats=frozenset(playlist.format for playlist in self.playlists if output.index in playlist.outputs),
            stores_key=protection is not None and protection.url is None,
        )

    def segment_protection(self, output: OutputSpec) -> SegmentProtection | None:
        """All playlists that name an output protect it alike."""
        named = (playlist for playlist in self.playlists if output.index in playlist.outputs)
        return next((playlist.hls_protection for playlist in named if playlist.hls_protection is not None), None)

    def license_protection(self, output: OutputSpec) -> LicenseProtection | None:
        named = (playlist for playlist in self.playlists if output.index in playlist.outputs)
        return next(
            (playlist.license_protection for playlist in named if playlist.license_protection is not None), None
        )


Payload = Annotated[TranscodeFile, Field(discriminator="kind")]
"""Tagged, so that streams, probes and parts of files can join."""
