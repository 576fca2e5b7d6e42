"""POST to an address that a tenant chose: only to hosts that it may reach, without redirects, and within bounds.

An address is checked when a socket is made for it, which is then connected to this very address: names that resolve to
something else the next time gain nothing, and neither do numbers that are written in odd ways.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from controlplane.domain.addresses import Network, may_reach

ANSWER_BYTES: Final = 16 * 1024
"""Read of an answer, so that its connection can be used again; what is longer is not read."""


@dataclass(frozen=True)
class Answer:
    """`status` is None where none came, and `error` says why."""

    status: int | None
    error: str | None = None
    retry_after: str | None = None


class NotAllowed(OSError):
    """A name has led to an address that nothing may be sent to."""


class Post:
    def __init__(
        self,
        allowed: Sequence[Network],
        *,
        timeout: float,
        authority: Path | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """`allowed` are networks of the operator's own; `authority` has certificates to trust beside the system's."""
        self._allowed = tuple(allowed)
        self._timeout = timeout
        self._authority = authority
        self._resolver = resolver
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Never raises for what is on the other side."""
        target = URL(url)
        session = self._session(target.scheme)
        try:
            async with asyncio.timeout(self._timeout):
                async with session.post(target, data=body, headers=headers, allow_redirects=False) as response:
                    await response.content.read(ANSWER_BYTES)
                    return Answer(response.status, retry_after=response.headers.get("Retry-After"))
        except TimeoutError:
            return Answer(None, f"There was no answer within {self._timeout:g} s.")
        except Exception as error:  # whatever strangers answer, this service goes on
            return Answer(None, _why(error))

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    def _session(self, scheme: str) -> aiohttp.ClientSession:
        """One for each scheme, since what goes in clear may go to fewer addresses."""
        if scheme not in self._sessions:
            connector = aiohttp.TCPConnector(
                socket_factory=partial(_guarded, self._allowed, scheme != "https"),
                resolver=self._resolver,
                use_dns_cache=False,
                limit=0,
                ssl=self._tls(),
            )
            self._sessions[scheme] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._sessions[scheme]

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._authority is not None:
            context.load_verify_locations(self._authority)
        return context


def _guarded(allowed: Sequence[Network], is_plain: bool, info: tuple[Any, ...]) -> socket.socket:
    """A socket for an address that was looked up, as `aiohttp` asks for it before it connects."""
    family, kind, protocol, _, address = info
    if not may_reach(ip_address(address[0].partition("%")[0]), allowed, is_plain=is_plain):
        raise NotAllowed("The address is not public, or nothing may be sent to it in clear.")
    return socket.socket(family, kind, protocol)


def _why(error: Exception) -> str:
    """For the log of deliveries, which tenants read: nothing of what lies behind the address."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return "Its certificate is not trusted."
        case aiohttp.ClientConnectorSSLError():
            return "No TLS could be agreed on."
        case aiohttp.ClientConnectorDNSError():
            return "Its name has no address."
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, NotAllowed):
            return "Its address is not public."
        case aiohttp.ClientConnectorError():
            return "It could not be reached."
        case aiohttp.ServerConnectionError() | OSError():
            return "It closed the connection."
        case _:
            return "Its answer is no HTTP."
