"""transcoder clusters, transcoder nodes"""

from __future__ import annotations

import click

from controlplane.commands import output
from controlplane.commands.client import Api, api_command


@click.group()
def clusters() -> None:
    """Sites with nodes in them."""


@clusters.command()
@click.argument("cluster_id")
@click.option("--name", default="", help="For people.")
@output.format_option
@api_command
async def create(api: Api, cluster_id: str, name: str, format_: str) -> None:
    """Make a cluster."""
    made = await api.call("POST", "/v1/clusters", {"id": cluster_id, "name": name})
    output.document(made) if format_ == "json" else click.echo(made["id"])


@clusters.command("list")
@output.format_option
@api_command
async def list_clusters(api: Api, format_: str) -> None:
    """All clusters."""
    found = [cluster async for cluster in api.pages("/v1/clusters")]
    output.listed(found, {"ID": lambda one: one["id"], "NAME": lambda one: one["name"]}, format_)


@click.group()
def nodes() -> None:
    """Machines with an agent."""


@nodes.command("list")
@click.option("--cluster", "cluster_id")
@output.format_option
@api_command
async def list_nodes(api: Api, cluster_id: str | None, format_: str) -> None:
    """All nodes and what they can do."""
    found = [node async for node in api.pages("/v1/nodes", cluster_id=cluster_id)]
    columns: dict[str, output.Show] = {
        "ID": lambda node: node["id"],
        "NAME": lambda node: node["name"],
        "CLUSTER": lambda node: node["cluster_id"],
        "STATE": lambda node: node["state"],
        "THREADS": lambda node: str(node["facts"]["capacity"]["cpu_threads"]) if node["facts"] else "",
        "GPUS": lambda node: (
            ", ".join(gpu["name"] for gpu in node["facts"]["capacity"]["gpus"]) if node["facts"] else ""
        ),
        "CONFINEMENT": lambda node: node["facts"]["confinement"] if node["facts"] else "",
        "LAST SEEN": lambda node: node["last_seen_at"] or "never",
    }
    output.listed(found, columns, format_)


@nodes.command("join-token")
@click.argument("cluster_id")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE")
@output.format_option
@api_command
async def join_token(api: Api, cluster_id: str, labels: tuple[str, ...], format_: str) -> None:
    """A one-time token for `transcoder agent join`."""
    chosen = dict(label.partition("=")[::2] for label in labels)
    made = await api.call("POST", f"/v1/clusters/{cluster_id}/join-tokens", {"labels": chosen})
    output.document(made) if format_ == "json" else click.echo(made["token"])


@nodes.command()
@click.argument("node_id")
@api_command
async def drain(api: Api, node_id: str) -> None:
    """Give a node no new work; what runs goes on."""
    click.echo((await api.call("POST", f"/v1/nodes/{node_id}/drain"))["state"])


@nodes.command()
@click.argument("node_id")
@api_command
async def resume(api: Api, node_id: str) -> None:
    """Give a drained node work again."""
    click.echo((await api.call("POST", f"/v1/nodes/{node_id}/resume"))["state"])


@nodes.command()
@click.argument("node_id")
@api_command
async def revoke(api: Api, node_id: str) -> None:
    """Refuse a node's credential from now on. There is no way back: it joins anew."""
    await api.call("DELETE", f"/v1/nodes/{node_id}")
