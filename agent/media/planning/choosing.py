"""From what is wanted of one output and what its source is to what it will be; or why it cannot be."""

from __future__ import annotations

from typing import Final

from agent.media import encoders, filters, sizing
from agent.media.encoders import Device
from agent.media.facts import AudioFacts, MediaFacts, VideoFacts
from agent.media.filters import Picture
from agent.media.framerate import output_rate
from agent.media.planning.planned import PlannedAudio, PlannedOutput, PlannedThumbnails, PlannedVideo
from agent.media.sizing import Size
from shared.failures import Cause, Failure, FailureCode
from shared.jobspec import AudioSettings, Container, VideoCodec, VideoSettings
from shared.jobspec.audio import PackingMode
from shared.protocol import OutputSpec, ThumbnailSpec

MOS_TRACKS: Final = 8


def refusal(spec: OutputSpec, source: MediaFacts) -> Failure | None:
    if spec.settings.video is not None and source.video is None:
        message = "The input has no picture; use a preset for sound only."
    elif spec.settings.video is None and source.audio is None:
        message = "The input has no sound; use a preset with video."
    else:
        return None
    return Failure(cause=Cause.INPUT, code=FailureCode.PRESET_MISMATCH, message=message)


def planned(spec: OutputSpec, source: MediaFacts, device: Device) -> PlannedOutput:
    settings = spec.settings
    video = audio = thumbnails = None
    if source.video is not None and settings.video is not None:
        video = _video(settings.video, source.video, source, device)
    if source.video is not None and spec.thumbnails is not None:
        thumbnails = _thumbnails(spec.thumbnails, source.video, source)
    if source.audio is not None and settings.audio is not None:
        audio = _audio(settings.audio, settings.container, source.audio, source)
    carries_all = (video is not None or source.video is None) and (audio is not None or source.audio is None)
    seconds = source.duration if source.duration_is_exact and carries_all else None
    return PlannedOutput(spec, video, audio, thumbnails, seconds)


def _video(settings: VideoSettings, source: VideoFacts, facts: MediaFacts, device: Device) -> PlannedVideo:
    size = sizing.of_video(settings, Size(source.shown_width, source.shown_height), source.shown_pixel_aspect)
    rate = output_rate(settings, source.frame_rate)
    if settings.codec is VideoCodec.MPEG2:
        rate = min(encoders.MPEG2_RATES, key=lambda legal: abs(legal - rate))
    picture = Picture(
        sizing=size,
        rate=rate,
        pix_fmt=settings.chroma_subsampling,
        full_range=source.full_range,
        scan=filters.scan(settings, source),
        conversion=filters.conversion(settings, source, size),
    )
    encoder = encoders.video_encoder(device, settings, interlaced=picture.scan is not None)
    return PlannedVideo(encoder, picture, _seconds(source.start, source.duration, facts))


def _audio(settings: AudioSettings, container: Container, source: AudioFacts, facts: MediaFacts) -> PlannedAudio | None:
    channels = encoders.channel_count(settings, source.channels)
    if channels == 0:
        return None
    tracks = {
        PackingMode.SINGLE_TRACK: 1,
        PackingMode.ONE_CHANNEL_PER_TRACK: channels,
        PackingMode.ONE_CHANNEL_PER_TRACK_WITH_MOS_TO_8_TRACKS: MOS_TRACKS,
    }[settings.packing_mode]
    return PlannedAudio(
        encoder=encoders.audio_encoder(settings),
        sample_rate=encoders.sample_rate(settings, container, source.sample_rate),
        channels=channels if settings.packing_mode is PackingMode.SINGLE_TRACK else 1,
        tracks=tracks,
        source_channels=channels,
        seconds=_seconds(source.start, source.duration, facts),
    )


def _thumbnails(spec: ThumbnailSpec, source: VideoFacts, facts: MediaFacts) -> PlannedThumbnails:
    size = sizing.of_thumbnails(spec.settings, Size(source.shown_width, source.shown_height), source.shown_pixel_aspect)
    seconds = _seconds(source.start, source.duration, facts)
    count = None if seconds is None else max(1, -int(-seconds // spec.settings.interval))
    return PlannedThumbnails(spec, size, count)


def _seconds(start: float, duration: float | None, facts: MediaFacts) -> float | None:
    """Until when a stream lasts. What its edits leave out counts in the stream, but not in the whole."""
    if not facts.duration_is_exact or duration is None:
        return None
    return min(start + duration, facts.duration or start + duration)
