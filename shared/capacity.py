"""What a node can do and what work needs: vectors of the same dimensions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.models import Message

Bytes = Annotated[int, Field(ge=0)]


class Gpu(Message):
    """One card whose encoder was tried with a real encode, per codec, when the agent started."""

    index: int
    uuid: str
    name: str
    memory: Bytes
    driver: str
    encoders: tuple[str, ...] = Field(description='ffmpeg encoders that worked: "h264_nvenc", …; empty when none did.')
    sessions: int = Field(description="Encodes that may run at once: one per hardware rendition.")


class Capacity(Message):
    """Everything a node has for work."""

    cpu_threads: int
    memory: Bytes
    scratch: Bytes
    gpus: tuple[Gpu, ...] = ()

    @property
    def nvenc_sessions(self) -> int:
        """Of the first card with working encoders alone: encodes are not spread over cards."""
        return next((gpu.sessions for gpu in self.gpus if gpu.encoders), 0)


class Free(Message):
    """What is left of it now, in the agent's own eyes."""

    cpu_threads: int
    memory: Bytes
    scratch: Bytes
    nvenc_sessions: int = 0


class Demand(Message):
    """What one task takes. Threads can be shared: a task that wants more than a node has may take the whole node."""

    cpu_threads: int
    memory: Bytes
    scratch: Bytes
    nvenc_sessions: int = 0
    """Sessions it uses where hardware encodes; in software it uses none of them and all of `cpu_threads`."""


class NodeFacts(Message):
    """What the probes found out; told at every start, shown to operators."""

    hostname: str
    agent_version: str
    os: str
    cpu_model: str
    ffmpeg_version: str
    encoders: tuple[str, ...] = Field(description="Software encoders that this ffmpeg has and that the service uses.")
    confinement: str = Field(description='How ffmpeg is confined: "systemd", "bubblewrap" or "none".')
    gpu_note: str = Field(description="Why there is no usable GPU, in words, or empty.")
    labels: dict[str, str] = Field(
        default_factory=dict, description="What the node's owner says of it; jobs may ask for them."
    )
    capacity: Capacity
