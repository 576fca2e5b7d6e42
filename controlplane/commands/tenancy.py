"""transcoder tenants, keys"""

from __future__ import annotations

import click

from controlplane.commands import output
from controlplane.commands.client import Api, api_command


@click.group()
def tenants() -> None:
    """Accounts: for operators."""


@tenants.command()
@click.argument("name")
@click.option(
    "--weight", type=click.IntRange(1, 1000), default=1, show_default=True, help="Its share when tenants compete."
)
@click.option("--id", "tenant_id", help="Twelve digits: its account number. A random one by default.")
@output.format_option
@api_command
async def create(api: Api, name: str, weight: int, tenant_id: str | None, format_: str) -> None:
    """Make a tenant."""
    made = await api.call("POST", "/v1/tenants", {"name": name, "weight": weight, "id": tenant_id})
    output.made(made, format_)


@tenants.command("list")
@output.format_option
@api_command
async def list_tenants(api: Api, format_: str) -> None:
    """All tenants."""
    columns: dict[str, output.Show] = {
        "ID": lambda one: one["id"],
        "NAME": lambda one: one["name"],
        "QUEUED": lambda one: str(one["queued"]),
        "RUNNING": lambda one: str(one["running"]),
        "SUSPENDED": lambda one: one["suspended_at"] or "",
        "DOUBTED": lambda one: "yes" if one["is_doubted"] else "",
    }
    output.listed([tenant async for tenant in api.pages("/v1/tenants")], columns, format_)


@tenants.command("show")
@click.argument("tenant_id")
@output.always_json
@api_command
async def show_tenant(api: Api, tenant_id: str) -> None:
    """One tenant, as JSON."""
    output.document(await api.call("GET", f"/v1/tenants/{tenant_id}"))


@tenants.command("set")
@click.argument("tenant_id")
@click.option("--name", help="A new name for people.")
@click.option("--weight", type=click.IntRange(1, 1000), help="Its share when tenants compete.")
@click.option(
    "--priority-ceiling", type=click.IntRange(-50, 50), help="Up to which its priorities count against others."
)
@click.option(
    "--rate",
    "rates",
    multiple=True,
    metavar="KIND=CALLS",
    help="Calls per minute of create, start, stop, read, list (of each user) or cancel (of all); `default` undoes it.",
)
@output.always_json
@api_command
async def set_tenant(
    api: Api,
    tenant_id: str,
    name: str | None,
    weight: int | None,
    priority_ceiling: int | None,
    rates: tuple[str, ...],
) -> None:
    """Change a tenant; what is not named stays. Holds at once."""
    changes = {
        "name": name,
        "weight": weight,
        "priority_ceiling": priority_ceiling,
        "rates": dict(_rate(wish) for wish in rates),
    }
    output.document(await api.call("PATCH", f"/v1/tenants/{tenant_id}", changes))


def _rate(wish: str) -> tuple[str, int | None]:
    kind, _, calls = wish.partition("=")
    if calls != "default" and not calls.isdecimal():
        raise click.BadParameter(f"{wish!r} is not KIND=CALLS.", param_hint="--rate")
    return kind, None if calls == "default" else int(calls)


@tenants.command()
@click.argument("tenant_id")
@api_command
async def suspend(api: Api, tenant_id: str) -> None:
    """Let none of a tenant's keys in, start none of its jobs. What runs goes on."""
    await api.call("POST", f"/v1/tenants/{tenant_id}/suspend")


@tenants.command()
@click.argument("tenant_id")
@api_command
async def resume(api: Api, tenant_id: str) -> None:
    """Let a suspended tenant in again, and start its jobs."""
    await api.call("POST", f"/v1/tenants/{tenant_id}/resume")


@click.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@click.option("--tenant", "tenant_id", help="For operators: the tenant that the key is for.")
@click.option("--user", "user_id", help="Whom it is for; yourself, or the tenant's first admin, when not given.")
@click.option("--label", default="", help="What it is for.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="How long it is good; for ever by default.")
@click.option("--sigv4", is_flag=True, help="One that vendors' clients sign with, as lines for an environment.")
@output.format_option
@api_command
async def create_key(
    api: Api, tenant_id: str | None, user_id: str | None, label: str, days: float | None, sigv4: bool, format_: str
) -> None:
    """Make a key and print it: it is shown this once."""
    path = f"/v1/tenants/{tenant_id}/keys" if tenant_id else "/v1/keys"
    kind = "sigv4" if sigv4 else "bearer"
    wanted = {"kind": kind, "user_id": user_id, "label": label, "expires_in": days * 86_400 if days else None}
    made = await api.call("POST", path, wanted)
    if format_ == "json":
        output.document(made)
    elif sigv4:
        click.echo(f"AWS_ACCESS_KEY_ID={made['access_key_id']}\nAWS_SECRET_ACCESS_KEY={made['secret_access_key']}")
    else:
        click.echo(made["key"])


@keys.command("list")
@click.option("--user", "user_id", help="Only this user's.")
@output.format_option
@api_command
async def list_keys(api: Api, user_id: str | None, format_: str) -> None:
    """The tenant's keys; the operators' to an operator."""
    columns: dict[str, output.Show] = {
        "ID": lambda one: one["id"],
        "KIND": lambda one: one["kind"],
        "USER": lambda one: one["user_id"],
        "LABEL": lambda one: one["label"],
        "MADE": lambda one: one["created_at"],
        "EXPIRES": lambda one: one["expires_at"] or "",
        "REVOKED": lambda one: one["revoked_at"] or "",
    }
    output.listed([key async for key in api.pages("/v1/keys", user_id=user_id)], columns, format_)


@keys.command()
@click.argument("key_id")
@api_command
async def revoke(api: Api, key_id: str) -> None:
    """Refuse a key from now on."""
    await api.call("DELETE", f"/v1/keys/{key_id}")
