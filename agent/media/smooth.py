"""Manifests of Smooth Streaming (MS-SSTR): one for players, one for the server that cuts fragments out of the files."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from agent.media.fragments.chunks import Chunk
from agent.media.fragments.playready import SYSTEM
from agent.media.sizing import Size

CLOCK: Final = 10_000_000
AAC_LC: Final = 255
"""The tag of formats that say by themselves what they are."""

CAPTIONS: Final = "CAPT"


@dataclass(frozen=True)
class Level:
    """A track of a file that players choose by its rate."""

    uri: str
    track: int
    bit_rate: int
    private: bytes
    """What decoders are set up with."""
    size: Size | None = None
    sample_rate: int | None = None
    channels: int | None = None

    @property
    def kind(self) -> str:
        if self.size is not None:
            return "video"
        return "text" if self.sample_rate is None else "audio"


@dataclass(frozen=True)
class Stream:
    """Levels that are cut at the same times."""

    levels: tuple[Level, ...]
    chunks: tuple[Chunk, ...]
    language: str | None = None
    """Of captions: each has a stream of its own."""

    @property
    def kind(self) -> str:
        return self.levels[0].kind

    @property
    def name(self) -> str:
        """Under which fragments are asked for."""
        return self.kind if self.language is None else f"{self.kind}_{self.language}"

    @property
    def duration(self) -> int:
        return self.chunks[-1].time + self.chunks[-1].duration


def client_manifest(streams: Sequence[Stream], *, playready: bytes | None) -> bytes:
    duration = str(max(stream.duration for stream in streams))
    root = ET.Element(
        "SmoothStreamingMedia",
        {"MajorVersion": "2", "MinorVersion": "0", "TimeScale": str(CLOCK), "Duration": duration},
    )
    if playready is not None:
        protection = ET.SubElement(root, "Protection")
        header = ET.SubElement(protection, "ProtectionHeader", {"SystemID": str(SYSTEM).upper()})
        header.text = b64encode(playready).decode()
    for stream in streams:
        _add_stream(root, stream)
    return _document(root)


def server_manifest(client: str, streams: Sequence[Stream]) -> bytes:
    """`client` is where the other one lies."""
    root = ET.Element("smil", {"xmlns": "http://www.w3.org/2001/SMIL20/Language"})
    ET.SubElement(ET.SubElement(root, "head"), "meta", {"name": "clientManifestRelativePath", "content": client})
    switch = ET.SubElement(ET.SubElement(root, "body"), "switch")
    for stream in streams:
        for level in stream.levels:
            element = "textstream" if stream.language else level.kind
            media = ET.SubElement(switch, element, {"src": level.uri, "systemBitrate": str(level.bit_rate)})
            _add_parameter(media, "trackID", str(level.track))
            if stream.language:
                media.set("systemLanguage", stream.language)
                _add_parameter(media, "trackName", stream.name)
    return _document(root)


def _add_parameter(media: ET.Element, name: str, value: str) -> None:
    ET.SubElement(media, "param", {"name": name, "value": value, "valuetype": "data"})


def _add_stream(root: ET.Element, stream: Stream) -> None:
    name = stream.name
    attributes = {
        "Type": stream.kind,
        "Name": name,
        "TimeScale": str(CLOCK),
        "Chunks": str(len(stream.chunks)),
        "QualityLevels": str(len(stream.levels)),
        "Url": f"QualityLevels({{bitrate}})/Fragments({name}={{start time}})",
    }
    if stream.language:
        attributes |= {"Subtype": CAPTIONS, "Language": stream.language}
    sizes = [level.size for level in stream.levels if level.size is not None]
    if sizes:
        largest = max(sizes, key=lambda size: size.width * size.height)
        width, height = str(largest.width), str(largest.height)
        attributes |= {"MaxWidth": width, "MaxHeight": height, "DisplayWidth": width, "DisplayHeight": height}
    element = ET.SubElement(root, "StreamIndex", attributes)
    for index, level in enumerate(stream.levels):
        ET.SubElement(element, "QualityLevel", {"Index": str(index), **_of_level(level)})
    for chunk in stream.chunks:
        ET.SubElement(element, "c", {"t": str(chunk.time), "d": str(chunk.duration)})


def _of_level(level: Level) -> dict[str, str]:
    attributes = {"Bitrate": str(level.bit_rate), "CodecPrivateData": level.private.hex().upper()}
    if level.size is not None:
        return attributes | {
            "FourCC": "H264",
            "MaxWidth": str(level.size.width),
            "MaxHeight": str(level.size.height),
        }
    if level.kind == "text":
        return attributes | {"FourCC": "TTML"}
    return attributes | {
        "FourCC": "AACL",
        "SamplingRate": str(level.sample_rate),
        "Channels": str(level.channels),
        "BitsPerSample": "16",
        "PacketSize": "4",
        "AudioTag": str(AAC_LC),
    }


def _document(root: ET.Element) -> bytes:
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"
