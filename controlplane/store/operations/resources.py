"""What tenants and operators set up: clusters, buckets, pipelines, presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from controlplane.domain.quota import Quota
from controlplane.store.operations import quotas
from controlplane.store.operations.tokens import Token, claim_one
from controlplane.store.port import Calls, Op, call
from controlplane.store.records import Bucket, Cluster, Pipeline, PipelineRoots, Preset, record, the_one
from shared.errors import AlreadyExists, InUse, InvalidField, NotFound, TranscoderError
from shared.errors import ErrorCode as Code
from shared.ids import ClusterId, PipelineId, PresetId, TenantId
from shared.statuses import ClusterStatus, PipelineStatus


def add_cluster(cluster_id: ClusterId, name: str, now: int) -> Op[Cluster]:
    if not (yield call("insert_cluster", id=cluster_id, name=name, now=now)):
        raise AlreadyExists(f"There is a cluster {cluster_id!r} already.", pointer="/id")
    return (yield from cluster(cluster_id))


def cluster(cluster_id: ClusterId) -> Op[Cluster]:
    rows = yield call("cluster", id=cluster_id)
    return the_one(Cluster, rows, "cluster")


def clusters(after: str, size: int) -> Op[list[Cluster]]:
    rows = yield call("clusters", after=after, size=size)
    return [record(Cluster, row) for row in rows]


def rename_cluster(cluster_id: ClusterId, name: str) -> Op[Cluster]:
    rows = yield call("rename_cluster", id=cluster_id, name=name)
    return the_one(Cluster, rows, "cluster")


def set_cluster_status(cluster_id: ClusterId, status: ClusterStatus) -> Op[Cluster]:
    rows = yield call("set_cluster_status", id=cluster_id, status=status)
    return the_one(Cluster, rows, "cluster")


def delete_cluster(cluster_id: ClusterId, now: int) -> Op[None]:
    yield from cluster(cluster_id)
    yield call("delete_dead_join_tokens", cluster_id=cluster_id, now=now)
    if not (yield call("delete_cluster", id=cluster_id)):
        raise InUse("This cluster has nodes or open join tokens.")


def add_bucket(tenant_id: TenantId, name: str, kind: str, root: str, now: int) -> Op[Bucket]:
    if not (yield call("insert_bucket", tenant_id=tenant_id, name=name, kind=kind, root=root, now=now)):
        raise AlreadyExists(f"There is a bucket {name!r} already.", pointer="/name")
    yield from quotas.take(tenant_id, Quota.BUCKETS)
    return (yield from bucket(tenant_id, name))


def bucket(tenant_id: TenantId, name: str) -> Op[Bucket]:
    rows = yield call("bucket", tenant_id=tenant_id, name=name)
    return the_one(Bucket, rows, "bucket")


def buckets(tenant_id: TenantId, after: str, size: int) -> Op[list[Bucket]]:
    rows = yield call("buckets", tenant_id=tenant_id, after=after, size=size)
    return [record(Bucket, row) for row in rows]


def is_taken(root: Path) -> Op[bool]:
    """Whether a bucket of anybody's lies in this directory, above or below it."""
    if (yield Calls("bucket_at", [{"root": str(path)} for path in (root, *root.parents)])):
        return True
    return bool((yield call("bucket_below", after=f"{root}/", before=f"{root}0")))


def all_buckets() -> Op[list[Bucket]]:
    rows = yield call("all_buckets")
    return [record(Bucket, row) for row in rows]


def delete_bucket(tenant_id: TenantId, name: str, now: int) -> Op[None]:
    """Forgets the bucket; its files stay where they are."""
    yield from bucket(tenant_id, name)
    deleted = yield call("delete_bucket", tenant_id=tenant_id, name=name)
    if not deleted:
        raise InUse("A pipeline uses this bucket.")
    yield call("note_forgotten_root", root=deleted[0]["root"], now=now)
    yield from quotas.give_back(tenant_id, Quota.BUCKETS)


def forgotten_roots() -> Op[list[str]]:
    return [str(row["root"]) for row in (yield call("forgotten_roots"))]


def sweep_forgotten_roots(before: int) -> Op[None]:
    """Those that were forgotten so long ago that nothing of theirs can be under way."""
    yield call("delete_forgotten_roots", before=before)


def add_pipeline(new: Pipeline, token: Token | None = None) -> Op[Pipeline]:
    """A new one, or what the same token made before."""
    made = PipelineId((yield from claim_one(new.tenant_id, token, new.id, new.created_at)))
    return (yield from _add_pipeline(new) if made == new.id else pipeline(new.tenant_id, made))


def _add_pipeline(pipeline: Pipeline) -> Op[Pipeline]:
    yield from _buckets_exist(pipeline)
    yield from quotas.take(pipeline.tenant_id, Quota.PIPELINES)
    yield call(
        "insert_pipeline",
        id=pipeline.id,
        tenant_id=pipeline.tenant_id,
        name=pipeline.name,
        input_bucket=pipeline.input_bucket,
        output_bucket=pipeline.output_bucket,
        thumbnail_bucket=pipeline.thumbnail_bucket,
        notifications=pipeline.notifications,
        terms=pipeline.terms,
        now=pipeline.created_at,
    )
    return pipeline


def pipeline(tenant_id: TenantId, pipeline_id: PipelineId) -> Op[Pipeline]:
    rows = yield call("pipeline", id=pipeline_id, tenant_id=tenant_id)
    return the_one(Pipeline, rows, "pipeline")


def pipeline_roots(tenant_id: TenantId, pipeline_id: PipelineId) -> Op[PipelineRoots]:
    rows = yield call("pipeline_and_roots", id=pipeline_id, tenant_id=tenant_id)
    return the_one(PipelineRoots, rows, "pipeline")


def pipelines(tenant_id: TenantId, after: str, size: int, *, ascending: bool = True) -> Op[list[Pipeline]]:
    """Those after `after`, in the direction that is asked for."""
    query = "pipelines" if ascending else "pipelines_descending"
    rows = yield call(query, tenant_id=tenant_id, after=after, size=size)
    return [record(Pipeline, row) for row in rows]


def update_pipeline(
    tenant_id: TenantId, pipeline_id: PipelineId, changes: Mapping[str, str], *, if_version: int | None
) -> Op[Pipeline]:
    """What is not named stays as it is in this transaction, so that no other change is undone."""
    known = yield from pipeline(tenant_id, pipeline_id)
    changed = replace(known, **changes)  # type: ignore[arg-type]
    yield from _buckets_exist(changed)
    rows = yield call(
        "update_pipeline",
        id=changed.id,
        tenant_id=changed.tenant_id,
        name=changed.name,
        input_bucket=changed.input_bucket,
        output_bucket=changed.output_bucket,
        thumbnail_bucket=changed.thumbnail_bucket,
        notifications=changed.notifications,
        terms=changed.terms,
        version=if_version,
    )
    if not rows:
        raise TranscoderError.of(Code.PRECONDITION_FAILED, "Somebody else has changed this pipeline since you read it.")
    return record(Pipeline, rows[0])


def set_pipeline_status(tenant_id: TenantId, pipeline_id: PipelineId, status: PipelineStatus) -> Op[Pipeline]:
    rows = yield call("set_pipeline_status", id=pipeline_id, tenant_id=tenant_id, status=status)
    return the_one(Pipeline, rows, "pipeline")


def delete_pipeline(tenant_id: TenantId, pipeline_id: PipelineId) -> Op[None]:
    yield from pipeline(tenant_id, pipeline_id)
    if not (yield call("delete_pipeline", id=pipeline_id, tenant_id=tenant_id)):
        raise InUse("This pipeline has jobs that have not ended.")
    yield from quotas.give_back(tenant_id, Quota.PIPELINES)
    yield call("delete_lanes", pipeline_id=pipeline_id)


def add_preset(new: Preset, token: Token | None = None) -> Op[Preset]:
    """A new one, or what the same token made before."""
    made = PresetId((yield from claim_one(new.tenant_id, token, new.id, new.created_at)))
    return (yield from _add_preset(new) if made == new.id else preset(new.tenant_id, made))


def _add_preset(preset: Preset) -> Op[Preset]:
    yield from quotas.take(preset.tenant_id, Quota.PRESETS)
    yield call(
        "insert_preset",
        id=preset.id,
        tenant_id=preset.tenant_id,
        name=preset.name,
        description=preset.description,
        settings=preset.settings,
        terms=preset.terms,
        now=preset.created_at,
    )
    return preset


def preset(tenant_id: TenantId, preset_id: PresetId) -> Op[Preset]:
    rows = yield call("preset", id=preset_id, tenant_id=tenant_id)
    return the_one(Preset, rows, "preset")


def presets(tenant_id: TenantId, after: str, size: int, *, ascending: bool = True) -> Op[list[Preset]]:
    """Those after `after`, in the direction that is asked for."""
    query = "presets" if ascending else "presets_descending"
    rows = yield call(query, tenant_id=tenant_id, after=after, size=size)
    return [record(Preset, row) for row in rows]


def delete_preset(tenant_id: TenantId, preset_id: PresetId) -> Op[None]:
    if not (yield call("delete_preset", id=preset_id, tenant_id=tenant_id)):
        raise NotFound("preset")
    yield from quotas.give_back(tenant_id, Quota.PRESETS)


def _buckets_exist(pipeline: Pipeline) -> Op[None]:
    for field in ("input_bucket", "output_bucket", "thumbnail_bucket"):
        if not (yield call("bucket", tenant_id=pipeline.tenant_id, name=getattr(pipeline, field))):
            raise InvalidField(f"There is no bucket {getattr(pipeline, field)!r}.", pointer=f"/{field}")
