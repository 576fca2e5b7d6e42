"""`transcoder agent status`: who this node is, whether it runs and is heard, what it can and what it does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Literal

import click
from pydantic import ValidationError
from rich.table import Table

from agent.client import CLOCK_ALARM, ControlPlane, is_reachable
from agent.commands.group import (
    ExitCode,
    agent,
    config_option,
    output_option,
    read_settings,
    refusal,
    state_option,
    trust,
)
from agent.identity import Identity, NotJoined, read_credential, read_identity
from agent.jobs.journal import Journal
from agent.refusals import ProtocolTooOld, Revoked, Unreachable
from agent.settings import Settings
from agent.state import State
from shared.capacity import NodeFacts
from shared.errors import TranscoderError
from shared.terminal import console


@agent.command(help="Show this node. Exits with 1 when the agent does not run or the control plane is out of reach.")
@output_option
@state_option
@config_option
def status(output: Literal["table", "json"], state: Path | None, config: Path) -> None:
    settings = read_settings(config, state=state)
    seen = look(settings)
    click.echo(json.dumps(seen, indent=2)) if output == "json" else show(seen)
    if not (seen["is_running"] and seen["is_reachable"]):
        raise click.exceptions.Exit(ExitCode.FAILURE)


def look(settings: Settings) -> dict[str, Any]:
    state = State(settings.state)
    try:
        identity = read_identity(settings)
    except NotJoined as error:
        raise refusal(str(error), ExitCode.MISCONFIGURED) from error
    facts = _facts(state.facts)
    return {
        "node_id": identity.node_id,
        "cluster_id": identity.cluster_id,
        "url": identity.url,
        "is_running": state.is_in_use,
        "labels": {**identity.labels, **settings.labels},
        **asyncio.run(_asked(settings, identity)),
        "facts": facts.model_dump(mode="json") if facts else None,
        "running": [
            {
                "job_id": entry.job_id,
                "task_id": entry.ref.task_id,
                "attempt": entry.ref.attempt,
                "since_ms": entry.since_ms,
            }
            for entry in Journal(state.journal).entries()
        ],
        "unreported": len(list(state.outbox.glob("*.json"))),
    }


async def _asked(settings: Settings, identity: Identity) -> dict[str, Any]:
    """What the control plane says of this node. Whoever may not read its credential hears only whether it is there."""
    nothing = {"is_reachable": False, "state": None, "clock_skew": None}
    try:
        credential = read_credential(settings)
    except NotJoined:
        return nothing | {"is_reachable": await is_reachable(identity.url, tls=trust(settings))}
    try:
        async with ControlPlane(identity.url, credential, tls=trust(settings)) as client:
            answer = await client.check()
    except Unreachable:
        return nothing
    except Revoked:
        return nothing | {"is_reachable": True, "state": "Revoked"}
    except (ProtocolTooOld, TranscoderError) as error:
        return nothing | {"is_reachable": True, "state": str(error)}
    return {
        "is_reachable": True,
        "state": answer.state,
        "clock_skew": client.clock_skew,
        "labels": answer.labels,
    }


def show(seen: dict[str, Any]) -> None:
    """The same for people; from the facts only what one asks for first."""
    table = Table(show_header=False, box=None)
    table.add_row("node", f"{seen['node_id']} in {seen['cluster_id']}")
    table.add_row("agent", "running" if seen["is_running"] else "not running")
    table.add_row("control plane", f"{seen['url']} ({'reachable' if seen['is_reachable'] else 'out of reach'})")
    if seen["state"]:
        table.add_row("state", seen["state"])
    if seen["clock_skew"] is not None:
        late = "" if abs(seen["clock_skew"]) <= CLOCK_ALARM else "  (synchronise this machine's clock)"
        table.add_row("clock", f"{seen['clock_skew']:+.1f} s to the control plane's{late}")
    if seen["labels"]:
        table.add_row("labels", ", ".join(f"{key}={value}" for key, value in sorted(seen["labels"].items())))
    if facts := seen["facts"]:
        capacity = facts["capacity"]
        table.add_row("capacity", f"{capacity['cpu_threads']} threads, {_gib(capacity['memory'])} memory, "
                                  f"{_gib(capacity['scratch'])} scratch")  # fmt: skip
        table.add_row("ffmpeg", f"{facts['ffmpeg_version']}, confined by {facts['confinement']}")
        for gpu in capacity["gpus"]:
            what = f"{', '.join(gpu['encoders']) or 'no encoder'}, {gpu['sessions']} sessions"
            table.add_row(f"gpu {gpu['index']}", f"{gpu['name']} at {gpu['pci']}: {what}")
        if capacity["shared_nvenc_sessions"] is not None:
            table.add_row("gpus", f"{capacity['shared_nvenc_sessions']} sessions together on consumer cards")
        if facts["gpu_note"]:
            table.add_row("gpu", facts["gpu_note"])
    for attempt in seen["running"]:
        table.add_row("works on", f"job {attempt['job_id']}, attempt {attempt['attempt']}")
    if seen["unreported"]:
        table.add_row("waiting reports", str(seen["unreported"]))
    console().print(table)


def _facts(path: Path) -> NodeFacts | None:
    try:
        return NodeFacts.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
