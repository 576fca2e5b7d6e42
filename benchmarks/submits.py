"""How many jobs can be submitted per second, each on disk before it is acknowledged?

Asked of the real server over HTTP by 32 callers, side by side with a bare aiohttp handler that validates the same bodies and
echoes them: what the framework itself leaves. Server and callers are processes of their own; both share the machine.

Film after film is sent through the same recipe, as tenants do: every document names another film, with a prefix and a title of its
own. Then every job has outputs of its own, too, and nothing that was found out for one serves another.

    python -m benchmarks.submits [--rounds 5] [--seconds 4]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

from benchmarks.service import machine, running
from shared.jobspec import JobDocument

CALLERS = 32
Request = tuple[bytes, Mapping[str, str]]
"""Its body and its headers."""
LADDER = ("1351620000001-200010", "1351620000001-200020", "1351620000001-200030", "1351620000001-200040")


def document(pipeline_id: str) -> dict[str, Any]:
    """A job of 2.7 KB: a ladder of four, two films by settings of their own with thumbnails, sound, metadata."""
    outputs: list[dict[str, Any]] = [
        {"key": f"hls/{number}", "preset_id": preset_id, "segment_duration": 6}
        for number, preset_id in enumerate(LADDER)
    ]
    for width, height, rate in ((1920, 1080, 5_400_000), (1280, 720, 2_400_000)):
        video = {
            "codec": "h264",
            "profile": "high",
            "level": "4.1",
            "bit_rate": rate,
            "max_bit_rate": rate + rate // 2,
            "buffer_size": 3 * rate,
            "max_reference_frames": 3,
            "interlaced_mode": "Progressive",
            "keyframes_max_distance": 90,
            "fixed_gop": False,
            "frame_rate": "auto",
            "max_frame_rate": "60",
            "max_width": width,
            "max_height": height,
            "sizing_policy": "ShrinkToFit",
            "padding_policy": "NoPad",
        }
        audio = {"codec": "aac", "profile": "AAC-LC", "bit_rate": 160_000, "sample_rate": 48_000, "channels": 2}
        thumbnails = {"pattern": f"thumbnails/{height}/{{count}}", "interval": 10, "format": "jpg", "max_width": 320}
        settings = {"container": "mp4", "video": video, "audio": audio}
        outputs.append({"key": f"film-{height}p.mp4", "settings": settings, "thumbnails": thumbnails})
    outputs.append({"key": "sound.mp3", "preset_id": "1351620000001-300040"})
    return {
        "pipeline_id": pipeline_id,
        "priority": 0,
        "start": "auto",
        "placement": {"labels": {}, "hardware": "prefer"},
        "inputs": [{"key": "in/2026/11/a-film-with-an-ordinary-name.mp4"}],
        "output_key_prefix": "out/2026/11/a-film-with-an-ordinary-name/",
        "outputs": outputs,
        "playlists": [
            {"name": "hls/index", "format": "HLSv3", "output_keys": [f"hls/{number}" for number in range(len(LADDER))]}
        ],
        "metadata": {
            "order": "4711",
            "customer": "somebody@example.com",
            "title": "A film with an ordinary name",
            "description": "One that goes on for a while and has much to tell of itself so that a catalogue can show it",
        },
        "max_attempts": 3,
    }


def films(body: bytes) -> Iterator[bytes]:
    """The same recipe for film after film."""
    return (body.replace(b"ordinary", b"%08d" % number) for number in count())


def recipes(body: bytes) -> Iterator[bytes]:
    """Film after film, each with outputs that no other has."""
    return (film.replace(b'"sound.mp3"', b'"sound-%08d.mp3"' % number) for number, film in enumerate(films(body)))


def headed(bodies: Iterator[bytes], headers: Mapping[str, str]) -> Iterator[Request]:
    return ((body, headers) for body in bodies)


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


def bare(port: Any) -> None:
    """The baseline: aiohttp and pydantic, nothing else."""

    async def echo(request: web.Request) -> web.Response:
        parsed = JobDocument.model_validate_json(await request.read())
        return web.Response(body=parsed.model_dump_json().encode(), status=201, content_type="application/json")

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/v1/jobs", echo)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.value = runner.addresses[0][1]
        await asyncio.Event().wait()

    uvloop.run(main())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    chosen = parser.parse_args()
    port = multiprocessing.Value("i", 0)
    baseline = multiprocessing.Process(target=bare, args=(port,), daemon=True)
    baseline.start()
    with running() as service:
        body = json.dumps(document(service["pipeline_id"])).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {service['tenant_key']}"}
        asyncio.run(pause(service, {"Authorization": headers["Authorization"]}))
        ours, anew, theirs = [], [], []
        for _ in range(chosen.rounds):
            url = f"{service['url']}/v1/jobs"
            theirs.append(
                uvloop.run(load(f"http://127.0.0.1:{port.value}/v1/jobs", headed(films(body), headers), chosen.seconds))
            )
            ours.append(uvloop.run(load(url, headed(films(body), headers), chosen.seconds)))
            anew.append(uvloop.run(load(url, headed(recipes(body), headers), chosen.seconds)))
    print(machine())
    print(f"bare aiohttp         {statistics.median(theirs):8.0f}   ({min(theirs):.0f} to {max(theirs):.0f})")
    for name, rates in (("submits per second", ours), ("each another recipe", anew)):
        ratio = statistics.median(one / other for one, other in zip(rates, theirs, strict=True))
        print(f"{name:20} {statistics.median(rates):8.0f}   ({min(rates):.0f} to {max(rates):.0f})   ratio {ratio:.2f}")


async def pause(service: dict[str, Any], headers: dict[str, str]) -> None:
    """The jobs are to be taken, not run."""
    async with aiohttp.ClientSession() as session:
        url = f"{service['url']}/v1/pipelines/{service['pipeline_id']}/pause"
        async with session.post(url, headers=headers) as response:
            response.raise_for_status()


if __name__ == "__main__":
    main()
