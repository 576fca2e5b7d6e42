"""Tells tenants why their jobs wait, from a look at the fleet that is a moment old at most.

One look serves every job that is shown meanwhile, and jobs with equal needs share an answer: a page of waiting jobs costs
hardly more than a page of others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from controlplane.domain import waiting
from controlplane.domain.waiting import Code, Site, Waiting
from controlplane.settings import Settings
from controlplane.store.operations import fleet
from controlplane.store.operations.needs import need_from_json
from controlplane.store.port import Store
from controlplane.store.records import Job
from shared.clock import Clock
from shared.statuses import PipelineStatus, TaskState

LOOK_EVERY: Final = 1.0
"""Seconds that a look at the fleet is good for."""


class _Look:
    """The fleet at one moment, and what was found out about needs."""

    def __init__(self, sites: Sequence[Site], until: float) -> None:
        self.until = until
        self._sites = sites
        self._unschedulable: dict[str, Waiting | None] = {}
        self._for_nodes: dict[str, Waiting] = {}

    def unschedulable(self, need: str) -> Waiting | None:
        if need not in self._unschedulable:
            self._unschedulable[need] = waiting.unschedulable(need_from_json(need), self._sites)
        return self._unschedulable[need]

    def for_nodes(self, need: str) -> Waiting:
        if need not in self._for_nodes:
            self._for_nodes[need] = waiting.for_nodes(need_from_json(need), self._sites)
        return self._for_nodes[need]


class Reasons:
    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._look = _Look((), until=-1.0)

    async def because(self, job: Job) -> Waiting | None:
        """None for a job that does not wait."""
        if job.task_state is not TaskState.WAITING:
            return _BEFORE_AND_AFTER.get(job.task_state)
        return _of_the_job(job, self._clock.now_ms()) or _in_the_fleet(job, await self._looked())

    def forget(self) -> None:
        """The fleet has changed: the next answer looks anew."""
        self._look.until = -1.0

    async def _looked(self) -> _Look:
        now = self._clock.monotonic()
        if self._look.until <= now:
            silent_since = self._clock.now_ms() - int(self._settings.lease * 1000)
            sites = await self._store.read(fleet.sites(silent_since))
            self._look = _Look(sites, now + LOOK_EVERY)
        return self._look


_BEFORE_AND_AFTER: Final = {
    TaskState.HELD: Waiting(Code.START_AWAITED, "It was submitted with `start: manual`; start it."),
    TaskState.LEASED: Waiting(Code.BEGINS, "A node is about to begin."),
}


def _of_the_job(job: Job, now: int) -> Waiting | None:
    if job.not_before > now:
        seconds = (job.not_before - now) / 1000
        message = f"Its last attempt failed; the next is made in {seconds:.0f} s."
        return Waiting(Code.RETRY_PAUSE, message, {"seconds": seconds})
    if job.pipeline_status == PipelineStatus.PAUSED:
        return Waiting(Code.PIPELINE_PAUSED, "Its pipeline is paused.", {"pipeline_id": job.pipeline_id})
    return None


def _in_the_fleet(job: Job, look: _Look) -> Waiting:
    never = look.unschedulable(job.need)
    if never is not None:
        return never
    if job.tenant_is_full:
        message = "As many jobs of this account run as may at once; it waits for one of them to end."
        return Waiting(Code.RUNNING_QUOTA, message)
    if job.user_is_full:
        message = "As many jobs of this user run as may at once; it waits for one of them to end."
        return Waiting(Code.USER_RUNNING_QUOTA, message)
    if job.tenant_is_doubted:
        message = "Too many jobs of this account failed of late: one runs at a time until one succeeds."
        return Waiting(Code.TOO_MANY_FAILURES, message)
    return look.for_nodes(job.need)
