"""transcoder quotas, usage"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

import click

from controlplane.commands import output
from controlplane.commands.client import Api, api_command
from controlplane.domain.quota import OF_USERS, Quota

_tenant_option = click.option("--tenant", "tenant_id", help="For operators: the tenant that is meant.")
_day = click.DateTime(["%Y-%m-%d"])


@click.group()
def quotas() -> None:
    """What an account may have, and what is used of it."""


@quotas.command()
@_tenant_option
@click.option("--user", "user_id", help="What this user may have beside what its tenant may.")
@output.format_option
@api_command
async def show(api: Api, tenant_id: str | None, user_id: str | None, format_: str) -> None:
    """Every quota with its counter."""
    name = f"users/{user_id}/quotas" if user_id else "quotas"
    _show(await api.call("GET", _path(tenant_id, name)), format_)


@quotas.command("set")
@click.argument("tenant_id")
@click.argument("limits", nargs=-1, required=True, metavar="QUOTA=LIMIT...")
@output.format_option
@api_command
async def set_(api: Api, tenant_id: str, limits: tuple[str, ...], format_: str) -> None:
    """Change limits of a tenant. For operators.

    LIMIT is a number, `none` or `default`; quotas that are not named stay. Holds at once.
    """
    path = _path(tenant_id, "quotas")
    changed = dict(_limit(text) for text in limits)
    there = await api.call("GET", path)
    kept = {quota.value: there[quota]["limit"] for quota in Quota} | changed
    document = {name: limit for name, limit in kept.items() if limit != "default"}
    _show(await api.call("PUT", path, document), format_)


@quotas.command("set-user")
@_tenant_option
@click.argument("user_id")
@click.argument("limits", nargs=-1, required=True, metavar="QUOTA=LIMIT...")
@output.format_option
@api_command
async def set_user(api: Api, tenant_id: str | None, user_id: str, limits: tuple[str, ...], format_: str) -> None:
    """Limit a user further than its tenant.

    QUOTA is queued_jobs or running_jobs, LIMIT a number or `none`. Holds at once.
    """
    path = _path(tenant_id, f"users/{user_id}/quotas")
    there = await api.call("GET", path)
    changed = dict(_limit(text, OF_USERS) for text in limits)
    kept = {quota.value: there[quota]["limit"] for quota in OF_USERS} | changed
    document = {name: limit for name, limit in kept.items() if limit != "default"}
    _show(await api.call("PUT", path, document), format_)


@quotas.command()
@output.format_option
@api_command
async def check(api: Api, format_: str) -> None:
    """Recount, and show counters that are wrong. For operators.

    Exit code 1 when there are any.
    """
    found = (await api.call("GET", "/v1/drift"))["items"]
    _show_drift(found, format_)
    if found:
        raise click.exceptions.Exit(1)


@quotas.command()
@_tenant_option
@output.format_option
@api_command
async def repair(api: Api, tenant_id: str | None, format_: str) -> None:
    """Set wrong counters to a recount. For operators.

    Shows what was wrong.
    """
    _show_drift((await api.call("POST", "/v1/drift/repair", {"tenant_id": tenant_id}))["items"], format_)


def _show_drift(found: list[dict[str, Any]], format_: str) -> None:
    columns: dict[str, output.Show] = {
        "TENANT": lambda drift: drift["tenant_id"],
        "COUNTER": lambda drift: drift["counter"] + (f" of {drift['user_id']}" if drift["user_id"] else ""),
        "COUNTED": lambda drift: str(drift["counted"]),
        "FOUND": lambda drift: str(drift["found"]),
    }
    if not found and format_ == "table":
        click.echo("Every counter equals its recount.", err=True)
        return
    output.listed(found, columns, format_)


@click.command()
@_tenant_option
@click.option("--since", type=_day, help="The first day, in UTC; the first of the month by default.")
@click.option("--until", type=_day, help="The last day; today by default.")
@click.option(
    "-o",
    "--output",
    "format_",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="json: one document.",
)
@api_command
async def usage(
    api: Api, tenant_id: str | None, since: dt.datetime | None, until: dt.datetime | None, format_: str
) -> None:
    """What jobs came to, day by day."""
    days = {"since": since and since.date(), "until": until and until.date()}
    path = _path(tenant_id, "usage")
    if format_ == "csv":
        click.echo(await api.call("GET", path, format="csv", **days), nl=False)
        return
    found = await api.call("GET", path, **days)
    if format_ == "json":
        output.document(found)
        return
    columns: dict[str, output.Show] = {
        "DAY": lambda one: one["day"],
        "COMPLETE": lambda one: str(one["jobs_complete"]),
        "ERROR": lambda one: str(one["jobs_error"]),
        "CANCELED": lambda one: str(one["jobs_canceled"]),
        "OUTPUT MINUTES": lambda one: f"{one['output_minutes']:g}",
        "BYTES IN": lambda one: str(one["bytes_in"]),
        "BYTES OUT": lambda one: str(one["bytes_out"]),
        "ENCODER SECONDS": lambda one: f"{one['encoder_seconds']:g}",
    }
    output.listed([*found["items"], {**found["total"], "day": "total"}], columns, format_)


def _path(tenant_id: str | None, name: str) -> str:
    return f"/v1/tenants/{tenant_id}/{name}" if tenant_id else f"/v1/{name}"


def _limit(text: str, catalogue: Collection[Quota] = tuple(Quota)) -> tuple[str, float | int | str | None]:
    name, _, limit = text.partition("=")
    if name not in set(catalogue):
        there_are = f"There is no quota {name!r} here; there are {', '.join(catalogue)}."
        raise click.BadParameter(there_are, param_hint="QUOTA=LIMIT")
    if limit == "none":
        return name, None
    if limit == "default":
        return name, limit
    try:
        return name, int(limit) if name != Quota.OUTPUT_MINUTES else float(limit)
    except ValueError as error:
        raise click.BadParameter(f"{limit!r} is neither a number nor `none`.", param_hint=name) from error


def _show(found: dict[str, Any], format_: str) -> None:
    if format_ == "json":
        output.document(found)
        return
    columns: dict[str, output.Show] = {
        "QUOTA": lambda line: line[0].replace("_", " "),
        "USED": lambda line: "" if line[1]["used"] is None else f"{line[1]['used']:.10g}",
        "LIMIT": lambda line: "none" if line[1]["limit"] is None else f"{line[1]['limit']:.16g}",
    }
    lines = [(quota.value, found[quota]) for quota in Quota if quota in found]
    own = [
        (f"{name} of this user", line) for name, line in (found.get("user") or {}).items() if line["limit"] is not None
    ]
    output.listed(lines + own, columns, format_)
