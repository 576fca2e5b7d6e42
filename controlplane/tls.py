"""The server's end of TLS. A certificate that was replaced serves the next connection; those that are open go on."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import ssl
from pathlib import Path
from typing import Final

import structlog

from controlplane import certificates
from controlplane.certificates import CertificateError
from controlplane.settings import Settings, TlsFiles
from shared.clock import Clock, to_datetime

log = structlog.get_logger()

EXPIRES_SOON: Final = dt.timedelta(days=21)
"""So long before its end, a certificate that nobody replaces is said to end at every start and at every reload."""


class Tls:
    """Loads the files at once. Raises OSError or ssl.SSLError when they cannot serve."""

    def __init__(self, files: TlsFiles, clock: Clock) -> None:
        self._files = files
        self._clock = clock
        self._seen = _mark(files)
        self._current = _load(files)
        self.context = _load(files)
        self.context.sni_callback = self._choose
        self._warn()

    def reload(self) -> None:
        """Take up what the files hold now; what cannot serve is left alone, and the earlier certificate serves on."""
        self._seen = _mark(self._files)
        try:
            self._current = _load(self._files)
        except (OSError, ssl.SSLError) as error:
            log.error("tls.not_reloaded", certificate=str(self._files.certificate), reason=str(error))
            return
        log.info("tls.reloaded", certificate=str(self._files.certificate))
        self._warn()

    async def watch(self, every: float) -> None:
        """Renews our own certificate when it is due, and takes up whatever certificate was put in place."""
        while True:
            if self._files.own is not None:
                await asyncio.to_thread(self._renew, self._files.own)
            if _mark(self._files) != self._seen:
                self.reload()
            await asyncio.sleep(every)

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _first: ssl.SSLContext) -> None:
        """Asked at every handshake, whether or not the client named a host."""
        connection.context = self._current

    def _renew(self, directory: Path) -> None:
        try:
            renewed = certificates.renew_if_due(directory, self._now)
        except (CertificateError, OSError) as error:
            log.error("tls.not_renewed", reason=str(error))
            return
        if renewed is not None:
            log.info("tls.renewed", until=renewed.not_valid_after_utc.isoformat())

    def _warn(self) -> None:
        try:
            end = certificates.read_certificate(self._files.certificate).not_valid_after_utc
        except CertificateError:
            return  # in a form that only OpenSSL reads; it was loaded
        if end - self._now < EXPIRES_SOON:
            log.warning("tls.expires_soon", certificate=str(self._files.certificate), until=end.isoformat())

    @property
    def _now(self) -> dt.datetime:
        return to_datetime(self._clock.now_ms())


def read_authority(settings: Settings) -> bytes | None:
    """The certificate that nodes are to trust, where they would not by themselves."""
    files = settings.tls
    path = settings.tls_authority or (files.own / certificates.AUTHORITY if files and files.own else None)
    return path.read_bytes() if path else None


def _load(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    return context


def _mark(files: TlsFiles) -> tuple[tuple[int, int, int] | None, ...]:
    """Changes whenever one of the files is replaced or written to."""
    return tuple(_file_mark(path) for path in (files.certificate, files.key))


def _file_mark(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
