"""Real sockets: a service with an authority of its own, and nodes that know nothing but their join token."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from yarl import URL

from tests.e2e.processes import ROOT
from tests.unit.shared.test_join_token import ANOTHER

TRANSCODER: Final = (sys.executable, "-m", "shared.command")
NOTHING: Final[Mapping[str, str]] = {}


class Service:
    """`transcoder server run` with a certificate, on loopback; it outlives the loops of the tests."""

    def __init__(self, state: Path) -> None:
        self.state = state
        told = transcoder("server", "init", "--name", "control.example", "--state", state)
        assert told.code == 0, told.text
        self._key = next(line for line in told.text.splitlines() if line.startswith("etk_"))
        self.port = 0
        self.start()
        self.ca = state / "tls" / "ca.pem"

    def start(self) -> None:
        """Returns when it serves, on the port that it had before."""
        (self.state / "log").unlink(missing_ok=True)
        with (self.state / "log").open("ab") as log:
            run = ("server", "run", "--state", str(self.state), "--port", str(self.port))
            self.process = subprocess.Popen([*TRANSCODER, *run], stdout=log, stderr=log, cwd=ROOT)
        self.url = str(self.logged("server.ready")["url"])
        self.port = URL(self.url).port or 0

    def restart(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.start()

    def logged(self, event: str) -> dict[str, object]:
        """Waits for it."""
        end = time.monotonic() + 20
        while True:
            lines = [json.loads(line) for line in (self.state / "log").read_text().splitlines() if line.endswith("}")]
            if found := [line for line in lines if line["event"] == event]:
                return found[-1]
            assert self.process.poll() is None, lines
            assert time.monotonic() < end, lines
            time.sleep(0.02)

    def tell(self, *words: str) -> Told:
        environment = {"TRANSCODER_URL": self.url, "TRANSCODER_KEY": self._key, "TRANSCODER_CA_FILE": str(self.ca)}
        told = transcoder(*words, environment=environment)
        assert told.code == 0, told.text
        return told

    def join_token(self) -> str:
        return self.tell("nodes", "join-token", "paris").text.strip()


class Told(NamedTuple):
    code: int
    text: str


def transcoder(*words: str | Path, environment: Mapping[str, str] = NOTHING, given: str = "") -> Told:
    done = subprocess.run(
        [*TRANSCODER, *map(str, words)],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )
    return Told(done.returncode, done.stdout)


def join(url: str, token: str, state: Path, *options: str | Path) -> Told:
    words = ("agent", "join", url, "--token-file", "-", "--state", state, "--no-service", "--config", "/nonexistent")
    return transcoder(*words, *options, given=token)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("controlplane"))
    try:
        service.tell("clusters", "create", "paris")
        yield service
    finally:
        service.process.kill()
        service.process.wait()


def test_a_node_needs_nothing_but_its_token(service: Service, tmp_path: Path) -> None:
    told = join(service.url, service.join_token(), tmp_path)
    assert told.code == 0, told.text
    assert (tmp_path / "ca.pem").read_bytes() == service.ca.read_bytes()
    status = transcoder("agent", "status", "-o", "json", "--state", tmp_path, "--config", "/nonexistent")
    assert '"is_reachable": true' in status.text


def test_a_doctor_finds_the_whole_way_to_the_control_plane_good(service: Service, tmp_path: Path) -> None:
    assert join(service.url, service.join_token(), tmp_path).code == 0
    examined = transcoder("agent", "doctor", "-o", "json", "--state", tmp_path, "--config", "/nonexistent")
    found = {finding["check"]: finding for finding in json.loads(examined.text)["findings"]}
    for check in ("state", "ffmpeg", "control plane", "tls", "clock", "storage"):
        assert found[check]["verdict"] == "good", found[check]
    assert "TLSv1.3" in found["tls"]["said"]


def test_an_owners_drain_outlives_the_control_plane(service: Service, tmp_path: Path) -> None:
    assert join(service.url, service.join_token(), tmp_path).code == 0
    options = ("--state", tmp_path, "--config", "/nonexistent")
    assert transcoder("agent", "drain", "--wait", *options).text == "Drained\n"
    service.restart()
    assert json.loads(transcoder("agent", "status", "-o", "json", *options).text)["state"] == "Drained"
    assert transcoder("agent", "resume", *options).text == "Active\n"


def test_the_keys_are_for_the_service_alone(service: Service) -> None:
    for name in ("ca.key", "server.pem"):
        assert stat.S_IMODE((service.state / "tls" / name).stat().st_mode) == 0o600


def test_a_token_of_another_service_is_not_spent_here(service: Service, tmp_path: Path) -> None:
    token = service.join_token()
    secret, _, fingerprint = token.partition(".")
    assert len(fingerprint) == 64
    refused = join(service.url, f"{secret}.{'0' * 64}", tmp_path)
    assert refused.code == 1
    assert "has another fingerprint" in refused.text
    assert not (tmp_path / "node.json").exists()
    assert (join(service.url, token, tmp_path)).code == 0


def test_a_token_is_never_sent_to_who_cannot_show_the_certificate(service: Service, tmp_path: Path) -> None:
    token = service.join_token()
    (tmp_path / "another.pem").write_bytes(ANOTHER)
    refused = join(service.url, token, tmp_path / "state", "--ca-file", tmp_path / "another.pem")
    assert refused.code == 1
    assert "CERTIFICATE_VERIFY_FAILED" in refused.text
    assert (join(service.url, token, tmp_path / "state", "--ca-file", service.ca)).code == 0


def test_without_a_fingerprint_the_systems_authorities_decide(service: Service, tmp_path: Path) -> None:
    refused = join(service.url, (service.join_token()).partition(".")[0], tmp_path)
    assert refused.code == 1
    assert "CERTIFICATE_VERIFY_FAILED" in refused.text


def test_a_token_never_travels_in_plain_http(service: Service, tmp_path: Path) -> None:
    token = service.join_token()
    plain = service.url.replace("https", "http")
    refused = join(plain, token, tmp_path)
    assert refused.code == 1
    assert f"join {service.url}" in refused.text
    assert (join(service.url, token, tmp_path)).code == 0


async def test_plain_http_gets_no_answer_from_the_tls_port(service: Service) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
    async with asyncio.timeout(10):
        assert b"HTTP/1" not in await reader.read()
    await _close(writer)


async def test_another_name_than_those_of_the_certificate_is_refused(service: Service) -> None:
    trusting = ssl.create_default_context(cafile=str(service.ca))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        await asyncio.open_connection("127.0.0.1", service.port, ssl=trusting, server_hostname="elsewhere.example")


async def test_a_renewed_certificate_is_taken_up_and_no_connection_dropped(service: Service) -> None:
    trusting = ssl.create_default_context(cafile=str(service.ca))
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port, ssl=trusting)
    assert await _asked(reader, writer) == b"HTTP/1.1 200 OK"
    first = await _served(service, trusting)
    assert transcoder("server", "certificate", "--state", service.state).code == 0
    service.process.send_signal(signal.SIGHUP)
    service.logged("tls.reloaded")
    assert await _served(service, trusting) != first
    assert await _asked(reader, writer) == b"HTTP/1.1 200 OK"
    await _close(writer)


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The first line of the answer on a connection that is kept."""
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    return head.split(b"\r\n")[0]


async def _served(service: Service, trusting: ssl.SSLContext) -> bytes:
    """The certificate that a new connection gets."""
    _, writer = await asyncio.open_connection("127.0.0.1", service.port, ssl=trusting)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    await _close(writer)
    return bytes(shown)


@pytest.mark.parametrize("url", ["http://control.example", "control.example"])
def test_with_a_fingerprint_only_https_is_an_address(url: str, tmp_path: Path) -> None:
    refused = join(url, f"etj_1_2_3.{'0' * 64}", tmp_path)
    assert refused.code == 1
    assert "join https://control.example" in refused.text


def test_outside_loopback_it_does_not_listen_without_a_certificate(tmp_path: Path) -> None:
    refused = transcoder("server", "run", "--state", tmp_path, "--host", "0.0.0.0", "--port", "0")  # noqa: S104
    assert refused.code == 1
    assert "without TLS" in refused.text


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def test_a_reload_of_a_service_without_tls_is_not_its_end(tmp_path: Path) -> None:
    with (tmp_path / "log").open("ab") as log:
        run = [*TRANSCODER, "server", "run", "--state", str(tmp_path), "--port", "0"]
        with subprocess.Popen(run, stdout=log, stderr=log, cwd=ROOT) as process:
            try:
                _wait_for(tmp_path / "log", "server.ready")
                process.send_signal(signal.SIGHUP)
                _wait_for(tmp_path / "log", "server.nothing_to_reload")
            finally:
                process.terminate()
    assert process.returncode == 0


def _wait_for(log: Path, event: str) -> None:
    end = time.monotonic() + 20
    while event not in log.read_text():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.02)
