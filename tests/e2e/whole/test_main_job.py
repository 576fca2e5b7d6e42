"""The main job, end to end: real server, real agent, real ffmpeg, seen from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import m3u8
import pytest

from tests.clips import clip
from tests.e2e.whole.service import Refused, Service
from tests.fields import shows

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("whole service")]

MP3 = [{"key": "sound.mp3", "preset_id": "1351620000001-300040"}]
LADDER = [
    {"key": f"hls/{name}", "preset_id": preset, "segment_duration": 2}
    for name, preset in (
        ("1000k", "1351620000001-200030"),
        ("600k", "1351620000001-200040"),
        ("400k", "1351620000001-200050"),
    )
]
LONG = [{"key": "long.mp4", "preset_id": "1351620000001-000010"}]


def prefix() -> str:
    return f"{uuid4().hex}/"


def probed(path: Path) -> Any:
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def staged(service: Service) -> list[Path]:
    return list((service.outputs / ".transcoder" / "staging").iterdir())


@shows(
    "output_key_prefix",
    "outputs[].key",
    "outputs[].preset_id",
    "outputs[].thumbnails.pattern",
    "inputs[].detected",
    "cluster_id",
    "playlists[].objects",
)
def test_one_job_makes_a_ladder_an_mp4_and_thumbnails(service: Service) -> None:
    base = prefix()
    mp4 = {
        "key": "bunny.mp4",
        "preset_id": "1351620000001-000010",
        "thumbnails": {"pattern": "th/{count}", "interval": 2},
    }
    playlists = [{"name": "hls/index", "format": "HLSv3", "output_keys": [output["key"] for output in LADDER]}]
    job = service.ended(service.submit("in/bunny.mp4", [*LADDER, mp4], base, playlists=playlists))
    assert job["status"] == "Complete", job
    assert {output["status"] for output in [*job["outputs"], *job["playlists"]]} == {"Complete"}
    assert job["inputs"][0]["detected"]["width"] == 1280
    assert job["cluster_id"] == "here"
    assert [made["key"] for made in job["playlists"][0]["objects"]] == [f"{base}hls/index.m3u8"]
    folder = service.outputs / base
    master = m3u8.load(str(folder / "hls" / "index.m3u8"))
    assert [entry.uri for entry in master.playlists] == ["1000k.m3u8", "600k.m3u8", "400k.m3u8"]
    boundaries = set()
    for entry in master.playlists:
        media = m3u8.load(str(folder / "hls" / entry.uri))
        assert media.is_endlist
        assert all((folder / "hls" / segment.uri).stat().st_size for segment in media.segments)
        boundaries.add(tuple(round(segment.duration, 3) for segment in media.segments))
    assert len(boundaries) == 1, "segments begin and end together in every rendition"
    video = next(stream for stream in probed(folder / "bunny.mp4")["streams"] if stream["codec_type"] == "video")
    assert (video["codec_name"], video["width"], video["height"]) == ("h264", 1280, 720)
    assert len(list((folder / "th").iterdir())) == 3
    service.until(lambda: not staged(service))


def test_the_outputs_links_play(service: Service) -> None:
    base = prefix()
    playlists = [{"name": "hls/index", "format": "HLSv3", "output_keys": [LADDER[0]["key"]]}]
    job_id = service.submit("in/bunny.mp4", LADDER[:1], base, playlists=playlists)
    assert service.ended(job_id)["status"] == "Complete"
    links = service.call("GET", f"/v1/jobs/{job_id}/outputs")["items"]
    master = next(link["url"] for link in links if link["role"] == "master_playlist")
    command = [
        "ffprobe",
        "-v",
        "error",
        "-count_frames",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "json",
        master,
    ]
    streams = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"]
    assert max(int(stream["nb_read_frames"]) for stream in streams) > 100


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("text.mp4", b"This is no film.\n" * 100, 4000),
        ("empty.mp4", b"", 4000),
        ("playlist.mp4", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", 4000),
    ],
)
def test_what_is_no_film_fails_with_a_reason_and_publishes_nothing(
    service: Service, name: str, content: bytes, code: int
) -> None:
    base = prefix()
    service.put(f"in/{name}", content)
    job = service.ended(service.submit(f"in/{name}", MP3, base))
    assert job["status"] == "Error"
    assert job["status_detail"]["code"] == job["outputs"][0]["status_detail"]["code"] == code
    assert "/" not in job["status_detail"]["message"], "no paths"
    assert not (service.outputs / base).exists()


def test_a_truncated_film_fails_and_says_where_it_ends(service: Service) -> None:
    service.put("in/half.mp4", _with_index_first(Path(clip("bunny"))))
    job = service.ended(service.submit("in/half.mp4", LONG, prefix()))
    assert job["status"] == "Error"
    assert "upload" in job["outputs"][0]["status_detail"]["message"]


def test_an_input_that_is_missing_fails_with_3001(service: Service) -> None:
    job = service.ended(service.submit("in/nothing.mp4", MP3, prefix()))
    assert (job["status"], job["status_detail"]["code"]) == ("Error", 3001)


def test_an_output_that_exists_is_left_alone_and_fails_alone(service: Service) -> None:
    base = prefix()
    (service.outputs / base).mkdir(parents=True)
    (service.outputs / base / "sound.mp3").write_bytes(b"mine")
    other = [*MP3, {"key": "other.mp3", "preset_id": "1351620000001-300030"}]
    job = service.ended(service.submit("in/bunny.mp4", other, base))
    assert [output["status"] for output in job["outputs"]] == ["Error", "Complete"]
    assert job["outputs"][0]["status_detail"]["code"] == 3002
    assert (service.outputs / base / "sound.mp3").read_bytes() == b"mine"


@shows("start")
def test_a_held_job_waits_for_start_and_a_canceled_one_never_runs(service: Service) -> None:
    held = service.submit("in/bunny.mp4", MP3, prefix(), start="manual")
    canceled = service.submit("in/bunny.mp4", MP3, prefix(), start="manual")
    assert service.call("POST", f"/v1/jobs/{canceled}/cancel")["status"] == "Canceled"
    with pytest.raises(Refused, match="wrong_state"):
        service.call("POST", f"/v1/jobs/{canceled}/start")
    service.call("POST", f"/v1/jobs/{held}/start")
    assert service.ended(held)["status"] == "Complete"
    assert service.events(canceled) == ["submitted", "canceled"]


def test_stop_ends_ffmpeg_within_ten_seconds_and_publishes_nothing(service: Service) -> None:
    base = prefix()
    job_id = service.submit("in/trailer.mp4", LONG, base)
    service.until(service.encoders)
    service.call("POST", f"/v1/jobs/{job_id}/stop")
    service.until(lambda: not service.encoders(), 10)
    assert service.ended(job_id)["status"] == "Canceled"
    assert not (service.outputs / base).exists()
    assert service.call("POST", f"/v1/jobs/{job_id}/stop")["status"] == "Canceled", "once more changes nothing"


def test_killing_the_agent_leaves_no_ffmpeg_and_its_restart_finishes_the_job(service: Service) -> None:
    job_id = service.submit("in/bunny.mp4", LONG, prefix())
    service.until(service.encoders)
    assert service.agent is not None
    service.agent.send_signal(signal.SIGKILL)
    service.agent.wait()
    service.until(lambda: not service.encoders(), 5)
    service.start_agent()
    assert service.ended(job_id)["status"] == "Complete"
    assert "requeued" in service.events(job_id)


def test_killing_the_control_plane_requeues_nothing_and_loses_nothing(service: Service) -> None:
    job_id = service.submit("in/trailer.mp4", LONG, prefix())
    service.until(service.encoders)
    (encoder,) = service.encoders()
    assert service.server is not None
    service.server.send_signal(signal.SIGKILL)
    service.server.wait()
    service.start_server()
    assert os.path.exists(f"/proc/{encoder}"), "the same ffmpeg goes on"
    assert service.ended(job_id)["status"] == "Complete"
    assert service.events(job_id) == ["submitted", "progressing", "complete"]


def test_a_frozen_agent_loses_its_lease_and_what_it_says_later_changes_nothing(service: Service) -> None:
    job_id = service.submit("in/trailer.mp4", LONG, prefix())
    service.until(service.encoders)
    assert service.agent is not None
    service.agent.send_signal(signal.SIGSTOP)
    try:
        service.until(lambda: "requeued" in service.events(job_id), 30)
    finally:
        service.agent.send_signal(signal.SIGCONT)
    assert service.ended(job_id)["status"] == "Complete"
    assert service.events(job_id).count("complete") == 1
    service.until(lambda: not staged(service))


def test_a_drained_agent_finishes_what_it_runs(service: Service) -> None:
    running = service.submit("in/bunny.mp4", LONG, prefix())
    service.until(service.encoders)
    waiting = service.submit("in/bunny.mp4", MP3, prefix())
    assert service.agent is not None
    service.agent.send_signal(signal.SIGTERM)
    assert service.agent.wait(60) == 0
    assert service.job(running)["status"] == "Complete"
    assert service.job(waiting)["status"] == "Submitted"
    service.start_agent()
    assert service.ended(waiting)["status"] == "Complete"


def _with_index_first(film: Path) -> bytes:
    """The first half of a film that a player could begin: without its index at the front it could not be opened at all."""
    target = film.with_name(f"{film.stem}.faststart.{uuid4().hex}.mp4")
    try:
        command = ["ffmpeg", "-v", "error", "-i", str(film), "-c", "copy", "-movflags", "+faststart", str(target)]
        subprocess.run(command, check=True)
        return target.read_bytes()[: target.stat().st_size // 2]
    finally:
        target.unlink(missing_ok=True)
