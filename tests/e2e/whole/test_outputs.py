"""Outputs of one job that begin, go on and fail one by one, as somebody sees it who asks again and again."""

from __future__ import annotations

from base64 import b64encode
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from tests.e2e.whole.service import Service
from tests.fields import shows
from tests.media.encoding import ffmpeg, ffprobe
from tests.media.pixels import png

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("whole service")]

SLOT = {
    "id": "Mark", "max_width": "20%", "max_height": "20%", "horizontal_align": "Right", "vertical_align": "Top",
}  # fmt: skip
LARGE: dict[str, Any] = {"codec": "h264", "quality": 28, "max_width": 640, "max_height": 360}
SMALL: dict[str, Any] = LARGE | {"max_width": 320, "max_height": 180, "watermarks": [SLOT]}
SOUND: dict[str, Any] = {"codec": "mp3", "bit_rate": 64_000}
KEY, VECTOR = b"k" * 16, b"v" * 16
SECRET = {
    "mode": "aes-ctr",
    "key": b64encode(KEY).decode(),
    "initialization_vector": b64encode(VECTOR).decode(),
}
ENDS = ("Complete", "Error")


@pytest.fixture(scope="module")
def sources(service: Service, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("sources")
    film = folder / "film.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=4", "-f", "lavfi", "-i", "sine=d=4"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", str(film)),
    )
    good = png(folder / "good", 40, 20, lambda x, y: (255, 0, 0, 255))
    for name, content in {
        "film.mp4": film.read_bytes(),
        "good.png": good.read_bytes(),
        "secret.png": Cipher(AES(KEY), CTR(VECTOR)).encryptor().update(good.read_bytes()),
        "bad.png": b"This is no picture.\n" * 20,
        "bad.srt": b"\x00\xff This is no caption.\n" * 20,
        "good.srt": b"1\n00:00:01,000 --> 00:00:02,000\nHello\n",
    }.items():
        service.put(f"outputs/{name}", content)


def marked(key: str, picture: str) -> dict[str, Any]:
    mark = {"preset_watermark_id": "Mark", "input_key": f"outputs/{picture}"}
    return {"key": key, "settings": {"container": "mp4", "video": SMALL}, "watermarks": [mark]}


def sound(key: str, picture: str, **fields: Any) -> dict[str, Any]:
    art = {"artwork": [{"input_key": f"outputs/{picture}"} | fields]}
    return {"key": key, "settings": {"container": "mp3", "audio": SOUND}, "album_art": art}


def told(key: str, captions: str) -> dict[str, Any]:
    source = {"key": f"outputs/{captions}", "language": "en"}
    wanted = {"formats": [{"format": "mov-text"}], "merge_policy": "override", "sources": [source]}
    return {"key": key, "settings": {"container": "mp4", "video": SMALL}, "captions": wanted}


def seen_until_it_ends(service: Service, job_id: str) -> list[tuple[str, tuple[str, ...]]]:
    """Every different sight of the job's status and its outputs'."""
    seen: list[tuple[str, tuple[str, ...]]] = []

    def looked() -> bool:
        job = service.job(job_id)
        sight = job["status"], tuple(output["status"] for output in job["outputs"])
        if not seen or seen[-1] != sight:
            seen.append(sight)
        return job["status"] in ENDS

    service.until(looked, 120)
    return seen


def is_later(before: str, after: str) -> bool:
    return before == after or before == "Submitted" or (before == "Progressing" and after in ENDS)


@shows(
    "id",
    "status",
    "inputs[].detected",
    "outputs[].settings",
    "outputs[].id",
    "outputs[].status",
    "outputs[].status_detail",
    "outputs[].width",
    "outputs[].height",
    "outputs[].frame_rate",
    "outputs[].duration",
    "outputs[].size",
    "outputs[].encoder",
    "outputs[].objects",
    "outputs[].album_art.artwork[].encryption",
    "attempt",
    "timing",
)
@pytest.mark.usefixtures("sources")
def test_what_one_output_needs_and_cannot_have_fails_that_output_only(service: Service) -> None:
    outputs = [
        {"key": "plain.mp4", "settings": {"container": "mp4", "video": LARGE}},
        marked("mark.mp4", "good.png"),
        marked("bad-mark.mp4", "bad.png"),
        marked("no-mark.mp4", "none.png"),
        sound("art.mp3", "good.png"),
        sound("no-art.mp3", "none.jpg"),
        told("captions.mp4", "good.srt"),
        told("bad-captions.mp4", "bad.srt"),
        sound("secret-art.mp3", "secret.png", encryption=SECRET),
    ]
    job_id = service.submit("outputs/film.mp4", outputs, "alone/")
    sights = seen_until_it_ends(service, job_id)
    job = service.job(job_id)
    assert job["status"] == "Error"
    assert (job["id"], job["attempt"]["number"]) == (job_id, 1)
    assert job["inputs"][0]["detected"] == {
        "width": 640,
        "height": 360,
        "frame_rate": 25.0,
        "duration": pytest.approx(4, abs=0.05),
        "size": (service.root / "server" / "buckets" / service.tenant_id / "input" / "outputs" / "film.mp4")
        .stat()
        .st_size,
    }
    moments = [job["timing"][name] for name in ("submitted_at", "started_at", "finished_at")]
    assert moments == sorted(moments)
    assert [output["id"] for output in job["outputs"]] == [str(number) for number in range(1, 10)]
    assert [output["encoder"] for output in job["outputs"][:1]] == ["libx264"]
    codes = [output["status_detail"] and output["status_detail"]["code"] for output in job["outputs"]]
    assert codes[:5] == [None, None, 4003, 3001, None], job["outputs"]
    assert codes[5] in range(4009, 4014) or codes[5] == 3001
    assert codes[6] is None
    assert codes[7] in range(4100, 4107)
    assert codes[8] is None
    for name in ("art.mp3", "secret-art.mp3"):
        streams = ffprobe(service.outputs / "alone" / name)["streams"]
        assert [(one["codec_name"], one["width"]) for one in streams if one["codec_type"] == "video"] == [("png", 40)]
    for output, code in zip(job["outputs"], codes, strict=True):
        assert output["status"] == ("Error" if code else "Complete")
        assert bool(output["objects"]) == bool(output["size"]) == bool(output["duration"]) == (code is None)
        assert (service.outputs / "alone" / output["key"]).exists() == (code is None)
    for output in (job["outputs"][index] for index in (0, 1, 6)):
        video = ffprobe(service.outputs / "alone" / output["key"])["streams"][0]
        assert (video["width"], video["height"]) == (output["width"], output["height"])
        assert float(video["duration"]) == pytest.approx(output["duration"], abs=0.05)
        assert output["frame_rate"] == 25
        assert Path(service.outputs / "alone" / output["key"]).stat().st_size == output["size"]
    check_order(sights)
    assert any(status == "Progressing" and "Error" in outputs for status, outputs in sights), sights


def check_order(sights: list[tuple[str, tuple[str, ...]]]) -> None:
    """Nothing begins before the job, no output goes back, and while the job goes on one has always begun."""
    for (_, before), (_, after) in pairwise(sights):
        assert all(map(is_later, before, after)), sights
    for status, outputs in sights:
        assert status != "Submitted" or set(outputs) == {"Submitted"}
        assert status != "Progressing" or set(outputs) != {"Submitted"}


@pytest.mark.usefixtures("sources")
def test_outputs_that_are_made_one_after_the_other_are_seen_so(service: Service) -> None:
    twice = {"codec": "h264", "bit_rate": 400_000, "two_pass": True, "max_width": 640, "max_height": 360}
    outputs = [{"key": f"{name}.mp4", "settings": {"container": "mp4", "video": twice}} for name in ("a", "b", "c")]
    outputs += [{"key": "sound.mp3", "settings": {"container": "mp3", "audio": SOUND}}]
    sights = seen_until_it_ends(service, service.submit("outputs/film.mp4", outputs, "in-turn/"))
    assert sights[-1] == ("Complete", ("Complete",) * 4)
    check_order(sights)
    assert any("Complete" in outputs and "Submitted" in outputs for _, outputs in sights), sights
