"""Several inputs through the whole service: what was asked is answered as it was sent, and done."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.whole.service import Service

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("whole service")]

SMALL = {
    "container": "mp4",
    "video": {"codec": "h264", "bit_rate": 300_000, "max_width": 320, "max_height": 180},
    "audio": {"codec": "aac", "bit_rate": 64_000},
}


def test_clips_of_inputs_and_outputs_count_as_long_as_they_are(service: Service) -> None:
    base = f"{uuid4().hex}/"
    inputs: list[dict[str, Any]] = [
        {"key": "in/bunny.mp4", "clip": {"start": "00:00:01.000", "duration": 2}},
        {"key": "in/bunny.mp4", "clip": {"start": 4}, "frame_rate": "auto", "container": "mp4"},
    ]
    outputs = [
        {"key": "all.mp4", "settings": SMALL},
        {"key": "some.mp4", "settings": SMALL, "clip": {"start": 1.5, "duration": "1.0"}},
        {"key": "none.mp4", "settings": SMALL, "clip": {"start": 30}},
    ]
    job = service.ended(service.submit("in/bunny.mp4", outputs, base, inputs=inputs))
    assert [output["status"] for output in job["outputs"]] == ["Complete", "Complete", "Error"]
    assert job["outputs"][2]["status_detail"]["code"] == 4014
    assert job["inputs"][0]["clip"] == {"start": "00:00:01.000", "duration": 2.0}
    assert [found["detected"]["duration"] for found in job["inputs"]] == [pytest.approx(5.3, abs=0.1)] * 2
    lengths = [_seconds(service.outputs / base / name) for name in ("all.mp4", "some.mp4")]
    assert lengths == [pytest.approx(3.3, abs=0.1), pytest.approx(1.0, abs=0.05)]


def test_a_clip_after_the_end_fails_the_job_with_its_number(service: Service) -> None:
    inputs = [{"key": "in/bunny.mp4"}, {"key": "in/bunny.mp4", "clip": {"start": 60}}]
    job = service.ended(service.submit("", [{"key": "a.mp4", "settings": SMALL}], f"{uuid4().hex}/", inputs=inputs))
    assert job["status"] == "Error"
    assert job["outputs"][0]["status_detail"]["code"] == 4014
    assert "input 2" in job["outputs"][0]["status_detail"]["message"]


def _seconds(file: Path) -> float:
    command = ["ffprobe", "-v", "error", "-show_format", "-of", "json", str(file)]
    return float(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["format"]["duration"])
