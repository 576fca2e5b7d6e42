"""What the inputs of a task are together: one picture and one sound, whatever they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.media import argv
from agent.media.argv import Stream
from agent.media.facts import MediaFacts


@dataclass(frozen=True)
class Part:
    """One input, `in/<index>` of the workspace."""

    index: int
    facts: MediaFacts


@dataclass(frozen=True)
class Programme:
    """The inputs in their order."""

    parts: tuple[Part, ...]
    whole: MediaFacts
    """What outputs are planned by: the facts that one file with all of it would have."""


@dataclass(frozen=True)
class Opened:
    """The beginnings of a graph: nobody has taken anything from them yet."""

    picture: Stream | None
    sound: Stream | None


def programme(facts: tuple[MediaFacts, ...]) -> Programme:
    (only,) = facts
    return Programme((Part(0, only),), only)


def opened(shown: Programme, *, threads: int, decoding: dict[str, Any]) -> Opened:
    """Every part is opened once, with the options for its decoder."""
    (part,) = shown.parts
    file = argv.source(f"in/{part.index}", threads=threads, **decoding)
    video, audio = part.facts.video, part.facts.audio
    return Opened(
        picture=file[str(video.index)] if video else None,
        sound=file[str(audio.index)] if audio else None,
    )
