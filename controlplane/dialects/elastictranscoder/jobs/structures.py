"""The structures of a job on the wire: their members, what each may be, and what it is in the native job document.

A member's name is that of the native field, in the wire's spelling; where they differ, `Native` says what it is there. Descriptions
say where what is answered differs from what was sent.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from controlplane.dialects.elastictranscoder.conversion import (
    ALBUM_MERGING,
    CAPTION_MERGING,
    CLIP,
    DEGREES,
    FILLED,
    INTERLACED,
    NOT_KEPT,
    OFFSET,
    PIXELS,
    SECONDS,
    START,
    TIME,
    Native,
    Structure,
)
from controlplane.dialects.elastictranscoder.members import ASCII, AspectRatio, FrameRate, Id, Pixels, SizingPolicy

_TIME = r"(^\d{1,5}(\.\d{0,3})?$)|(^([0-1]?[0-9]:|2[0-3]:)?([0-5]?[0-9]:)?[0-5]?[0-9](\.\d{0,3})?$)"
_OFFSET = r"(^[+-]?\d{1,5}(\.\d{0,3})?$)|(^[+-]?([0-1]?[0-9]:|2[0-3]:)?([0-5]?[0-9]:)?[0-5]?[0-9](\.\d{0,3})?$)"
_BASE64 = r"(^(?:[A-Za-z0-9\+/]{4})*(?:[A-Za-z0-9\+/]{2}==|[A-Za-z0-9\+/]{3}=)?$)"
_KEY_ID = r"(^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$)|(^[0-9A-Fa-f]{32}$)"
_PICTURE = r"(^.{1,1020}.jpg$)|(^.{1,1019}.jpeg$)|(^.{1,1020}.png$)"

Integer = Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)]
Long = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Key = Annotated[str, Field(min_length=1, max_length=255)]
LongKey = Annotated[str, Field(min_length=1, max_length=1024)]
PictureKey = Annotated[str, Field(min_length=1, max_length=1024, pattern=_PICTURE)]
Time = Annotated[str, Field(pattern=ASCII + _TIME)]
Base64 = Annotated[str, Field(pattern=rf"^$|{_BASE64}")]
Vector = Annotated[str, Field(max_length=255)]
Rate = Annotated[str, Field(pattern=ASCII + r"^\d{1,5}(\.\d{0,5})?$")]
InputContainer = Literal[
    "auto", "3gp", "asf", "avi", "divx", "flv", "mkv", "mov", "mp2", "mp4", "mpeg", "mpeg-ps", "mpeg-ts", "mxf", "ogg", "ts",
    "vob", "wav", "webm", "mp3", "m4a", "aac",
]  # fmt: skip
CaptionMerging = Literal["MergeOverride", "MergeRetain", "Override"]


class Encryption(Structure):
    mode: Literal["s3", "s3-aws-kms", "aes-cbc-pkcs7", "aes-ctr", "aes-gcm"] | None = Field(
        None, description="Not s3 and s3-aws-kms: buckets here encrypt nothing by themselves."
    )
    key: Annotated[Base64, FILLED] | None = Field(
        None, repr=False, description="The key itself; answered sealed, and a sealed one is taken again."
    )
    key_md5: Annotated[Base64, FILLED] | None = Field(None, description="Answered always.")
    initialization_vector: Annotated[Vector, FILLED] | None = Field(None, description="Answered always.")


class TimeSpan(Structure):
    start_time: Annotated[Time, START] | None = None
    duration: Annotated[Time, TIME] | None = None


class CaptionSource(Structure):
    key: LongKey
    language: Annotated[str, Field(min_length=1, max_length=255)]
    time_offset: Annotated[str, Field(pattern=ASCII + _OFFSET), OFFSET] | None = None
    label: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    encryption: Encryption | None = None


CaptionSources = Annotated[tuple[CaptionSource, ...], Field(max_length=20, fail_fast=True)]


class InputCaptions(Structure):
    merge_policy: Annotated[CaptionMerging, CAPTION_MERGING] | None = Field(
        None, description="MergeOverride where none is sent."
    )
    caption_sources: Annotated[CaptionSources, Native("sources")] | None = None


class DetectedProperties(Structure):
    width: Integer | None = None
    height: Integer | None = None
    frame_rate: Rate | None = None
    file_size: Long | None = None
    duration_millis: Long | None = None


class JobInput(Structure):
    key: LongKey
    frame_rate: FrameRate | None = Field(None, description="auto where none is sent.")
    resolution: Annotated[str, Field(pattern=ASCII + r"(^auto$)|(^\d{1,5}x\d{1,5}$)")] | None = Field(
        None, description="auto where none is sent."
    )
    aspect_ratio: AspectRatio | None = Field(None, description="auto where none is sent.")
    interlaced: Annotated[Literal["auto", "true", "false"], INTERLACED] | None = Field(
        None, description="auto where none is sent."
    )
    container: InputContainer | None = Field(None, description="auto where none is sent.")
    encryption: Encryption | None = None
    time_span: Annotated[TimeSpan, Native("clip")] | None = None
    input_captions: Annotated[InputCaptions, Native("captions")] | None = None
    detected_properties: Annotated[DetectedProperties, NOT_KEPT] | None = Field(
        None, description="What is sent is not used: files are looked at. Answered once a node has done so."
    )


class JobWatermark(Structure):
    preset_watermark_id: Annotated[str, Field(min_length=1, max_length=40)]
    input_key: PictureKey
    encryption: Encryption | None = None


class Artwork(Structure):
    input_key: PictureKey
    max_width: Annotated[Pixels, PIXELS] | None = Field(None, description="auto where none is sent.")
    max_height: Annotated[Pixels, PIXELS] | None = Field(None, description="auto where none is sent.")
    sizing_policy: SizingPolicy | None = Field(None, description="ShrinkToFit where none is sent.")
    padding_policy: Literal["Pad", "NoPad"] | None = Field(None, description="NoPad where none is sent.")
    album_art_format: Annotated[Literal["jpg", "png"], Native("format")] | None = None
    encryption: Encryption | None = None


class JobAlbumArt(Structure):
    merge_policy: Annotated[Literal["Replace", "Prepend", "Append", "Fallback"], ALBUM_MERGING] | None = Field(
        None, description="Replace where none is sent."
    )
    artwork: Annotated[tuple[Artwork, ...], Field(max_length=20, fail_fast=True)] | None = None


class Clip(Structure):
    time_span: TimeSpan


class CaptionFormat(Structure):
    format: Literal["mov-text", "srt", "scc", "webvtt", "dfxp", "cea-708"]
    pattern: Annotated[str, Field(pattern=r"(^$)|(^.*\{language\}.*$)"), FILLED] | None = None
    encryption: Encryption | None = None


class Captions(Structure):
    merge_policy: Annotated[CaptionMerging, CAPTION_MERGING] | None = Field(
        None, description="Deprecated, of jobs with one input."
    )
    caption_sources: Annotated[CaptionSources, Native("sources")] | None = Field(
        None, description="Deprecated, of jobs with one input."
    )
    caption_formats: (
        Annotated[tuple[CaptionFormat, ...], Field(max_length=4, fail_fast=True), Native("formats")] | None
    ) = None


class CreateJobOutput(Structure):
    key: Key
    thumbnail_pattern: (
        Annotated[str, Field(pattern=r"(^$)|(^.*\{count\}.*$)"), FILLED.at("thumbnails.pattern")] | None
    ) = Field(None, description="An empty one is not answered.")
    thumbnail_encryption: Annotated[Encryption, Native("thumbnails.encryption")] | None = Field(
        None, description="Of no thumbnails means nothing, and is not answered."
    )
    rotate: Annotated[Literal["auto", "0", "90", "180", "270"], DEGREES] | None = Field(
        None, description="auto where none is sent."
    )
    preset_id: Id
    segment_duration: Annotated[Rate, SECONDS] | None = Field(
        None, description='Seconds, from 1 to 60; answered without needless zeros: "6.0" as "6".'
    )
    watermarks: Annotated[tuple[JobWatermark, ...], Field(max_length=4, fail_fast=True)] | None = Field(
        None, description="An empty list where none are sent."
    )
    album_art: JobAlbumArt | None = None
    composition: Annotated[tuple[Clip, ...], Field(max_length=1, fail_fast=True), CLIP] | None = Field(
        None, description="Deprecated: the stretch of all inputs together that this output shows."
    )
    captions: Captions | None = None
    encryption: Encryption | None = None


class HlsContentProtection(Structure):
    method: Literal["aes-128"]
    key: Annotated[Base64, FILLED] | None = Field(
        None, repr=False, description="The key itself; answered sealed, and a sealed one is taken again."
    )
    key_md5: Annotated[Base64, FILLED] | None = Field(None, description="Answered always.")
    initialization_vector: Annotated[Vector, FILLED] | None = Field(None, description="Answered always.")
    license_acquisition_url: Annotated[str, Field(max_length=512), FILLED] | None = None
    key_storage_policy: Literal["NoStore", "WithVariantPlaylists"] | None = Field(
        None, description="NoStore where none is sent."
    )


class PlayReadyDrm(Structure):
    format: Literal["microsoft", "discretix-3.0"]
    key: Annotated[str, Field(pattern=_BASE64)] = Field(
        repr=False, description="The key itself; answered sealed, and a sealed one is taken again."
    )
    key_md5: Annotated[str, Field(pattern=_BASE64)] | None = Field(None, description="Answered always.")
    key_id: Annotated[str, Field(pattern=_KEY_ID)] = Field(description="Answered in small letters with hyphens.")
    initialization_vector: Annotated[Vector, FILLED] | None = Field(None, description="Answered always.")
    license_acquisition_url: Annotated[str, Field(min_length=1, max_length=512)]


class CreateJobPlaylist(Structure):
    name: Key
    format: Literal["HLSv3", "HLSv4", "Smooth", "MPEG-DASH"]
    output_keys: Annotated[tuple[Key, ...], Field(max_length=30, fail_fast=True)]
    hls_content_protection: HlsContentProtection | None = None
    play_ready_drm: PlayReadyDrm | None = None


class CreateJob(Structure):
    pipeline_id: Id
    input: Annotated[JobInput, NOT_KEPT] | None = Field(
        None, description="As one of Inputs; answered as the first of them."
    )
    inputs: Annotated[tuple[JobInput, ...], Field(max_length=200, fail_fast=True)] | None = None
    output: Annotated[CreateJobOutput, NOT_KEPT] | None = Field(
        None, description="As one of Outputs; answered as the first of them."
    )
    outputs: Annotated[tuple[CreateJobOutput, ...], Field(max_length=30, fail_fast=True)] | None = None
    output_key_prefix: Annotated[str, Field(min_length=1, max_length=255), FILLED] | None = None
    playlists: Annotated[tuple[CreateJobPlaylist, ...], Field(max_length=30, fail_fast=True)] | None = Field(
        None, description="An empty list where none are sent."
    )
    user_metadata: Annotated[dict[str, str], Native("metadata")] | None = Field(
        None, description="At most ten; an empty map where none are sent."
    )
