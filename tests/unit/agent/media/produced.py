"""What an encode would have left behind: files, ffprobe's answers, and faults in them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from agent.media import Device, PlannedOutput, Verified, inspections, judge, plan
from shared.failures import Failure
from shared.jobspec import Container
from shared.protocol import OutputSpec
from tests.unit.agent.media.builders import MOVIE, a_task

SPS = b"\x00\x00\x01\x67\x4d\x40\x1f"


class Produced:
    """A good result of one output; tests change what they are about."""

    def __init__(
        self, spec: OutputSpec, facts: Any = MOVIE, *, segments: tuple[float, ...] = (20.0, 20.0, 15.0)
    ) -> None:
        [only] = plan(a_task(spec), (facts,), device=Device.CPU, threads=1).passes
        [self.output] = only.outputs
        self.contents: dict[str, bytes] = {}
        self.streams = streams_of(self.output)
        self.declared = 55.0
        self.stderr = b""
        if self.output.is_segmented:
            self._segment(segments)
        else:
            self.contents[self.output.file] = fragmented() if spec.settings.container is Container.FMP4 else b"x" * 1000
        if self.output.thumbnails is not None:
            for count in range(1, (self.output.thumbnails.count or 1) + 1):
                self.contents[self.output.thumbnail_pattern % count] = png(*frame_of_thumbnails(self.output))

    def _segment(self, durations: tuple[float, ...]) -> None:
        lines = ["#EXTM3U"]
        for number, seconds in enumerate(durations):
            name = self.output.segment_pattern % number
            self.contents[name] = SPS + b"x" * 1000
            lines += [f"#EXTINF:{seconds:.6f},", name]
        self.contents[self.output.file] = "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()

    @property
    def files(self) -> Mapping[str, int]:
        return {name: len(content) for name, content in self.contents.items()}

    def read(self, name: str, offset: int, length: int) -> bytes:
        return self.contents[name][offset : offset + length]

    def judged(self) -> Verified | Failure:
        answer = json.dumps({"streams": self.streams, "format": {"duration": str(self.declared)}}).encode()
        probes = {inspection.name: answer for inspection in inspections(self.output, self.files)}
        return judge(self.output, self.files, probes, read=self.read, stderr_tail=self.stderr)

    def verified(self) -> Verified:
        result = self.judged()
        assert isinstance(result, Verified), result
        return result

    def failure(self) -> Failure:
        result = self.judged()
        assert isinstance(result, Failure)
        return result


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


def sidx(version: int, *references: tuple[int, int], timescale: int = 1000) -> bytes:
    """An index of fragments: sizes with durations in ticks."""
    times = struct.pack(">II" if version == 0 else ">QQ", 0, 0)
    table = b"".join(struct.pack(">III", size, duration, 1 << 31) for size, duration in references)
    return box(
        b"sidx",
        struct.pack(">BBHII", version, 0, 0, 1, timescale) + times + struct.pack(">HH", 0, len(references)) + table,
    )


def fragmented() -> bytes:
    """A file of two fragments of 2 s, the first of them twice as large."""
    header = box(b"ftyp") + box(b"moov", b"avcC\x01\x4d\x40\x1f")
    return header + sidx(1, (5000, 2000), (2500, 2000)) + box(b"moof", b"x" * 4992) + box(b"moof", b"x" * 2492)


def streams_of(output: PlannedOutput, seconds: float = 55.0) -> list[dict[str, Any]]:
    streams: list[dict[str, Any]] = []
    if output.video is not None:
        frame = output.video.picture.sizing.frame
        streams.append(
            {
                "codec_type": "video",
                "codec_name": output.video.encoder.probed_as,
                "width": frame.width,
                "height": frame.height,
                "nb_read_packets": str(round(seconds * output.video.picture.rate)),
            }
        )
    if output.audio is not None:
        packets = round(seconds * output.audio.sample_rate / (output.audio.encoder.packet_samples or 4096))
        streams += [
            {
                "codec_type": "audio",
                "codec_name": output.audio.encoder.probed_as,
                "channels": output.audio.channels,
                "sample_rate": str(output.audio.sample_rate),
                "duration": str(seconds),
                "nb_read_packets": str(packets),
            }
            for _ in range(output.audio.tracks)
        ]
    return streams


def frame_of_thumbnails(output: PlannedOutput) -> tuple[int, int]:
    assert output.thumbnails is not None
    return output.thumbnails.sizing.frame.width, output.thumbnails.sizing.frame.height


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"..." + b"IEND\xaeB`\x82"
