"""Hostile tenants against the whole service: real server, real agent, real sandbox; the canaries belong to somebody else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.clips import clip
from tests.e2e.whole.service import Refused, Service
from tests.media.attacks import Canaries, attacks, canaries, shows_canary

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("whole service")]

SMALL = {"container": "mp4", "video": {"codec": "h264", "max_width": 320, "max_height": 180}}
OUTPUT = [{"key": "out.mp4", "settings": SMALL, "thumbnails": {"pattern": "{count}", "interval": 1}}]


@pytest.fixture(scope="module")
def birds(service: Service) -> Iterator[Canaries]:
    other = service.call("POST", "/v1/tenants", {"name": "other"}, key=service.operator_key)["id"]
    with canaries(service.root / "server" / "buckets" / other / "input") as birds:
        yield birds


def made(service: Service) -> list[Path]:
    return [path for path in service.outputs.rglob("*") if path.is_file()]


def test_no_input_leads_to_what_is_somebody_elses_and_a_film_still_works(service: Service, birds: Canaries) -> None:
    jobs = {}
    for attack in attacks(birds):
        service.put(f"in/{attack.key}", attack.content)
        jobs[attack.name] = service.submit(f"in/{attack.key}", OUTPUT, f"{uuid4().hex}/")
    control = service.submit("in/bunny.mp4", OUTPUT, f"{uuid4().hex}/")
    ended = {name: service.ended(job_id) for name, job_id in jobs.items()}
    assert service.ended(control)["status"] == "Complete"
    assert {name: job["status"] for name, job in ended.items() if job["status"] != "Error"} == {}
    assert [path for path in made(service) if shows_canary(path)] == []
    assert birds.asked == []
    for name, job in ended.items():
        told = str(job["status_detail"]) + str(job["outputs"])
        assert str(birds.directory) not in told, name
        assert str(service.root) not in told, name


@pytest.mark.parametrize(
    "key",
    [
        "concat:film.ts",
        "subfile,,start,0,end,0,,:film.ts",
        "-i",
        "|cat",
        "%03d.mp4",
        "file:film.mp4",
        "'; movie=film.ts;'",
        "[in]null[out].mp4",
    ],
)
def test_a_name_is_only_a_name(service: Service, birds: Canaries, key: str) -> None:
    service.put(key, Path(clip("bunny")).read_bytes())
    job = service.ended(service.submit(key, [{"key": f"{key}.mp4", "settings": SMALL}], f"{uuid4().hex}/"))
    assert job["status"] == "Complete", job
    assert birds.asked == []


@pytest.mark.parametrize(
    "output",
    [
        {"key": "../../escaped.mp4"},
        {"key": "/etc/escaped.mp4"},
        {"key": "a/../../escaped.mp4"},
        {"key": "a\0b.mp4"},
        {"key": ".transcoder/staging/escaped.mp4"},
        {"settings": {**SMALL, "video": {**SMALL["video"], "display_aspect_ratio": "1:1,movie=/etc/passwd"}}},  # type: ignore[dict-item]
        {"settings": {**SMALL, "video": {**SMALL["video"], "profile": "high -i /etc/passwd"}}},  # type: ignore[dict-item]
        {"settings": {**SMALL, "container": "tee"}},
        {"thumbnails": {"pattern": "../../{count}", "interval": 1}},
        {"thumbnails": {"pattern": "/etc/{count}", "interval": 1}},
    ],
)
def test_no_field_is_a_path_a_filter_or_an_option(service: Service, output: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        service.submit("in/bunny.mp4", [{"key": "out.mp4", "settings": SMALL, **output}], "")
    assert refused.value.status == 400


def test_links_planted_in_a_bucket_lead_nowhere(service: Service, birds: Canaries) -> None:
    """Somebody with a shell on the bucket's machine points a key at another tenant's film, and a folder outside."""
    inputs = service.outputs.parent / "input"
    (inputs / "in").mkdir(exist_ok=True)
    os.symlink(birds.directory / "film.mp4", inputs / "in" / "planted.mp4")
    assert service.ended(service.submit("in/planted.mp4", OUTPUT, f"{uuid4().hex}/"))["status"] == "Error"
    outside = service.root / "outside"
    outside.mkdir()
    service.outputs.mkdir(exist_ok=True)
    os.symlink(outside, service.outputs / "planted")
    assert service.ended(service.submit("in/bunny.mp4", OUTPUT, "planted/"))["status"] == "Error"
    assert list(outside.iterdir()) == []
