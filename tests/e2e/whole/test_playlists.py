"""Every format of playlists in one job, fetched by signed links as players on other people's pages fetch them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import m3u8
import pytest

from tests.browser import DASH, HLS, needs_browser, played
from tests.e2e.whole.service import Service
from tests.players import player

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("whole service")]

STORED = {"method": "aes-128", "key_storage_policy": "WithVariantPlaylists"}
PRESETS = {
    "v": ("200055", 2),  # silent pictures and sound in transport streams
    "a": ("200071", 2),
    "v.mp4": ("500050", 2),
    "a.mp4": ("500060", 2),
}
OUTPUTS = [
    {"key": key, "preset_id": f"1351620000001-{preset}", "segment_duration": seconds}
    for key, (preset, seconds) in PRESETS.items()
]
PLAYLISTS: list[dict[str, Any]] = [
    {"name": "three", "format": "HLSv3", "output_keys": ["v", "a"], "hls_content_protection": STORED},
    {"name": "four", "format": "HLSv4", "output_keys": ["v", "a"], "hls_content_protection": STORED},
    {"name": "dash", "format": "MPEG-DASH", "output_keys": ["v.mp4", "a.mp4"]},
    {"name": "smooth", "format": "Smooth", "output_keys": ["v.mp4", "a.mp4"]},
    {"name": "cmaf", "format": "CMAF", "output_keys": ["v.mp4", "a.mp4"]},
]
EXPECTED = {
    *("v.m3u8", "v00000.ts", "v00001.ts", "v00002.ts", "v.ts", "v_v4.m3u8", "v_iframe.m3u8", "v.key"),
    *("a.m3u8", "a00000.ts", "a00001.ts", "a00002.ts", "a.ts", "a_v4.m3u8", "a.key"),
    *("v.mp4", "v.mp4.m3u8", "a.mp4", "a.mp4.m3u8"),
    *("three.m3u8", "four.m3u8", "dash.mpd", "smooth.ism", "smooth.ismc", "cmaf.m3u8", "cmaf.mpd"),
}


@pytest.fixture(scope="module")
def links(service: Service) -> dict[str, str]:
    """Of everything that one job made."""
    job_id = service.submit("in/bunny.mp4", OUTPUTS, "every/format/", playlists=PLAYLISTS)
    job = service.ended(job_id)
    made = [*job["outputs"], *job["playlists"]]
    assert {one["status"] for one in made} == {"Complete"}, job
    folder = service.outputs / "every" / "format"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == EXPECTED
    items = service.call("GET", f"/v1/jobs/{job_id}/outputs")["items"]
    return {item["key"].removeprefix("every/format/"): urljoin(service.url, item["url"]) for item in items}


def test_whatever_playlists_name_is_found_from_where_they_are(links: dict[str, str]) -> None:
    assert links.keys() == EXPECTED
    master = m3u8.load(links["four.m3u8"])
    for variant in master.playlists:
        assert len(m3u8.load(variant.absolute_uri).segments) == 3


@needs_browser
@pytest.mark.parametrize(
    ("name", "how", "script"),
    [
        ("three.m3u8", HLS, "hls"),
        ("four.m3u8", HLS, "hls"),
        ("cmaf.m3u8", HLS, "hls"),
        ("dash.mpd", DASH, "dash"),
        ("cmaf.mpd", DASH, "dash"),
    ],
)
def test_a_page_of_somebody_else_plays_by_signed_links(
    links: dict[str, str], tmp_path: Path, name: str, how: str, script: str
) -> None:
    told = played(tmp_path, player(script), how % links[name])
    assert "error" not in told, told
    assert told["clock"][-1] == pytest.approx(5.28, abs=0.2)
    assert told["frames"] > 0
