"""What probes get and what they give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from agent.sandbox import Sandbox
from agent.settings import Settings
from shared.capacity import Gpu


@dataclass(frozen=True)
class Surroundings:
    """Where a probe looks: programs are tried in the same confinement as the work."""

    settings: Settings
    sandbox: Sandbox
    work: Path
    """The directory of the workspaces: programs that are tried get one of their own below it."""


class Found(TypedDict, total=False):
    """Every probe gives some of these; together they give all."""

    hostname: str
    agent_version: str
    os: str
    cpu_model: str
    cpu_threads: int
    memory: int
    scratch: int
    ffmpeg_version: str
    encoders: tuple[str, ...]
    gpus: tuple[Gpu, ...]
    shared_nvenc_sessions: int | None
    gpu_note: str
