"""MPEG-DASH manifests (ISO/IEC 23009-1, on-demand profile) of single files with an index in front."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import groupby
from typing import Final
from xml.etree import ElementTree as ET

from agent.media.boxes import Index
from agent.media.fragments.playready import SYSTEM, system_header
from agent.media.sizing import Size

PROFILE: Final = "urn:mpeg:dash:profile:isoff-on-demand:2011"
CHANNELS: Final = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
MP4_PROTECTION: Final = "urn:mpeg:dash:mp4protection:2011"
CENC: Final = "urn:mpeg:cenc:2013"
MSPR: Final = "urn:microsoft:playready"
ET.register_namespace("cenc", CENC)
ET.register_namespace("mspr", MSPR)
ALIGNED_WITHIN: Final = 0.02


class Kind(StrEnum):
    """What a player chooses among: one representation of each kind, or one that has both."""

    VIDEO = "video"
    AUDIO = "audio"
    BOTH = "both"


@dataclass(frozen=True)
class Text:
    """A file of captions in one language."""

    uri: str
    language: str | None
    label: str
    size: int


@dataclass(frozen=True)
class Representation:
    id: str
    uri: str
    index: Index
    codecs: tuple[str, ...]
    duration: float
    size: Size | None = None
    frame_rate: Fraction | None = None
    sample_rate: int | None = None
    channels: int | None = None

    @property
    def kind(self) -> Kind:
        if self.size is None:
            return Kind.AUDIO
        return Kind.VIDEO if self.sample_rate is None else Kind.BOTH

    @property
    def longest(self) -> float:
        """Seconds of its longest fragment."""
        return max(reference.seconds for reference in self.index.references)

    @property
    def peak_rate(self) -> int:
        """Bits per second at which a player that has waited for as long as the longest fragment lasts never waits again.

        What is left for the last one may be a single picture: its bits have that time, too.
        """
        sizes = [reference.size * 8 for reference in self.index.references]
        seconds = sum(reference.seconds for reference in self.index.references)
        return math.ceil(max(max(sizes) / self.longest, sum(sizes) / seconds))


@dataclass(frozen=True)
class Protection:
    """By common encryption, with licences of PlayReady."""

    key_id: str
    playready: bytes
    """The header."""


def manifest(
    representations: Sequence[Representation], texts: Sequence[Text] = (), *, protection: Protection | None = None
) -> bytes:
    longest = max(representation.longest for representation in representations)
    mpd = ET.Element(
        "MPD",
        {
            "xmlns": "urn:mpeg:dash:schema:mpd:2011",
            "profiles": PROFILE,
            "type": "static",
            "mediaPresentationDuration": f"PT{max(r.duration for r in representations):.3f}S",
            "minBufferTime": f"PT{longest:.3f}S",
        },
    )
    period = ET.SubElement(mpd, "Period", {"id": "0"})
    by_kind = sorted(representations, key=lambda r: list(Kind).index(r.kind))
    for number, (kind, alternatives) in enumerate(groupby(by_kind, key=lambda r: r.kind)):
        _add_adaptation_set(period, number, kind, tuple(alternatives), protection)
    duration = max(r.duration for r in representations)
    for number, text in enumerate(texts):
        _add_text(period, number, text, duration)
    ET.indent(mpd)
    document: bytes = ET.tostring(mpd, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _add_adaptation_set(
    period: ET.Element, number: int, kind: Kind, alternatives: Sequence[Representation], protection: Protection | None
) -> None:
    attributes = {
        "id": str(number),
        "mimeType": "audio/mp4" if kind is Kind.AUDIO else "video/mp4",
        "subsegmentAlignment": str(_are_aligned(alternatives)).lower(),
        "subsegmentStartsWithSAP": "1",
    }
    if kind is not Kind.BOTH:
        attributes["contentType"] = kind.value
    adaptation_set = ET.SubElement(period, "AdaptationSet", attributes)
    if protection is not None:
        _add_protection(adaptation_set, protection)
    for representation in alternatives:
        _add_representation(adaptation_set, representation)


def _add_protection(adaptation_set: ET.Element, protection: Protection) -> None:
    """That the samples are encrypted, and by what each player may open them: the same header twice, for older ones too."""
    ET.SubElement(
        adaptation_set,
        "ContentProtection",
        {"schemeIdUri": MP4_PROTECTION, "value": "cenc", f"{{{CENC}}}default_KID": protection.key_id},
    )
    licensed = ET.SubElement(
        adaptation_set, "ContentProtection", {"schemeIdUri": f"urn:uuid:{SYSTEM}", "value": "MSPR 2.0"}
    )
    ET.SubElement(licensed, f"{{{CENC}}}pssh").text = b64encode(bytes(system_header(protection.playready))).decode()
    ET.SubElement(licensed, f"{{{MSPR}}}pro").text = b64encode(protection.playready).decode()


def _add_representation(adaptation_set: ET.Element, representation: Representation) -> None:
    attributes = {"id": representation.id, "bandwidth": str(representation.peak_rate)}
    if representation.codecs:
        attributes["codecs"] = ",".join(representation.codecs)
    if representation.size is not None:
        attributes |= {"width": str(representation.size.width), "height": str(representation.size.height)}
    if representation.frame_rate is not None:
        attributes["frameRate"] = str(representation.frame_rate)
    if representation.sample_rate is not None:
        attributes["audioSamplingRate"] = str(representation.sample_rate)
    element = ET.SubElement(adaptation_set, "Representation", attributes)
    if representation.channels is not None:
        ET.SubElement(
            element, "AudioChannelConfiguration", {"schemeIdUri": CHANNELS, "value": str(representation.channels)}
        )
    ET.SubElement(element, "BaseURL").text = representation.uri
    base = ET.SubElement(element, "SegmentBase", {"indexRange": str(representation.index.index)})
    ET.SubElement(base, "Initialization", {"range": str(representation.index.initialization)})


def _add_text(period: ET.Element, number: int, text: Text, duration: float) -> None:
    attributes = {"id": f"t{number}", "contentType": "text", "mimeType": "text/vtt"}
    adaptation_set = ET.SubElement(
        period, "AdaptationSet", attributes | ({"lang": text.language} if text.language else {})
    )
    ET.SubElement(adaptation_set, "Role", {"schemeIdUri": "urn:mpeg:dash:role:2011", "value": "subtitle"})
    ET.SubElement(adaptation_set, "Label").text = text.label
    bandwidth = max(1, round(text.size * 8 / duration))
    element = ET.SubElement(adaptation_set, "Representation", {"id": f"t{number}", "bandwidth": str(bandwidth)})
    ET.SubElement(element, "BaseURL").text = text.uri


def _are_aligned(representations: Sequence[Representation]) -> bool:
    """Whether fragments begin at the same times in all, so that a player may change over at any of them."""
    starts = [_starts(representation.index) for representation in representations]
    return all(
        len(one) == len(starts[0]) and all(abs(a - b) <= ALIGNED_WITHIN for a, b in zip(one, starts[0], strict=True))
        for one in starts
    )


def _starts(index: Index) -> list[float]:
    at, starts = 0.0, []
    for reference in index.references:
        starts.append(at)
        at += reference.seconds
    return starts
