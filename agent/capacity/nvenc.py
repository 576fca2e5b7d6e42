"""Which NVIDIA cards really encode. A list of encoders proves nothing: each codec is tried on each card."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pynvml
import structlog

from agent.capacity.found import Found, Surroundings
from agent.capacity.trial import try_out
from shared.capacity import Gpu

CODECS: Final = ("h264_nvenc", "hevc_nvenc")
_PATIENCE: Final = 20.0
_PUBLISHED_CAPS: Final = ((550, 8), (530, 5), (0, 3))
"""By the driver's branch, as NVIDIA told them. Only to compare with: what was really opened is what counts."""
_CONSUMER_BRANDS: Final = frozenset({"GeForce", "TITAN"})

log = structlog.get_logger()
ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class Card:
    """What the driver says of a card, as far as it says anything."""

    index: int
    uuid: str
    name: str
    memory: int
    driver: str
    pci: str = ""

    @property
    def shares_its_cap(self) -> bool:
        """Consumer cards: the driver caps sessions for all of them together."""
        return any(brand in self.name for brand in _CONSUMER_BRANDS)


class NoDriver(Exception):
    """Why NVML cannot be asked, in words."""


async def probe(around: Surroundings) -> Found:
    try:
        cards = await asyncio.to_thread(list_cards)
    except NoDriver as reason:
        return Found(gpus=(), shared_nvenc_sessions=None, gpu_note=str(reason))
    tried = [await _try_card(around, card) for card in cards]
    return Found(gpus=tuple(tried), shared_nvenc_sessions=shared_cap(tried), gpu_note=note_on(tried))


def list_cards(nvml: Any = pynvml) -> tuple[Card, ...]:
    """Raises NoDriver when the library or the driver is missing or they do not fit together."""
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise NoDriver(_without_driver(nvml, error)) from error
    try:
        driver = _ask(nvml, nvml.nvmlSystemGetDriverVersion, "unknown")
        count = _ask(nvml, nvml.nvmlDeviceGetCount, 0)
        return tuple(_card(nvml, index, driver) for index in range(count))
    finally:
        _ask(nvml, nvml.nvmlShutdown, None)


def _card(nvml: Any, index: int, driver: str) -> Card:
    handle = _ask(nvml, lambda: nvml.nvmlDeviceGetHandleByIndex(index), None)
    return Card(
        index=index,
        uuid=_ask(nvml, lambda: nvml.nvmlDeviceGetUUID(handle), ""),
        name=_ask(nvml, lambda: nvml.nvmlDeviceGetName(handle), "NVIDIA card"),
        memory=_ask(nvml, lambda: int(nvml.nvmlDeviceGetMemoryInfo(handle).total), 0),
        driver=driver,
        pci=_ask(nvml, lambda: _text(nvml.nvmlDeviceGetPciInfo(handle).busId), ""),
    )


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _ask(nvml: Any, question: Callable[[], ValueT], unknown: ValueT) -> ValueT:
    """Each question alone: a card that cannot answer one may answer the next."""
    try:
        answer = question()
    except nvml.NVMLError:
        return unknown
    return answer.decode() if isinstance(answer, bytes) else answer  # type: ignore[return-value]


def _without_driver(nvml: Any, error: Exception) -> str:
    match getattr(error, "value", None):
        case nvml.NVML_ERROR_LIBRARY_NOT_FOUND:
            return "no NVIDIA driver: NVML library not found"
        case nvml.NVML_ERROR_DRIVER_NOT_LOADED:
            return "no NVIDIA driver: the kernel module is not loaded"
        case nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH:
            return "the NVIDIA driver was upgraded and needs a restart: library and kernel module do not match"
        case _:
            return f"the NVIDIA driver does not answer: {error}"


async def _try_card(around: Surroundings, card: Card) -> Gpu:
    encoders = [codec for codec in CODECS if await _encodes(around, card, codec, at_once=1)]
    sessions = await _sessions(around, card, encoders[0]) if encoders else 0
    log.info("gpu.tried", index=card.index, name=card.name, encoders=encoders, sessions=sessions)
    return Gpu(
        index=card.index,
        uuid=card.uuid,
        name=card.name,
        memory=card.memory,
        driver=card.driver,
        encoders=tuple(encoders),
        sessions=sessions,
        pci=card.pci,
        shares_cap=card.shares_its_cap,
    )


async def _sessions(around: Surroundings, card: Card, codec: str) -> int:
    """As many as can be open at once, up to what the settings ask for: most cards have that many."""
    most = around.settings.max_nvenc_sessions
    if await _encodes(around, card, codec, at_once=most):
        return most
    sessions = 1
    while sessions + 1 < most and await _encodes(around, card, codec, at_once=sessions + 1):
        sessions += 1
    return min(sessions, most)


async def _encodes(around: Surroundings, card: Card, codec: str, *, at_once: int) -> bool:
    _, ended = await try_out(around, encode_argv(card.index, codec, at_once), within=_PATIENCE)
    return ended.is_success


def encode_argv(index: int, codec: str, at_once: int) -> list[str]:
    """A picture large enough for every generation of the hardware, encoded so many times at once into nothing."""
    source = ["-f", "lavfi", "-i", "testsrc2=s=256x256:d=0.2"]
    encode = ["-map", "0:v", "-c:v", codec, "-gpu", str(index), "-f", "null", "-"]
    return ["ffmpeg", "-hide_banner", "-nostdin", *source, *(at_once * encode)]


def shared_cap(tried: Sequence[Gpu]) -> int | None:
    """Cards under one cap were each tried alone and each reached it: what they can open together is what one could."""
    return max((gpu.sessions for gpu in tried if gpu.shares_cap), default=None)


def published_cap(driver: str) -> int | None:
    """Sessions that this driver lets consumer cards open together; None for a version that cannot be read."""
    branch = driver.partition(".")[0]
    if not branch.isdecimal():
        return None
    return next(cap for since, cap in _PUBLISHED_CAPS if int(branch) >= since)


def note_on(gpus: Sequence[Gpu]) -> str:
    if not gpus:
        return "the NVIDIA driver finds no card"
    useless = [gpu.name for gpu in gpus if not gpu.encoders]
    return f"no encode worked on {', '.join(useless)}" if useless else ""
