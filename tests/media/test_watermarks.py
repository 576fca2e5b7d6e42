"""Watermarks: where they lie, how large they are and how much they hide, in decoded pictures."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from agent.jobs.encryption import encrypt
from agent.media import Device, Still, plan
from agent.media.sizing import Size
from shared.failures import FailureCode
from shared.jobspec import Settings, WatermarkSlot
from shared.jobspec.encryption import EncryptionMode
from shared.protocol import Cipher, OutputSpec, WatermarkSpec
from tests.fields import shows
from tests.media.encoding import Made, ffmpeg, probed, transcoded
from tests.media.pixels import Box, bare_png, image, png
from tests.unit.agent.media.builders import a_task, an_output, settings

pytestmark = pytest.mark.media

SLOT: dict[str, Any] = {
    "id": "Mark", "max_width": "25%", "max_height": "25%", "sizing_policy": "Fit", "horizontal_align": "Left",
    "horizontal_offset": "0px", "vertical_align": "Top", "vertical_offset": "0px", "opacity": 100.0, "target": "Frame",
}  # fmt: skip
STAND_IN = Path(__file__).parents[1] / "contract" / "agent" / "nvenc_stand_in" / "ffmpeg"
RED = (255, 0, 0, 255)


def a_mark(source: int, **slot: Any) -> WatermarkSpec:
    return WatermarkSpec(input=source, slot=WatermarkSlot.model_validate(SLOT | slot, strict=False))


def small(**video: Any) -> Settings:
    return settings(container="mp4", video={"codec": "h264", "quality": 4, "max_width": 320, "max_height": 180} | video)


def marked(index: int, *marks: WatermarkSpec, **video: Any) -> OutputSpec:
    return an_output(small(**video), index, watermarks=marks)


@pytest.fixture(scope="module")
def blue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """320x180, all of one blue."""
    file = tmp_path_factory.mktemp("blue") / "blue.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=0x2040c0:s=320x180:r=25:d=0.12", "-c:v", "libx264", "-qp", "0", str(file))
    return file


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return png(tmp_path_factory.mktemp("red") / "red", 40, 20, lambda x, y: RED)


def is_reddish(colour: tuple[int, ...]) -> bool:
    return colour[0] > 140 > colour[2]


def box_in(made: Made, index: int = 0) -> Box:
    return image(made.file(index)).box(is_reddish)


@shows(
    "outputs[].watermarks",
    "outputs[].watermarks[].preset_watermark_id",
    "outputs[].watermarks[].input_key",
    "settings.video.watermarks[].horizontal_align",
    "settings.video.watermarks[].horizontal_offset",
    "settings.video.watermarks[].vertical_align",
    "settings.video.watermarks[].vertical_offset",
)
@pytest.mark.parametrize("target", ["Content", "Frame"])
def test_every_anchor_is_where_it_should_be(blue: Path, red: Path, tmp_path: Path, target: str) -> None:
    """In a frame of 320x260 whose picture has bars of 40 above and below."""
    offsets = {"Left": "12px", "Right": "5%", "Center": "0px", "Top": "7px", "Bottom": "10%"}
    places = [(across, down) for across in ("Left", "Center", "Right") for down in ("Top", "Center", "Bottom")]
    outputs = [
        marked(
            index,
            a_mark(
                1,
                max_width="40px",
                max_height="20px",
                target=target,
                horizontal_align=across,
                horizontal_offset=offsets[across],
                vertical_align=down,
                vertical_offset=offsets[down],
            ),
            max_height=260,
            padding_policy="Pad",
        )
        for index, (across, down) in enumerate(places)
    ]
    made = transcoded(tmp_path / "job", [blue, red], a_task(*outputs))
    assert made.failures == {}
    height, top = (180, 40) if target == "Content" else (260, 0)
    expected = {
        "Left": 12, "Right": 320 - 16 - 40, "Center": 140,
        "Top": top + 7, "Bottom": top + height - height // 10 - 20, ("Center", "down"): top + (height - 20) // 2,
    }  # fmt: skip
    for index, (across, down) in enumerate(places):
        left = expected[across]
        upper = expected["Center", "down"] if down == "Center" else expected[down]
        assert box_in(made, index).is_near(Box(left, upper, left + 40, upper + 20), slack=1), (across, down)


@shows(
    "settings.video.watermarks[].max_width",
    "settings.video.watermarks[].max_height",
    "settings.video.watermarks[].sizing_policy",
)
@pytest.mark.parametrize(
    ("policy", "max_width", "max_height", "size"),
    [
        ("Fit", "50%", "50%", (160, 80)),
        ("Fit", "160px", "45px", (90, 45)),
        ("Stretch", "50%", "10%", (160, 18)),
        ("Stretch", "30px", "90px", (30, 90)),
        ("ShrinkToFit", "50%", "50%", (40, 20)),
        ("ShrinkToFit", "20px", "90px", (20, 10)),
        ("ShrinkToFit", "100%", "5%", (18, 9)),
        ("Fit", "9999px", "9999px", (320, 160)),
    ],
)
def test_a_picture_has_the_size_of_its_slot(
    blue: Path, red: Path, tmp_path: Path, policy: str, max_width: str, max_height: str, size: tuple[int, int]
) -> None:
    mark = a_mark(1, sizing_policy=policy, max_width=max_width, max_height=max_height)
    made = transcoded(tmp_path / "job", [blue, red], a_task(marked(0, mark)))
    box = box_in(made)
    assert (box.left, box.top) == (0, 0)
    assert box.is_near(Box(0, 0, *size), slack=1)


@shows("settings.video.watermarks[].target")
def test_parts_are_those_of_the_picture_or_of_the_whole_frame(blue: Path, red: Path, tmp_path: Path) -> None:
    stretched = {"sizing_policy": "Stretch", "max_width": "50%", "max_height": "50%"}
    outputs = [
        marked(index, a_mark(1, target=target, **stretched), max_height=260, padding_policy="Pad")
        for index, target in enumerate(["Content", "Frame"])
    ]
    made = transcoded(tmp_path / "job", [blue, red], a_task(*outputs))
    assert box_in(made, 0).is_near(Box(0, 40, 160, 130), slack=1)
    assert box_in(made, 1).is_near(Box(0, 0, 160, 130), slack=1)


@shows("settings.video.watermarks[].opacity")
@pytest.mark.parametrize("opacity", [0.0, 12.5, 50.0, 100.0])
def test_opacity_blends(blue: Path, red: Path, tmp_path: Path, opacity: float) -> None:
    made = transcoded(tmp_path / "job", [blue, red], a_task(marked(0, a_mark(1, opacity=opacity))))
    shown = image(made.file())
    seen = shown.mean(Box(0, 0, 80, 40).shrunk(4))
    under, over = (0x20, 0x40, 0xC0), RED
    for channel in range(3):
        blended = under[channel] + (over[channel] - under[channel]) * opacity / 100
        assert seen[channel] == pytest.approx(blended, abs=4)


def test_what_is_transparent_stays_unseen(blue: Path, tmp_path: Path) -> None:
    """A white disc on invisible black: its edge must not be darker than what lies on either side."""

    def disc(x: int, y: int) -> tuple[int, ...]:
        return (255, 255, 255, 255) if (x - 128) ** 2 + (y - 128) ** 2 < 120**2 else (0, 0, 0, 0)

    picture = png(tmp_path / "disc", 256, 256, disc)
    mark = a_mark(1, max_width="60px", max_height="60px")
    made = transcoded(tmp_path / "job", [blue, picture], a_task(marked(0, mark)))
    gray = image(made.file(), colours="gray", filters="extractplanes=y")
    plain = gray.at(300, 170)[0]
    assert min(gray.at(x, y)[0] for x in range(60) for y in range(60)) >= plain - 2
    assert gray.at(30, 30)[0] > 230
    assert abs(gray.at(1, 1)[0] - plain) <= 1


def test_a_jpg_keeps_its_colours(blue: Path, tmp_path: Path) -> None:
    jpg = tmp_path / "orange.jpg"
    ffmpeg("-f", "lavfi", "-i", "color=0xe08020:s=64x64", "-frames:v", "1", "-q:v", "1", str(jpg))
    made = transcoded(tmp_path / "job", [blue, jpg], a_task(marked(0, a_mark(1))))
    assert image(made.file()).mean(Box(4, 4, 40, 40)) == pytest.approx((0xE0, 0x80, 0x20), abs=4)


def test_a_jpg_that_a_camera_says_is_to_be_turned_keeps_its_shape(blue: Path, tmp_path: Path) -> None:
    jpg = tmp_path / "lying.jpg"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x32", "-frames:v", "1", "-q:v", "1", str(jpg))
    told = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06" + bytes(6)  # a quarter clockwise
    start, rest = jpg.read_bytes()[:2], jpg.read_bytes()[2:]
    jpg.write_bytes(start + b"\xff\xe1" + (len(told) + 2).to_bytes(2, "big") + told + rest)
    made = transcoded(tmp_path / "job", [blue, jpg], a_task(marked(0, a_mark(1, max_width="100%", max_height="100%"))))
    assert box_in(made).is_near(Box(0, 0, 90, 180), slack=1)


def test_a_mark_has_its_colours_in_high_definition_too(red: Path, tmp_path: Path) -> None:
    hd = tmp_path / "hd.mp4"
    tags = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")
    source = "color=black:s=1280x720:r=25:d=0.04,format=yuv420p"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast", *tags, str(hd))
    orange = png(tmp_path / "orange", 64, 64, lambda x, y: (0xE0, 0x80, 0x20, 255))
    task = a_task(marked(0, a_mark(1), max_width=1280, max_height=720))
    made = transcoded(tmp_path / "job", [hd, orange], task)
    assert image(made.file()).mean(Box(20, 20, 60, 60)) == pytest.approx((0xE0, 0x80, 0x20), abs=4)


def test_a_later_mark_lies_over_an_earlier_one(blue: Path, red: Path, tmp_path: Path) -> None:
    green = png(tmp_path / "green", 20, 20, lambda x, y: (0, 255, 0, 255))
    corners = [
        a_mark(1, id="a", max_width="100px", max_height="100px"),
        a_mark(2, id="b", max_width="30px", max_height="30px"),
        a_mark(2, id="c", max_width="30px", max_height="30px", horizontal_align="Right"),
        a_mark(1, id="d", max_width="30px", max_height="30px", vertical_align="Bottom"),
    ]
    made = transcoded(tmp_path / "job", [blue, red, green], a_task(marked(0, *corners)))
    shown = image(made.file())
    assert shown.at(15, 15)[1] > 200 > 60 > shown.at(15, 15)[0]
    assert shown.at(60, 25)[0] > 200
    assert shown.at(305, 15)[1] > 200
    assert shown.at(15, 172)[0] > 200


def test_what_sticks_out_is_cut_off(blue: Path, red: Path, tmp_path: Path) -> None:
    mark = a_mark(1, max_width="40px", max_height="20px", horizontal_offset="300px", vertical_offset="170px")
    made = transcoded(tmp_path / "job", [blue, red], a_task(marked(0, mark)))
    assert box_in(made).is_near(Box(300, 170, 320, 180), slack=1)


def test_a_mark_looks_as_it_is_on_oblong_pixels(blue: Path, tmp_path: Path) -> None:
    square = png(tmp_path / "square", 40, 40, lambda x, y: RED)
    mark = a_mark(1, max_width="90px", max_height="90px")
    output = marked(
        0, mark, max_width=240, max_height=180, display_aspect_ratio="16:9", sizing_policy="Fill", padding_policy="Pad"
    )
    made = transcoded(tmp_path / "job", [blue, square], a_task(output))
    assert box_in(made).is_near(Box(0, 0, round(90 / (Fraction(16, 9) * 180 / 240)), 90), slack=1)


@pytest.mark.parametrize(
    ("container", "fields"),
    [
        ("webm", {"codec": "vp8"}),
        ("webm", {"codec": "vp9"}),
        ("gif", {"codec": "gif"}),
        ("mpg", {"codec": "mpeg2", "quality": 2}),
        ("mxf", {"codec": "mpeg2", "quality": 2, "chroma_subsampling": "yuv422p"}),
        ("mp4", {"codec": "h264", "interlaced_mode": "TopFirst"}),
        ("mp4", {"codec": "hevc"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_every_codec_can_be_marked(
    blue: Path, red: Path, tmp_path: Path, container: str, fields: dict[str, Any]
) -> None:
    chosen = settings(container=container, video={"max_width": 320, "max_height": 180} | fields)
    mark = a_mark(1, horizontal_align="Right", vertical_offset="31px")
    made = transcoded(tmp_path / "job", [blue, red], a_task(an_output(chosen, watermarks=(mark,), rotate=180)))
    assert made.failures == {}
    assert box_in(made).is_near(Box(240, 31, 320, 71), slack=2)


def test_a_picture_is_read_once_for_all_outputs(blue: Path, red: Path, tmp_path: Path) -> None:
    corner = a_mark(1, horizontal_align="Right")
    outputs = [marked(0, a_mark(1), corner), marked(1, a_mark(1), max_width=160), marked(2)]
    made = transcoded(tmp_path / "job", [blue, red], a_task(*outputs))
    [command] = made.commands
    assert command.count("file:in/1") == 1
    assert box_in(made, 0).size == (320, 40)
    assert box_in(made, 1).is_near(Box(0, 0, 40, 20), slack=1)
    assert image(made.file(2)).at(5, 5)[0] < 60


def test_the_graph_for_a_card_puts_marks_where_the_other_does(blue: Path, red: Path, tmp_path: Path) -> None:
    """Played by a stand-in that does in software what a card is asked for: it proves the graph, and no card."""
    task = a_task(
        marked(0, a_mark(1, horizontal_align="Right", vertical_offset="20px", max_width="40px", opacity=50.0))
    )
    in_software = transcoded(tmp_path / "job", [blue, red], task)
    room = tmp_path / "gpu"
    facts, stills = probed(room, blue), {1: Still(Size(40, 20), "png_pipe")}
    [one] = plan(task, (facts,), stills, device=Device.NVENC, threads=2).passes
    assert "overlay_cuda" in " ".join(one.argv)
    shutil.copyfile(red, room / "in" / "1")
    (room / "out").mkdir()
    played = {"STAND_IN": str(tmp_path)}
    subprocess.run([STAND_IN, *one.argv[1:]], cwd=room, env=played, check=True, stdout=subprocess.PIPE)
    on_card, other = image(room / "out" / "o0.mp4"), image(in_software.file())
    assert on_card.box(lambda colour: colour[0] > 80) == other.box(lambda colour: colour[0] > 80)
    assert on_card.mean(Box(282, 22, 318, 38)) == pytest.approx(other.mean(Box(282, 22, 318, 38)), abs=3)


def damaged(kind: str, red: Path, folder: Path) -> Path:
    file = folder / f"{kind}.png"
    match kind:
        case "text":
            file.write_bytes(b"#EXTM3U\n#EXTINF:5,\nfile:///etc/passwd\n")
        case "empty":
            file.touch()
        case "gif":
            ffmpeg("-f", "lavfi", "-i", "color=red:s=16x16", "-frames:v", "1", "-f", "gif", str(file))
        case "cut off":
            noise = png(folder / "noise", 64, 64, lambda x, y: (x * y % 251, x * 7 % 256, y * 13 % 256, 255))
            file.write_bytes(noise.read_bytes()[:1500])
        case "two pictures":
            file.write_bytes(red.read_bytes() * 2)
        case "a movie":
            ffmpeg("-f", "lavfi", "-i", "color=red:s=16x16:d=0.1", "-f", "mp4", "-c:v", "libx264", str(file))
        case "very large":
            bare_png(file, 60_000, 60_000)
        case "too large":
            bare_png(file, 4100, 4100)
    return file


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("text", FailureCode.WATERMARK_UNREADABLE),
        ("empty", FailureCode.WATERMARK_UNREADABLE),
        ("gif", FailureCode.WATERMARK_UNREADABLE),
        ("cut off", FailureCode.WATERMARK_UNREADABLE),
        ("two pictures", FailureCode.WATERMARK_UNREADABLE),
        ("a movie", FailureCode.WATERMARK_UNREADABLE),
        ("very large", FailureCode.WATERMARK_TOO_LARGE),
        ("too large", FailureCode.WATERMARK_TOO_LARGE),
    ],
)
def test_a_bad_picture_fails_its_output_only(
    blue: Path, red: Path, tmp_path: Path, kind: str, code: FailureCode
) -> None:
    bad = damaged(kind, red, tmp_path)
    outputs = [marked(0, a_mark(1), a_mark(2)), marked(1, a_mark(1)), marked(2)]
    made = transcoded(tmp_path / "job", [blue, red, bad], a_task(*outputs))
    assert {index: failure.code for index, failure in made.failures.items()} == {0: code}
    assert made.outputs[1].status == made.outputs[2].status == "Complete"


def test_a_picture_that_is_missing_or_has_too_many_bytes_fails_its_outputs_only(
    blue: Path, red: Path, tmp_path: Path
) -> None:
    huge = tmp_path / "huge.png"
    huge.touch()
    os.truncate(huge, (20 << 20) + 1)
    outputs = [marked(0, a_mark(1)), marked(1, a_mark(2)), marked(2, a_mark(3)), marked(3)]
    made = transcoded(tmp_path / "job", [blue, tmp_path / "missing.png", huge, red], a_task(*outputs))
    codes = {index: failure.code for index, failure in made.failures.items()}
    assert codes == {0: FailureCode.INPUT_MISSING, 1: FailureCode.FILE_TOO_LARGE}
    assert not (tmp_path / "job" / "in" / "2").exists()
    assert box_in(made, 2).size == (80, 40)


@shows("outputs[].watermarks[].encryption")
def test_an_encrypted_picture_is_decrypted(blue: Path, red: Path, tmp_path: Path) -> None:
    cipher = Cipher(
        mode=EncryptionMode.AES_CTR,
        key=base64.b64encode(bytes(range(16))).decode(),
        initialization_vector=base64.b64encode(bytes(16)).decode(),
    )
    secret = tmp_path / "secret"
    shutil.copyfile(red, secret)
    encrypt(secret, cipher)
    made = transcoded(tmp_path / "job", [blue, secret], a_task(marked(0, a_mark(1))), ciphers={1: cipher})
    assert box_in(made).size == (80, 40)
