"""What does Elastic Transcoder's API cost, beside the native one?

The same jobs are submitted in both ways to the real server over HTTP by 32 callers, in turns: natively with a bearer key, and as
Elastic Transcoder's clients send them, each request signed beforehand. Film after film goes through the same recipe: every request
names another film, and is none that was sent before.

    python -m benchmarks.dialects [--rounds 5] [--seconds 4]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import gc
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from itertools import count, islice, product
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import uvloop

from benchmarks.service import machine, running
from benchmarks.submits import CALLERS, pause
from controlplane.dialects.elastictranscoder.jobs.documents import document
from controlplane.dialects.elastictranscoder.jobs.structures import CreateJob
from tests.contract.dialects.elastictranscoder.signing import Signer

PATH = "/2012-09-25/jobs"
LADDER = ("1351620000001-200010", "1351620000001-200020", "1351620000001-200030", "1351620000001-200040")
MOST_PER_SECOND = 6000
"""So many requests are made for every second: more than will be sent."""
LIKELY_PER_SECOND = 2000

Request = tuple[bytes, Mapping[str, str]]


def job(pipeline_id: str) -> dict[str, Any]:
    """As a client writes it, 1.6 KB: a ladder of four, two films with thumbnails, sound, metadata."""
    outputs: list[dict[str, Any]] = [
        {"Key": f"hls/{number}", "PresetId": preset_id, "SegmentDuration": "6", "Rotate": "auto"}
        for number, preset_id in enumerate(LADDER)
    ]
    for name, preset_id in (("1080p", "1351620000001-000001"), ("720p", "1351620000001-000010")):
        pattern = f"thumbnails/{name}/{{count}}"
        outputs.append(
            {"Key": f"film-{name}.mp4", "PresetId": preset_id, "ThumbnailPattern": pattern, "Rotate": "auto"}
        )
    outputs.append({"Key": "sound.mp3", "PresetId": "1351620000001-300040"})
    hints = dict.fromkeys(("FrameRate", "Resolution", "AspectRatio", "Interlaced", "Container"), "auto")
    return {
        "PipelineId": pipeline_id,
        "Inputs": [{"Key": "in/2026/11/a-film-with-an-ordinary-name.mp4", **hints}],
        "OutputKeyPrefix": "out/2026/11/a-film-with-an-ordinary-name/",
        "Outputs": outputs,
        "Playlists": [
            {"Name": "hls/index", "Format": "HLSv3", "OutputKeys": [f"hls/{number}" for number in range(len(LADDER))]}
        ],
        "UserMetadata": {"order": "4711", "customer": "somebody@example.com", "title": "A film with an ordinary name"},
    }


def films(body: bytes, numbers: Iterator[int], *, each_its_own_recipe: bool = False) -> Iterator[bytes]:
    for number in numbers:
        film = body.replace(b"ordinary", b"%08d" % number)
        yield film.replace(b'"sound.mp3"', b'"sound-%08d.mp3"' % number) if each_its_own_recipe else film


def signed(bodies: Iterator[bytes], signer: Signer, url: str) -> Iterator[Request]:
    """Each dated about when it will be sent; good for five minutes."""
    host, now = urlsplit(url).netloc, dt.datetime.now(dt.UTC)
    kind = {"Content-Type": "application/x-amz-json-1.0"}
    for number, body in enumerate(bodies):
        at = now + dt.timedelta(seconds=number / LIKELY_PER_SECOND)
        yield body, signer.headers("POST", host, PATH, body, at, kind)


def made(requests: Iterator[Request], seconds: float) -> Iterator[Request]:
    """Before the clock runs, and out of the sight of the collector of garbage."""
    ready = list(islice(requests, int(seconds * MOST_PER_SECOND)))
    gc.collect()
    gc.freeze()
    return iter(ready)


async def load(url: str, requests: Iterator[Request], seconds: float) -> float:
    """Answers per second that 32 callers get, each sending its next request when it has the answer to the last."""
    done = 0
    end = time.monotonic() + seconds

    async def caller(session: aiohttp.ClientSession) -> None:
        nonlocal done
        while time.monotonic() < end:
            body, headers = next(requests)
            async with session.post(url, data=body, headers=headers) as response:
                assert response.status == 201, await response.text()
                await response.read()
                done += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CALLERS)) as session:
        began = time.monotonic()
        await asyncio.gather(*(caller(session) for _ in range(CALLERS)))
        return done / (time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    chosen = parser.parse_args()
    with running() as service:
        wire = json.dumps(job(service["pipeline_id"])).encode()
        native = json.dumps(document(CreateJob.model_validate_json(wire))).encode()
        bearer = {"Content-Type": "application/json", "Authorization": f"Bearer {service['tenant_key']}"}
        aws = service["aws"]
        signer = Signer(aws["access_key_id"], aws["secret_access_key"], aws["region"])
        uvloop.run(pause(service, {"Authorization": bearer["Authorization"]}))
        numbers = count()
        rates: dict[str, list[float]] = {}
        for _, its_own in product(range(chosen.rounds), (False, True)):
            for way, path, body in (("native", "/v1/jobs", native), ("CreateJob", PATH, wire)):
                bodies = films(body, numbers, each_its_own_recipe=its_own)
                plain = ((film, bearer) for film in bodies)
                requests = signed(bodies, signer, service["url"]) if body is wire else plain
                rate = uvloop.run(load(service["url"] + path, made(requests, chosen.seconds), chosen.seconds))
                rates.setdefault(f"{way}{_OWN[its_own]}", []).append(rate)
    print(machine())
    for name, found in rates.items():
        print(f"{name:30} {statistics.median(found):8.0f} per second   ({min(found):.0f} to {max(found):.0f})")
    for own in _OWN.values():
        ratios = [ours / theirs for ours, theirs in zip(rates[f"CreateJob{own}"], rates[f"native{own}"], strict=True)]
        print(f"ratio{own:25} {statistics.median(ratios):8.2f}              ({min(ratios):.2f} to {max(ratios):.2f})")


_OWN = {False: "", True: ", each another recipe"}


if __name__ == "__main__":
    main()
