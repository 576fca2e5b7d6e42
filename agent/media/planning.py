"""From what is wanted and what is there to ffmpeg's command lines: passes, in which outputs share one decode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.media import argv, encoders, filters, sizing
from agent.media.argv import Stream
from agent.media.diagnosis import LOST_WRITES
from agent.media.encoders import Device
from agent.media.facts import AudioFacts, MediaFacts, VideoFacts
from agent.media.filters import Picture
from agent.media.framerate import output_rate
from agent.media.sizing import Size
from shared.failures import Cause, Failure, FailureCode, FailureReason
from shared.jobspec import AudioSettings, Container, VideoCodec, VideoSettings
from shared.jobspec.settings import PackingMode
from shared.protocol import OutputSpec, ThumbnailSpec, TranscodeFile

INPUT: Final = "in/0"
OUT: Final = "out"
MOS_TRACKS: Final = 8


@dataclass(frozen=True)
class PlannedVideo:
    encoder: encoders.VideoEncoder
    picture: Picture
    seconds: float | None
    """How long the source's picture is, where its container says so."""


@dataclass(frozen=True)
class PlannedAudio:
    encoder: encoders.AudioEncoder
    sample_rate: int
    channels: int
    tracks: int
    """More than one: every channel is a track of its own."""
    source_channels: int
    seconds: float | None


@dataclass(frozen=True)
class PlannedThumbnails:
    spec: ThumbnailSpec
    sizing: sizing.Sizing
    count: int | None


@dataclass(frozen=True)
class PlannedOutput:
    spec: OutputSpec
    video: PlannedVideo | None
    audio: PlannedAudio | None
    thumbnails: PlannedThumbnails | None
    source_seconds: float | None
    """How long the input is, where its container says so and the output carries all that the input has."""

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
    def segment_pattern(self) -> str:
        return f"o{self.index}_%05d.ts"

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
class Pass:
    """One ffmpeg process."""

    argv: list[str]
    outputs: tuple[PlannedOutput, ...]
    duration: float
    """Seconds of media that it goes through; 0 when nobody knows."""
    source: MediaFacts
    device: Device
    threads: int
    gpu: int = 0
    """The card of what is done on one."""
    decodes_on_gpu: bool = False

    @property
    def is_on_gpu(self) -> bool:
        return any(output.video is not None and output.video.encoder.on_gpu for output in self.outputs)


@dataclass(frozen=True)
class Plan:
    passes: tuple[Pass, ...]
    refused: Mapping[int, Failure]
    """Outputs that this input cannot become, by index."""


def plan(task: TranscodeFile, facts: tuple[MediaFacts, ...], *, device: Device, threads: int, gpu: int = 0) -> Plan:
    """`gpu` is the card for what is done on one, as NVML counts."""
    source = facts[0]
    refused = {spec.index: failure for spec in task.outputs if (failure := _refusal(spec, source)) is not None}
    outputs = tuple(_planned(spec, source, device) for spec in task.outputs if spec.index not in refused)
    passes = (_pass(outputs, source, device, threads, gpu),) if outputs else ()
    return Plan(passes, refused)


def split(p: Pass) -> tuple[Pass, ...]:
    """A pass for every output of a pass that failed, so that only the guilty one fails again."""
    return tuple(
        _pass((output,), p.source, p.device, p.threads, p.gpu, decode_on_gpu=p.decodes_on_gpu) for output in p.outputs
    )


def instead(p: Pass, reason: FailureReason, *, software_threads: int) -> Pass | None:
    """How to make what a card failed at; None where that would fail alike, or in software with no threads for it.

    What it cannot decode it may still encode; what may be the fault of the input is first decoded by another decoder.
    """
    if reason in LOST_WRITES or not p.is_on_gpu:
        return None
    if p.decodes_on_gpu and reason in (FailureReason.HARDWARE_DECODING_FAILED, FailureReason.UNDECODABLE):
        return _pass(p.outputs, p.source, p.device, p.threads, p.gpu, decode_on_gpu=False)
    if reason is FailureReason.UNDECODABLE or software_threads == 0:
        return None
    outputs = tuple(_planned(output.spec, p.source, Device.CPU) for output in p.outputs)
    return _pass(outputs, p.source, Device.CPU, software_threads, p.gpu)


def _refusal(spec: OutputSpec, source: MediaFacts) -> Failure | None:
    if spec.settings.video is not None and source.video is None:
        message = "The input has no picture; use a preset for sound only."
    elif spec.settings.video is None and source.audio is None:
        message = "The input has no sound; use a preset with video."
    else:
        return None
    return Failure(cause=Cause.INPUT, code=FailureCode.PRESET_MISMATCH, message=message)


def _planned(spec: OutputSpec, source: MediaFacts, device: Device) -> PlannedOutput:
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


# The graph ------------------------------------------------------------------------------------------------------------


def _pass(
    outputs: tuple[PlannedOutput, ...],
    source: MediaFacts,
    device: Device,
    threads: int,
    gpu: int,
    *,
    decode_on_gpu: bool = True,
) -> Pass:
    on_gpu = decode_on_gpu and _decodes_on_gpu(outputs, source.video)
    decoding = {**DECODING_ON_GPU, "hwaccel_device": gpu} if on_gpu else {}
    file = argv.source(INPUT, threads=threads, **decoding)
    pictures = _picture_streams(file, outputs, source, on_gpu=on_gpu)
    sounds = _sound_streams(file, outputs, source)
    sinks = [
        sink for output in outputs for sink in _sinks(output, source, pictures, sounds, threads, on_gpu=on_gpu, gpu=gpu)
    ]
    return Pass(
        argv=argv.ffmpeg_argv(sinks, threads=threads),
        outputs=outputs,
        duration=source.duration or 0.0,
        source=source,
        device=device,
        threads=threads,
        gpu=gpu,
        decodes_on_gpu=on_gpu,
    )


DECODING_ON_GPU: Final[dict[str, Any]] = {"hwaccel": "cuda", "hwaccel_output_format": "cuda", "extra_hw_frames": 8}
"""Pictures that filters hold back are the decoder's own: it needs more of them than it would by itself."""
NVDEC_CODECS: Final = frozenset({"h264", "hevc", "mpeg2video", "mpeg4", "vc1", "vp8", "vp9"})


def _decodes_on_gpu(outputs: Sequence[PlannedOutput], source: VideoFacts | None) -> bool:
    """Where something is encoded there and the card can decode it; rotation is done by filters in memory."""
    return (
        source is not None
        and source.codec in NVDEC_CODECS
        and source.pix_fmt == "yuv420p"
        and not source.full_range
        and source.rotation == 0
        and any(output.video is not None and output.video.encoder.on_gpu for output in outputs)
    )


def _picture_streams(
    file: Stream, outputs: Sequence[PlannedOutput], source: MediaFacts, *, on_gpu: bool
) -> list[Stream]:
    """One for every picture and every row of thumbnails, in the order of the outputs."""
    users = sum((output.video is not None) + (output.thumbnails is not None) for output in outputs)
    if users == 0 or source.video is None:
        return []
    stream = file[str(source.video.index)]
    if source.video.interlaced:
        every_field = any(output.video is not None and output.video.picture.scan for output in outputs)
        stream = filters.deinterlaced(stream, every_field=every_field, on_gpu=on_gpu)
    return filters.split(stream, users)


def _sound_streams(file: Stream, outputs: Sequence[PlannedOutput], source: MediaFacts) -> list[Stream]:
    users = sum(output.audio is not None for output in outputs)
    if users == 0 or source.audio is None:
        return []
    return filters.split(file[str(source.audio.index)], users, kind="asplit")


def _sinks(
    output: PlannedOutput,
    source: MediaFacts,
    pictures: list[Stream],
    sounds: list[Stream],
    threads: int,
    *,
    on_gpu: bool,
    gpu: int,
) -> list[Stream]:
    """The output's own file and its thumbnails; takes what it needs from the front of the streams."""
    streams: list[Stream] = []
    options: dict[str, Any] = {"threads": threads, "map_metadata": -1, "map_chapters": -1}
    settings = output.spec.settings
    if output.video is not None and settings.video is not None and source.video is not None:
        streams.append(_drawn(pictures.pop(0), output.video, settings.video, source.video, on_gpu=on_gpu))
        options |= _video_options(output, output.video, settings.video, source.video, gpu)
    if output.audio is not None and settings.audio is not None:
        streams += _heard(sounds.pop(0), output.audio)
        options |= encoders.audio_options(settings.audio, rate=output.audio.sample_rate, channels=output.audio.channels)
    sinks = [argv.sink(streams, f"{OUT}/{output.file}", options | _muxer_options(output))]
    if output.thumbnails is not None:
        sinks.append(_thumbnail_sink(pictures.pop(0), output, output.thumbnails, on_gpu=on_gpu))
    return sinks


def _drawn(
    stream: Stream, planned: PlannedVideo, settings: VideoSettings, source: VideoFacts, *, on_gpu: bool
) -> Stream:
    if on_gpu and planned.encoder.on_gpu and planned.picture.stays_on_gpu:
        return filters.drawn_on_gpu(stream, planned.picture)
    stream = filters.drawn(stream, planned.picture, source.frame_rate, on_gpu=on_gpu)
    if settings.codec is VideoCodec.GIF:
        stream = filters.palette(stream, planned.picture.sizing.frame.width)
    return stream


def _heard(stream: Stream, planned: PlannedAudio) -> list[Stream]:
    stream = filters.heard(
        stream,
        rate=planned.sample_rate,
        channels=planned.source_channels,
        sample_format=planned.encoder.sample_format,
    )
    if planned.tracks == 1:
        return [stream]
    return filters.single_channels(stream, planned.source_channels, tracks=planned.tracks)


def _video_options(
    output: PlannedOutput, planned: PlannedVideo, settings: VideoSettings, source: VideoFacts, gpu: int
) -> dict[str, Any]:
    every = output.spec.segment_duration
    options: dict[str, Any] = {
        "c:v": planned.encoder.name,
        **planned.encoder.options(settings),
        **encoders.key_frames(settings, planned.encoder, every=every),
        **filters.tags(settings, source, planned.picture.conversion),
    }
    if planned.encoder.on_gpu:
        options["gpu"] = gpu
    flags = ""
    if settings.codec in (VideoCodec.H264, VideoCodec.MPEG2):
        flags += "+cgop" if settings.fixed_gop or every is not None else ""
        flags += "+ildct+ilme" if planned.picture.scan else ""
    return options | ({"flags": flags} if flags else {})


def _thumbnail_sink(stream: Stream, output: PlannedOutput, planned: PlannedThumbnails, *, on_gpu: bool) -> Stream:
    settings = planned.spec.settings
    drawn = filters.thumbnails(
        stream,
        planned.sizing,
        interval=settings.interval,
        pix_fmt="rgb24" if settings.format == "png" else "yuvj420p",
        on_gpu=on_gpu,
    )
    options: dict[str, Any] = {"f": "image2", "start_number": 1}
    options |= {"c:v": "png"} if settings.format == "png" else {"c:v": "mjpeg", "q:v": 3}
    return argv.sink([drawn], f"{OUT}/{output.thumbnail_pattern}", options)


EXTENSIONS: Final[Mapping[Container, str]] = {container: container.value for container in Container} | {
    Container.FMP4: "mp4"
}
_MUXERS: Final[Mapping[Container, dict[str, Any]]] = {
    Container.FLAC: {"f": "flac"},
    Container.FLV: {"f": "flv"},
    Container.FMP4: {"f": "mp4", "movflags": "+frag_keyframe+delay_moov+default_base_moof+global_sidx"},
    Container.GIF: {"f": "gif"},
    Container.MP2: {"f": "mp2"},
    Container.MP3: {"f": "mp3"},
    Container.MP4: {"f": "mp4", "movflags": "+faststart"},
    Container.MPG: {"f": "vob"},
    Container.MXF: {"f": "mxf"},
    Container.OGA: {"f": "oga"},
    Container.OGG: {"f": "ogg"},
    Container.TS: {"f": "mpegts"},
    Container.WAV: {"f": "wav"},
    Container.WEBM: {"f": "webm"},
}
FRAGMENT_SECONDS: Final = 2.0
"""Of fragmented files without a picture, whose fragments no key frame begins."""


def _muxer_options(output: PlannedOutput) -> dict[str, Any]:
    if output.is_segmented:
        return {
            "f": "hls",
            "hls_time": f"{output.spec.segment_duration:g}",
            "hls_playlist_type": "vod",
            "hls_list_size": 0,
            "start_number": 0,
            "hls_segment_filename": f"{OUT}/{output.segment_pattern}",
            # Shifted by its own reordering delay, each rendition would be a little off the others.
            "avoid_negative_ts": "disabled",
            "hls_segment_options": "avoid_negative_ts=disabled",
        }
    options = dict(_MUXERS[output.spec.settings.container])
    if output.spec.settings.container is Container.FMP4 and output.video is None:
        options["frag_duration"] = round((output.spec.segment_duration or FRAGMENT_SECONDS) * 1_000_000)
    return options
