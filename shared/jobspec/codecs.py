"""Containers, codecs, and which carries which."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Container(StrEnum):
    FLAC = "flac"
    FLV = "flv"
    FMP4 = "fmp4"
    GIF = "gif"
    MP2 = "mp2"
    MP3 = "mp3"
    MP4 = "mp4"
    MPG = "mpg"
    MXF = "mxf"
    OGA = "oga"
    OGG = "ogg"
    TS = "ts"
    WAV = "wav"
    WEBM = "webm"


class VideoCodec(StrEnum):
    AV1 = "av1"
    H264 = "h264"
    HEVC = "hevc"
    MPEG2 = "mpeg2"
    VP8 = "vp8"
    VP9 = "vp9"
    GIF = "gif"


class AudioCodec(StrEnum):
    AAC = "aac"
    FLAC = "flac"
    MP2 = "mp2"
    MP3 = "mp3"
    OPUS = "opus"
    PCM = "pcm"
    VORBIS = "vorbis"


VIDEO_CODECS: Final[dict[Container, frozenset[VideoCodec]]] = {
    Container.FLV: frozenset({VideoCodec.H264}),
    Container.FMP4: frozenset({VideoCodec.AV1, VideoCodec.H264, VideoCodec.HEVC}),
    Container.GIF: frozenset({VideoCodec.GIF}),
    Container.MP4: frozenset({VideoCodec.AV1, VideoCodec.H264, VideoCodec.HEVC}),
    Container.MPG: frozenset({VideoCodec.MPEG2}),
    Container.MXF: frozenset({VideoCodec.MPEG2}),
    Container.TS: frozenset({VideoCodec.H264, VideoCodec.HEVC, VideoCodec.MPEG2}),
    Container.WEBM: frozenset({VideoCodec.AV1, VideoCodec.VP8, VideoCodec.VP9}),
}
AUDIO_CODECS: Final[dict[Container, frozenset[AudioCodec]]] = {
    Container.FLAC: frozenset({AudioCodec.FLAC}),
    Container.FLV: frozenset({AudioCodec.AAC, AudioCodec.MP3}),
    Container.FMP4: frozenset({AudioCodec.AAC, AudioCodec.OPUS}),
    Container.MP2: frozenset({AudioCodec.MP2}),
    Container.MP3: frozenset({AudioCodec.MP3}),
    Container.MP4: frozenset({AudioCodec.AAC, AudioCodec.MP3, AudioCodec.OPUS}),
    Container.MPG: frozenset({AudioCodec.MP2}),
    Container.MXF: frozenset({AudioCodec.PCM}),
    Container.OGA: frozenset({AudioCodec.VORBIS, AudioCodec.FLAC, AudioCodec.OPUS}),
    Container.OGG: frozenset({AudioCodec.VORBIS, AudioCodec.FLAC, AudioCodec.OPUS}),
    Container.TS: frozenset({AudioCodec.AAC, AudioCodec.MP2, AudioCodec.MP3}),
    Container.WAV: frozenset({AudioCodec.PCM}),
    Container.WEBM: frozenset({AudioCodec.OPUS, AudioCodec.VORBIS}),
}
"""Which codecs a container carries; a container missing from a table carries none of that kind."""
