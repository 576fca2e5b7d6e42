"""An authority of our own and what it signs, judged by OpenSSL; and what the server serves of it."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import ssl
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controlplane import certificates
from controlplane.certificates import CertificateError, make, names_of, read_certificate, renew_if_due
from controlplane.settings import Settings, TlsFiles
from controlplane.tls import Tls, read_authority
from shared.clock import SystemClock, to_datetime
from tests.builders import eventually
from tests.clock import FakeClock

NOW = dt.datetime.now(dt.UTC)


def verified(directory: Path, *options: str) -> bool:
    """What OpenSSL says of the server's certificate."""
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", *options]
    files = ["-CAfile", str(directory / "ca.pem"), str(directory / "server.pem")]
    return subprocess.run([*command, *files], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("-verify_hostname", "control.example"),
        ("-verify_ip", "192.0.2.7"),
        ("-verify_ip", "2001:db8::7"),
        ("-verify_hostname", "localhost"),
        ("-verify_ip", "127.0.0.1"),
    ],
)
def test_it_is_good_for_every_name_and_for_loopback(tmp_path: Path, option: str, value: str) -> None:
    make(tmp_path, ["control.example", "192.0.2.7", "2001:db8::7"], NOW)
    assert verified(tmp_path, option, value)
    assert not verified(tmp_path, "-verify_hostname", "elsewhere.example")


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    make(tmp_path / "tls", ["control.example"], NOW)
    for name in ("ca.key", "server.pem"):
        assert stat.S_IMODE((tmp_path / "tls" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700


def test_a_renewal_has_the_same_names_and_authority_and_a_key_of_its_own(tmp_path: Path) -> None:
    first = make(tmp_path, ["control.example"], NOW)
    known = (tmp_path / "ca.pem").read_bytes()
    second = make(tmp_path, (), NOW)
    assert names_of(second) == names_of(first)
    assert second.public_key() != first.public_key()
    assert (tmp_path / "ca.pem").read_bytes() == known
    assert verified(tmp_path)


@pytest.mark.parametrize("name", ["", "a b", "-x.example", "*.example", "x" * 64, "a..b", "a\n", "http://x"])
def test_what_is_no_name_is_refused_and_nothing_served_by_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(CertificateError, match="neither"):
        make(tmp_path, [name], NOW)
    assert not (tmp_path / "server.pem").exists()


def test_a_renewal_of_nothing_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="by which names"):
        make(tmp_path, (), NOW)


def test_without_the_authoritys_key_it_is_said_where_it_should_be(tmp_path: Path) -> None:
    make(tmp_path, ["control.example"], NOW)
    (tmp_path / "ca.key").unlink()
    with pytest.raises(CertificateError, match=re.escape("ca.key")):
        make(tmp_path, (), NOW)


def test_it_is_renewed_when_a_third_of_its_life_is_left(tmp_path: Path) -> None:
    made = make(tmp_path, ["control.example"], NOW)
    due = made.not_valid_after_utc - certificates.RENEWED_WITH
    assert renew_if_due(tmp_path, due - dt.timedelta(days=1)) is None
    renewed = renew_if_due(tmp_path, due)
    assert renewed is not None
    assert renewed.not_valid_after_utc > made.not_valid_after_utc


def test_it_is_not_renewed_where_the_authoritys_key_is_kept_elsewhere(tmp_path: Path) -> None:
    made = make(tmp_path, ["control.example"], NOW)
    (tmp_path / "ca.key").unlink()
    assert renew_if_due(tmp_path, made.not_valid_after_utc) is None


def test_a_certificate_that_cannot_serve_leaves_the_earlier_one_in_place(tmp_path: Path) -> None:
    make(tmp_path, ["control.example"], NOW)
    file = tmp_path / "server.pem"
    tls = Tls(TlsFiles(file, file, None), FakeClock())
    serving = tls._current
    file.write_text("half a certifica")
    tls.reload()
    assert tls._current is serving
    make(tmp_path, ["control.example"], NOW)
    tls.reload()
    assert tls._current is not serving


async def test_a_certificate_that_is_put_in_place_is_taken_up_without_a_word(tmp_path: Path) -> None:
    make(tmp_path, ["control.example"], NOW)
    file = tmp_path / "server.pem"
    tls = Tls(TlsFiles(file, file, None), SystemClock())
    serving = tls._current
    async with _watched(tls):
        make(tmp_path, ["control.example"], NOW)
        await eventually(lambda: tls._current is not serving)


async def test_the_service_renews_its_own_certificate_by_itself(tmp_path: Path) -> None:
    made = make(tmp_path, ["control.example"], NOW - dt.timedelta(days=300))
    file = tmp_path / "server.pem"
    tls = Tls(TlsFiles(file, file, tmp_path), SystemClock())
    serving = tls._current
    async with _watched(tls):
        await eventually(lambda: tls._current is not serving)
    assert read_certificate(file).not_valid_after_utc > made.not_valid_after_utc


@asynccontextmanager
async def _watched(tls: Tls) -> AsyncIterator[None]:
    watching = asyncio.create_task(tls.watch(0.01))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def test_a_start_with_files_that_cannot_serve_fails(tmp_path: Path) -> None:
    (tmp_path / "server.pem").write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        Tls(TlsFiles(tmp_path / "server.pem", tmp_path / "server.pem", None), FakeClock())


def test_nothing_older_than_tls_1_2_is_spoken(tmp_path: Path) -> None:
    make(tmp_path, ["control.example"], NOW)
    file = tmp_path / "server.pem"
    tls = Tls(TlsFiles(file, file, None), FakeClock())
    assert tls.context.minimum_version is tls._current.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_certificate_near_its_end_is_told(tmp_path: Path) -> None:
    end = make(tmp_path, ["control.example"], NOW).not_valid_after_utc
    file = tmp_path / "server.pem"
    clock = FakeClock()
    clock.set_by((end - to_datetime(clock.now_ms())).total_seconds() - 86_400)
    with capture_logs() as said:
        Tls(TlsFiles(file, file, None), clock)
    assert [event["event"] for event in said] == ["tls.expires_soon"]


def test_the_certificate_that_was_made_is_served_without_a_setting(tmp_path: Path) -> None:
    assert Settings(state=tmp_path).tls is None
    made = make(tmp_path / "tls", ["control.example"], NOW)
    settings = Settings(state=tmp_path, host="0.0.0.0")  # noqa: S104 (this is what it takes)
    assert settings.tls is not None
    assert read_certificate(settings.tls.certificate) == made
    assert read_authority(settings) == (tmp_path / "tls" / "ca.pem").read_bytes()


def test_of_a_certificate_of_the_operators_own_only_the_named_authority_is_told(tmp_path: Path) -> None:
    make(tmp_path / "tls", ["control.example"], NOW)
    theirs = {"tls_certificate": tmp_path / "c.pem", "tls_key": tmp_path / "c.key"}
    assert read_authority(Settings(state=tmp_path, **theirs)) is None  # type: ignore[arg-type]
    (tmp_path / "theirs.pem").write_text("theirs")
    named = Settings(state=tmp_path, tls_authority=tmp_path / "theirs.pem", **theirs)  # type: ignore[arg-type]
    assert read_authority(named) == b"theirs"
