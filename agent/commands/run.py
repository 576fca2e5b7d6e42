"""`transcoder agent run`: what the service runs. Nothing on standard output; events go to standard error."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click
import structlog
import uvloop

from agent.app import Agent, Shutdown
from agent.capacity.ffmpeg import NoFfmpeg
from agent.client import ControlPlane
from agent.commands.group import ExitCode, agent, config_option, read_settings, refusal, state_option, trust
from agent.identity import NotJoined, read_credential, read_identity
from agent.loops.orders import Superseded
from agent.loops.watchdog import Notifier
from agent.refusals import ProtocolTooOld, Revoked
from agent.sandbox import ConfinementError
from agent.sandbox.choice import choose
from agent.settings import Settings
from agent.state import State, StateInUse
from shared.errors import TranscoderError
from shared.logs import log_to_stderr

log = structlog.get_logger()


@agent.command(
    help="Work for the control plane that was joined.\n\nUntil TERM or INT: the first drains, the second stops."
)
@click.option("--url", help="The control plane, when it moved since `join`.")
@click.option(
    "--ca-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Authorities to trust (PEM)."
)
@click.option(
    "--insecure-unconfined", is_flag=True, default=None, help="Run ffmpeg without a sandbox where none works."
)
@state_option
@config_option
def run(
    url: str | None, ca_file: Path | None, insecure_unconfined: bool | None, state: Path | None, config: Path
) -> None:
    log_to_stderr()
    arguments = {"url": url, "ca_file": ca_file, "insecure_unconfined": insecure_unconfined, "state": state}
    settings = read_settings(config, **arguments)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings))
    except Exception as error:
        refused = _refused(list(_causes(error)))
        if refused is None:
            raise
        raise refused from error


async def _run(settings: Settings) -> None:
    """The signals are listened to from the very beginning."""
    shutdown = Shutdown()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, shutdown.ask)
    identity, credential = read_identity(settings), read_credential(settings)
    settings = settings.model_copy(update={"labels": {**identity.labels, **settings.labels}})
    structlog.contextvars.bind_contextvars(node_id=identity.node_id)
    log.info("agent.starting", url=identity.url, state=str(settings.state))
    with State(settings.state).claimed() as state:
        await Agent(
            settings=settings,
            state=state,
            client=ControlPlane(identity.url, credential, tls=trust(settings)),
            sandbox=await choose(workspaces=state.work, insecure=settings.insecure_unconfined),
            notifier=Notifier(os.environ.get("NOTIFY_SOCKET")),
            watchdog_every=_watchdog_every(os.environ.get("WATCHDOG_USEC")),
        ).run(shutdown)


def _watchdog_every(microseconds: str | None) -> float | None:
    return int(microseconds) / 1e6 if microseconds else None


def _refused(causes: Sequence[BaseException]) -> click.ClickException | None:
    """What ends the agent in a sentence, with the exit code by which systemd knows whether to start it again.

    None for what nobody expected. Not with `except*`: Debian 12's Python (3.11.2) wraps what is raised there in a group, which
    click lets through.
    """
    if not all(isinstance(cause, _EXPECTED) for cause in causes):
        return None
    return next(
        refusal(sentence.format(cause), code)
        for kind, sentence, code in _ENDS
        for cause in causes
        if isinstance(cause, kind)
    )


_ENDS: Final[tuple[tuple[type[Exception], str, ExitCode], ...]] = (
    (Revoked, "This node was revoked: {}", ExitCode.REVOKED),
    (ProtocolTooOld, "This agent must be upgraded: {}", ExitCode.PROTOCOL_TOO_OLD),
    (NotJoined, "{}", ExitCode.MISCONFIGURED),
    *((kind, "{}", ExitCode.FAILURE) for kind in (ConfinementError, NoFfmpeg, StateInUse, Superseded, TranscoderError)),
)
"""Of several at once the first that stands here is told."""
_EXPECTED: Final = tuple(kind for kind, _, _ in _ENDS)


def _causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _causes(one)
    else:
        yield error
