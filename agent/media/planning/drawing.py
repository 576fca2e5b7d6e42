"""From planned outputs to one ffmpeg process: a graph in which they share one decode, and its command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from agent.media import argv, encoders, filters
from agent.media.argv import Stream
from agent.media.encoders import Device
from agent.media.facts import MediaFacts
from agent.media.planning.feeding import fed
from agent.media.planning.muxers import muxer_options
from agent.media.planning.opening import is_for_nvdec, opened
from agent.media.planning.planned import OUT, Pass, PlannedAudio, PlannedOutput, PlannedThumbnails, PlannedVideo
from agent.media.planning.programme import Programme
from shared.jobspec import Container, VideoCodec, VideoSettings
from shared.jobspec.audio import Loudness


def drawn(
    outputs: tuple[PlannedOutput, ...],
    shown: Programme,
    device: Device,
    threads: int,
    gpu: int,
    *,
    decode_on_gpu: bool = True,
) -> Pass:
    picture = any(output.video or output.thumbnails for output in outputs)
    sound = any(output.audio for output in outputs)
    shown = replace(shown, is_uneven=shown.is_uneven or (not picture and _may_be_uneven(shown)))
    feeders, left = fed(shown, threads=threads, picture=picture, sound=sound, every_field=_every_field(outputs))
    decodes_on_gpu = decode_on_gpu and _decodes_on_gpu(outputs, left)
    on_gpu = decodes_on_gpu and not shown.is_stitched  # several are put on a canvas in memory
    uploads = on_gpu and any(map(_is_marked_on_gpu, outputs))
    source = left.whole
    decoding = {**DECODING_ON_GPU, "hwaccel_device": argv.CARD if uploads else gpu} if decodes_on_gpu else {}
    began = opened(left, threads=threads, decoding=decoding, picture=picture, sound=sound)
    pictures = _picture_streams(began.picture, outputs, source, on_gpu=on_gpu)
    sounds = _sound_streams(began.sound, outputs)
    stills = _stills(outputs)
    analysed = len(outputs) == 1 and outputs[0].takes_two_passes  # what falls back together is quicker in one
    sinks = [
        sink
        for output in outputs
        for sink in _sinks(output, shown, pictures, sounds, stills, threads, on_gpu=on_gpu, gpu=gpu, is_second=analysed)
    ]
    return Pass(
        argv=argv.ffmpeg_argv(sinks, threads=threads, gpu=gpu if uploads else None),
        outputs=outputs,
        duration=source.duration or 0.0,
        programme=shown,
        device=device,
        threads=threads,
        gpu=gpu,
        decodes_on_gpu=decodes_on_gpu,
        analysis=_analysis(outputs[0], left, threads) if analysed else None,
        feeders=feeders,
    )


def _may_be_uneven(shown: Programme) -> bool:
    """Where there are pictures, one finds out, since some are dropped then. Sound alone is made even at once: it costs little."""
    return not shown.is_stitched and shown.parts[0].file.is_broadcast


def _analysis(output: PlannedOutput, shown: Programme, threads: int) -> list[str]:
    """The picture alone, through the same filters and encoder, to nowhere. Of broadcasts with the sound, in the same graph:
    then it begins with the same picture, and shows whether the input becomes another kind midway.
    """
    settings = output.spec.settings.video
    assert settings is not None
    assert output.video is not None
    silent = replace(output, audio=None, thumbnails=None)
    is_heard = output.audio is not None and _may_be_uneven(shown)
    began = opened(shown, threads=threads, decoding={}, picture=True, sound=is_heard)
    [stream] = _picture_streams(began.picture, [silent], shown.whole, on_gpu=False)
    stills = _stills([silent])
    marks = [stills[mark.source].pop(0) for mark in output.video.picture.marks]
    shot = _picture(stream, output.video, settings, shown, marks, on_gpu=False)
    options = {
        "threads": threads,
        **_video_options(output, output.video, settings, 0),
        **_number(output, 1),
        "f": "null",
        "fps_mode": "vfr",  # as in files, where what is made for the same time is dropped
    }
    unheard = [argv.nowhere([began.sound.filter("anull")], {})] if is_heard and began.sound is not None else []
    return argv.ffmpeg_argv([argv.sink([shot], f"{OUT}/null", options), *unheard], threads=threads)


def _number(output: PlannedOutput, number: int) -> dict[str, Any]:
    """Which of two passes it is, and where the first one writes what the second reads."""
    return {"pass": number, "passlogfile": f"{OUT}/{output.index}"}


DECODING_ON_GPU: Final[dict[str, Any]] = {"hwaccel": "cuda", "hwaccel_output_format": "cuda", "extra_hw_frames": 8}
"""Pictures that filters hold back are the decoder's own: it needs more of them than it would by itself."""
MOST_DECODERS: Final = 8
"""Of one process on a card: each holds its pictures there as long as the process lives."""


def _decodes_on_gpu(outputs: Sequence[PlannedOutput], shown: Programme) -> bool:
    """Where something is encoded there, and the card can decode it: of what is stitched, one of the parts."""
    return (
        len(shown.parts) <= MOST_DECODERS
        and any(map(is_for_nvdec, shown.parts))
        and any(output.video is not None and output.video.encoder.on_gpu for output in outputs)
    )


def _is_marked_on_gpu(output: PlannedOutput) -> bool:
    video = output.video
    return video is not None and video.stays_on_gpu and bool(video.picture.marks)


def _picture_streams(
    stream: Stream | None, outputs: Sequence[PlannedOutput], source: MediaFacts, *, on_gpu: bool
) -> list[Stream]:
    """One for every picture and every row of thumbnails, in the order of the outputs."""
    users = sum((output.video is not None) + (output.thumbnails is not None) for output in outputs)
    if users == 0 or stream is None or source.video is None:
        return []
    if source.video.interlaced:
        every_field = _every_field(outputs)
        stream = filters.deinterlaced(stream, parity=source.video.parity, every_field=every_field, on_gpu=on_gpu)
    return filters.split(stream, users)


def _every_field(outputs: Sequence[PlannedOutput]) -> bool:
    """Whether fields are woven again, so that each is to become a picture first."""
    return any(output.video is not None and output.video.picture.scan is not None for output in outputs)


def _sound_streams(stream: Stream | None, outputs: Sequence[PlannedOutput]) -> list[Stream]:
    users = sum(output.audio is not None for output in outputs)
    return [] if users == 0 or stream is None else filters.split(stream, users, kind="asplit")


def _stills(outputs: Sequence[PlannedOutput]) -> Mapping[int, list[Stream]]:
    """Every picture is opened once, whatever number of outputs are marked with it."""
    marks = [mark for output in outputs if output.video is not None for mark in output.video.picture.marks]
    users = Counter((mark.source, mark.demuxer) for mark in marks)
    return {
        source: filters.split(argv.still(f"in/{source}", demuxer)["v"], count)
        for (source, demuxer), count in users.items()
    }


def _sinks(
    output: PlannedOutput,
    shown: Programme,
    pictures: list[Stream],
    sounds: list[Stream],
    stills: Mapping[int, list[Stream]],
    threads: int,
    *,
    on_gpu: bool,
    gpu: int,
    is_second: bool,
) -> list[Stream]:
    """The output's own file and its thumbnails; takes what it needs from the front of the streams."""
    source = shown.whole
    streams: list[Stream] = []
    options: dict[str, Any] = {"threads": threads, "map_metadata": -1, "map_chapters": -1}
    settings = output.spec.settings
    if output.video is not None and settings.video is not None and source.video is not None:
        marks = [stills[mark.source].pop(0) for mark in output.video.picture.marks]
        streams.append(_picture(pictures.pop(0), output.video, settings.video, shown, marks, on_gpu=on_gpu))
        options |= _video_options(output, output.video, settings.video, gpu) | (_number(output, 2) if is_second else {})
    if output.audio is not None and settings.audio is not None:
        streams += _sounds(sounds.pop(0), output.audio, settings.audio.loudness)
        options |= encoders.audio_options(settings.audio, rate=output.audio.sample_rate, channels=output.audio.channels)
    if output.caption_tracks:
        tracks = argv.source(f"in/{output.tracks_file}")
        streams += [tracks[f"s:{number}"] for number in range(output.caption_tracks)]
        options["c:s"] = "copy"
        for number in range(output.caption_tracks):
            options |= argv.tags_of(f"in/{output.tracks_file}", number, f"s:{number}")
    sinks = [argv.sink(streams, f"{OUT}/{output.file}", options | muxer_options(output))]
    if output.thumbnails is not None:
        last = output.thumbnails.count if shown.is_cut else None
        sinks.append(_thumbnail_sink(pictures.pop(0), output, output.thumbnails, last, on_gpu=on_gpu))
    return sinks


def _picture(
    stream: Stream,
    planned: PlannedVideo,
    settings: VideoSettings,
    shown: Programme,
    marks: Sequence[Stream],
    *,
    on_gpu: bool,
) -> Stream:
    assert shown.whole.video is not None
    last = shown.pictures_at(planned.picture.rate)
    if on_gpu and planned.stays_on_gpu:
        return filters.ended(filters.drawn_on_gpu(stream, planned.picture, marks), last)
    stream = filters.drawn(stream, planned.picture, shown.whole.video.frame_rate, marks, on_gpu=on_gpu)
    stream = filters.ended(filters.held(stream, planned.held), last)
    return filters.palette(stream, planned.picture) if settings.codec is VideoCodec.GIF else stream


def _sounds(stream: Stream, planned: PlannedAudio, loudness: Loudness | None) -> list[Stream]:
    is_measured = planned.seconds is None or planned.seconds >= filters.SHORTEST_MEASURED
    stream = filters.heard(
        stream,
        rate=planned.sample_rate,
        layout=planned.encoder.layouts.get(planned.source_channels),
        sample_format=planned.encoder.sample_format,
        loudness=loudness if is_measured else None,
    )
    if planned.filled is not None:
        stream = filters.filled(stream, planned.filled)
    if planned.tracks == 1:
        return [stream]
    return filters.single_channels(stream, planned.source_channels, tracks=planned.tracks)


def _video_options(output: PlannedOutput, planned: PlannedVideo, settings: VideoSettings, gpu: int) -> dict[str, Any]:
    every = output.every
    options: dict[str, Any] = {
        "c:v": planned.encoder.name,
        **planned.encoder.options(settings),
        **encoders.key_frames(settings, planned.encoder, rate=planned.picture.rate, every=every),
        **planned.picture.colours.tags,
    }
    if planned.encoder.on_gpu:
        options["gpu"] = gpu
        if settings.two_pass:
            options["multipass"] = "fullres"
    if planned.encoder.copies_captions:
        options["a53cc"] = (
            0  # an output has the captions that are asked for; at another rate, copies would be in pieces
        )
    if settings.codec is VideoCodec.HEVC and output.spec.settings.container in (Container.FMP4, Container.MP4):
        options["tag:v"] = "hvc1"  # under which Apple's players know it
    flags = ""
    if settings.codec in (VideoCodec.H264, VideoCodec.MPEG2):
        flags += "+cgop" if settings.fixed_gop or every is not None else ""
        flags += "+ildct+ilme" if planned.picture.scan else ""
    return options | ({"flags": flags} if flags else {})


def _thumbnail_sink(
    stream: Stream, output: PlannedOutput, planned: PlannedThumbnails, last: int | None, *, on_gpu: bool
) -> Stream:
    settings = planned.spec.settings
    drawn = filters.ended(filters.thumbnails(stream, planned.stills, on_gpu=on_gpu), last)
    options: dict[str, Any] = {"f": "image2", "start_number": 1}
    options |= {"c:v": "png"} if settings.format == "png" else {"c:v": "mjpeg", "q:v": 3}
    return argv.sink([drawn], f"{OUT}/{output.thumbnail_pattern}", options)
