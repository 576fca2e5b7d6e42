"""A real encode on every card with every codec, as the work would do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from agent.capacity.found import Surroundings
from agent.capacity.nvenc import CODECS, Card, NoDriver, encode_argv, list_cards, published_cap
from agent.capacity.trial import try_out
from agent.doctor.finding import Finding, fact, failure, good, warning
from agent.doctor.subject import Subject
from agent.media import diagnose
from agent.sandbox import Exit
from agent.state import State
from shared.capacity import NodeFacts
from shared.failures import FailureReason

_PATIENCE: Final = 20.0
_FIXES: Final[Mapping[FailureReason | None, str]] = {
    FailureReason.DRIVER_TOO_OLD: "upgrade the NVIDIA driver, or use the ffmpeg of this system's release",
    FailureReason.HARDWARE_UNSUPPORTED: "see `transcoder agent doctor`'s driver and devices lines",
}


async def check(subject: Subject) -> list[Finding]:
    try:
        cards = list_cards(subject.machine.nvml)
    except NoDriver as reason:
        return [fact(str(reason))]
    around = subject.surroundings
    if around is None:
        return [fact("no card was tried: ffmpeg cannot be confined")]
    return [*_cap(subject, cards), *[finding for card in cards for finding in await _card(around, card)]]


def _cap(subject: Subject, cards: Sequence[Card]) -> list[Finding]:
    """What consumer cards may open together, beside what the agent could open when it started."""
    published = next((published_cap(card.driver) for card in cards if card.shares_its_cap), None)
    if published is None:
        return []
    said = f"this driver is known to let consumer cards open {published} sessions together"
    learned = _learned(State(subject.settings.state).facts)
    wanted = min(published, subject.settings.max_nvenc_sessions)
    if learned is not None and learned < wanted:
        said = f"{said}; the agent could open {learned} when it started"
        return [warning(said, "stop what else encodes on this machine, then restart the agent")]
    return [fact(said)]


def _learned(facts: Path) -> int | None:
    try:
        return NodeFacts.model_validate_json(facts.read_bytes()).capacity.shared_nvenc_sessions
    except (OSError, ValidationError):
        return None


async def _card(around: Surroundings, card: Card) -> list[Finding]:
    tried = {codec: await _encode(around, card, codec) for codec in CODECS}
    works = [codec for codec, ended in tried.items() if ended.is_success]
    called = f"card {card.index} ({card.name})"
    if works:
        lacks = [codec for codec in CODECS if codec not in works]
        return [good(f"{called} encodes {', '.join(works)}"), *(fact(f"{called} has no {codec}") for codec in lacks)]
    ended = tried[CODECS[0]]
    reason = diagnose(ended.code or 0, ended.stderr).reason
    if reason is FailureReason.HARDWARE_BUSY:
        return [warning(f"{called} has no session free now", "try again when nothing encodes on it")]
    told = ended.stderr.decode(errors="replace").strip().rpartition("\n")[2][-200:]
    return [failure(f"{called} does not encode: {told}", _FIXES.get(reason, "dmesg | grep -i -e nvrm -e xid"))]


async def _encode(around: Surroundings, card: Card, codec: str) -> Exit:
    _, ended = await try_out(around, encode_argv(card.index, codec, 1), within=_PATIENCE)
    return ended
