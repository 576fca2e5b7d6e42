"""Tenants' queues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from controlplane.auth.principal import Principal
from controlplane.domain.notifications import Notifications
from controlplane.domain.permissions import Action
from controlplane.services.dispatch import Dispatcher
from controlplane.store.operations import resources
from controlplane.store.operations.tokens import Token
from controlplane.store.port import Store
from controlplane.store.records import Pipeline, PipelineRoots
from shared.clock import Clock
from shared.ids import PipelineId, TenantId, TranscoderIds
from shared.statuses import PipelineStatus

NOBODY: Final = Notifications()
MOST_KNOWN: Final = 10_000


class Roots:
    """Where the buckets of pipelines lie, as it was found before: every submission asks.

    Whoever goes by it names the pipeline's version in what is written, and forgets it when that is refused.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[TenantId, PipelineId], PipelineRoots] = {}

    async def of(self, tenant_id: TenantId, pipeline_id: PipelineId) -> PipelineRoots:
        """Raises NotFound."""
        known = self._known.get((tenant_id, pipeline_id))
        if known is not None:
            return known
        found = await self._store.read(resources.pipeline_roots(tenant_id, pipeline_id))
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[tenant_id, pipeline_id] = found
        return found

    def forget(self, tenant_id: TenantId, pipeline_id: PipelineId) -> None:
        self._known.pop((tenant_id, pipeline_id), None)


class Pipelines:
    def __init__(self, store: Store, clock: Clock, ids: TranscoderIds, dispatcher: Dispatcher) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._dispatcher = dispatcher

    async def create(
        self,
        tenant_id: TenantId,
        *,
        name: str,
        input_bucket: str,
        output_bucket: str,
        thumbnail_bucket: str | None,
        notifications: Notifications = NOBODY,
        terms: str = "{}",
        token: Token | None = None,
    ) -> Pipeline:
        """`terms` is a JSON text that a dialect keeps with it; what the same token made before is answered again."""
        now = self._clock.now_ms()
        pipeline = Pipeline(
            id=PipelineId(self._ids.next(now)),
            tenant_id=tenant_id,
            name=name,
            input_bucket=input_bucket,
            output_bucket=output_bucket,
            thumbnail_bucket=thumbnail_bucket or output_bucket,
            status=PipelineStatus.ACTIVE,
            version=1,
            created_at=now,
            notifications=notifications.model_dump_json(),
            terms=terms,
        )
        return await self._store.write(resources.add_pipeline(pipeline, token))

    async def get(self, tenant_id: TenantId, pipeline_id: PipelineId) -> Pipeline:
        return await self._store.read(resources.pipeline(tenant_id, pipeline_id))

    async def page(self, tenant_id: TenantId, after: str, size: int, *, ascending: bool = True) -> list[Pipeline]:
        return await self._store.read(resources.pipelines(tenant_id, after, size, ascending=ascending))

    async def update(
        self,
        tenant_id: TenantId,
        pipeline_id: PipelineId,
        changes: Mapping[str, str],
        *,
        notifications: Notifications | None = None,
        if_version: int | None,
    ) -> Pipeline:
        """Jobs that were submitted keep the buckets that they were submitted with. Of what happens to them from now on, the
        new topics are told."""
        if notifications is not None:
            changes = {**changes, "notifications": notifications.model_dump_json()}
        return await self._store.write(
            resources.update_pipeline(tenant_id, pipeline_id, changes, if_version=if_version)
        )

    async def set_status(self, tenant_id: TenantId, pipeline_id: PipelineId, status: PipelineStatus) -> Pipeline:
        """Paused: jobs are taken but wait. What runs goes on."""
        pipeline = await self._store.write(resources.set_pipeline_status(tenant_id, pipeline_id, status))
        self._dispatcher.wake()
        return pipeline

    async def delete(self, tenant_id: TenantId, pipeline_id: PipelineId) -> None:
        await self._store.write(resources.delete_pipeline(tenant_id, pipeline_id))


_USES: Final = {
    "input_bucket": Action.OBJECTS_DOWNLOAD,
    "output_bucket": Action.OBJECTS_CREATE,
    "thumbnail_bucket": Action.OBJECTS_CREATE,
}


def check_buckets(principal: Principal, document: Mapping[str, Any]) -> None:
    """A pipeline reads and writes for whoever submits to it: its maker must be allowed that. Raises Forbidden."""
    for field, action in _USES.items():
        if (name := document.get(field)) is not None:
            principal.check(action, (f"bucket/{name}",))
