"""`transcoder agent doctor`: examine this node as the user of its service, beside the agent that runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, Literal

import click
from rich.table import Table
from rich.text import Text

from agent.client import ControlPlane
from agent.commands.group import ExitCode, agent, config_option, output_option, read_settings, state_option, trust
from agent.doctor import Finding, Heard, Subject, Verdict, examine
from agent.identity import Identity, NotJoined, read_credential, read_identity
from agent.refusals import ProtocolTooOld, Revoked, Unreachable
from agent.sandbox import ConfinementError, Sandbox, choose
from agent.settings import Settings
from agent.state import State
from shared.errors import TranscoderError
from shared.logs import log_alarms
from shared.terminal import console

_MARKS: Final = {
    Verdict.GOOD: Text("✓", "green"),
    Verdict.FACT: Text("·"),
    Verdict.WARNING: Text("!", "yellow"),
    Verdict.FAILURE: Text("✗", "red"),
}


@agent.command(help="Examine this node: what is wrong, and a line to mend it. Exits with 1 when anything fails.")
@output_option
@state_option
@config_option
def doctor(output: Literal["table", "json"], state: Path | None, config: Path) -> None:
    log_alarms()
    settings = read_settings(config, state=state)
    credential = _credential(settings)  # the service's own is readable by root alone
    _become_owner(settings.state)
    found = asyncio.run(_examined(settings, credential))
    fails = any(finding.verdict is Verdict.FAILURE for finding in found)
    if output == "json":
        told = [finding.model_dump(mode="json") for finding in found]
        click.echo(json.dumps({"is_healthy": not fails, "findings": told}, indent=2, ensure_ascii=False))
    else:
        show(found)
    if fails:
        raise click.exceptions.Exit(ExitCode.FAILURE)


def show(found: Sequence[Finding]) -> None:
    table = Table(show_header=False, box=None)
    for finding in found:
        fix = f"\n→ {finding.fix}" if finding.fix else ""
        table.add_row(_MARKS[finding.verdict], finding.check, Text.assemble(finding.said, (fix, "bold")))
    console().print(table)


def _credential(settings: Settings) -> str | None:
    try:
        return read_credential(settings)
    except NotJoined:
        return None


def _become_owner(state: Path) -> None:
    """Root can open what the service's user cannot, and would leave files that the service cannot replace."""
    if os.geteuid() != 0 or not state.is_dir() or (owner := state.stat()).st_uid == 0:
        return
    with contextlib.suppress(KeyError):
        os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)


async def _examined(settings: Settings, credential: str | None) -> list[Finding]:
    identity = _identity(settings)
    with _work(settings.state) as work:
        sandbox, because = await _sandbox(settings, work)
        async with _asked(settings, identity, credential) as (client, heard):
            return await examine(
                Subject(
                    settings=settings,
                    work=work,
                    sandbox=sandbox,
                    unconfined_because=because,
                    identity=identity,
                    client=client,
                    heard=heard,
                )
            )


def _identity(settings: Settings) -> Identity | None:
    try:
        return read_identity(settings)
    except NotJoined:
        return None


@contextmanager
def _work(state: Path) -> Iterator[Path]:
    """Where the work would lie; before a join, beside nothing of the agent's."""
    work = State(state).work
    if work.is_dir():
        yield work
    else:
        with tempfile.TemporaryDirectory(prefix="transcoder-doctor-") as elsewhere:
            yield Path(elsewhere)


async def _sandbox(settings: Settings, work: Path) -> tuple[Sandbox | None, str]:
    """The one that the agent chose or would choose; nothing of an agent that runs is cleared away."""
    try:
        is_alone = not State(settings.state).is_in_use
        return await choose(workspaces=work, insecure=settings.insecure_unconfined, is_alone=is_alone), ""
    except ConfinementError as error:
        return None, str(error)


@asynccontextmanager
async def _asked(
    settings: Settings, identity: Identity | None, credential: str | None
) -> AsyncIterator[tuple[ControlPlane | None, Heard]]:
    """The control plane, asked once for all checks."""
    if identity is None or credential is None:
        yield None, Heard(None)
        return
    async with ControlPlane(identity.url, credential, tls=trust(settings)) as client:
        try:
            heard = Heard(await client.check(), clock_skew=client.clock_skew)
        except (Unreachable, Revoked, ProtocolTooOld, TranscoderError, ssl.SSLError) as error:
            heard = Heard(None, error)
        yield client, heard
