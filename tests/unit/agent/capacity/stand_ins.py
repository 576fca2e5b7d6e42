"""Stand-ins for what a test machine does not have: NVML with cards, and an ffmpeg whose hardware encoders work."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pynvml

from agent.sandbox import Exit, Limits, OnStdout

VERSION = b"ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026 the FFmpeg developers\nbuilt with gcc 12\n"
ENCODERS = b"""Encoders:
 V..... = Video
 ------
 V....D libx264              libx264 H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10 (codec h264)
 V....D h264_nvenc           NVIDIA NVENC H.264 encoder (codec h264)
 A....D aac                  AAC (Advanced Audio Coding)
 A....D opus                 Opus
"""


@dataclass
class StandInNvml:
    """What `pynvml` offers, for a machine with these cards; what is in `mute` is not supported by any of them."""

    names: Sequence[str] = ()
    mute: frozenset[str] = frozenset()
    init_error: int | None = None
    NVMLError: type[Exception] = pynvml.NVMLError
    NVML_ERROR_LIBRARY_NOT_FOUND: int = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    NVML_ERROR_DRIVER_NOT_LOADED: int = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    NVML_ERROR_LIB_RM_VERSION_MISMATCH: int = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH

    def nvmlInit(self) -> None:  # noqa: N802 (NVML's name)
        if self.init_error is not None:
            raise pynvml.NVMLError(self.init_error)

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name in self.mute:
            return self._refuse
        return {
            "nvmlShutdown": lambda: None,
            "nvmlSystemGetDriverVersion": lambda: "550.54.14",
            "nvmlDeviceGetCount": lambda: len(self.names),
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}",
            "nvmlDeviceGetName": lambda handle: self.names[handle].encode(),
            "nvmlDeviceGetPciInfo": lambda handle: SimpleNamespace(busId=f"00000000:{handle + 1:02X}:00.0"),
            "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=24 << 30),
        }[name]

    def _refuse(self, *_: object) -> object:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


@dataclass
class StandInSandbox:
    """Runs nothing: hardware encodes work as far as the card has the codec and so many sessions."""

    sessions: int = 0
    codecs: frozenset[str] = frozenset({"h264_nvenc", "hevc_nvenc"})
    is_broken: bool = False
    name: str = "stand-in"
    ran: list[list[str]] = field(default_factory=list)

    async def check(self) -> str | None:
        return None

    async def run(
        self, argv: Sequence[str], *, workspace: Path, limits: Limits, on_stdout: OnStdout, **others: object
    ) -> Exit:
        assert workspace.is_dir()
        self.ran.append(list(argv))
        if self.is_broken:
            return Exit(127, stderr=b"libavcodec.so.59: cannot open shared object file")
        on_stdout(VERSION if "-version" in argv else ENCODERS if "-encoders" in argv else b"")
        wanted = [codec for option, codec in itertools.pairwise(argv) if option == "-c:v"]
        works = set(wanted) <= self.codecs and len(wanted) <= self.sessions
        return Exit(0) if works or not wanted else Exit(1, stderr=b"OpenEncodeSessionEx failed: out of memory (10)")
