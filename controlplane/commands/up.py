"""transcoder up: a whole service on this machine, for one person: control plane here, the agent as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import click
import structlog
import uvloop
from pydantic import BaseModel

from controlplane import settings
from controlplane.app import open_store
from controlplane.commands.client import Api
from controlplane.server import serve
from controlplane.services.acting import who_acts
from controlplane.services.tenants import Tenants
from shared.clock import SystemClock
from shared.errors import TranscoderError
from shared.logs import log_to_stderr

log = structlog.get_logger()

CLUSTER: Final = "local"
ACCOUNT: Final = "123456789012"
"""The number of the first tenant, as it stands in every example."""
UNFINISHED: Final = "unfinished"


class Aws(BaseModel):
    """What clients of Amazon's services sign with."""

    access_key_id: str
    secret_access_key: str
    region: str


class Access(BaseModel):
    """What one needs to use the service that `up` runs."""

    url: str
    operator_key: str
    tenant_key: str
    cluster_id: str
    pipeline_id: str
    input_bucket: str
    output_bucket: str
    sample_key: str | None
    aws: Aws


@click.command()
@click.option(
    "--state", type=click.Path(file_okay=False, path_type=Path), help="Kept between runs; thrown away by default."
)
@click.option("--port", type=int, default=0, help="A free one by default.")
@click.option(
    "--sample",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A clip to put into the input bucket.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
@click.option("--insecure-unconfined", is_flag=True, help="Run ffmpeg without a sandbox where none can be made.")
def up(state: Path | None, port: int, sample: Path | None, as_json: bool, insecure_unconfined: bool) -> None:
    """Run a whole service on loopback until Ctrl-C.

    Control plane and agent. The first Ctrl-C drains, the second stops.
    """
    log_to_stderr(who_acts)

    async def main() -> None:
        async with running(state, port=port, sample=sample, unconfined=insecure_unconfined) as service:
            if as_json:
                click.echo(service.access.model_dump_json())
            else:
                _greet(service)
            await service.ended.wait()
            if service.agent.returncode is not None:
                raise click.ClickException("The agent ended; its last words are above.")

    with said_in_a_sentence():
        uvloop.run(main())


@contextlib.contextmanager
def said_in_a_sentence() -> Iterator[None]:
    """What keeps a service from starting: a port that is taken, a state that another one has."""
    try:
        yield
    except (TranscoderError, OSError) as error:
        raise click.ClickException(str(error)) from error


class Service:
    """A running control plane and its agent; `ended` is set when somebody asked for the end, or the agent died."""

    def __init__(self, access: Access, root: Path, agent: asyncio.subprocess.Process, ended: asyncio.Event) -> None:
        self.access = access
        self.root = root
        self.agent = agent
        self.ended = ended

    @property
    def output_directory(self) -> Path:
        tenant = str(json.loads((self.root / "access.json").read_text())["tenant_id"])
        return self.root / "controlplane" / "buckets" / tenant / self.access.output_bucket


@asynccontextmanager
async def running(
    state: Path | None, *, port: int = 0, sample: Path | None = None, unconfined: bool = False, quiet: bool = False
) -> AsyncIterator[Service]:
    """Starts everything, yields when jobs can be sent, and stops the agent before the control plane.

    `quiet` sends what the agent says to `agent.log` in the state directory.
    """
    root = (state or Path(tempfile.mkdtemp(prefix="transcoder-"))).absolute()
    root.mkdir(parents=True, exist_ok=True)
    _forget_what_was_not_finished(root)
    chosen = settings.local(root / "controlplane", port)
    operator_key = await _operator(root, chosen)
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    closing = asyncio.Event()
    control_plane = asyncio.create_task(
        serve(chosen, ready=listening.set_result, stopping=closing), name="control plane"
    )
    try:
        control_plane.add_done_callback(partial(_pass_on, listening))
        access = await _set_up(root, operator_key, await listening, chosen.dialect_region, sample)
        began = dt.datetime.now(dt.UTC)
        with _told(root, quiet=quiet) as log_file:
            agent = await _start_agent(root, access, log_file, unconfined=unconfined)
        ended = asyncio.Event()
        watching = asyncio.create_task(_end_with(agent, ended), name="agent")
        try:
            with _signals(agent, ended):
                await _node_is_ready(access, agent, began)
                (root / UNFINISHED).unlink(missing_ok=True)
                yield Service(access, root, agent, ended)
                await _stop(agent)
        finally:
            watching.cancel()
            if agent.returncode is None:
                agent.kill()
                await agent.wait()
    finally:
        closing.set()
        await control_plane
        if state is None:
            shutil.rmtree(root, ignore_errors=True)


def _forget_what_was_not_finished(root: Path) -> None:
    """A first start that was interrupted left a service that nobody has used: it is made anew."""
    if (root / UNFINISHED).exists():
        for name in ("controlplane", "agent"):
            shutil.rmtree(root / name, ignore_errors=True)
        for name in ("access.json", "joined", "join-token"):
            (root / name).unlink(missing_ok=True)
    elif not (root / "access.json").exists():
        (root / UNFINISHED).touch()


def _told(root: Path, *, quiet: bool) -> contextlib.AbstractContextManager[IO[Any]]:
    """Where the agent's log goes."""
    return (root / "agent.log").open("ab") if quiet else contextlib.nullcontext(sys.stderr)


def _pass_on(listening: asyncio.Future[str], ended: asyncio.Task[None]) -> None:
    """What kept the control plane from listening is what the one who waits for it is told."""
    if not listening.done():
        listening.set_exception(ended.exception() or click.ClickException("The control plane did not start."))


async def _operator(root: Path, chosen: settings.Settings) -> str:
    """The operator's key: the one of earlier runs, or a new one."""
    file = root / "access.json"
    if file.exists():
        return str(json.loads(file.read_text())["operator_key"])
    store = await open_store(chosen)
    try:
        return await Tenants(store, SystemClock()).create_operator("up")
    finally:
        await store.close()


async def _set_up(root: Path, operator_key: str, url: str, region: str, sample: Path | None) -> Access:
    """A tenant with a key, a cluster, buckets and a pipeline: made once, kept in the state directory."""
    file = root / "access.json"
    if file.exists():
        known = json.loads(file.read_text())
    else:
        known = await _make(operator_key, url, region)
        _write_secret(file, json.dumps(known))
    access = Access(url=url, sample_key=None, **{name: known[name] for name in known if name != "tenant_id"})
    if sample is None:
        return access
    async with Api(url, access.tenant_key) as api:
        key = f"samples/{sample.name}"
        await api.upload(access.input_bucket, key, sample, lambda _: None)
    return access.model_copy(update={"sample_key": key})


async def _make(operator_key: str, url: str, region: str) -> dict[str, Any]:
    async with Api(url, operator_key) as api:
        await api.call("POST", "/v1/clusters", {"id": CLUSTER, "name": "This machine"})
        tenant = await api.call("POST", "/v1/tenants", {"name": "local", "id": ACCOUNT})
        key = await api.call("POST", f"/v1/tenants/{tenant['id']}/keys", {"label": "up"})
        signs = await api.call("POST", f"/v1/tenants/{tenant['id']}/keys", {"label": "up", "kind": "sigv4"})
    async with Api(url, key["key"]) as api:
        for name in ("input", "output"):
            await api.call("POST", "/v1/buckets", {"name": name})
        wanted = {"name": "default", "input_bucket": "input", "output_bucket": "output"}
        pipeline = await api.call("POST", "/v1/pipelines", wanted)
    return {
        "operator_key": operator_key,
        "tenant_key": key["key"],
        "tenant_id": tenant["id"],
        "cluster_id": CLUSTER,
        "pipeline_id": pipeline["id"],
        "input_bucket": "input",
        "output_bucket": "output",
        "aws": {**{name: signs[name] for name in ("access_key_id", "secret_access_key")}, "region": region},
    }


async def _start_agent(
    root: Path, access: Access, log_file: IO[Any], *, unconfined: bool
) -> asyncio.subprocess.Process:
    """Enrols this machine, once, and starts its agent. In a session of its own: Ctrl-C reaches it only through us."""
    state = root / "agent"
    if not (root / "joined").exists():
        async with Api(access.url, access.operator_key) as api:
            token = (await api.call("POST", f"/v1/clusters/{access.cluster_id}/join-tokens", {}))["token"]
        _write_secret(root / "join-token", token)
        joining = await asyncio.create_subprocess_exec(
            *_transcoder("agent", "join", access.url, "--token-file", str(root / "join-token")),
            *("--state", str(state), "--no-service"),
            stdout=log_file,
            stderr=log_file,
        )
        code = await joining.wait()
        (root / "join-token").unlink()
        if code != 0:
            raise click.ClickException("The agent could not join.")
        (root / "joined").touch()
    # the port changes from run to run, and nobody's service must answer for the settings of this one
    arguments = ["--url", access.url, "--state", str(state), "--config", os.devnull]
    if unconfined:
        arguments.append("--insecure-unconfined")
    return await asyncio.create_subprocess_exec(
        *("setpriv", "--pdeathsig", "TERM"),  # should this process be killed, its agent ends with it
        *_transcoder("agent", "run", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=log_file,
        stderr=log_file,
        start_new_session=True,
    )


async def _node_is_ready(access: Access, agent: asyncio.subprocess.Process, began: dt.datetime) -> None:
    """Waits until the agent that was started then has told what it can do."""
    async with Api(access.url, access.operator_key) as api:
        while agent.returncode is None:
            async for node in api.pages("/v1/nodes"):
                if node["last_seen_at"] and dt.datetime.fromisoformat(node["last_seen_at"]) >= began:
                    return
            await asyncio.sleep(0.05)
    raise click.ClickException("The agent ended; its last words are above.")


@contextlib.contextmanager
def _signals(agent: asyncio.subprocess.Process, ended: asyncio.Event) -> Any:
    """The first INT or TERM drains the agent, the second stops its work."""
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if ended.is_set() and agent.returncode is None:
            agent.terminate()
        elif not ended.is_set():
            log.info("up.draining", hint="running jobs finish; once more to stop them")
            ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _end_with(agent: asyncio.subprocess.Process, ended: asyncio.Event) -> None:
    await agent.wait()
    ended.set()


async def _stop(agent: asyncio.subprocess.Process) -> None:
    """Waits for what runs; a signal that comes meanwhile shortens it."""
    if agent.returncode is None:
        agent.terminate()
        await agent.wait()


def _transcoder(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "shared.command", *arguments]


def _write_secret(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


def _greet(service: Service) -> None:
    access = service.access
    click.echo(f"Control plane   {access.url}   (API: {access.url}/docs)")
    click.echo(f"Results         {service.output_directory}")
    click.echo(f"export TRANSCODER_URL={access.url}")
    click.echo(f"export TRANSCODER_KEY={access.tenant_key}")
    click.echo("transcoder submit FILE --watch")
    click.echo("and for clients of Amazon Elastic Transcoder:")
    click.echo(f"export AWS_ENDPOINT_URL_ELASTIC_TRANSCODER={access.url} AWS_REGION={access.aws.region}")
    click.echo(f"export AWS_ACCESS_KEY_ID={access.aws.access_key_id}")
    click.echo(f"export AWS_SECRET_ACCESS_KEY={access.aws.secret_access_key}")
