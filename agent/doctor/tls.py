"""Whether the way to the control plane is encrypted, by a certificate that is trusted and lasts."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ssl
from typing import Any, Final

from yarl import URL

from agent.client import LOOPBACK, trust
from agent.doctor.finding import Finding, fact, failure, good, warning
from agent.doctor.subject import Subject
from agent.identity import authorities

EXPIRES_SOON: Final = dt.timedelta(days=14)
_PATIENCE: Final = 10.0


async def check(subject: Subject) -> list[Finding]:
    if subject.identity is None:
        return [fact("not tried: this machine has not joined a control plane")]
    url = URL(subject.identity.url)
    if url.scheme != "https":
        if url.host in LOOPBACK:
            return [fact("the control plane is on this machine, without TLS")]
        return [
            failure(f"{url} is not encrypted: anybody on the way can take this node's credential", "join by https://")
        ]
    try:
        shown = await _shake_hands(url, trust(authorities(subject.settings)))
    except ssl.SSLCertVerificationError as error:
        return [failure(f"{url.host} shows a certificate that is not trusted: {error.verify_message}", _fix(error))]
    except (OSError, TimeoutError) as error:
        return [
            failure(f"there is no TLS with {url}: {error or 'no answer'}", "check the address, and proxies in between")
        ]
    return [_judged(*shown, dt.datetime.now(dt.UTC))]


async def _shake_hands(url: URL, trusting: ssl.SSLContext) -> tuple[str, dict[str, Any]]:
    """The version that is spoken, and the certificate that is shown."""
    async with asyncio.timeout(_PATIENCE):
        _, writer = await asyncio.open_connection(url.host, url.port, ssl=trusting)
    try:
        tls = writer.get_extra_info("ssl_object")
        return tls.version(), tls.getpeercert()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _judged(version: str, certificate: dict[str, Any], now: dt.datetime) -> Finding:
    end = dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), dt.UTC)
    said = f"{version}, a certificate that lasts until {end:%Y-%m-%d}"
    if end - now < EXPIRES_SOON:
        return warning(said, "on the control plane: transcoder server certificate")
    return good(said)


def _fix(error: ssl.SSLCertVerificationError) -> str:
    if "expired" in error.verify_message:
        return "on the control plane: transcoder server certificate"
    if "not yet valid" in error.verify_message:
        return "synchronise this machine's clock: timedatectl set-ntp true"
    if "mismatch" in error.verify_message:
        return "on the control plane: transcoder server certificate, with every name that nodes use"
    return "join again with a new token, or name the authority: ca_file in /etc/transcoder/agent.toml"
