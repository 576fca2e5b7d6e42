"""A control plane and the tools of a node, for every test anew; the movie is made once."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.agent.control_plane import ControlPlane, control_plane
from tests.contract.agent.nodes import Tools
from tests.unit.agent.conftest import pytest_asyncio_loop_factories

__all__ = ["pytest_asyncio_loop_factories"]


@pytest.fixture(scope="session")
def movie(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Half a second of picture and sound."""
    file = tmp_path_factory.mktemp("movie") / "movie.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=s=128x96:r=25:d=0.48"]
    sound = ["-f", "lavfi", "-i", "sine=d=0.48"]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-shortest"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *picture, *sound, *coding, str(file)], check=True)
    return file.read_bytes()


@pytest.fixture
async def control(movie: bytes) -> AsyncIterator[ControlPlane]:
    async with control_plane(movie) as control:
        yield control


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    directory = tmp_path / "tools"
    directory.mkdir()
    tools = Tools(directory)
    tools.behave("honest")
    return tools


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"
