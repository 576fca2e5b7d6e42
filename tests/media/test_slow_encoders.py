"""The real ffmpeg on a machine that has no time for it is slow, not stuck; one that is stopped is stuck."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.media import ProgressParser
from agent.process import EndedBy, StopRequest
from agent.sandbox import Limits
from agent.sandbox.none import Unconfined
from agent.vigil import Patience, Stage, Vigil

pytestmark = [pytest.mark.media, pytest.mark.timeout(240)]

PATIENCE = Patience(starting=1.0, working=1.0, finishing=1.0)
HOGS = 8
SLOW = [
    *("ffmpeg", "-v", "error", "-progress", "pipe:1", "-stats_period", "0.1"),
    *("-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25:d=0.4", "-threads", "1"),
    *("-c:v", "libvpx-vp9", "-deadline", "good", "-cpu-used", "1", "-b:v", "2M", "-y", "out.webm"),
]


class Watch:
    """Steps of the work, and the longest time between two of them."""

    def __init__(self) -> None:
        self.vigil = Vigil(PATIENCE)
        self.longest_gap = 0.0
        self._parser = ProgressParser(0.4)
        self._reached = 0.0
        self._at = asyncio.get_running_loop().time()

    def hear(self, chunk: bytes) -> None:
        sample = self._parser.feed(chunk)
        if sample is not None and sample.seconds > self._reached:
            self._reached = sample.seconds
            self.vigil.step(Stage.WORKING)
            self.end()

    def end(self) -> None:
        now = asyncio.get_running_loop().time()
        self.longest_gap, self._at = max(self.longest_gap, now - self._at), now


@contextlib.contextmanager
def a_busy_machine() -> Iterator[None]:
    """Others that want all of it, each of them favoured over an encoder."""
    hogs = [subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"]) for _ in range(HOGS)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
        for hog in hogs:
            hog.wait()


async def test_an_encoder_that_starves_is_left_alone_though_no_media_time_passes(tmp_path: Path) -> None:
    watch = Watch()
    with a_busy_machine():
        ended = await Unconfined().run(
            SLOW, workspace=tmp_path, limits=Limits(), on_stdout=watch.hear, stop=StopRequest(), vigil=watch.vigil
        )
    watch.end()
    assert watch.longest_gap > PATIENCE.working, "media time alone would have called it stuck"
    assert (ended.code, ended.ended_by) == (0, EndedBy.ITSELF)
