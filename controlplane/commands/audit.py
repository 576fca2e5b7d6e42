"""transcoder audit: who did what, and whether the log is as it was written."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from controlplane import backup
from controlplane.commands import output
from controlplane.commands.client import Api, api_command
from controlplane.commands.configured import config_option, settings_before_tls, state_option
from controlplane.domain.auditing import Seal, Verdict
from controlplane.services.audit import verify
from controlplane.store.beside import Beside
from controlplane.store.port import Reader
from controlplane.store.postgres import PostgresStore
from shared.errors import TranscoderError


@click.group()
def audit() -> None:
    """Who did what."""


@audit.command("list")
@click.option("--tenant", "tenant_id", help="For operators: what was done to this tenant.")
@click.option("--user", "user_id", help="What this user did.")
@click.option("--action", help="An operation of the API, like create_job.")
@click.option("--object", "object_", help="What it was done to, as it stands in the log.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Rows, newest first.")
@output.format_option
@api_command
async def list_audit(
    api: Api,
    tenant_id: str | None,
    user_id: str | None,
    action: str | None,
    object_: str | None,
    limit: int,
    format_: str,
) -> None:
    """The audit log, newest first."""
    wanted = {"tenant_id": tenant_id, "user_id": user_id, "action": action, "object": object_}
    found = []
    async for deed in api.pages("/v1/audit", page_size=min(limit, 200), **wanted):
        found.append(deed)
        if len(found) == limit:
            break
    columns: dict[str, output.Show] = {
        "AT": lambda deed: deed["at"],
        "USER": lambda deed: deed["user_id"],
        "ROLE": lambda deed: deed["role"],
        "TENANT": lambda deed: deed["tenant_id"] or "",
        "FROM": lambda deed: deed["address"],
        "ACTION": lambda deed: deed["action"],
        "OBJECT": lambda deed: deed["object"],
        "REQUEST": lambda deed: deed["request_id"],
    }
    output.listed(found, columns, format_)


@audit.command("verify")
@config_option
@state_option
@click.option(
    "--database",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A SQLite file, of a backup say, instead of the service's own.",
)
@click.option(
    "--head", "heads", multiple=True, metavar="ID:HASH", help="From an `audit.head` line of the service's log."
)
@output.format_option
def verify_log(
    config: Path | None, state: Path | None, database: Path | None, heads: tuple[str, ...], format_: str
) -> None:
    """Check that nothing in the log was tampered with.

    Goes through the whole log, in the database itself and beside the service, for rows that were changed, taken away or put in.
    Somebody who can write the database could make the whole log anew; only a head that was kept elsewhere, in the service's log,
    shows that. Exit code 1: something is wrong.
    """
    known = [_head(text) for text in heads]
    try:
        verdict = asyncio.run(_verified(config, state, database, known))
    except (TranscoderError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if format_ == "json":
        document = {"rows": verdict.rows, "unsealed": verdict.unsealed, "head": str(verdict.head)}
        output.document({**document, "faults": verdict.faults})
    else:
        for fault in verdict.faults:
            click.echo(fault, err=True)
        click.echo(f"{verdict.rows} rows, {verdict.unsealed} of them not sealed yet; head {verdict.head}")
    if verdict.faults:
        raise click.exceptions.Exit(1)


def _head(text: str) -> Seal:
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != 64:
        raise click.BadParameter(f"{text!r} is not ID:HASH", param_hint="--head")
    return Seal(int(number), digest)


async def _verified(config: Path | None, state: Path | None, database: Path | None, known: list[Seal]) -> Verdict:
    if database is not None:
        return await _verify(Beside(database), known)
    chosen = settings_before_tls(config, state)
    if chosen.database is not None:
        return await _verify(await PostgresStore.open(chosen.database.get_secret_value()), known)
    with backup.acting_as_owner(chosen.state):
        return await _verify(Beside(chosen.state / backup.DATABASE), known)


async def _verify(reader: Reader, known: list[Seal]) -> Verdict:
    try:
        return await verify(reader, known)
    finally:
        await reader.close()
