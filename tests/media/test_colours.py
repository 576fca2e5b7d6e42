"""Colours, compared with formulas of their own: matrices, ranges, and the mapping of high dynamic range."""

from __future__ import annotations

from collections.abc import Callable
from math import log, sqrt
from pathlib import Path
from typing import Any

import pytest

from shared.jobspec import Settings, ThumbnailSettings
from shared.protocol import ThumbnailSpec
from tests.fields import shows
from tests.media.encoding import ffmpeg, ffprobe, transcoded
from tests.media.pixels import Box, image
from tests.unit.agent.media.builders import a_task, an_output, settings

pytestmark = pytest.mark.media

Triple = tuple[float, float, float]
PATCHES: tuple[Triple, ...] = (
    (200, 40, 30),
    (30, 180, 60),
    (40, 60, 210),
    (220, 200, 40),
    (128, 128, 128),
    (240, 240, 240),
)
"""Red, green and blue of a row of patches."""
WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
"""Of red and blue in the brightness."""
WIDE, HIGH = 32, 32


def coded(colour: Triple, matrix: str) -> Triple:
    """Brightness and the two differences of blue and red, in codes from 16 to 235."""
    red, blue = WEIGHTS[matrix]
    r, g, b = (part / 255 for part in colour)
    y = red * r + (1 - red - blue) * g + blue * b
    return 16 + 219 * y, 128 + 224 * (b - y) / (2 - 2 * blue), 128 + 224 * (r - y) / (2 - 2 * red)


def a_chart(file: Path, matrix: str, *tags: str, rows: int = HIGH, options: tuple[str, ...] = ()) -> Path:
    """Patches whose codes are written as they are, so that nothing but this file decides what they mean."""
    steps = [coded(colour, matrix) for colour in PATCHES]
    return a_row(file, steps, "yuv420p", rows, ("-c:v", "libx264", "-qp", "0", *tags, *options))


def a_row(file: Path, steps: list[Triple], pix_fmt: str, rows: int, coding: tuple[str, ...], unit: int = 1) -> Path:
    def along(plane: int) -> str:
        """The patch of a pixel, in planes of full and of half width alike."""
        expression = "0"
        for number, step in reversed(list(enumerate(steps))):
            edge = f"lt(X/W\\,{(number + 1) / len(steps)})"
            expression = f"if({edge}\\,{round(step[plane] * unit)}\\,{expression})"
        return expression

    size = f"{WIDE * len(steps)}x{rows}"
    planes = f"geq=lum='{along(0)}':cb='{along(1)}':cr='{along(2)}'"
    ffmpeg("-f", "lavfi", "-i", f"nullsrc=s={size}:r=10:d=0.2,format={pix_fmt},{planes}", *coding, str(file))
    return file


def patches(file: Path, decoding: str) -> list[Triple]:
    """Red, green and blue of every patch, decoded as a player would that takes it for `decoding`."""
    raw = image(file, filters=f"scale=in_color_matrix={decoding}:in_range=tv,format=gbrp")
    return _means(raw.width, lambda box: raw.mean(box))


def codes(file: Path) -> list[Triple]:
    """What the stream itself holds."""
    planes = [
        image(file, colours="gray", filters=f"scale=flags=neighbor,format=yuv444p,extractplanes={p}") for p in "yuv"
    ]
    return _means(planes[0].width, lambda box: (planes[0].mean(box)[0], planes[1].mean(box)[0], planes[2].mean(box)[0]))


def _means(width: int, mean: Callable[[Box], tuple[float, ...]]) -> list[Triple]:
    step = width // len(PATCHES)
    found = [mean(Box(step * at + step // 4, 8, step * (at + 1) - step // 4, 24)) for at in range(len(PATCHES))]
    return [(a, b, c) for a, b, c in found]


def tags(file: Path) -> tuple[str | None, ...]:
    stream = ffprobe(file)["streams"][0]
    return tuple(stream.get(name) for name in ("color_space", "color_primaries", "color_transfer", "color_range"))


def video(**fields: Any) -> Settings:
    return settings(container="mp4", video={"codec": "h264", "quality": 1} | fields)


BT709 = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")
BT601 = ("-colorspace", "smpte170m", "-color_primaries", "smpte170m", "-color_trc", "smpte170m")


TO_SMPTE_C = ((1.0654, -0.0554, -0.0100), (-0.0196, 1.0364, -0.0167), (0.0016, 0.0044, 0.9940))
FROM_SMPTE_C = ((0.9395, 0.0502, 0.0103), (0.0178, 0.9658, 0.0164), (-0.0016, -0.0044, 1.0060))
"""Light in the primaries of BT.709 and of American BT.601."""


def in_other_primaries(colour: Triple, applied: str) -> Triple:
    rows = {"Bt709ToBt601": TO_SMPTE_C, "Bt601ToBt709": FROM_SMPTE_C}.get(applied)
    if rows is None:
        return colour
    light = [_light(part / 255) for part in colour]
    red, green, blue = (255 * _bt709(sum(w * part for w, part in zip(row, light, strict=True))) for row in rows)
    return red, green, blue


def _bt709(light: float) -> float:
    return 4.5 * light if light < 0.018 else float(1.099 * light**0.45 - 0.099)


def _light(code: float) -> float:
    return code / 4.5 if code < 0.081 else float(((code + 0.099) / 1.099) ** (1 / 0.45))


@shows("settings.video.color_space_conversion", "outputs[].applied_color_space_conversion")
@pytest.mark.parametrize(
    ("mode", "source", "tagged", "applied", "becomes"),
    [
        ("None", "bt709", BT709, "None", "bt709"),
        ("None", "bt601", BT601, "None", "bt601"),
        ("Bt709ToBt601", "bt709", BT709, "Bt709ToBt601", "bt601"),
        ("Bt709ToBt601", "bt709", (), "Bt709ToBt601", "bt601"),
        ("Bt601ToBt709", "bt601", BT601, "Bt601ToBt709", "bt709"),
        ("Bt601ToBt709", "bt601", (), "Bt601ToBt709", "bt709"),
        ("Auto", "bt709", BT709, "Bt709ToBt601", "bt601"),
        ("Auto", "bt601", BT601, "None", "bt601"),
    ],
)
def test_colours_are_recoded_as_asked_and_told(
    tmp_path: Path, mode: str, source: str, tagged: tuple[str, ...], applied: str, becomes: str
) -> None:
    movie = a_chart(tmp_path / "chart.mp4", source, *tagged)
    made = transcoded(tmp_path / "job", movie, a_task(an_output(video(color_space_conversion=mode))))
    assert made.outputs[0].applied_color_space_conversion == applied
    assert tags(made.file())[0] == {"bt709": "bt709", "bt601": "smpte170m"}[becomes]
    for found, wanted in zip(codes(made.file()), PATCHES, strict=True):
        assert found == pytest.approx(coded(in_other_primaries(wanted, applied), becomes), abs=3)


def test_what_says_nothing_is_told_where_players_would_guess_wrong(tmp_path: Path) -> None:
    """High definition without a word is BT.709; scaled down it would be taken for BT.601."""
    movie = a_chart(tmp_path / "hd.mp4", "bt709", rows=720, options=("-preset", "ultrafast"))
    small = video(max_height=64, sizing_policy="Stretch", max_width=WIDE * len(PATCHES))
    large = video(max_height=720)
    made = transcoded(tmp_path / "job", movie, a_task(an_output(small), an_output(large, 1)))
    assert tags(made.file(0))[0] == "bt709"
    assert tags(made.file(1))[0] is None
    for small_one, large_one in zip(codes(made.file(0)), codes(made.file(1)), strict=True):
        assert small_one == pytest.approx(large_one, abs=2)


def stills(form: str) -> ThumbnailSpec:
    fields = {"format": form, "interval": 1, "max_width": WIDE * len(PATCHES), "max_height": HIGH}
    return ThumbnailSpec(pattern="t{count}", settings=ThumbnailSettings.model_validate(fields, strict=False))


@pytest.mark.parametrize("tagged", [BT709, ()], ids=["told", "untold"])
@pytest.mark.parametrize("form", ["png", "jpg"])
def test_thumbnails_and_gifs_have_the_colours_of_the_movie(tmp_path: Path, form: str, tagged: tuple[str, ...]) -> None:
    movie = a_chart(tmp_path / "hd.mp4", "bt709", *tagged, rows=720, options=("-preset", "ultrafast"))
    wanted = {"max_width": WIDE * len(PATCHES), "max_height": 32, "sizing_policy": "Stretch"}
    still = stills(form)
    still = still.model_copy(update={"settings": still.settings.model_copy(update={"sizing_policy": "Stretch"})})
    gif = settings(container="gif", video={"codec": "gif"} | wanted)
    made = transcoded(tmp_path / "job", movie, a_task(an_output(video(**wanted), thumbnails=still), an_output(gif, 1)))
    for file in (made.files(0, "thumbnail")[0], made.file(1)):
        plain = image(file)
        for found, colour in zip(_means(plain.width, plain.mean), PATCHES, strict=True):
            assert found == pytest.approx(colour, abs=8), file.suffix


def _in_full_range(codes: Triple) -> Triple:
    y, cb, cr = codes
    return (y - 16) * 255 / 219, (cb - 128) * 255 / 224 + 128, (cr - 128) * 255 / 224 + 128


def test_a_full_range_source_becomes_limited(tmp_path: Path) -> None:
    full = tmp_path / "full.mp4"
    steps = [_in_full_range(coded(colour, "bt601")) for colour in PATCHES]
    a_row(full, steps, "yuvj420p", HIGH, ("-c:v", "libx264", "-qp", "0", "-color_range", "pc"))
    made = transcoded(tmp_path / "job", full, a_task(an_output(video())))
    assert tags(made.file())[3] in ("tv", None)
    for found, wanted in zip(codes(made.file()), PATCHES, strict=True):
        assert found == pytest.approx(coded(wanted, "bt601"), abs=3)


@pytest.mark.parametrize("height", [HIGH, 720])
def test_a_source_of_red_green_and_blue_is_coded_as_players_expect(tmp_path: Path, height: int) -> None:
    screen = tmp_path / "screen.mkv"
    chart = a_chart(tmp_path / "chart.mp4", "bt601", *BT601, rows=height, options=("-preset", "ultrafast"))
    ffmpeg("-i", str(chart), "-pix_fmt", "bgr0", "-c:v", "ffv1", str(screen))
    made = transcoded(tmp_path / "job", screen, a_task(an_output(video())))
    matrix = "bt709" if height == 720 else "bt601"
    assert tags(made.file())[0] == {"bt709": "bt709", "bt601": "smpte170m"}[matrix]
    for found, wanted in zip(codes(made.file()), PATCHES, strict=True):
        assert found == pytest.approx(coded(wanted, matrix), abs=3)


def test_ten_bits_become_eight(tmp_path: Path) -> None:
    deep = tmp_path / "deep.mp4"
    steps = [coded(colour, "bt601") for colour in PATCHES]
    a_row(deep, steps, "yuv420p10le", HIGH, ("-c:v", "libx264", "-qp", "0", *BT601), unit=4)
    made = transcoded(tmp_path / "job", deep, a_task(an_output(video())))
    assert ffprobe(made.file())["streams"][0]["pix_fmt"] == "yuv420p"
    for found, wanted in zip(codes(made.file()), PATCHES, strict=True):
        assert found == pytest.approx(coded(wanted, "bt601"), abs=2)


# High dynamic range ---------------------------------------------------------------------------------------------------

LIGHTS: tuple[Triple, ...] = (
    (1, 1, 1),
    (100, 100, 100),
    (400, 400, 400),
    (1000, 1000, 1000),
    (300, 40, 20),
    (10, 60, 200),
)
"""Candelas per square metre of red, green and blue, in the primaries of BT.2020."""
TO_BT709 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))


def pq(light: float) -> float:
    """SMPTE ST 2084."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (light / 10_000) ** m1
    return float(((c1 + c2 * power) / (1 + c3 * power)) ** m2)


def hlg(light: float) -> float:
    """ARIB STD-B67, of light from 0 to 1 in the scene."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return sqrt(3 * light) if light <= 1 / 12 else a * log(12 * light - b) + c


def hable(light: float) -> float:
    a, b, c, d, e, f = 0.15, 0.50, 0.10, 0.20, 0.02, 0.30
    return (light * (light * a + b * c) + d * e) / (light * (light * a + b) + d * f) - e / f


def mapped(light: Triple) -> Triple:
    """Codes for a screen of BT.709, from 0 to 255, after the brightest of the three was rolled off, the others with it."""
    linear = [max(0.0, sum(weight * part / 100 for weight, part in zip(row, light, strict=True))) for row in TO_BT709]
    brightest = max(*linear, 1e-6)
    factor = hable(brightest) / hable(10.0) / brightest
    red, green, blue = (255 * min(1.0, part * factor) ** (1 / 2.4) for part in linear)
    return red, green, blue


def displayed(scene: Triple) -> Triple:
    """What a screen of 1,000 candelas makes of light in the scene, in the same unit; of each colour by itself, as zimg has it."""
    red, green, blue = (1000 * (part / 1000) ** 1.2 for part in scene)
    return red, green, blue


def an_hdr_chart(file: Path, curve: Callable[[float], float], transfer: str) -> Path:
    steps = [coded(tuple(255 * curve(part) for part in light), "bt2020") for light in LIGHTS]  # type: ignore[arg-type]
    params = f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:lossless=1:log-level=error"
    coding = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", params, "-tag:v", "hvc1")
    described = ("-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc")
    return a_row(file, steps, "yuv420p10le", 64, (*coding, *described), unit=4)


@pytest.mark.parametrize("form", ["png", "jpg"])
def test_hdr10_is_mapped_to_ordinary_brightness(tmp_path: Path, form: str) -> None:
    movie = an_hdr_chart(tmp_path / "hdr.mp4", pq, "smpte2084")
    made = transcoded(tmp_path / "job", movie, a_task(an_output(video(), thumbnails=stills(form))))
    assert tags(made.file()) == ("bt709", "bt709", "bt709", "tv")
    assert ffprobe(made.file())["streams"][0]["pix_fmt"] == "yuv420p"
    assert made.outputs[0].applied_color_space_conversion == "None"
    for found, light in zip(patches(made.file(), "bt709"), LIGHTS, strict=True):
        assert found == pytest.approx(mapped(light), abs=6)
    still = image(made.files(0, "thumbnail")[0])
    for found, light in zip(_means(still.width, still.mean), LIGHTS, strict=True):
        assert found == pytest.approx(mapped(light), abs=10)


def test_hlg_is_mapped_to_ordinary_brightness(tmp_path: Path) -> None:
    movie = an_hdr_chart(tmp_path / "hlg.mp4", lambda light: hlg(light / 1000), "arib-std-b67")
    made = transcoded(tmp_path / "job", movie, a_task(an_output(video())))
    assert tags(made.file()) == ("bt709", "bt709", "bt709", "tv")
    for found, light in zip(patches(made.file(), "bt709"), LIGHTS, strict=True):
        assert found == pytest.approx(mapped(displayed(light)), abs=6)


def test_hdr_in_standard_definition_is_recoded_on_top(tmp_path: Path) -> None:
    movie = an_hdr_chart(tmp_path / "hdr.mp4", pq, "smpte2084")
    made = transcoded(tmp_path / "job", movie, a_task(an_output(video(color_space_conversion="Auto"))))
    assert made.outputs[0].applied_color_space_conversion == "Bt709ToBt601"
    assert tags(made.file())[0] == "smpte170m"
    for found, light in zip(patches(made.file(), "bt601")[:4], LIGHTS, strict=False):
        assert found == pytest.approx(mapped(light), abs=8)


def test_wide_colours_without_hdr_are_recoded_by_auto(tmp_path: Path) -> None:
    wide = ("-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", "bt2020-10")
    movie = a_chart(tmp_path / "wide.mp4", "bt2020", *wide)
    made = transcoded(tmp_path / "job", movie, a_task(an_output(video(color_space_conversion="Auto"))))
    assert made.outputs[0].applied_color_space_conversion == "Bt2020ToBt601"
    gray = patches(made.file(), "bt601")[4]
    assert gray == pytest.approx((128, 128, 128), abs=3)
