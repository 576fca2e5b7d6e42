"""What this node can really do. One probe per file; each finds out one kind of fact by trying, none decides what follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from agent.capacity import cpu, ffmpeg, machine, memory, nvenc, scratch
from agent.capacity.found import Found, Surroundings
from agent.capacity.scratch import Space, space
from shared.capacity import Capacity, NodeFacts

__all__ = ["PROBES", "Found", "Space", "Surroundings", "probe_all", "space"]

Probe = Callable[[Surroundings], Awaitable[Found]]

PROBES: Final[tuple[Probe, ...]] = (machine.probe, cpu.probe, memory.probe, scratch.probe, ffmpeg.probe, nvenc.probe)


async def probe_all(around: Surroundings, probes: tuple[Probe, ...] = PROBES) -> NodeFacts:
    found = Found()
    for probe in probes:
        found.update(await probe(around))
    return facts_of(found, around)


def facts_of(found: Found, around: Surroundings) -> NodeFacts:
    return NodeFacts(
        hostname=found["hostname"],
        agent_version=found["agent_version"],
        os=found["os"],
        cpu_model=found["cpu_model"],
        ffmpeg_version=found["ffmpeg_version"],
        encoders=found["encoders"],
        confinement=around.sandbox.name,
        gpu_note=found["gpu_note"],
        labels=dict(around.settings.labels),
        capacity=Capacity(
            cpu_threads=found["cpu_threads"],
            memory=found["memory"],
            scratch=found["scratch"],
            gpus=found["gpus"],
            shared_nvenc_sessions=found["shared_nvenc_sessions"],
            pixel_rate=around.settings.max_pixel_rate,
        ),
    )
