"""Facts and tasks for tests of planning and judging; what a test does not care about is filled in."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from agent.media.facts import AudioFacts, MediaFacts, VideoFacts
from shared.ids import PresetId
from shared.jobspec import PlaylistFormat, Settings
from shared.presets import SYSTEM_PRESETS
from shared.protocol import OutputSpec, PartSpec, PlaylistSpec, ThumbnailSpec, TranscodeFile

VIDEO = VideoFacts(
    index=0,
    codec="h264",
    width=1280,
    height=720,
    pixel_aspect=Fraction(1),
    rotation=0,
    frame_rate=Fraction(24),
    pix_fmt="yuv420p",
    interlaced=False,
    full_range=False,
    color_space=None,
    duration=55.0,
    frames=1320,
    start=0.0,
)
AUDIO = AudioFacts(index=1, codec="aac", channels=2, sample_rate=48000, duration=55.0, start=0.0)
MOVIE = MediaFacts(format="mov,mp4", size=10_000_000, duration=55.0, duration_is_exact=True, video=VIDEO, audio=AUDIO)


def a_movie(*, audio: AudioFacts | None = AUDIO, **video: Any) -> MediaFacts:
    return replace(MOVIE, video=replace(VIDEO, **video), audio=audio)


def a_sound(**audio: Any) -> MediaFacts:
    return replace(MOVIE, video=None, audio=replace(AUDIO, **audio))


def preset(suffix: str) -> Settings:
    """Of the system preset whose id ends so."""
    return SYSTEM_PRESETS[PresetId(f"1351620000001-{suffix}")].settings


def an_output(settings: Settings | str, index: int = 0, **fields: Any) -> OutputSpec:
    chosen = preset(settings) if isinstance(settings, str) else settings
    return OutputSpec(index=index, key=fields.pop("key", f"jobs/output-{index}"), settings=chosen, **fields)


def thumbnails(every: int = 10, **fields: Any) -> ThumbnailSpec:
    settings = preset("000010").thumbnails
    assert settings is not None
    return ThumbnailSpec(
        pattern="jobs/t-{resolution}-{count}", settings=settings.model_copy(update={"interval": every} | fields)
    )


def a_task(
    *outputs: OutputSpec, playlists: tuple[PlaylistSpec, ...] = (), parts: tuple[PartSpec, ...] = (PartSpec(),)
) -> TranscodeFile:
    return TranscodeFile(outputs=outputs, playlists=playlists, parts=parts)


def parts(count: int) -> tuple[PartSpec, ...]:
    """As many inputs, whole and as they are."""
    return tuple(PartSpec(source=source) for source in range(count))


def a_playlist(form: PlaylistFormat, *outputs: int, key: str = "jobs/index.m3u8") -> PlaylistSpec:
    return PlaylistSpec(index=0, key=key, format=form, outputs=outputs)


def settings(**fields: Any) -> Settings:
    return Settings.model_validate(fields, strict=False)
