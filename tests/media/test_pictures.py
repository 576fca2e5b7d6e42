"""How pictures lie in their frames: size, cut, bars and turn, measured in decoded pictures.

The source tells where each of its points went: red grows from left to right, green from top to bottom, and nothing of it is
as dark as a bar.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from shared.jobspec import Settings, ThumbnailSettings
from shared.protocol import ThumbnailSpec
from tests.fields import shows
from tests.media.encoding import ffmpeg, ffprobe, transcoded
from tests.media.pixels import Box, Colour, Image, image
from tests.unit.agent.media.builders import a_task, an_output, settings

pytestmark = pytest.mark.media

LOW, HIGH = 30, 220
INSIDE = 5
POLICIES = ("Fit", "Fill", "Stretch", "Keep", "ShrinkToFit", "ShrinkToFill")
SOURCES = {
    "landscape": (160, 90, Fraction(1)),
    "portrait": (90, 160, Fraction(1)),
    "anamorphic": (120, 96, Fraction(16, 11)),
}
BOX = (128, 112)


def a_map(file: Path, width: int, height: int, pixel_aspect: Fraction = Fraction(1), *options: str) -> Path:
    ramp = f"{LOW}+{HIGH - LOW}"
    picture = f"geq=r='{ramp}*(X+.5)/W':g='{ramp}*(Y+.5)/H':b=200,format=yuv420p"
    graph = f"nullsrc=s={width}x{height}:r=10:d=0.2,format=gbrp,{picture},setsar={pixel_aspect}"
    ffmpeg("-f", "lavfi", "-i", graph, "-c:v", "libx264", "-qp", "0", *options, str(file))
    return file


def video(**fields: Any) -> Settings:
    box = {"max_width": BOX[0], "max_height": BOX[1]}
    return settings(container="mp4", video={"codec": "h264", "quality": 2} | box | fields)


def stills(form: str, **fields: Any) -> ThumbnailSpec:
    box = {"format": form, "interval": 1, "max_width": BOX[0], "max_height": BOX[1]}
    return ThumbnailSpec(pattern="t{count}", settings=ThumbnailSettings.model_validate(box | fields, strict=False))


def is_content(colour: Colour) -> bool:
    return sum(colour) > 130


def seen(shown: Image) -> tuple[Box, tuple[float, float, float, float]]:
    """Where the picture lies, and which part of its source it is: left, top, right and bottom, from 0 to 1."""
    box = shown.box(is_content)
    across, down = (box.left + box.right) // 2, (box.top + box.bottom) // 2
    left, right = ends([shown.at(x, down)[0] for x in range(box.left, box.right)])
    top, bottom = ends([shown.at(across, y)[1] for y in range(box.top, box.bottom)])
    return box, (left, top, right, bottom)


def ends(ramp: list[int]) -> tuple[float, float]:
    """What it begins and ends with at its very edges, as parts of the source: told from within, where nothing is blurred."""
    first, last = ramp[INSIDE], ramp[-1 - INSIDE]
    beyond = (last - first) / (len(ramp) - 1 - 2 * INSIDE) * (INSIDE + 0.5)
    return (first - beyond - LOW) / (HIGH - LOW), (last + beyond - LOW) / (HIGH - LOW)


def expected(policy: str, padding: str, source: str) -> tuple[tuple[int, int], Box, tuple[float, float, float, float]]:
    """The published rules, by themselves: frame, where the picture lies in it, and which part of the source it is."""
    width, height, pixel_aspect = SOURCES[source]
    wide, high = float(width * pixel_aspect), float(height)
    ratios = BOX[0] / wide, BOX[1] / high
    across, down = {
        "Fit": (min(ratios),) * 2,
        "Fill": (max(ratios),) * 2,
        "Stretch": ratios,
        "Keep": (1.0, 1.0),
        "ShrinkToFit": (min(1.0, *ratios),) * 2,
        "ShrinkToFill": (min(1.0, max(ratios)),) * 2,
    }[policy]
    scaled = wide * across, high * down
    content = min(scaled[0], BOX[0]), min(scaled[1], BOX[1])
    frame = BOX if padding == "Pad" else (round(content[0] / 2) * 2, round(content[1] / 2) * 2)
    left, top = (frame[0] - content[0]) / 2, (frame[1] - content[1]) / 2
    box = Box(round(left), round(top), round(left + content[0]), round(top + content[1]))
    cut = (1 - content[0] / scaled[0]) / 2, (1 - content[1] / scaled[1]) / 2
    return frame, box, (cut[0], cut[1], 1 - cut[0], 1 - cut[1])


@shows(
    "settings.video.sizing_policy",
    "settings.video.padding_policy",
    "settings.video.max_width",
    "settings.video.max_height",
    "settings.thumbnails.sizing_policy",
    "settings.thumbnails.padding_policy",
    "outputs[].thumbnails.sizing_policy",
    "outputs[].thumbnails.padding_policy",
    "outputs[].thumbnails.max_width",
    "outputs[].thumbnails.max_height",
)
@pytest.mark.parametrize("source", SOURCES)
def test_every_sizing_with_every_padding(tmp_path: Path, source: str) -> None:
    combinations = list(product(POLICIES, ("Pad", "NoPad")))
    outputs = []
    for index, (policy, padding) in enumerate(combinations):
        policies = {"sizing_policy": policy, "padding_policy": padding}
        pictures = stills("png" if index % 2 else "jpg", **policies)
        outputs.append(an_output(video(**policies), index, thumbnails=pictures))
    movie = a_map(tmp_path / "map.mp4", *SOURCES[source])
    made = transcoded(tmp_path / "job", movie, a_task(*outputs))
    assert made.failures == {}
    for index, (policy, padding) in enumerate(combinations):
        frame, place, part = expected(policy, padding, source)
        for file in (made.file(index), made.files(index, "thumbnail")[0]):
            shown = image(file)
            box, covered = seen(shown)
            assert (shown.width, shown.height) == pytest.approx(frame, abs=2), (policy, padding)
            assert box.is_near(place, slack=2), (policy, padding, box)
            assert covered == pytest.approx(part, abs=0.045), (policy, padding)
        stream = ffprobe(made.file(index))["streams"][0]
        assert stream["sample_aspect_ratio"] == "1:1"


def turned(point: tuple[float, float], degrees: int) -> tuple[float, float]:
    """Where a point of the unit square comes to lie when the square is turned clockwise."""
    for _ in range(degrees // 90):
        point = 1 - point[1], point[0]
    return point


@shows("outputs[].rotate")
@pytest.mark.parametrize("stored", [0, 90, 180, 270])
def test_a_turn_is_counted_from_the_picture_as_it_is_stored(tmp_path: Path, stored: int) -> None:
    flat = a_map(tmp_path / "flat.mp4", 160, 90)
    movie = tmp_path / "told.mp4"
    anticlockwise = (360 - stored) % 360
    ffmpeg("-i", str(flat), "-c", "copy", "-metadata:s:v", f"rotate={anticlockwise}", str(movie))
    turns: tuple[Any, ...] = ("auto", 0, 90, 180, 270)
    outputs = [
        an_output(
            video(max_width=160, max_height=160),
            index,
            rotate=turn,
            thumbnails=stills("png", max_width=80, max_height=80),
        )
        for index, turn in enumerate(turns)
    ]
    made = transcoded(tmp_path / "job", movie, a_task(*outputs))
    assert made.failures == {}
    for index, turn in enumerate(turns):
        degrees = stored if turn == "auto" else turn
        [stream] = ffprobe(made.file(index))["streams"]
        assert "side_data_list" not in stream
        assert (stream["width"], stream["height"]) == ((90, 160) if degrees % 180 else (160, 90))
        for file in (made.file(index), made.files(index, "thumbnail")[0]):
            shown = image(file)
            for point in ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9)):
                x, y = turned(point, degrees)
                red, green, _ = shown.at(int(x * shown.width), int(y * shown.height))
                there = (red - LOW) / (HIGH - LOW), (green - LOW) / (HIGH - LOW)
                assert there == pytest.approx(point, abs=0.04), (turn, point)


def test_a_turn_with_oblong_pixels_bars_and_a_cut(tmp_path: Path) -> None:
    movie = a_map(tmp_path / "map.mp4", 120, 96, Fraction(16, 11))
    upright = {"max_width": 96, "max_height": 160, "padding_policy": "Pad"}
    outputs = [
        an_output(video(sizing_policy="Fit", **upright), 0, rotate=90),
        an_output(video(sizing_policy="Fill", **upright), 1, rotate=270),
    ]
    made = transcoded(tmp_path / "job", movie, a_task(*outputs))
    shape = 120 * 16 / (96 * 11)
    whole = image(made.file(0)).box(is_content)
    assert whole.size == pytest.approx((160 / shape, 160), abs=2)
    cut = image(made.file(1))
    assert cut.box(is_content) == Box(0, 0, 96, 160)
    lost = (1 - 160 / (96 * shape)) / 2
    assert ends([cut.at(48, y)[0] for y in range(160)]) == pytest.approx((1 - lost, lost), abs=0.03)


def test_fields_and_bars_survive_a_turn(tmp_path: Path) -> None:
    movie = a_map(tmp_path / "map.mp4", 160, 90)
    wanted = {"interlaced_mode": "TopFirst", "frame_rate": "25", "padding_policy": "Pad", "sizing_policy": "Fit"}
    made = transcoded(tmp_path / "job", movie, a_task(an_output(video(**wanted), rotate=90)))
    [stream] = ffprobe(made.file())["streams"]
    assert (stream["field_order"], stream["width"], stream["height"]) == ("tt", *BOX)
    assert image(made.file()).box(is_content).size == pytest.approx((63, 112), abs=2)


@shows(
    "settings.video.resolution",
    "settings.video.aspect_ratio",
    "settings.thumbnails.resolution",
    "settings.thumbnails.aspect_ratio",
)
def test_the_deprecated_fields_size_as_they_did(tmp_path: Path) -> None:
    movie = a_map(tmp_path / "map.mp4", 160, 90)
    wanted: tuple[tuple[dict[str, str], dict[str, str], str, tuple[int, int], Box], ...] = (
        # of the video, of the thumbnails; shown in this shape, with so many pixels, the picture lying there
        ({"resolution": "120x96"}, {"resolution": "120x96"}, "16:9", (120, 96), Box(0, 0, 120, 96)),
        ({"resolution": "128x96", "aspect_ratio": "4:3"}, {"resolution": "128x96"}, "4:3", (128, 96), Box(0, 12, 128, 84)),
        ({"aspect_ratio": "4:3"}, {"resolution": "60x90", "aspect_ratio": "4:3"}, "4:3", (160, 120), Box(0, 15, 160, 105)),
    )  # fmt: skip
    outputs = []
    for index, (fields, thumbnails, *_) in enumerate(wanted):
        pictures = ThumbnailSettings.model_validate(thumbnails | {"format": "png"}, strict=False)
        made_of = settings(container="mp4", video={"codec": "h264", "quality": 2} | fields)
        outputs.append(an_output(made_of, index, thumbnails=ThumbnailSpec(pattern="t{count}", settings=pictures)))
    made = transcoded(tmp_path / "job", movie, a_task(*outputs))
    assert made.failures == {}
    for index, (_, _, shape, size, place) in enumerate(wanted):
        shown = image(made.file(index))
        box, covered = seen(shown)
        assert (shown.width, shown.height) == size
        assert box.is_near(place, slack=2)
        assert covered == pytest.approx((0, 0, 1, 1), abs=0.045)
        assert ffprobe(made.file(index))["streams"][0]["display_aspect_ratio"] == shape
    boxes = [image(made.files(index, "thumbnail")[0]).box(is_content) for index in range(len(wanted))]
    assert [box.size for box in boxes] == [(120, 68), (128, 72), (60, 68)]
    assert ffprobe(made.files(2, "thumbnail")[0])["streams"][0]["display_aspect_ratio"] == "4:3"


@shows("settings.video.display_aspect_ratio")
@pytest.mark.parametrize("source", SOURCES)
def test_a_display_aspect_ratio_is_that_of_the_frame_and_bends_nothing(tmp_path: Path, source: str) -> None:
    shapes = ("1:1", "4:3", "3:2", "16:9")
    outputs = [
        an_output(video(display_aspect_ratio=shape, sizing_policy="Fit", padding_policy="Pad"), index)
        for index, shape in enumerate(shapes)
    ]
    movie = a_map(tmp_path / "map.mp4", *SOURCES[source])
    made = transcoded(tmp_path / "job", movie, a_task(*outputs))
    width, height, pixel_aspect = SOURCES[source]
    for index, shape in enumerate(shapes):
        [stream] = ffprobe(made.file(index))["streams"]
        assert (stream["width"], stream["height"], stream["display_aspect_ratio"]) == (*BOX, shape)
        oblong = Fraction(stream["sample_aspect_ratio"].replace(":", "/"))
        across, down = image(made.file(index)).box(is_content).size
        assert across * oblong / down == pytest.approx(float(width * pixel_aspect / height), rel=0.05)


def test_a_gif_of_a_line_is_made(tmp_path: Path) -> None:
    line = tmp_path / "line.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=4000x2:r=10:d=0.2", "-c:v", "ffv1", str(line))
    gif = settings(container="gif", video={"codec": "gif"})
    made = transcoded(tmp_path / "job", line, a_task(an_output(gif)))
    assert made.failures == {}
    assert ffprobe(made.file())["streams"][0]["width"] == 1920
