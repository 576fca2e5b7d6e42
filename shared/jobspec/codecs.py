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
    H264 = "h264"
    MPEG2 = "mpeg2"
    VP8 = "vp8"
    VP9 = "vp9"
    GIF = "gif"


class AudioCodec(StrEnum):
    AAC = "aac"
    FLAC = "flac"
    MP2 = "mp2"
    MP3 = "mp3"
    PCM = "pcm"
    VORBIS = "vorbis"


VIDEO_CODECS: Final[dict[Container, frozenset[VideoCodec]]] = {
    Container.FLV: frozenset({VideoCodec.H264}),
    Container.FMP4: frozenset({VideoCodec.H264}),
    Container.GIF: frozenset({VideoCodec.GIF}),
    Container.MP4: frozenset({VideoCodec.H264}),
    Container.MPG: frozenset({VideoCodec.MPEG2}),
    Container.MXF: frozenset({VideoCodec.MPEG2}),
    Container.TS: frozenset({VideoCodec.H264, VideoCodec.MPEG2}),
    Container.WEBM: frozenset({VideoCodec.VP8, VideoCodec.VP9}),
}
AUDIO_CODECS: Final[dict[Container, frozenset[AudioCodec]]] = {
    Container.FLAC: frozenset({AudioCodec.FLAC}),
    Container.FLV: frozenset({AudioCodec.AAC, AudioCodec.MP3}),
    Container.FMP4: frozenset({AudioCodec.AAC}),
    Container.MP2: frozenset({AudioCodec.MP2}),
    Container.MP3: frozenset({AudioCodec.MP3}),
    Container.MP4: frozenset({AudioCodec.AAC, AudioCodec.MP3}),
    Container.MPG: frozenset({AudioCodec.MP2}),
    Container.MXF: frozenset({AudioCodec.PCM}),
    Container.OGA: frozenset({AudioCodec.VORBIS, AudioCodec.FLAC}),
    Container.OGG: frozenset({AudioCodec.VORBIS, AudioCodec.FLAC}),
    Container.TS: frozenset({AudioCodec.AAC, AudioCodec.MP2, AudioCodec.MP3}),
    Container.WAV: frozenset({AudioCodec.PCM}),
    Container.WEBM: frozenset({AudioCodec.VORBIS}),
}
"""Which codecs a container carries; a container missing from a table carries none of that kind."""
