"""The command line: what it makes of answers, and what it says before it asks."""

from __future__ import annotations

import datetime as dt
import json
import ssl
from pathlib import Path

import click
import pytest
from aiohttp import web
from aiohttp.pytest_plugin import AiohttpServer
from click.testing import CliRunner, Result

from controlplane import certificates
from controlplane.commands import output
from controlplane.commands.client import EXIT_UNREACHABLE, Api, Unreachable
from controlplane.commands.fleet import nodes
from controlplane.commands.jobs import jobs
from controlplane.commands.submit import submit
from shared.command import main

JOB = "1763750000000-a1b2c3"
KEY = {"TRANSCODER_KEY": "etk_1"}


def call(command: click.Command, *argv: str | Path, **environment: str) -> Result:
    return CliRunner(env=KEY | environment).invoke(command, [*map(str, argv)])


async def test_a_job_of_thousands_of_segments_is_watched_to_its_end(aiohttp_server: AiohttpServer) -> None:
    """Four hours in five renditions are 12,000: the line of the end is longer than aiohttp takes by itself."""
    ended = {
        "status": "Complete",
        "objects": [{"key": f"out/film/1500k{n:05}.ts", "size": 1 << 20} for n in range(12_000)],
    }

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b'id: 1\nevent: progressing\ndata: {"data": null}\n\n')
        await response.write(f"id: 2\nevent: end\ndata: {json.dumps(ended)}\n\n".encode())
        return response

    app = web.Application()
    app.router.add_get(f"/v1/jobs/{JOB}/events", events)
    server = await aiohttp_server(app)
    async with Api(str(server.make_url("/")), "etk_1") as api:
        seen = [told async for told in api.watch(JOB)]
    assert seen == [("progressing", {"data": None}), ("end", ended)]


async def test_an_authority_that_is_not_trusted_is_named_at_once(aiohttp_server: AiohttpServer, tmp_path: Path) -> None:
    certificates.make(tmp_path, ["127.0.0.1"], dt.datetime.now(dt.UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / certificates.SERVER)
    server = await aiohttp_server(web.Application(), ssl=context)
    async with Api(str(server.make_url("/")), "etk_1") as api:
        with pytest.raises(Unreachable, match=r"its certificate is not trusted .*TRANSCODER_CA_FILE") as refused:
            await api.call("GET", "/v1/jobs")
    assert refused.value.exit_code == EXIT_UNREACHABLE


async def test_a_service_that_cannot_just_now_is_asked_again_with_the_same_token(aiohttp_server: AiohttpServer) -> None:
    asked: list[object] = []

    async def create(request: web.Request) -> web.Response:
        asked.append(await request.json())
        if len(asked) < 3:
            problem = {"code": "unavailable", "detail": "The database refused.", "retry_after": 0.001}
            return web.json_response(problem, status=503, content_type="application/problem+json")
        return web.json_response({"id": JOB}, status=201)

    app = web.Application()
    app.router.add_post("/v1/jobs", create)
    server = await aiohttp_server(app)
    document = {"client_request_token": "once"}
    async with Api(str(server.make_url("/")), "etk_1") as api:
        assert await api.call("POST", "/v1/jobs", document) == {"id": JOB}
    assert asked == [document] * 3


@pytest.mark.parametrize("url", ["control.example.net", "ftp://control", "http://"])
def test_an_address_that_is_none_is_a_wrong_command(url: str) -> None:
    refused = call(jobs, "list", TRANSCODER_URL=url)
    assert (refused.exit_code, "is no address of a control plane" in refused.output) == (2, True)


def test_a_key_of_two_lines_is_a_wrong_command() -> None:
    refused = call(jobs, "list", TRANSCODER_KEY="etk_1\netk_2")
    assert (refused.exit_code, "etk_" in refused.output) == (2, False)


@pytest.mark.parametrize("content", ["{bad", "[1]", "null"])
def test_a_job_document_that_is_none_is_refused_before_anything_is_sent(tmp_path: Path, content: str) -> None:
    (tmp_path / "job.json").write_text(content)
    (tmp_path / "film.mp4").touch()
    argv = (tmp_path / "film.mp4", "--job", tmp_path / "job.json")
    refused = call(submit, *argv, TRANSCODER_URL="http://127.0.0.1:1")
    assert (refused.exit_code, "JSON" in refused.output) == (2, True)


def test_a_label_without_a_value_is_a_wrong_command() -> None:
    refused = call(nodes, "join-token", "paris-1", "--label", "gpu", TRANSCODER_URL="http://127.0.0.1:1")
    assert (refused.exit_code, "'gpu' is not KEY=VALUE" in refused.output) == (2, True)


def test_a_table_that_is_piped_breaks_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.listed(
        [{"id": JOB, "key": "k" * 200}], {"ID": lambda one: one["id"], "KEY": lambda one: one["key"]}, "table"
    )
    assert capsys.readouterr().out.splitlines()[1].split() == [JOB, "k" * 200]


def test_every_command_says_what_it_is_for() -> None:
    context = click.Context(main)
    for name in main.list_commands(context):
        found = main.get_command(context, name)
        assert found is not None
        assert found.get_short_help_str(), name
