"""Values that tests of the control plane need and do not care about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

from controlplane.domain import planning
from controlplane.domain.placement import Need
from controlplane.services.files import JobFiles
from controlplane.store.operations.jobs import NewJob
from controlplane.store.operations.needs import need_to_json
from controlplane.store.operations.tokens import Token
from shared.capacity import Capacity, Demand, Free, Gpu, NodeFacts
from shared.failures import Cause, Failure, FailureCode
from shared.ids import ClusterId, JobId, PipelineId, TenantId, UserId
from shared.jobspec import HardwarePreference, JobDocument
from shared.protocol import (
    DetectedProperties,
    Finished,
    OutputResult,
    PlaylistResult,
    ProducedObject,
    Progress,
    TranscodeFile,
)
from shared.statuses import JobStatus, Phase

GIB = 1 << 30
MP4_PRESET = "1351620000001-000010"
"""A system preset: generic 720p."""
SMALL = Demand(cpu_threads=1, memory=1, scratch=1)


def a_document(pipeline_id: str, **changes: Any) -> dict[str, Any]:
    """As a tenant sends it."""
    return {
        "pipeline_id": pipeline_id,
        "inputs": [{"key": "in.mp4"}],
        "outputs": [{"key": "out.mp4", "preset_id": MP4_PRESET}],
    } | changes


def ts_settings(**video: Any) -> dict[str, Any]:
    return {
        "container": "ts",
        "video": {"codec": "h264", "bit_rate": 600_000, **video},
        "audio": {"codec": "aac", "bit_rate": 96_000},
    }


def mp4_settings() -> dict[str, Any]:
    return {**ts_settings(), "container": "mp4"}


def hls_document(pipeline_id: str, **changes: Any) -> dict[str, Any]:
    """Two renditions, each with thumbnails, and a master playlist."""
    outputs = [
        {
            "key": name,
            "settings": ts_settings(),
            "segment_duration": 6.0,
            "thumbnails": {"pattern": f"{name}-thumb-{{count}}", "format": "png"},
        }
        for name in ("low", "high")
    ]
    playlists = [{"name": "index", "format": "HLSv3", "output_keys": ["low", "high"]}]
    return a_document(pipeline_id, outputs=outputs, playlists=playlists, **changes)


def work_of(document: dict[str, Any]) -> TranscodeFile:
    """Of a document whose outputs bring their own settings."""
    return planning.plan(JobDocument.model_validate_json(orjson.dumps(document)), {})


def a_job(
    job_id: str,
    tenant_id: TenantId,
    pipeline_id: PipelineId,
    *,
    user_id: str = "us_1",
    outputs: int = 1,
    priority: int = 0,
    held: bool = False,
    cluster_id: str | None = None,
    labels: dict[str, str] | None = None,
    hardware: HardwarePreference = HardwarePreference.PREFER,
    demand: Demand = SMALL,
    max_attempts: int = 3,
    metadata: dict[str, str] | None = None,
    token: Token | None = None,
    root: str = "/nowhere",
    pipeline_version: int | None = None,
) -> NewJob:
    document = a_document(
        pipeline_id,
        metadata=metadata or {},
        outputs=[{"key": f"out{number or ''}.mp4", "settings": mp4_settings()} for number in range(outputs)],
    )
    cluster = ClusterId(cluster_id) if cluster_id else None
    return NewJob(
        id=JobId(job_id),
        tenant_id=tenant_id,
        user_id=UserId(user_id),
        pipeline_id=pipeline_id,
        cluster_id=cluster,
        document=JobDocument.model_validate_json(orjson.dumps(document)).model_dump_json(),
        outputs=outputs,
        priority=priority,
        held=held,
        need=need_to_json(Need(cluster, labels or {}, hardware, demand)),
        presets="{}",
        files=the_files(tenant_id, root).model_dump_json(),
        max_attempts=max_attempts,
        token=token,
        pipeline_version=pipeline_version,
    )


def the_files(tenant_id: str, root: str, thumbnail_root: str | None = None) -> JobFiles:
    return JobFiles(
        tenant_id=TenantId(tenant_id),
        input_bucket="in",
        input_root=root,
        output_bucket="out",
        output_root=root,
        thumbnail_bucket="thumbs",
        thumbnail_root=thumbnail_root or root,
        inputs=("in.mp4",),
    )


def a_token(value: str = "token", fingerprint: str = "fingerprint", window_ms: int = 60_000) -> Token:
    return Token("native", "create_job", value, fingerprint, window_ms)


def a_capacity(*, threads: int = 8, sessions: int = 0) -> Capacity:
    gpu = Gpu(index=0, uuid="GPU-1", name="T4", memory=GIB, driver="1", encoders=("h264_nvenc",), sessions=sessions)
    return Capacity(cpu_threads=threads, memory=16 * GIB, scratch=100 * GIB, gpus=(gpu,) if sessions else ())


def free_of(capacity: Capacity) -> Free:
    return Free(
        cpu_threads=capacity.cpu_threads,
        memory=capacity.memory,
        scratch=capacity.scratch,
        nvenc_sessions=capacity.nvenc_sessions,
    )


def some_facts(capacity: Capacity | None = None, labels: dict[str, str] | None = None) -> NodeFacts:
    return NodeFacts(
        hostname="edge",
        agent_version="0.1.0",
        os="Debian 12",
        cpu_model="CPU",
        ffmpeg_version="5.1.9",
        encoders=("libx264",),
        confinement="bubblewrap",
        gpu_note="",
        labels=labels or {},
        capacity=capacity or a_capacity(),
    )


def some_progress(percent: float = 10.0) -> Progress:
    return Progress(phase=Phase.ENCODING, percent=percent)


def a_failure(cause: Cause = Cause.NODE) -> Failure:
    return Failure(cause=cause, code=FailureCode.NODE_FAULT, message="It broke.")


def finished(*objects: ProducedObject) -> Finished:
    """Of a job with one output."""
    return Finished(
        inputs=(DetectedProperties(width=640, height=360, duration=1.0, size=10),),
        outputs=(OutputResult(index=0, status=JobStatus.COMPLETE, objects=objects or (produced("out.mp4"),)),),
        encode_seconds=1.0,
    )


def finished_hls(*, prefix: str = "") -> Finished:
    """Of `hls_document`: each file is staged under a name made of its key."""
    outputs = tuple(
        OutputResult(
            index=index,
            status=JobStatus.COMPLETE,
            objects=(
                produced(f"{prefix}{name}00001.ts"),
                produced(f"{prefix}{name}.m3u8", "media_playlist"),
                produced(f"{prefix}{name}-thumb-00001.png", "thumbnail"),
            ),
        )
        for index, name in enumerate(("low", "high"))
    )
    master = PlaylistResult(
        index=0, status=JobStatus.COMPLETE, objects=(produced(f"{prefix}index.m3u8", "master_playlist"),)
    )
    return Finished(inputs=(DetectedProperties(size=10),), outputs=outputs, playlists=(master,), encode_seconds=1.0)


def produced(key: str, role: Any = "media", size: int = 10, name: str | None = None) -> ProducedObject:
    return ProducedObject(name=name or key.replace("/", ".").replace("-", "_"), key=key, size=size, role=role)


async def eventually(holds: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Lets others run until something holds; what it gave."""
    async with asyncio.timeout(seconds):
        while not (found := holds()):  # noqa: ASYNC110 (what holds is seen from outside, and tells nobody)
            await asyncio.sleep(0.005)
    return found
