"""What a node can do and what work needs: vectors of the same dimensions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Protocol

from pydantic import Field

from shared.models import Message

Bytes = Annotated[int, Field(ge=0)]


class Gpu(Message):
    """One card whose encoder was tried with a real encode, per codec, when the agent started."""

    index: int = Field(description="In the order of the PCI bus, which is how NVML and ffmpeg are both told to count.")
    uuid: str
    name: str
    memory: Bytes
    driver: str
    encoders: tuple[str, ...] = Field(description='ffmpeg encoders that worked: "h264_nvenc", …; empty when none did.')
    sessions: int = Field(description="Encodes that may run at once: one per hardware rendition.")
    pci: str = Field("", description='Where it is plugged in: "00000000:3B:00.0".')
    shares_cap: bool = Field(
        False, description="A consumer card: the driver caps the sessions of all of them together."
    )


class Capacity(Message):
    """Everything a node has for work."""

    cpu_threads: int
    memory: Bytes
    scratch: Bytes
    gpus: tuple[Gpu, ...] = ()
    shared_nvenc_sessions: int | None = Field(
        None, description="What the cards that share a cap may have open together; null where none does."
    )
    pixel_rate: int | None = Field(
        None, description="Pixels per second that it takes on at once, as in Demand; null: whatever the rest allows."
    )

    @property
    def nvenc_sessions(self) -> int:
        """The most that one task can get: its encodes share a decode, and so a card."""
        return max((gpu.sessions for gpu in self.gpus if gpu.encoders), default=0)


class FreeCard(Message):
    """What is left of one card, no more than what is left of the cap that it shares with others."""

    index: int
    nvenc_sessions: int


class Free(Message):
    """What is left of it now, in the agent's own eyes."""

    cpu_threads: int
    memory: Bytes
    scratch: Bytes
    nvenc_sessions: int = Field(0, description="On the card that has most: what one task can get.")
    cards: tuple[FreeCard, ...] = Field((), description="Every card that encodes.")
    shared_nvenc_sessions: int | None = Field(
        None, description="What is left of the cap that consumer cards have together; null where there is none."
    )
    pixel_rate: int | None = Field(None, description="Of the node's pixel rate; null where that is not bounded.")


class Demand(Message):
    """What one task takes. Threads can be shared: a task that wants more than a node has may take the whole node."""

    cpu_threads: int
    memory: Bytes
    scratch: Bytes
    nvenc_sessions: int = 0
    """Sessions it uses where hardware encodes; in software it uses none of them and all of `cpu_threads`."""
    feed_threads: int = 1
    """Threads it takes beside a card: demuxing, sound, thumbnails, muxing, and what no card encodes."""
    gpu: int | None = None
    """The card that is meant, once it has been granted; the agent may choose another."""
    pixel_rate: int = 0
    """Pixels encoded per second of media: width × height × frames, summed over the renditions."""


class Held(Protocol):
    """What of a node is given to an attempt."""

    @property
    def cpu_threads(self) -> int: ...
    @property
    def memory(self) -> int: ...
    @property
    def scratch(self) -> int: ...
    @property
    def nvenc_sessions(self) -> int: ...
    @property
    def gpu(self) -> int | None: ...
    @property
    def pixel_rate(self) -> int: ...


def remaining(capacity: Capacity, held: Iterable[Held]) -> Free:
    """What is left of a node, never less than nothing: both programs keep this ledger, each its own."""
    grants = tuple(held)
    used = Counter[int | None]()
    for grant in grants:
        used[grant.gpu] += grant.nvenc_sessions
    shared = _left_of_shared_cap(capacity, used)
    cards = _cards_left(capacity, used, shared)
    return Free(
        cpu_threads=max(0, capacity.cpu_threads - sum(grant.cpu_threads for grant in grants)),
        memory=max(0, capacity.memory - sum(grant.memory for grant in grants)),
        scratch=max(0, capacity.scratch - sum(grant.scratch for grant in grants)),
        nvenc_sessions=max((card.nvenc_sessions for card in cards), default=0),
        cards=cards,
        shared_nvenc_sessions=shared,
        pixel_rate=None
        if capacity.pixel_rate is None
        else max(0, capacity.pixel_rate - sum(grant.pixel_rate for grant in grants)),
    )


def emptiest(cards: tuple[FreeCard, ...]) -> int:
    """The card with most sessions left; the first of several."""
    return max(cards, key=lambda card: (card.nvenc_sessions, -card.index)).index


def _left_of_shared_cap(capacity: Capacity, used: Counter[int | None]) -> int | None:
    if capacity.shared_nvenc_sessions is None:
        return None
    return max(0, capacity.shared_nvenc_sessions - sum(used[gpu.index] for gpu in capacity.gpus if gpu.shares_cap))


def _cards_left(capacity: Capacity, used: Counter[int | None], shared: int | None) -> tuple[FreeCard, ...]:
    return tuple(
        FreeCard(
            index=gpu.index,
            nvenc_sessions=max(
                0,
                min(gpu.sessions - used[gpu.index], shared if gpu.shares_cap and shared is not None else gpu.sessions),
            ),
        )
        for gpu in capacity.gpus
        if gpu.encoders
    )


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
