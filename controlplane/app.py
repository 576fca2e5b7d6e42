"""The wiring: the only module that knows every other."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from controlplane import metrics
from controlplane.api import (
    about,
    agents,
    audit,
    events,
    jobs,
    objects,
    operations,
    pages,
    quotas,
    resources,
    routing,
    topics,
    users,
    webhooks,
)
from controlplane.api.problems import problem
from controlplane.auth.access_keys import AccessKeys, Mode
from controlplane.auth.bearer import Bearers
from controlplane.auth.content_keys import ACCESS_KEYS, TOPIC_KEY, WEBHOOK_SECRETS, Seal
from controlplane.auth.throttling import Throttle
from controlplane.dialects import elastictranscoder
from controlplane.dialects.elastictranscoder import visits
from controlplane.dialects.elastictranscoder.notifications import TopicMessages
from controlplane.domain.notifications import EndpointKind
from controlplane.http import keys, throttling
from controlplane.http.answering import answering
from controlplane.http.connections import Guard
from controlplane.http.shares import Shares
from controlplane.http.streams import Streams
from controlplane.outgoing.posting import Post
from controlplane.services.audit import Audit, AuditedStore, Sealer
from controlplane.services.buckets import Buckets
from controlplane.services.clusters import Clusters
from controlplane.services.content_keys import ContentKeys
from controlplane.services.couriers import Courier
from controlplane.services.dispatch import Dispatcher
from controlplane.services.events import Events
from controlplane.services.faulty import FaultyInputs
from controlplane.services.health import Health
from controlplane.services.jobs import Jobs
from controlplane.services.leases import Leases
from controlplane.services.logs import Logs
from controlplane.services.orders import Orders
from controlplane.services.pages import Pages
from controlplane.services.payloads import Payloads
from controlplane.services.pipelines import Pipelines
from controlplane.services.presets import Presets
from controlplane.services.publishing import Publisher
from controlplane.services.quotas import Quotas
from controlplane.services.reaper import Reaper
from controlplane.services.retention import Sweeper
from controlplane.services.signals import Signals
from controlplane.services.tempo import Tempo
from controlplane.services.tenants import Tenants
from controlplane.services.topics import Tickets, TopicKeys, Topics
from controlplane.services.users import Users
from controlplane.services.waiting import Reasons
from controlplane.services.webhook_messages import Secrets, WebhookMessages
from controlplane.services.webhooks import Webhooks
from controlplane.settings import Settings
from controlplane.storage.links import Links
from controlplane.store.port import Store
from controlplane.store.postgres import PostgresStore
from controlplane.store.sqlite import SqliteStore
from controlplane.tls import read_authority
from shared.clock import Clock
from shared.errors import TranscoderError
from shared.ids import TranscoderIds

log = structlog.get_logger()

ROUTES: tuple[routing.Routes, ...] = (
    jobs.routes,
    events.routes,
    resources.pipelines,
    resources.presets,
    resources.buckets,
    users.routes,
    users.keys,
    webhooks.routes,
    topics.routes,
    operations.tenants,
    operations.clusters,
    operations.nodes,
    quotas.routes,
    audit.routes,
)
"""The native API, in the order of its document."""


async def open_store(settings: Settings) -> Store:
    """The database that the settings name. Raises Unavailable."""
    if settings.database is not None:
        return await PostgresStore.open(settings.database.get_secret_value())
    settings.state.mkdir(parents=True, exist_ok=True)
    return SqliteStore(settings.state / "transcoder.db")


def read_secret(settings: Settings, credentials_directory: Path | None = None) -> bytes:
    """What links and page tokens are signed with, and what seals secrets: a systemd credential, or a file in `state`, made
    when there is none.

    Replicas share it. Without it what was sealed cannot be opened any more: keys that sign must be made anew.
    """
    if credentials_directory is not None and (credentials_directory / "secret.key").is_file():
        return (credentials_directory / "secret.key").read_bytes()
    path = settings.state / "secret.key"
    settings.state.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(32))
    return path.read_bytes()


def make_app(settings: Settings, database: Store, clock: Clock, secret: bytes) -> web.Application:
    """Everything wired and nothing started; the database is closed with the application."""
    sealer = Sealer(database, clock, settings.seal_interval)
    store = AuditedStore(database, clock, sealer)
    ids = TranscoderIds()
    signals = Signals()
    links = Links(secret, clock)
    page_tokens = Pages(secret)
    content_keys = ContentKeys(Seal(secret))
    payloads = Payloads(store)
    tempo = Tempo(settings)
    orders = Orders(store, clock, signals, links, content_keys, payloads)
    leases = Leases(store, clock, signals, links, orders, tempo)
    dispatcher = Dispatcher(store, clock, signals, orders, leases, tempo, settings)
    faulty = FaultyInputs(clock, settings)
    publisher = Publisher(store, clock, signals, dispatcher, leases, payloads, faulty, settings)
    reaper = Reaper(store, clock, dispatcher, publisher, tempo, settings)
    presets = Presets(store, clock, ids)

    own = settings.outgoing_networks
    post = Post(own, timeout=settings.delivery_timeout, authority=settings.outgoing_authority)
    webhook_secrets = Secrets(Seal(secret, WEBHOOK_SECRETS))
    tickets, topic_keys = Tickets(secret), TopicKeys(store, clock, Seal(secret, TOPIC_KEY))
    writers = {
        EndpointKind.WEBHOOK: WebhookMessages(clock, webhook_secrets).letter,
        EndpointKind.TOPIC: TopicMessages(topic_keys, tickets, settings.public_url).letter,
    }
    courier = Courier(store, clock, signals, post, writers, claim=2 * settings.delivery_timeout)

    guard = Guard(settings)
    counted = [guard.middleware()] if settings.proxies else []
    app = web.Application(
        middlewares=[answering(problem, {elastictranscoder.PATHS: elastictranscoder.refusal}), *counted],
        client_max_size=settings.max_document_size,
    )
    app[keys.BEARERS] = bearers = Bearers(store, clock, settings.rates, settings.failures_per_minute)
    access_seal = Seal(secret, ACCESS_KEYS)
    app[keys.ACCESS_KEYS] = access_keys = AccessKeys(store, clock, bearers, access_seal, Mode(settings.dialect_auth))

    def forget_callers() -> None:
        bearers.forget()
        access_keys.forget()

    app[keys.AUDIT] = Audit(store, clock, page_tokens, sealer)
    app[throttling.THROTTLE] = Throttle(clock)
    app[throttling.SHARES] = Shares(asyncio.get_running_loop().call_later)
    app[keys.MAX_DOCUMENT] = settings.max_document_size
    app[keys.GUARD] = guard
    app[keys.STREAMS] = Streams(settings.max_streams_per_tenant)
    app[keys.CLOCK] = clock
    app[keys.SETTINGS] = settings
    app[keys.PAGES] = page_tokens
    app[keys.DISPATCHER] = dispatcher
    app[keys.LEASES] = leases
    app[keys.PUBLISHER] = publisher
    app[keys.PRESETS] = presets
    app[keys.HEALTH] = health = Health(store, clock, leases.every_progress)
    app[keys.TENANTS] = Tenants(store, clock, access_seal, forget_callers, dispatcher.wake)
    app[keys.USERS] = Users(store, clock, forget_callers)
    app[keys.REASONS] = reasons = Reasons(store, clock, settings)
    app[keys.CLUSTERS] = Clusters(
        store, clock, signals, dispatcher, publisher, reasons, bearers.forget, read_authority(settings)
    )
    app[keys.PIPELINES] = Pipelines(store, clock, ids, dispatcher)
    app[keys.BUCKETS] = Buckets(
        store,
        links,
        clock,
        settings.allowed_roots,
        settings.link_lifetime,
        create_on_first_use=settings.create_buckets_on_first_use,
    )
    app[keys.QUOTAS] = ledger = Quotas(store, clock, signals, dispatcher, leases, settings, health.tell_drift)
    app[keys.EVENTS] = Events(store, signals)
    app[keys.LOGS] = Logs(store, clock, signals)
    app[keys.WEBHOOKS] = Webhooks(store, clock, webhook_secrets, own, courier.wake)
    app[keys.TOPICS] = Topics(store, clock, tickets, own, courier.wake)
    app[keys.TOPIC_KEYS] = topic_keys
    app[keys.COURIER] = courier
    app[keys.JOBS] = Jobs(
        store, clock, ids, presets, payloads, dispatcher, leases, signals, page_tokens, content_keys, faulty, settings
    )

    documented = [route for part in ROUTES for route in part.all]
    app.add_routes(
        [web.route(route.method, route.path, routing.handler(route, about.finder(route))) for route in documented]
    )
    app.add_routes(
        [*agents.routes(), *objects.routes(), *pages.routes(documented), *elastictranscoder.routes(), *visits.routes()]
    )

    app.cleanup_ctx.append(_background(guard.run(), "connections"))
    app.cleanup_ctx.append(_background(dispatcher.run(), "dispatcher"))
    app.cleanup_ctx.append(_background(publisher.run(), "publisher"))
    app.cleanup_ctx.append(_background(reaper.run(), "reaper"))
    app.cleanup_ctx.append(_background(courier.run(), "courier"))
    app.cleanup_ctx.append(_background(ledger.run(), "recount"))
    app.cleanup_ctx.append(_background(sealer.run(), "sealer"))
    app.cleanup_ctx.append(_background(metrics.watch_the_loop(), "event-loop-lag"))
    app.cleanup_ctx.append(_background(Sweeper(database, clock, publisher, settings).run(), "sweeper"))

    async def stop_waiting(_: web.Application) -> None:
        health.is_stopping = True
        signals.close()
        dispatcher.release_all()

    async def close_store(_: web.Application) -> None:
        with suppress(TranscoderError):  # the next start seals what this one could not
            await sealer.close()
        await store.close()

    app.on_shutdown.append(stop_waiting)
    app.on_cleanup.append(close_store)
    return app


def _background(work: Coroutine[Any, Any, None], name: str) -> Any:
    """A task that lives as long as the application; when it dies, so does the process, and its supervisor starts it anew."""

    async def context(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_end_on_crash)
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return context


def _end_on_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("background.died", task=task.get_name(), exc_info=task.exception())
        signal.raise_signal(signal.SIGTERM)
