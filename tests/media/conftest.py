"""Inputs for tests with the real ffmpeg: short cuts of real clips, made once per run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clips import clip
from tests.media.encoding import ffmpeg


@pytest.fixture(scope="session")
def bunny() -> Path:
    return clip("bunny")


@pytest.fixture(scope="session")
def phone() -> Path:
    return clip("phone")


@pytest.fixture(scope="session")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cuts")


@pytest.fixture(scope="session")
def short(bunny: Path, cuts: Path) -> Path:
    """1.6 s: 40 frames of 1280x720 with stereo sound."""
    cut = cuts / "short.mp4"
    picture = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "18")
    ffmpeg("-ss", "1", "-t", "1.6", "-i", str(bunny), *picture, "-c:a", "aac", "-ac", "2", str(cut))
    return cut


@pytest.fixture(scope="session")
def streamable(bunny: Path, cuts: Path) -> Path:
    """All 5.3 s, with the index in front: what is cut off such a file is missing at its end only."""
    remuxed = cuts / "streamable.mp4"
    ffmpeg("-i", str(bunny), "-c", "copy", "-movflags", "+faststart", str(remuxed))
    return remuxed
