"""Fields of media that do not go together are refused when the job is submitted, each by its name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import mp4_settings
from tests.contract.api.service import Caller, a_document

SOUND = {"container": "mp3", "audio": {"codec": "mp3"}}
OGG = {"container": "ogg", "audio": {"codec": "vorbis"}}
ART = {"input_key": "cover.jpg"}


def video(**fields: Any) -> dict[str, Any]:
    return {"container": "mp4", "video": {"codec": "h264"} | fields}


@pytest.mark.parametrize(
    ("output", "pointer"),
    [
        ({"settings": mp4_settings(), "album_art": {"artwork": [ART]}}, "/album_art"),
        ({"settings": {"container": "wav", "audio": {"codec": "pcm"}}, "album_art": {}}, "/album_art"),
        ({"settings": OGG, "album_art": {"artwork": [ART, {"input_key": "b.png"}]}}, "/album_art/artwork/1"),
        ({"settings": SOUND, "album_art": {"artwork": [{"input_key": "b.gif"}]}}, "/album_art/artwork/0/input_key"),
        ({"settings": SOUND, "album_art": {"artwork": [ART] * 21}}, "/album_art/artwork"),
        (
            {"settings": mp4_settings(), "thumbnails": {"pattern": "t{count}", "sprite": {"key": "s", "columns": 51}}},
            "/thumbnails/sprite/columns",
        ),
        (
            {
                "settings": mp4_settings(),
                "thumbnails": {"pattern": "t{count}", "max_width": 1920, "max_height": 1080, "sprite": {"key": "s"}},
            },
            "/thumbnails/sprite",
        ),
        (
            {
                "settings": mp4_settings(),
                "thumbnails": {"pattern": "t{count}", "sprite": {"key": "s"}, "encryption": {"mode": "aes-ctr"}},
            },
            "/thumbnails/sprite",
        ),
        ({"settings": video(two_pass=True)}, "/settings/video/two_pass"),
        ({"settings": video(two_pass=True, codec="hevc", bit_rate=100_000)}, "/settings/video/two_pass"),
        ({"settings": video() | {"audio": {"codec": "opus", "sample_rate": 44100}}}, "/settings/audio/sample_rate"),
        ({"settings": video() | {"audio": {"codec": "aac", "profile": "HE-AAC"}}}, "/settings/audio/profile"),
        (
            {"settings": SOUND | {"audio": {"codec": "mp3", "loudness": {"integrated": 3}}}},
            "/settings/audio/loudness/integrated",
        ),
    ],
)
async def test_what_an_output_cannot_have_is_refused_by_its_name(
    tenant: Caller, pipeline: str, output: dict[str, Any], pointer: str
) -> None:
    answer = await tenant.post("/v1/jobs", a_document(pipeline, outputs=[{"key": "out", **output}]))
    assert answer.fault == (400, "invalid_field", f"/outputs/0{pointer}")


async def test_a_sheet_and_an_output_do_not_share_a_key(tenant: Caller, pipeline: str) -> None:
    thumbnails = {"pattern": "t{count}", "sprite": {"key": "film"}}
    output = {"key": "film.vtt", "settings": mp4_settings(), "thumbnails": thumbnails}
    answer = await tenant.post("/v1/jobs", a_document(pipeline, outputs=[output]))
    assert answer.fault == (400, "invalid_field", "/outputs/0/thumbnails/sprite/key")
