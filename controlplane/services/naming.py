"""What things are called in permissions."""

from __future__ import annotations

from controlplane.domain.permissions import Resources
from controlplane.services.presets import AnyPreset
from controlplane.store.records import Bucket, Job, Pipeline, TenantEvent
from shared.ids import ClusterId, JobId, PipelineId


def of_job(found: Job) -> Resources:
    return _names_of_job(found.id, found.pipeline_id, found.cluster_id)


def of_event(found: TenantEvent) -> Resources:
    return _names_of_job(found.job_id, found.pipeline_id, found.cluster_id)


def of_pipeline(found: Pipeline) -> Resources:
    return (f"pipeline/{found.id}",)


def of_preset(found: AnyPreset) -> Resources:
    return (f"preset/{found.id}",)


def of_bucket(found: Bucket) -> Resources:
    return (f"bucket/{found.name}",)


def _names_of_job(job_id: JobId, pipeline_id: PipelineId, cluster_id: ClusterId | None) -> Resources:
    names = (f"job/{job_id}", f"pipeline/{pipeline_id}")
    return (*names, f"cluster/{cluster_id}") if cluster_id else names
