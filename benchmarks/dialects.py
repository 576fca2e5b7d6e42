"""What does Elastic Transcoder's API cost, beside the native one?

The same jobs are submitted in both ways to the real server over HTTP by 32 callers, in turns: natively with a bearer key, and as
Elastic Transcoder's clients send them, each request signed beforehand. Film after film goes through the same recipe: every request
names another film, and is none that was sent before.

With --heard the question is what it costs that somebody listens: the same film after film, both ways, before and after a webhook is
made that is told of every job.

    python -m benchmarks.dialects [--rounds 5] [--seconds 4] [--heard]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import gc
import json
import multiprocessing
import statistics
from collections.abc import Iterator
from itertools import count, islice
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import uvloop
from aiohttp import web

from benchmarks.service import machine, running
from benchmarks.submits import Request, load, pause
from controlplane.dialects.elastictranscoder.jobs.documents import document
from controlplane.dialects.elastictranscoder.jobs.structures import CreateJob
from tests.contract.dialects.elastictranscoder.signing import Signer

PATH = "/2012-09-25/jobs"
LADDER = ("1351620000001-200010", "1351620000001-200020", "1351620000001-200030", "1351620000001-200040")
MOST_PER_SECOND = 6000
"""So many requests are made for every second: more than will be sent."""
LIKELY_PER_SECOND = 2000


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


def listen(port: Any) -> None:
    """Who is told: takes everything, and says nothing."""

    async def take(_: web.Request) -> web.Response:
        return web.Response(status=204)

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/", take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.value = runner.addresses[0][1]
        await asyncio.Event().wait()

    uvloop.run(main())


async def be_told(service: dict[str, Any], port: int) -> None:
    headers = {"Authorization": f"Bearer {service['tenant_key']}"}
    wanted = {"url": f"http://127.0.0.1:{port}/", "types": ["job.submitted"]}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{service['url']}/v1/webhooks", json=wanted) as response,
    ):
        assert response.status == 201, await response.text()


class Ways:
    """The native way and the dialect's, and what came of going each."""

    def __init__(self, service: dict[str, Any]) -> None:
        wire = json.dumps(job(service["pipeline_id"])).encode()
        native = json.dumps(document(CreateJob.model_validate_json(wire))).encode()
        aws = service["aws"]
        self._url = service["url"]
        self._bodies = {"native": native, "CreateJob": wire}
        self._bearer = {"Content-Type": "application/json", "Authorization": f"Bearer {service['tenant_key']}"}
        self._signer = Signer(aws["access_key_id"], aws["secret_access_key"], aws["region"])
        self._numbers = count()
        self.rates: dict[str, list[float]] = {}

    def go(self, seconds: float, what: str, *, its_own: bool = False) -> None:
        for way, body in self._bodies.items():
            sent = films(body, self._numbers, each_its_own_recipe=its_own)
            native = ((film, self._bearer) for film in sent)
            requests = native if way == "native" else signed(sent, self._signer, self._url)
            path = "/v1/jobs" if way == "native" else PATH
            rate = uvloop.run(load(self._url + path, made(requests, seconds), seconds))
            self.rates.setdefault(f"{way}{what}", []).append(rate)

    def tell(self, *what: str) -> None:
        print(machine())
        for name, found in self.rates.items():
            print(f"{name:30} {statistics.median(found):8.0f} per second   ({min(found):.0f} to {max(found):.0f})")
        for which in what:
            pairs = zip(self.rates[f"CreateJob{which}"], self.rates[f"native{which}"], strict=True)
            ratios = [ours / theirs for ours, theirs in pairs]
            print(
                f"ratio{which:25} {statistics.median(ratios):8.2f}              ({min(ratios):.2f} to {max(ratios):.2f})"
            )


ANEW, HEARD = ", each another recipe", ", told to a webhook"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--heard", action="store_true")
    chosen = parser.parse_args()
    port = multiprocessing.Value("i", 0)
    multiprocessing.Process(target=listen, args=(port,), daemon=True).start()
    with running(environment={"TRANSCODER_OUTGOING_NETWORKS": '["127.0.0.0/8"]'}) as service:
        uvloop.run(pause(service, {"Authorization": f"Bearer {service['tenant_key']}"}))
        ways = Ways(service)
        for _ in range(chosen.rounds):
            ways.go(chosen.seconds, "")
            if not chosen.heard:
                ways.go(chosen.seconds, ANEW, its_own=True)
        if chosen.heard:
            uvloop.run(be_told(service, port.value))
            for _ in range(chosen.rounds):
                ways.go(chosen.seconds, HEARD)
    ways.tell("", HEARD if chosen.heard else ANEW)


if __name__ == "__main__":
    main()
