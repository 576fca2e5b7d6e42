"""transcoder webhooks, topics"""

from __future__ import annotations

from typing import Any

import click

from controlplane.commands import output
from controlplane.commands.client import Api, api_command
from controlplane.domain.notifications import DeliveryState, Happening

_on = click.option(
    "--on",
    "types",
    multiple=True,
    type=click.Choice([happening.value for happening in Happening]),
    help="What it is told of. Repeatable.",
)
_address = click.argument("address", metavar="URL")
"""Not `url`, which is the service's own."""


@click.group()
def webhooks() -> None:
    """Addresses of your own that are told what happens to your jobs."""


@webhooks.command("add")
@_address
@_on
@click.option("--description", default="", help="A line for yourself.")
@output.format_option
@api_command
async def add_webhook(api: Api, address: str, types: tuple[str, ...], description: str, format_: str) -> None:
    """Be told at URL of what happens to jobs.

    Of everything, unless --on says of what. Its secret is printed once: messages are signed with it.
    """
    wanted: dict[str, Any] = {"url": address, "description": description} | ({"types": list(types)} if types else {})
    _new_secret(await api.call("POST", "/v1/webhooks", wanted), format_)


@webhooks.command("list")
@output.format_option
@api_command
async def list_webhooks(api: Api, format_: str) -> None:
    """All webhooks."""
    columns: dict[str, output.Show] = {
        "ID": lambda one: one["id"],
        "URL": lambda one: one["url"],
        "STATUS": lambda one: one["status"],
        "ON": lambda one: "everything" if len(one["types"]) == len(Happening) else ", ".join(one["types"]),
        "DESCRIPTION": lambda one: one["reason"] or one["description"],
    }
    output.listed([webhook async for webhook in api.pages("/v1/webhooks")], columns, format_)


@webhooks.command("show")
@click.argument("webhook_id")
@output.always_json
@api_command
async def show_webhook(api: Api, webhook_id: str) -> None:
    """One webhook, as JSON."""
    output.document(await api.call("GET", f"/v1/webhooks/{webhook_id}"))


@webhooks.command("set")
@click.argument("webhook_id")
@click.option("--address", metavar="URL", help="Where it is told from now on.")
@_on
@click.option("--description", help="A line for yourself.")
@click.option("--enable/--disable", default=None, help="While it is disabled nothing is sent to it.")
@output.always_json
@api_command
async def set_webhook(
    api: Api, webhook_id: str, address: str | None, types: tuple[str, ...], description: str | None, enable: bool | None
) -> None:
    """Change a webhook; what is not named stays."""
    status = None if enable is None else "Active" if enable else "Disabled"
    wanted = {"url": address, "types": list(types) or None, "description": description, "status": status}
    given = {name: value for name, value in wanted.items() if value is not None}
    output.document(await api.call("PATCH", f"/v1/webhooks/{webhook_id}", given))


@webhooks.command("rotate")
@click.argument("webhook_id")
@click.option("--keep-old-for", type=float, default=86_400.0, show_default=True, help="Seconds.")
@output.format_option
@api_command
async def rotate_webhook(api: Api, webhook_id: str, keep_old_for: float, format_: str) -> None:
    """Make a new secret and print it.

    For a while messages are signed with the old one too.
    """
    _new_secret(await api.call("POST", f"/v1/webhooks/{webhook_id}/rotate", {"keep_old_for": keep_old_for}), format_)


@webhooks.command("test")
@click.argument("webhook_id")
@api_command
async def test_webhook(api: Api, webhook_id: str) -> None:
    """Send a message without news; `deliveries` tells how that went."""
    click.echo((await api.call("POST", f"/v1/webhooks/{webhook_id}/test"))["id"])


@webhooks.command("delete")
@click.argument("webhook_id")
@api_command
async def delete_webhook(api: Api, webhook_id: str) -> None:
    """Delete a webhook, and what waits for it."""
    await api.call("DELETE", f"/v1/webhooks/{webhook_id}")


@click.group()
def topics() -> None:
    """What is behind the topics that pipelines tell: for operators."""


@topics.command("add")
@click.argument("arn")
@_address
@click.option("--tenant", "tenant_id", help="Whose pipelines tell it; by default the account in the ARN.")
@click.option("--confirmed", is_flag=True, help="Do not wait for the endpoint to confirm.")
@output.format_option
@api_command
async def add_topic(api: Api, arn: str, address: str, tenant_id: str | None, confirmed: bool, format_: str) -> None:
    """Put an endpoint behind a topic.

    What pipelines tell the topic ARN is sent to URL, once that has confirmed.
    """
    made = await api.call("POST", "/v1/topics", {"arn": arn, "url": address, "tenant_id": tenant_id})
    if confirmed:
        made = await api.call("POST", f"/v1/topics/{made['id']}/confirm")
    output.made(made, format_)


@topics.command("list")
@output.format_option
@api_command
async def list_topics(api: Api, format_: str) -> None:
    """Everything that is behind topics."""
    columns: dict[str, output.Show] = {
        "ID": lambda one: one["id"],
        "TOPIC": lambda one: one["arn"],
        "TENANT": lambda one: one["tenant_id"],
        "URL": lambda one: one["url"],
        "STATUS": lambda one: one["status"],
    }
    output.listed([topic async for topic in api.pages("/v1/topics")], columns, format_)


@topics.command("show")
@click.argument("topic_id")
@output.always_json
@api_command
async def show_topic(api: Api, topic_id: str) -> None:
    """One endpoint behind a topic, as JSON."""
    output.document(await api.call("GET", f"/v1/topics/{topic_id}"))


@topics.command("confirm")
@click.argument("topic_id")
@api_command
async def confirm_topic(api: Api, topic_id: str) -> None:
    """Confirm for the endpoint."""
    await api.call("POST", f"/v1/topics/{topic_id}/confirm")


@topics.command("ask")
@click.argument("topic_id")
@api_command
async def ask_topic(api: Api, topic_id: str) -> None:
    """Ask the endpoint to confirm once more."""
    await api.call("POST", f"/v1/topics/{topic_id}/ask")


@topics.command("delete")
@click.argument("topic_id")
@api_command
async def delete_topic(api: Api, topic_id: str) -> None:
    """Take an endpoint away from behind its topic."""
    await api.call("DELETE", f"/v1/topics/{topic_id}")


def _add_deliveries(group: click.Group, endpoint: str) -> None:
    """Webhooks and what is behind topics are told in the same way."""
    named = click.argument("endpoint_id", metavar=f"{endpoint.upper()}_ID")

    @group.command()
    @named
    @click.option(
        "--state", type=click.Choice([state.value for state in DeliveryState]), help="Those in this state alone."
    )
    @output.format_option
    @api_command
    async def deliveries(api: Api, endpoint_id: str, state: str | None, format_: str) -> None:
        """What it was sent, newest first, and how that went."""
        columns: dict[str, output.Show] = {
            "ID": lambda one: one["id"],
            "AT": lambda one: one["at"],
            "TYPE": lambda one: one["type"],
            "JOB": lambda one: one["job_id"] or "",
            "STATE": lambda one: one["state"],
            "TRIES": lambda one: str(len(one["attempts"])),
            "LAST": lambda one: _outcome(one["attempts"]),
        }
        sent = api.pages(f"/v1/{endpoint}s/{endpoint_id}/deliveries", state=state)
        output.listed([delivery async for delivery in sent], columns, format_)

    @group.command()
    @named
    @click.argument("delivery_id")
    @api_command
    async def redeliver(api: Api, endpoint_id: str, delivery_id: str) -> None:
        """Send a message once more, under the same id."""
        await api.call("POST", f"/v1/{endpoint}s/{endpoint_id}/deliveries/{delivery_id}/redeliver")


_add_deliveries(webhooks, "webhook")
_add_deliveries(topics, "topic")


def _new_secret(webhook: dict[str, Any], format_: str) -> None:
    if format_ == "json":
        output.document(webhook)
    else:
        output.pairs([("Webhook", webhook["id"]), ("Secret", webhook["secret"])])


def _outcome(attempts: list[dict[str, Any]]) -> str:
    return "" if not attempts else str(attempts[-1]["status"] or attempts[-1]["error"])
