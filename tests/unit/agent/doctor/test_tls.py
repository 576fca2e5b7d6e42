"""The way to the control plane, over real sockets."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from agent.doctor import Finding, Verdict
from agent.doctor.tls import check
from controlplane import certificates
from tests.unit.agent.doctor.subjects import a_subject, only
from tests.unit.agent.doctor.test_control_plane import IDENTITY
from tests.unit.agent.test_tls import NOW, OURS, serving


async def examined(tmp_path: Path, url: str, *, ca: bytes | None = OURS.certificate_pem) -> list[Finding]:
    subject = a_subject(tmp_path, identity=IDENTITY.model_copy(update={"url": url}))
    if ca is not None:
        (tmp_path / "state" / "ca.pem").write_bytes(ca)
    return await check(subject)


async def test_a_certificate_that_is_trusted_and_lasts_is_good(tmp_path: Path) -> None:
    async with serving(certificates.server([], OURS, NOW), tmp_path) as server:
        only(await examined(tmp_path, str(server.make_url("/"))), Verdict.GOOD, "TLSv1.3")


async def test_a_certificate_near_its_end_is_warned_of(tmp_path: Path) -> None:
    issued = certificates.server([], OURS, NOW, dt.timedelta(days=3))
    async with serving(issued, tmp_path) as server:
        only(await examined(tmp_path, str(server.make_url("/"))), Verdict.WARNING, "lasts until")


async def test_a_certificate_that_expired_fails(tmp_path: Path) -> None:
    issued = certificates.server([], OURS, NOW - dt.timedelta(days=400))
    async with serving(issued, tmp_path) as server:
        found = only(await examined(tmp_path, str(server.make_url("/"))), Verdict.FAILURE, "certificate has expired")
    assert found.fix == "on the control plane: transcoder server certificate"


async def test_a_certificate_of_tomorrow_fails_with_the_clock_for_a_reason(tmp_path: Path) -> None:
    issued = certificates.server([], OURS, NOW + dt.timedelta(days=1))
    async with serving(issued, tmp_path) as server:
        found = only(await examined(tmp_path, str(server.make_url("/"))), Verdict.FAILURE, "not yet valid")
    assert "timedatectl" in found.fix


async def test_a_certificate_of_another_authority_fails(tmp_path: Path) -> None:
    async with serving(certificates.server([], certificates.authority(NOW), NOW), tmp_path) as server:
        only(await examined(tmp_path, str(server.make_url("/"))), Verdict.FAILURE, "not trusted")
        only(await examined(tmp_path, str(server.make_url("/")), ca=None), Verdict.FAILURE, "not trusted")


async def test_an_address_that_speaks_no_tls_fails(tmp_path: Path, unused_tcp_port: int) -> None:
    only(await examined(tmp_path, f"https://127.0.0.1:{unused_tcp_port}"), Verdict.FAILURE, "there is no TLS")


async def test_plain_http_through_a_network_fails(tmp_path: Path) -> None:
    only(await examined(tmp_path, "http://cp.example/"), Verdict.FAILURE, "is not encrypted")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:8080"])
async def test_plain_http_within_this_machine_is_a_fact(tmp_path: Path, url: str) -> None:
    only(await examined(tmp_path, url), Verdict.FACT, "on this machine")
