"""Jobs as tenants use them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from orjson import Fragment

from controlplane.auth.principal import Principal
from controlplane.domain.demand import demand
from controlplane.domain.idempotency import fingerprint
from controlplane.domain.lifecycle import TERMINAL_JOBS
from controlplane.domain.placement import Need, check_hardware
from controlplane.domain.planning.recipe import Recipe
from controlplane.domain.sources import sources
from controlplane.services.content_keys import ContentKeys, RevealedKey
from controlplane.services.dispatch import Dispatcher
from controlplane.services.faulty import FaultyInputs
from controlplane.services.files import JobFiles
from controlplane.services.leases import Leases
from controlplane.services.pages import Pages
from controlplane.services.payloads import Payloads
from controlplane.services.pipelines import Roots
from controlplane.services.presets import Presets
from controlplane.services.recipes import Recipes
from controlplane.services.signals import Signals, is_set_within
from controlplane.settings import Settings
from controlplane.storage.files import size_hint
from controlplane.store.operations import ending, jobs, resources, retries
from controlplane.store.operations.matching import matching
from controlplane.store.operations.needs import need_to_json
from controlplane.store.operations.tokens import Token
from controlplane.store.port import Store
from controlplane.store.records import Event, Job, PipelineRoots, Work
from shared.clock import Clock
from shared.errors import InvalidField, NotFound, Outdated, QuotaExceeded, TooManyQueued, TranscoderError, WrongState
from shared.failures import Failure
from shared.ids import ClusterId, JobId, PipelineId, TenantId, TranscoderIds
from shared.jobspec import JobDocument, StartPolicy
from shared.jobspec.encryption import may_hold_keys
from shared.protocol import Progress
from shared.statuses import JobStatus, TaskState

LISTED_MS = 184 * 24 * 3600 * 1000
"""Lists reach back six months."""


@dataclass(frozen=True)
class Submission:
    """`parts` are those of a document that waits since just now, and need not be read off its text again."""

    job: Job
    replayed: bool
    parts: Parts | None = None


@dataclass(frozen=True)
class Parts:
    """A document as it is kept."""

    recipe: Recipe
    aside: Mapping[str, Any]
    """All fields but those of the recipe."""


@dataclass(frozen=True)
class Retried:
    """What a call for all that failed came to; `has_more` when another call would find some."""

    made: list[Job]
    has_more: bool


@dataclass(frozen=True)
class Update:
    """Something that happened to a job: an event of its history, or how far it is now."""

    event: Event | None = None
    progress: Progress | None = None


class Jobs:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: TranscoderIds,
        presets: Presets,
        payloads: Payloads,
        dispatcher: Dispatcher,
        leases: Leases,
        signals: Signals,
        pages: Pages,
        content_keys: ContentKeys,
        faulty: FaultyInputs,
        settings: Settings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._recipes = Recipes(presets)
        self._payloads = payloads
        self._roots = Roots(store)
        self._dispatcher = dispatcher
        self._leases = leases
        self._signals = signals
        self._pages = pages
        self._content_keys = content_keys
        self._faulty = faulty
        self._settings = settings

    def identity(self, token: str | None, sent: bytes, operation: str = "create_job") -> Token | None:
        """Of a native request that has a token; `sent` is its own text."""
        if token is None:
            return None
        window = int(self._settings.idempotency_window * 1000)
        return Token("native", operation, token, fingerprint(sent), window)

    async def submit(self, principal: Principal, document: JobDocument, identity: Token | None) -> Submission:
        """Creates a job, or answers with the one that the same request made."""
        try:
            return await self._submitted(principal, document, identity)
        except TranscoderError:  # what the document names may be gone since
            made = await self._made_before(principal.tenant, identity) if identity is not None else None
            if made is None:
                raise
            return Submission(made, replayed=True)

    async def _made_before(self, tenant_id: TenantId, identity: Token) -> Job | None:
        """What the same request made. Raises IdempotencyMismatch when its token was used for another one."""
        return await self._store.read(jobs.made_before(tenant_id, identity, self._clock.now_ms()))

    async def _submitted(self, principal: Principal, document: JobDocument, identity: Token | None) -> Submission:
        tenant_id, now = principal.tenant, self._clock.now_ms()
        while True:
            new, parts = await self._understood(principal, document, identity, now)
            try:
                created = await self._created(new, now)
            except Outdated:
                self._roots.forget(tenant_id, new.pipeline_id)
            except NotFound as error:
                self._roots.forget(tenant_id, new.pipeline_id)
                raise _no_pipeline(new.pipeline_id) from error
            else:
                if created.replayed:
                    return Submission(created.job, replayed=True)
                if parts is None or created.job.status is not JobStatus.SUBMITTED:
                    return Submission(created.job, replayed=False)
                self._payloads.keep(new.task_id, Work(new.document, new.presets, new.files), document)
                return Submission(created.job, replayed=False, parts=parts)

    async def _created(self, new: jobs.NewJob, now: int) -> jobs.Created:
        """Shares what it takes with all who submit meanwhile."""
        known = self._judge(new.files)
        if known is not None:
            return await self._store.write(ending.create_failed(new, known, now), then=self._offer)
        return await self._store.write_together(jobs.create_together, (new, now), then=self._offer)

    async def _understood(
        self, principal: Principal, document: JobDocument, identity: Token | None, now: int
    ) -> tuple[jobs.NewJob, Parts | None]:
        """What a document asks for, with everything that it names looked up. Raises InvalidField.

        Its parts, too, unless it is kept otherwise than it was sent.
        """
        tenant_id = principal.tenant
        pipeline = await self._pipeline(tenant_id, document)
        recipe, presets = await self._recipes.of(tenant_id, document)
        await self._check_cluster(document)
        placement, keys = document.placement, [source.key for source in sources(document)]
        need = Need(
            ClusterId(placement.cluster_id) if placement.cluster_id else None,
            placement.labels,
            placement.hardware,
            demand(recipe, len(document.inputs), _input_size(pipeline, keys)),
        )
        check_hardware(need)
        text, parts = self._kept(tenant_id, document, recipe)
        new = jobs.NewJob(
            id=JobId(self._ids.next(now)),
            tenant_id=tenant_id,
            user_id=principal.user_id,
            pipeline_id=pipeline.id,
            pipeline_version=pipeline.version,
            cluster_id=need.cluster_id,
            document=text,
            outputs=len(document.outputs),
            priority=document.priority,
            held=document.start is StartPolicy.MANUAL,
            need=need_to_json(need),
            presets=presets,
            files=_files(tenant_id, pipeline, keys),
            max_attempts=document.max_attempts,
            token=identity,
        )
        return new, parts

    def _kept(self, tenant_id: TenantId, document: JobDocument, recipe: Recipe) -> tuple[str, Parts | None]:
        """Without its token, as JSON and in parts; keys are sealed, and then there is only the JSON."""
        aside = document.model_dump(exclude=_NOT_ASIDE)
        made = {name: Fragment(text) for name, text in recipe.texts.items()}
        text = orjson.dumps(aside | made).decode()
        if not may_hold_keys(text):
            return text, Parts(recipe, aside)
        sealed = self._content_keys.kept(tenant_id, document)
        return sealed.model_dump_json(exclude={"client_request_token"}), None

    async def retry(self, tenant_id: TenantId, job_id: JobId, token: str | None) -> Submission:
        """A new job that repeats one that has ended, or the one that the same token made."""
        now = self._clock.now_ms()
        identity = self.identity(token, orjson.dumps(job_id), operation="retry_job")
        operation = retries.retry(tenant_id, job_id, JobId(self._ids.next(now)), identity, now, self._judge)
        created = await self._store.write(operation, then=self._offer)
        return Submission(created.job, created.replayed)

    async def retry_failed(
        self, tenant_id: TenantId, *, since: int, before: int | None, pipeline_id: PipelineId | None, size: int
    ) -> Retried:
        """Every failure of this time that nobody has retried, up to `size` of them; asked again, it goes on with the rest.

        Stops where the tenant may queue no more; raises TooManyQueued or QuotaExceeded when that is at the first.
        """
        now = self._clock.now_ms()
        until = now + 1 if before is None else before
        found = await self._store.read(
            retries.failed(tenant_id, since=since, before=until, pipeline_id=pipeline_id, size=size + 1)
        )
        made: list[Job] = []
        for job_id in found[:size]:
            new_id = JobId(self._ids.next(self._clock.now_ms()))
            try:
                created = await self._store.write(
                    retries.retry_failed(tenant_id, job_id, new_id, now, self._judge), then=self._offer
                )
            except (TooManyQueued, QuotaExceeded):
                if not made:
                    raise
                return Retried(made, has_more=True)
            except (WrongState, NotFound):
                continue  # its pipeline was deleted since
            if created is not None:
                made.append(created.job)
        return Retried(made, has_more=len(found) > size)

    def _judge(self, files: str) -> Failure | None:
        return self._faulty.verdict(JobFiles.model_validate_json(files)) if self._faulty.knows_any else None

    def _offer(self, created: jobs.Created | None) -> None:
        if created is not None and not created.replayed:
            self._dispatcher.wake(has_new=created.job.task_state is TaskState.WAITING)
            self._signals.changed(created.job.id)

    async def reveal(self, tenant_id: TenantId, job_id: JobId) -> list[RevealedKey]:
        """The keys that a job's objects are encrypted with, those that were made for it among them."""
        job = await self.get(tenant_id, job_id)
        return self._content_keys.revealed(tenant_id, JobDocument.model_validate_json(job.document))

    async def get(self, tenant_id: TenantId, job_id: JobId) -> Job:
        return await self._store.read(jobs.read(tenant_id, job_id))

    async def files(self, job: Job) -> JobFiles:
        """Where a job's inputs and results lie."""
        return JobFiles.model_validate_json((await self._store.read(ending.task(job.task_id))).files)

    async def page(
        self,
        tenant_id: TenantId,
        wanted: dict[str, str | None],
        metadata: Mapping[str, str],
        *,
        ascending: bool,
        page_token: str | None,
        size: int,
    ) -> tuple[list[Job], str | None]:
        """Jobs of the last six months by submission, and the token of the next page."""
        notes = [f"metadata.{key}={value}" for key, value in sorted(metadata.items())]
        filters = sorted(f"{field}={value}" for field, value in wanted.items())
        scope = [tenant_id, "jobs", *filters, *notes, str(ascending)]
        start = jobs.FIRST_ID if ascending else jobs.LAST_ID
        after = self._pages.read(page_token, scope) if page_token else start
        if metadata:
            window: dict[str, Any] = {"ascending": ascending, "after": after, "oldest": self._oldest()}
            found, onward = await self._store.read(matching(tenant_id, wanted, metadata, **window, size=size))
        else:
            found, onward = await self.listed(tenant_id, wanted, ascending=ascending, after=after, size=size)
        return found, self._pages.make(onward, scope) if onward else None

    async def listed(
        self, tenant_id: TenantId, wanted: Mapping[str, str | None], *, ascending: bool, after: str, size: int
    ) -> jobs.Page:
        """The same after some id, and the id after which there are more."""
        return await self._store.read(
            jobs.page(tenant_id, wanted, ascending=ascending, after=after, oldest=self._oldest(), size=size)
        )

    def _oldest(self) -> str:
        return f"{self._clock.now_ms() - LISTED_MS:013d}"

    async def cancel(self, tenant_id: TenantId, job_id: JobId, *, once: bool = False) -> Job:
        """With `once`, raises WrongState also for a job that was canceled before."""
        ended = await self._store.write(jobs.cancel(tenant_id, job_id, self._clock.now_ms(), once=once))
        self._signals.changed(job_id)
        self._dispatcher.wake()
        return ended.job

    async def stop(self, tenant_id: TenantId, job_id: JobId) -> Job:
        ended = await self._store.write(jobs.stop(tenant_id, job_id, self._clock.now_ms()))
        if ended.node_id is not None:
            self._dispatcher.interrupt(ended.node_id)
        self._signals.changed(job_id)
        self._dispatcher.wake()
        return ended.job

    async def start(self, tenant_id: TenantId, job_id: JobId) -> Job:
        started = await self._store.write(jobs.start(tenant_id, job_id, self._clock.now_ms()))
        self._signals.changed(job_id)
        self._dispatcher.wake()
        return started

    def progress(self, job: Job) -> Progress | None:
        """The newest that is known: told since the last beat, or kept with it."""
        told = self._leases.progress_of(job.id)
        if told is not None or job.progress is None:
            return told
        return Progress.model_validate_json(job.progress)

    async def history(self, tenant_id: TenantId, job_id: JobId, after: int = 0) -> list[Event]:
        await self.get(tenant_id, job_id)
        return await self._store.read(jobs.events(job_id, after, 1000))

    async def watch(self, tenant_id: TenantId, job_id: JobId, after: int, quiet: float) -> AsyncIterator[Update | None]:
        """Everything that happens to a job until it has ended; None when nothing did for `quiet` seconds.

        Breaks off when the service stops.
        """
        shown: Progress | None = None
        with self._signals.listening(job_id) as changed:
            while True:
                changed.clear()
                job = await self.get(tenant_id, job_id)
                for event in await self._store.read(jobs.events(job_id, after, 1000)):
                    after = event.id
                    yield Update(event=event)
                progress = self.progress(job)
                if progress is not None and progress != shown and job.status not in TERMINAL_JOBS:
                    shown = progress
                    yield Update(progress=progress)
                if job.status in TERMINAL_JOBS or self._signals.is_closed:
                    return
                if not await is_set_within(quiet, changed):
                    yield None

    async def _check_cluster(self, document: JobDocument) -> None:
        if document.placement.cluster_id is None:
            return
        try:
            await self._store.read(resources.cluster(ClusterId(document.placement.cluster_id)))
        except NotFound as error:
            detail = f"There is no cluster {document.placement.cluster_id!r}."
            raise InvalidField(detail, pointer="/placement/cluster_id") from error

    async def _pipeline(self, tenant_id: TenantId, document: JobDocument) -> PipelineRoots:
        pipeline_id = PipelineId(document.pipeline_id)
        try:
            return await self._roots.of(tenant_id, pipeline_id)
        except NotFound as error:
            raise _no_pipeline(pipeline_id) from error


_NOT_ASIDE: Final = {"client_request_token", "outputs", "playlists"}


def _no_pipeline(pipeline_id: PipelineId) -> InvalidField:
    return InvalidField(f"There is no pipeline {pipeline_id!r}.", pointer="/pipeline_id")


def _files(tenant_id: TenantId, pipeline: PipelineRoots, keys: Sequence[str]) -> str:
    """JobFiles as JSON."""
    return orjson.dumps({"tenant_id": tenant_id, **pipeline.roots, "inputs": keys}).decode()


def _input_size(pipeline: PipelineRoots, keys: Sequence[str]) -> int:
    """As far as it is known now: the objects may still be on their way."""
    return sum(size_hint(pipeline.input_root, key) for key in keys)
