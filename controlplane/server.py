"""Listens: sockets, TLS, signals, and stopping in order."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from aiohttp import web

from controlplane import systemd
from controlplane.app import make_app, open_store, read_secret
from controlplane.http.keys import GUARD
from controlplane.settings import Settings
from controlplane.tls import Tls
from shared.clock import SystemClock

log = structlog.get_logger()

FILE_THREADS = 32
"""They wait for disks: of uploads, and of results that become visible."""
GC_THRESHOLD = (20_000, 20, 20)
"""Requests make many short-lived objects and few cycles: looking for those every 700 objects costs a tenth of the time."""


async def serve(
    settings: Settings,
    *,
    ready: Callable[[str], None] = lambda url: None,
    stopping: asyncio.Event | None = None,
    credentials_directory: Path | None = None,
) -> None:
    """Runs until TERM or INT, or until `stopping` is set; `ready` is told the address once it listens."""
    stopping = stopping or _on_signals()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="files"))
    store = await open_store(settings)
    app = make_app(settings, store, SystemClock(), read_secret(settings, credentials_directory))
    # a long poll ends the moment that its client goes, and a stream of events with it
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=settings.shutdown_grace)
    await runner.setup()
    tls = Tls(settings.tls, SystemClock()) if settings.tls else None
    await app[GUARD].site(runner, settings.host, settings.port, tls.context if tls else None).start()
    host, port = runner.addresses[0][:2]
    url = f"{'https' if tls else 'http'}://{host}:{port}"
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    log.info("server.ready", url=url)
    ready(url)
    systemd.notify("READY=1")
    background = [asyncio.create_task(systemd.feed_watchdog(), name="watchdog")]
    if tls is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, tls.reload)
        background.append(asyncio.create_task(tls.watch(settings.certificate_check), name="certificate"))
    try:
        await stopping.wait()
    finally:
        log.info("server.stopping")
        systemd.notify("STOPPING=1")
        for task in background:
            task.cancel()
        await runner.cleanup()


def _on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    # a reload of a service without TLS must not be its end
    loop.add_signal_handler(signal.SIGHUP, lambda: log.info("server.nothing_to_reload"))
    return stopping
