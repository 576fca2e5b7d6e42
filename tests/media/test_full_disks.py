"""No muxer gets a false Complete past the agent when the disk is full, whatever ffmpeg's exit code says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media.encoding import ffmpeg
from tests.media.full_disks import CASES, SHARES

pytestmark = [pytest.mark.media, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Of 2 s with picture and sound, by muxer and by how much of the disk there was."""
    directory = tmp_path_factory.mktemp("full")
    source = directory / "source.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2,noise=alls=20:allf=t")
    sound = ("-f", "lavfi", "-i", "anoisesrc=d=2:a=0.3")
    ffmpeg(*picture, *sound, "-c:v", "libx264", "-b:v", "400k", "-c:a", "aac", "-ac", "2", str(source))
    disk = directory / "disk"
    disk.mkdir()
    namespace = ("unshare", "--user", "--map-root-user", "--mount")
    ran = subprocess.run(
        [*namespace, sys.executable, "-m", "tests.media.full_disks", str(source), str(disk)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    found: dict[str, dict[str, str]] = json.loads(ran.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", CASES)
def test_with_room_enough_the_output_is_complete(outcomes: dict[str, dict[str, str]], name: str) -> None:
    assert outcomes[name]["unbounded"] == "complete"


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", CASES)
def test_a_full_disk_is_told_as_such(outcomes: dict[str, dict[str, str]], name: str, share: float) -> None:
    assert outcomes[name][str(share)] == "storage_full"
