"""transcoder clusters, transcoder nodes"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import click

from controlplane.commands import output
from controlplane.commands.client import Api, api_command

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at a node that is waited for."""


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
    output.made(made, format_)


@clusters.command("list")
@output.format_option
@api_command
async def list_clusters(api: Api, format_: str) -> None:
    """All clusters."""
    found = [cluster async for cluster in api.pages("/v1/clusters")]
    columns: dict[str, output.Show] = {
        "ID": lambda one: one["id"],
        "NAME": lambda one: one["name"],
        "STATUS": lambda one: one["status"],
    }
    output.listed(found, columns, format_)


@clusters.command("delete")
@click.argument("cluster_id")
@api_command
async def delete_cluster(api: Api, cluster_id: str) -> None:
    """Delete a cluster without nodes."""
    await api.call("DELETE", f"/v1/clusters/{cluster_id}")


@clusters.command("pause")
@click.argument("cluster_id")
@api_command
async def pause_cluster(api: Api, cluster_id: str) -> None:
    """Start nothing new in a cluster; what runs goes on."""
    click.echo((await api.call("POST", f"/v1/clusters/{cluster_id}/pause"))["status"])


@clusters.command("resume")
@click.argument("cluster_id")
@api_command
async def resume_cluster(api: Api, cluster_id: str) -> None:
    """Start work in a cluster again."""
    click.echo((await api.call("POST", f"/v1/clusters/{cluster_id}/resume"))["status"])


@click.group()
def nodes() -> None:
    """Machines with an agent."""


@nodes.command("list")
@click.option("--cluster", "cluster_id", help="Only nodes of this cluster.")
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
        "RUNNING": lambda node: str(node["running"]),
        "TRUST": lambda node: node["trust"],
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
@click.option(
    "--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label of the node that joins. Repeatable."
)
@output.format_option
@api_command
async def join_token(api: Api, cluster_id: str, labels: tuple[str, ...], format_: str) -> None:
    """A one-time token for `transcoder agent join`."""
    chosen = dict(map(_label, labels))
    made = await api.call("POST", f"/v1/clusters/{cluster_id}/join-tokens", {"labels": chosen})
    output.made(made, format_, shown="token")


@nodes.command()
@click.argument("node_id")
@output.format_option
@api_command
async def events(api: Api, node_id: str, format_: str) -> None:
    """What happened to a node.

    Starts, faults, when it was set aside or trusted again, clones.
    """
    found = (await api.call("GET", f"/v1/nodes/{node_id}/events"))["items"]
    columns: dict[str, output.Show] = {
        "AT": lambda event: event["at"],
        "WHAT": lambda event: event["type"],
        "DETAILS": lambda event: ", ".join(f"{name}: {value}" for name, value in event["data"].items()),
    }
    output.listed(found, columns, format_)


@nodes.command()
@click.argument("node_id")
@output.format_option
@api_command
async def show(api: Api, node_id: str, format_: str) -> None:
    """What a node is, what it has and what is left of it."""
    _show(await api.call("GET", f"/v1/nodes/{node_id}"), format_)


@nodes.command()
@click.argument("node_id")
@click.option("--wait", is_flag=True, help="Until nothing runs on it.")
@api_command
async def drain(api: Api, node_id: str, wait: bool) -> None:
    """Give a node no new work; what runs goes on."""
    node = await api.call("POST", f"/v1/nodes/{node_id}/drain")
    while wait and node["state"] == "Draining":
        await asyncio.sleep(LOOK_EVERY)
        node = await api.call("GET", f"/v1/nodes/{node_id}")
    click.echo(node["state"])


@nodes.command()
@click.argument("node_id")
@api_command
async def resume(api: Api, node_id: str) -> None:
    """Give a drained node work again."""
    click.echo((await api.call("POST", f"/v1/nodes/{node_id}/resume"))["state"])


@nodes.command()
@click.argument("node_id")
@api_command
async def reprobe(api: Api, node_id: str) -> None:
    """Have a node find out anew what it can do.

    After a new card or driver, say. It does so once nothing runs on it.
    """
    node = await api.call("POST", f"/v1/nodes/{node_id}/reprobe")
    click.echo(f"{node['state']}, {node['running']} to end before it probes")


@nodes.command()
@click.argument("node_id")
@click.argument("changes", nargs=-1, metavar="KEY=VALUE|KEY-...")
@click.option("--name", help="A new name for people.")
@output.format_option
@api_command
async def label(api: Api, node_id: str, changes: tuple[str, ...], name: str | None, format_: str) -> None:
    """Put labels on a node (KEY=VALUE), or take them off (KEY-)."""
    document = {"name": name, "labels": dict(map(_change, changes))}
    _show(await api.call("PATCH", f"/v1/nodes/{node_id}", document), format_)


@nodes.command()
@click.argument("node_id")
@api_command
async def revoke(api: Api, node_id: str) -> None:
    """Refuse a node's credential, for good.

    What it runs goes to other nodes. There is no way back: the machine joins anew.
    """
    await api.call("DELETE", f"/v1/nodes/{node_id}")


def _label(text: str) -> tuple[str, str]:
    key, is_put_on, value = text.partition("=")
    if not is_put_on:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--label")
    return key, value


def _change(text: str) -> tuple[str, str | None]:
    key, is_put_on, value = text.partition("=")
    if is_put_on:
        return key, value
    if not key.endswith("-"):
        raise click.BadParameter(f"{text!r} is neither KEY=VALUE nor KEY-", param_hint="changes")
    return key.removesuffix("-"), None


def _show(node: dict[str, Any], format_: str) -> None:
    if format_ == "json":
        output.document(node)
        return
    facts, free = node["facts"] or {}, node["free"] or {}
    capacity = facts.get("capacity", {})
    output.pairs(
        [
            ("Node", node["id"]),
            ("Name", node["name"]),
            ("Cluster", node["cluster_id"]),
            ("State", node["state"]),
            ("Running", str(node["running"])),
            ("Probes again", "once nothing runs" if node["is_to_reprobe"] else None),
            ("Labels", " ".join(f"{key}={value}" for key, value in sorted(node["labels"].items()))),
            ("Last seen", node["last_seen_at"] or "never"),
            ("System", facts.get("os")),
            ("Processor", facts.get("cpu_model")),
            ("Threads", _of(free, capacity, "cpu_threads", 1, "")),
            ("Memory", _of(free, capacity, "memory", 1 << 30, " GiB")),
            ("Scratch", _of(free, capacity, "scratch", 1 << 30, " GiB")),
            *(
                ("Card", f"{gpu['index']}: {gpu['name']}, {gpu['sessions']} sessions")
                for gpu in capacity.get("gpus", [])
            ),
            ("Cards", facts.get("gpu_note")),
            ("ffmpeg", facts.get("ffmpeg_version")),
            ("Confinement", facts.get("confinement")),
        ]
    )


def _of(free: dict[str, Any], capacity: dict[str, Any], name: str, unit: int, suffix: str) -> str | None:
    if name not in capacity:
        return None
    whole = f"{capacity[name] / unit:.4g}{suffix}"
    return f"{free[name] / unit:.4g} of {whole} free" if name in free else whole
