"""Secrets stay where they belong: a whole service works, and nothing of them is found anywhere else."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import re
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.builders import mp4_settings
from tests.contract.dialects.elastictranscoder.signing import Signer
from tests.e2e.whole.service import COMMAND, Refused, Service

pytestmark = [pytest.mark.media, pytest.mark.timeout(180)]


def forms(secret: bytes | str) -> set[bytes]:
    """As it is, in hexadecimal, in base64 and as part of an address."""
    raw = secret.encode() if isinstance(secret, str) else secret
    encoded = {raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"=")}
    return encoded | {quote(raw, safe="").encode()}


@contextmanager
def watching_processes(service: Service) -> Iterator[list[bytes]]:
    """Arguments and environments of everything that was started below this test, ten times a second."""
    seen: set[bytes] = set()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(0.1):
            ours = {os.getpid()}
            for entry in sorted(filter(str.isdecimal, os.listdir("/proc")), key=int):
                try:
                    parent = int(Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1])
                    if parent in ours:
                        ours.add(int(entry))
                        seen.add(Path(f"/proc/{entry}/cmdline").read_bytes())
                        seen.add(Path(f"/proc/{entry}/environ").read_bytes())
                except OSError:
                    continue

    found: list[bytes] = []
    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        is_over.set()
        watcher.join()
        found += sorted(seen)


def dumped(database: Path) -> bytes:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return "\n".join(connection.iterdump()).encode()


def _signed(service: Service, key: dict[str, str]) -> dict[str, Any]:
    """The tenant's pipelines, as a client of Elastic Transcoder asks for them; once with a wrong secret before."""
    answers = []
    for secret in ("wrong", key["secret_access_key"]):
        signer = Signer(key["access_key_id"], secret)
        target, host = "/2012-09-25/pipelines", urlsplit(service.url).netloc
        headers = signer.headers("GET", host, target, b"", dt.datetime.now(dt.UTC))
        with suppress(urllib.error.HTTPError):
            request = urllib.request.Request(service.url + target, headers=headers)  # noqa: S310 (our own service)
            with urllib.request.urlopen(request) as response:  # noqa: S310
                answers.append(json.loads(response.read()))
    (found,) = answers
    return found


def test_no_secret_is_found_in_logs_arguments_environments_errors_or_the_database(service: Service) -> None:
    errors: list[bytes] = []
    secrets: dict[str, bytes | str] = {
        "the tenant's key": service.tenant_key.split("_")[2],
        "the operator's key": service.operator_key.split("_")[2],
        "the join token": (service.root / "token").read_text().split("_")[2],
        "the signing secret": (service.root / "server" / "secret.key").read_bytes(),
    }
    with watching_processes(service) as processes:
        credential = next((service.root / "agent").glob("node-credential*")).read_text()
        secrets["the node's credential"] = credential.strip().split("_")[2]
        link = service.call("POST", "/v1/buckets/input/uploads", {"key": "in/another.mp4"})["url"]
        secrets["a link to put"] = link.split("/objects/")[1].split("/")[0]
        link = service.call("POST", "/v1/buckets/input/links", {"key": "in/bunny.mp4"})["url"]
        secrets["a link to get"] = link.split("/objects/")[1].split("/")[0]
        revoked = service.call("POST", "/v1/keys", {})
        secrets["another key"] = revoked["key"].split("_")[2]
        service.call("DELETE", f"/v1/keys/{revoked['id']}")
        signing = service.call("POST", "/v1/keys", {"kind": "sigv4"})
        secrets["the secret of a key that signs"] = signing["secret_access_key"]
        assert len(_signed(service, signing)["Pipelines"]) == 1
        content_key = os.urandom(32)
        secrets["a content key"] = content_key
        encryption = {"mode": "aes-gcm", "key": base64.b64encode(content_key).decode()}
        output = {"key": "out.mp4", "settings": mp4_settings(), "encryption": encryption}
        secrets["a key of segments"], secrets["a key of licences"] = segment_key, license_key = (
            os.urandom(16),
            os.urandom(16),
        )
        outputs = [
            output,
            {"key": "hls", "preset_id": "1351620000001-200055", "segment_duration": 2},
            {"key": "dash.mp4", "preset_id": "1351620000001-500050"},
        ]
        playlists = [
            {
                "name": "hls/index",
                "format": "HLSv4",
                "output_keys": ["hls"],
                "hls_content_protection": {
                    "method": "aes-128",
                    "key": base64.b64encode(segment_key).decode(),
                    "license_acquisition_url": "https://keys.example/",
                },
            },
            {
                "name": "dash/index",
                "format": "MPEG-DASH",
                "output_keys": ["dash.mp4"],
                "play_ready_drm": {
                    "format": "microsoft",
                    "key": base64.b64encode(license_key).decode(),
                    "key_id": "01020304-0506-0708-090a-0b0c0d0e0f10",
                    "license_acquisition_url": "https://licences.example/",
                },
            },
        ]
        job_id = service.submit("in/bunny.mp4", outputs, "secrets/", playlists=playlists)
        assert service.ended(job_id)["status"] == "Complete"
        missing = service.submit("in/missing.mp4", [{"key": "x.mp4", "settings": mp4_settings()}], "secrets/")
        assert service.ended(missing)["status"] == "Error"
        for method, path, document, key in (
            ("GET", "/v1/jobs", None, revoked["key"]),
            ("POST", "/v1/jobs", {"metadata": {"key": service.tenant_key}}, None),
            ("GET", f"/objects/{secrets['a link to get']}/in/other.mp4", None, None),
            ("GET", f"/v1/jobs?page_token={secrets['a link to put']}", None, None),
            ("GET", f"/v1/jobs/{service.tenant_key}", None, None),
            ("POST", "/v1/jobs", {"outputs": [{"key": "x", "encryption": encryption | {"key_md5": "AAAA"}}]}, None),
        ):
            with pytest.raises(Refused) as refused:
                service.call(method, path, document, key=key)
            errors.append(str(refused.value.problem).encode())
        away = subprocess.run(
            [*COMMAND, "server", "run", "--state", str(service.root / "other")],
            env={**os.environ, "TRANSCODER_DATABASE": "postgresql://user:hunter2-canary@127.0.0.1:1/name"},
            capture_output=True,
            check=False,
            timeout=60,
        )
        secrets["the database's password"] = "hunter2-canary"
        time.sleep(0.3)
    own = [text for text in processes if b"hunter2-canary" not in text]  # that one was given it in its environment
    places = {
        "logs": b"".join(file.read_bytes() for file in service.root.glob("*.log")),
        "what a start that failed said": away.stdout + away.stderr,
        "processes": b"\n".join(own),
        "answers": b"\n".join(errors),
        "the database": dumped(service.root / "server" / "transcoder.db"),
        "the job's log and history": "".join(
            str(service.call("GET", f"/v1/jobs/{one}/{part}"))
            for one in (job_id, missing)
            for part in ("events", "log")
        ).encode(),
    }
    places["what was published"] = b"".join(
        file.read_bytes() for file in (service.outputs / "secrets").rglob("*") if file.is_file()
    )
    assert away.returncode == 1
    assert b"agent" in places["processes"]
    assert b"ffmpeg" in places["processes"]
    assert re.search(rb"attempt\.(accepted|ended)", places["logs"])
    found = [
        (name, place)
        for name, secret in secrets.items()
        for place, content in places.items()
        if any(form in content for form in forms(secret))
    ]
    assert found == []
