"""From what is wanted of one output and what its source is to what it will be; or why it cannot be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Final

from agent.media import encoders, filters, sizing, watermarking
from agent.media.captions.fitting import unfit_for_rate
from agent.media.encoders import Device
from agent.media.facts import AudioFacts, MediaFacts, VideoFacts
from agent.media.filters import Colours, Mark, Picture
from agent.media.framerate import output_rate
from agent.media.pictures import Still
from agent.media.planning.planned import PlannedAudio, PlannedOutput, PlannedThumbnails, PlannedVideo
from agent.media.sizing import Size
from shared.failures import Cause, Failure, FailureCode
from shared.jobspec import AudioSettings, Container, VideoCodec, VideoSettings
from shared.jobspec.audio import PackingMode
from shared.jobspec.video import LEAST_BIT_RATE, MOST_BIT_RATE
from shared.protocol import OutputSpec, ThumbnailSpec, WatermarkSpec

MOS_TRACKS: Final = 8

Stills = Mapping[int, Still | Failure]
"""Of every picture in the row of inputs: what it is, or why it cannot be used."""
NO_STILLS: Final[Stills] = {}


def refusal(spec: OutputSpec, source: MediaFacts, stills: Stills) -> Failure | None:
    """Why this input cannot become this output with the pictures that are there for it."""
    if spec.settings.video is not None and source.video is None:
        message = "There is no picture in the input, or in the part of it that is used; use a preset for sound only."
    elif spec.settings.video is None and source.audio is None:
        message = "There is no sound in the input, or in the part of it that is used; use a preset with video."
    else:
        marked = (stills[mark.input] for mark in spec.watermarks)
        return next((still for still in marked if isinstance(still, Failure)), None)
    return Failure(cause=Cause.INPUT, code=FailureCode.PRESET_MISMATCH, message=message)


def too_fast_or_slow(output: PlannedOutput) -> Failure | None:
    """Why captions cannot lie within its pictures, where they are to."""
    if output.picture is None or output.spec.captions is None:
        return None
    return unfit_for_rate([wanted.format for wanted in output.spec.captions.formats], output.picture.rate)


def too_small(output: PlannedOutput) -> Failure | None:
    """Why its encoder cannot make a picture of this size."""
    if output.video is None or output.spec.settings.video is None:
        return None
    frame, least = output.video.picture.sizing.frame, output.video.encoder.least
    if min(frame.width, frame.height) >= least:
        return None
    codec = output.spec.settings.video.codec
    message = (
        f"The picture would have {frame} pixels, and {codec} has at least {least} either way; use another codec, "
        "or a sizing policy that enlarges it."
    )
    return Failure(cause=Cause.INPUT, code=FailureCode.PRESET_MISMATCH, message=message)


def planned(spec: OutputSpec, source: MediaFacts, stills: Stills, device: Device) -> PlannedOutput:
    spec = _at_a_rate(spec, source.video)
    settings = spec.settings
    video = audio = thumbnails = None
    if source.video is not None and settings.video is not None:
        video = _video(spec, settings.video, source, source.video, stills, device)
    if source.video is not None and spec.thumbnails is not None:
        thumbnails = _thumbnails(spec, spec.thumbnails, source.video, source)
    if source.audio is not None and settings.audio is not None:
        audio = _audio(settings.audio, settings.container, source.audio, source)
    carries_all = (video is not None or source.video is None) and (audio is not None or source.audio is None)
    seconds = source.duration if source.duration_is_exact and carries_all else None
    return PlannedOutput(spec, video, audio, thumbnails, seconds)


def _at_a_rate(spec: OutputSpec, source: VideoFacts | None) -> OutputSpec:
    """With the bit rate of the input, where that is asked for; at constant quality, where the input tells none."""
    video = spec.settings.video
    if source is None or video is None or video.bit_rate != "auto":
        return spec
    rate = source.bit_rate and min(max(source.bit_rate, LEAST_BIT_RATE), video.max_bit_rate or MOST_BIT_RATE)
    changed = video.model_copy(update={"bit_rate": rate, "two_pass": video.two_pass and rate is not None})
    return spec.model_copy(update={"settings": spec.settings.model_copy(update={"video": changed})})


def lacked(outputs: Iterable[OutputSpec], card: Collection[str]) -> int:
    """How many of them are made in software only because a card lacks their encoders; `card`: those that it has."""
    hardware = (encoders.VIDEO_ENCODERS.get((Device.NVENC, video.codec)) for video in map(_settings, outputs) if video)
    return sum(encoder is not None and encoder.name not in card for encoder in hardware)


def _settings(output: OutputSpec) -> VideoSettings | None:
    return output.settings.video


def on_card(output: PlannedOutput, card: Collection[str]) -> PlannedOutput:
    """The same, on a card with these encoders."""
    video = output.video
    return in_software(output) if video and video.encoder.on_gpu and video.encoder.name not in card else output


def in_software(output: PlannedOutput) -> PlannedOutput:
    """The same, encoded without a card."""
    settings, video = output.spec.settings.video, output.video
    if settings is None or video is None:
        return output
    encoder = encoders.video_encoder(Device.CPU, settings, interlaced=video.picture.scan is not None)
    return replace(output, video=replace(video, encoder=encoder))


def _video(
    spec: OutputSpec, settings: VideoSettings, facts: MediaFacts, source: VideoFacts, stills: Stills, device: Device
) -> PlannedVideo:
    turn = _turn(spec, source)
    scan = filters.scan(settings, source)
    size = sizing.of_video(settings, *_seen(source, turn), woven=scan is not None)
    rate = output_rate(settings, source.frame_rate)
    if settings.codec is VideoCodec.MPEG2:
        rate = min(encoders.MPEG2_RATES, key=lambda legal: abs(legal - rate))
    colours = filters.colours(settings, source, size.frame)
    picture = Picture(
        sizing=size,
        rate=rate,
        pix_fmt=settings.chroma_subsampling,
        colours=colours,
        recoding=filters.recoding(source, colours),
        scan=scan,
        turn=turn,
        marks=tuple(_mark(mark, stills, size, colours) for mark in spec.watermarks),
    )
    encoder = encoders.video_encoder(device, settings, interlaced=picture.scan is not None)
    return PlannedVideo(encoder, picture, _seconds(source.start, source.duration, facts))


def _turn(spec: OutputSpec, source: VideoFacts) -> int:
    """Degrees beyond those that the file itself asks for, which ffmpeg always turns it by."""
    return 0 if spec.rotate == "auto" else (spec.rotate - source.rotation) % 360


def _seen(source: VideoFacts, turn: int) -> tuple[Size, Fraction]:
    """Size and shape of the pixels after the turn."""
    shown = Size(source.shown_width, source.shown_height)
    return (shown.lying, 1 / source.shown_pixel_aspect) if turn % 180 else (shown, source.shown_pixel_aspect)


def _mark(spec: WatermarkSpec, stills: Stills, size: sizing.Sizing, colours: Colours) -> Mark:
    still = stills[spec.input]
    assert isinstance(still, Still)
    return Mark(
        source=spec.input,
        demuxer=still.demuxer,
        place=watermarking.place(spec.slot, still.size, size),
        opacity=Fraction(spec.slot.opacity) / 100,
        matrix=colours.matrix,
    )


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


def _thumbnails(output: OutputSpec, spec: ThumbnailSpec, source: VideoFacts, facts: MediaFacts) -> PlannedThumbnails:
    settings = spec.settings
    turn = _turn(output, source)
    stills = filters.Stills(
        sizing=sizing.of_thumbnails(settings, *_seen(source, turn)),
        interval=settings.interval,
        format=settings.format,
        hdr=filters.high_dynamic_range(source),
        recoding=filters.recoding_of_stills(source),
        turn=turn,
    )
    seconds = _seconds(source.start, source.duration, facts)
    return PlannedThumbnails(spec, stills, None if seconds is None else max(1, -int(-seconds // settings.interval)))


def _seconds(start: float, duration: float | None, facts: MediaFacts) -> float | None:
    """Until when a stream lasts. What its edits leave out counts in the stream, but not in the whole."""
    if not facts.duration_is_exact or duration is None:
        return None
    return min(start + duration, facts.duration or start + duration)
