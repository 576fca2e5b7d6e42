"""transcoder users"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from controlplane.commands import output
from controlplane.commands.client import Api, api_command

_role = click.option(
    "--role",
    type=click.Choice(["tenant_admin", "tenant_user", "read_only"]),
    help="What it may do at most. A new user of a tenant is a tenant_user.",
)
_allow = click.option(
    "--allow",
    "statements",
    multiple=True,
    metavar="ACTIONS@RESOURCES",
    help="Narrow the role to this, e.g. 'jobs:start,jobs:read@cluster/paris-1'; may be given several times.",
)


@click.group()
def users() -> None:
    """Who may call for a tenant; to operators, the operators."""


@users.command()
@click.argument("name")
@_role
@_allow
@output.format_option
@api_command
async def create(api: Api, name: str, role: str | None, statements: tuple[str, ...], format_: str) -> None:
    """Make a user. A key is the next step: `transcoder keys create --user ID`."""
    wanted = {"name": name, "role": role, "permissions": _permissions(statements)}
    made = await api.call("POST", "/v1/users", wanted)
    output.made(made, format_)


@users.command("list")
@click.option("--tenant", "tenant_id", help="For operators: the tenant whose users are meant.")
@output.format_option
@api_command
async def list_users(api: Api, tenant_id: str | None, format_: str) -> None:
    """All users."""
    path = f"/v1/tenants/{tenant_id}/users" if tenant_id else "/v1/users"
    columns: dict[str, output.Show] = {
        "ID": lambda one: one["id"],
        "NAME": lambda one: one["name"],
        "ROLE": lambda one: one["role"],
        "ALLOWED": lambda one: "; ".join(map(_shown, one["permissions"])) or "all of the role",
    }
    output.listed([user async for user in api.pages(path)], columns, format_)


@users.command()
@click.argument("user_id")
@output.always_json
@api_command
async def show(api: Api, user_id: str) -> None:
    """One user, as JSON."""
    output.document(await api.call("GET", f"/v1/users/{user_id}"))


@users.command("set")
@click.argument("user_id")
@click.option("--name", help="A new name for people.")
@_role
@_allow
@click.option("--allow-all", is_flag=True, help="All that the role allows.")
@output.always_json
@api_command
async def set_user(
    api: Api, user_id: str, name: str | None, role: str | None, statements: tuple[str, ...], allow_all: bool
) -> None:
    """Change a user; what is not named stays. Holds at once."""
    if statements and allow_all:
        raise click.UsageError("--allow and --allow-all exclude each other.")
    permissions = _permissions(statements) if statements or allow_all else None
    output.document(
        await api.call("PATCH", f"/v1/users/{user_id}", {"name": name, "role": role, "permissions": permissions})
    )


@users.command()
@click.argument("user_id")
@api_command
async def delete(api: Api, user_id: str) -> None:
    """Delete a user and its keys; its jobs stay."""
    await api.call("DELETE", f"/v1/users/{user_id}")


def _permissions(statements: Sequence[str]) -> list[dict[str, list[str]]]:
    return [_permission(statement) for statement in statements]


def _permission(statement: str) -> dict[str, list[str]]:
    actions, at, resources = statement.partition("@")
    if not (actions and at and resources):
        raise click.BadParameter(f"{statement!r} is not ACTIONS@RESOURCES.", param_hint="--allow")
    return {"actions": actions.split(","), "resources": resources.split(",")}


def _shown(permission: dict[str, Any]) -> str:
    return f"{','.join(permission['actions'])}@{','.join(permission['resources'])}"
