"""Frame rates, groups of pictures and fields, counted in what was made."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import m3u8
import pytest

from shared.jobspec import PlaylistFormat, Settings
from shared.protocol import OutputSpec
from tests.fields import shows
from tests.media.encoding import Made, ffmpeg, ffprobe, key_frame_times, published, transcoded
from tests.unit.agent.media.builders import a_playlist, a_task, an_output, settings

pytestmark = pytest.mark.media


def made_at(folder: Path, rate: str, seconds: float, size: str = "64x36", *options: str) -> Path:
    file = folder / f"{rate.replace('/', '_')}.mp4"
    source = f"testsrc2=s={size}:r={rate}:d={seconds}"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast", *options, str(file))
    return file


def tiny(container: str = "mp4", **video: Any) -> Settings:
    return settings(container=container, video={"codec": "h264", "quality": 30} | video)


def rate_and_frames(file: Path) -> tuple[Fraction, int]:
    [stream] = ffprobe(file, "-count_packets")["streams"]
    return Fraction(stream["r_frame_rate"]), int(stream["nb_read_packets"])


@shows("settings.video.max_frame_rate", "settings.video.frame_rate=auto")
@pytest.mark.parametrize(
    ("source", "highest", "expected"),
    [
        ("50", "30", Fraction(25)),
        ("60", "25", Fraction(20)),
        ("60000/1001", "30", Fraction(30000, 1001)),
        ("25", "60", Fraction(25)),
        ("24", "23.97", Fraction(12)),
        ("30", "10", Fraction(10)),
        ("120", None, Fraction(60)),
    ],
)
def test_the_rate_is_the_highest_below_the_bound_that_divides_the_inputs(
    tmp_path: Path, source: str, highest: str | None, expected: Fraction
) -> None:
    movie = made_at(tmp_path, source, 1)
    made = transcoded(tmp_path / "job", movie, a_task(an_output(tiny(max_frame_rate=highest))))
    rate, frames = rate_and_frames(made.file())
    assert rate == expected
    assert frames == pytest.approx(float(expected), abs=1)
    assert made.outputs[0].frame_rate == pytest.approx(float(expected), abs=0.001)


@shows("settings.video.frame_rate")
@pytest.mark.parametrize("rate", ["10", "15", "23.97", "24", "25", "29.97", "30", "50", "60"])
def test_a_named_rate_is_that_rate(tmp_path: Path, rate: str) -> None:
    exact = {"23.97": Fraction(24000, 1001), "29.97": Fraction(30000, 1001)}.get(rate, Fraction(rate))
    made = transcoded(tmp_path / "job", made_at(tmp_path, "25", 1), a_task(an_output(tiny(frame_rate=rate))))
    counted, frames = rate_and_frames(made.file())
    assert counted == exact
    assert frames == pytest.approx(float(exact), abs=1)


def key_frames(file: Path) -> list[int]:
    """Numbers of the frames, in the order of showing, that need no other."""
    shown = ffprobe(file, "-select_streams", "v:0", "-show_entries", "frame=key_frame")
    return [number for number, frame in enumerate(shown["frames"]) if frame["key_frame"]]


@shows("settings.video.fixed_gop", "settings.video.keyframes_max_distance")
@pytest.mark.parametrize(("container", "codec"), [("mp4", "h264"), ("mpg", "mpeg2"), ("webm", "vp8"), ("webm", "vp9")])
def test_a_fixed_group_has_one_length_and_others_are_bounded(tmp_path: Path, container: str, codec: str) -> None:
    """With a cut to another scene at frame 20, where an encoder would like to start anew."""
    movie = tmp_path / "cut.mp4"
    scenes = "testsrc2=s=64x36:r=25:d=0.8[a];mandelbrot=s=64x36:r=25,trim=duration=0.8[b];[a][b]concat"
    ffmpeg("-f", "lavfi", "-i", scenes, "-c:v", "libx264", "-preset", "ultrafast", str(movie))
    outputs = [
        an_output(
            tiny(container, codec=codec, quality=20, keyframes_max_distance=12, fixed_gop=fixed, frame_rate="25"), at
        )
        for at, fixed in enumerate((True, False))
    ]
    made = transcoded(tmp_path / "job", movie, a_task(*outputs))
    assert key_frames(made.file(0)) == [0, 12, 24, 36]
    free = key_frames(made.file(1))
    assert max(later - earlier for earlier, later in zip(free, [*free[1:], 40], strict=True)) <= 12


def a_rendition(index: int, seconds: float, **video: Any) -> OutputSpec:
    return an_output(tiny("ts", **video), index, key=f"v{index}", segment_duration=seconds)


def boundaries(made: Made, site: Path, index: int) -> tuple[list[float], list[float]]:
    """Of every segment its length in the playlist, and when its first picture is shown."""
    media = m3u8.load(str(site / f"v{index}.m3u8"))
    starts = [key_frame_times(site / segment.uri)[0] for segment in media.segments]
    return [segment.duration for segment in media.segments], starts


@shows("outputs[].segment_duration", "playlists[].output_keys")
def test_no_rendition_differs_by_a_picture_in_its_segments(tmp_path: Path) -> None:
    """At 59.94 and 29.97 pictures a second the first at or after a whole second differs from the 17th on."""
    movie = made_at(tmp_path, "60000/1001", 19)
    task = a_task(
        a_rendition(0, 1.0),
        a_rendition(1, 1.0, max_frame_rate="30", fixed_gop=True, keyframes_max_distance=30),
        a_rendition(2, 1.0, frame_rate="29.97", keyframes_max_distance=7),
        playlists=(a_playlist(PlaylistFormat.HLS_V3, 0, 1, 2, key="index.m3u8"),),
    )
    made = transcoded(tmp_path / "job", movie, task)
    assert made.failures == {}
    published(made, tmp_path / "site")
    first, *others = [boundaries(made, tmp_path / "site", index) for index in range(3)]
    lengths, starts = first
    assert len(lengths) == 19
    assert lengths[:-1] == pytest.approx([1.001] * 18, abs=1e-6)
    assert [round(start - starts[0], 3) for start in starts] == [round(1.001 * number, 3) for number in range(19)]
    for _, other in others:
        assert other == starts


def test_rates_with_a_common_divisor_are_aligned_too(tmp_path: Path) -> None:
    movie = made_at(tmp_path, "24", 4)
    task = a_task(
        a_rendition(0, 1.0),
        a_rendition(1, 1.0, frame_rate="30"),
        playlists=(a_playlist(PlaylistFormat.HLS_V3, 0, 1, key="index.m3u8"),),
    )
    made = transcoded(tmp_path / "job", movie, task)
    published(made, tmp_path / "site")
    one, other = [boundaries(made, tmp_path / "site", index) for index in range(2)]
    assert one[0] == other[0] == [1, 1, 1, 1]
    assert one[1] == other[1]


def test_fragments_of_other_rates_start_together(tmp_path: Path) -> None:
    """Sixty pictures are one second of the one, and two of the other."""
    movie = made_at(tmp_path, "60", 4)
    fixed = {"fixed_gop": True, "keyframes_max_distance": 60}
    task = a_task(
        an_output(tiny("fmp4", **fixed), 0, key="a.mp4"),
        an_output(tiny("fmp4", max_frame_rate="30", **fixed), 1, key="b.mp4"),
        playlists=(a_playlist(PlaylistFormat.MPEG_DASH, 0, 1, key="index.mpd"),),
    )
    made = transcoded(tmp_path / "job", movie, task)
    assert made.failures == {}
    published(made, tmp_path / "site")
    assert key_frame_times(tmp_path / "site" / "a.mp4") == [0, 1, 2, 3]
    assert key_frame_times(tmp_path / "site" / "b.mp4") == [0, 1, 2, 3]


def found_by_idet(file: Path) -> dict[str, int]:
    """How many frames ffmpeg's own detector takes for which kind."""
    told = subprocess.run(
        ["ffmpeg", "-hide_banner", "-i", file, "-vf", "idet", "-f", "null", "-"],
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
    ).stderr  # fmt: skip
    line = next(line for line in told.splitlines() if "Multi frame detection" in line)
    words = line.split("detection:")[1].replace(":", " ").split()
    return {kind: int(count) for kind, count in zip(words[::2], words[1::2], strict=True)}


@shows("settings.video.interlaced_mode")
@pytest.mark.parametrize(("container", "codec"), [("mp4", "h264"), ("mpg", "mpeg2")])
@pytest.mark.parametrize(
    ("mode", "order", "kind"),
    [("TopFirst", "tt", "TFF"), ("BottomFirst", "bb", "BFF"), ("Progressive", "progressive", "Progressive")],
)
def test_fields_are_in_the_order_that_was_asked_for(
    tmp_path: Path, container: str, codec: str, mode: str, order: str, kind: str
) -> None:
    movie = tmp_path / "waves.mp4"
    waves = "nullsrc=s=176x144:r=50:d=1,geq=lum='128+80*sin((X+Y/4-8*N)/14)':cb=128:cr=128"
    ffmpeg("-f", "lavfi", "-i", waves, "-c:v", "libx264", "-preset", "ultrafast", "-qp", "10", str(movie))
    asked = tiny(container, codec=codec, quality=8, frame_rate="25", interlaced_mode=mode)
    made = transcoded(tmp_path / "job", movie, a_task(an_output(asked)))
    [stream] = ffprobe(made.file(), "-count_packets")["streams"]
    assert (stream["field_order"], int(stream["nb_read_packets"])) == (order, 25)
    counts = found_by_idet(made.file())
    assert max(counts, key=lambda one: counts[one]) == kind


@pytest.mark.parametrize("height", [90, 130, 178])
def test_fields_have_even_heights(tmp_path: Path, height: int) -> None:
    movie = made_at(tmp_path, "50", 0.4, "160x120")
    asked = {"frame_rate": "25", "interlaced_mode": "TopFirst", "max_width": 160, "max_height": height}
    padded = asked | {"padding_policy": "Pad", "sizing_policy": "Fit"}
    made = transcoded(tmp_path / "job", movie, a_task(an_output(tiny(**asked)), an_output(tiny(**padded), 1)))
    assert made.failures == {}
    assert ffprobe(made.file(1))["streams"][0]["height"] == height // 4 * 4


@shows("settings.video.interlaced_mode=Auto")
def test_auto_weaves_what_was_woven(tmp_path: Path) -> None:
    woven = tmp_path / "woven.mpg"
    fields = "testsrc2=s=176x144:r=50:d=1,tinterlace=interleave_top,setfield=tff"
    ffmpeg("-f", "lavfi", "-i", fields, "-c:v", "mpeg2video", "-q:v", "3", "-flags", "+ildct+ilme", str(woven))
    plain = made_at(tmp_path, "25", 1, "176x144")
    task = a_task(an_output(tiny(interlaced_mode="Auto")))
    orders = [
        ffprobe(transcoded(tmp_path / movie.stem, movie, task).file())["streams"][0]["field_order"]
        for movie in (woven, plain)
    ]
    assert orders == ["tt", "progressive"]
