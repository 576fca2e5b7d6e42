"""Makes a joined agent a service of this machine: its user, its units, its credential. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from agent.files import remove_durably, write_durably
from agent.identity import CREDENTIAL
from agent.settings import STATE

PREFIX: Final = Path("/opt/edge-transcoder")
CONFIGURATION: Final = Path("/etc/transcoder")
UNITS: Final = Path("/etc/systemd/system")
USERS: Final = Path("/etc/sysusers.d/edge-transcoder.conf")

SERVICE: Final = "transcoder-agent.service"
_UNIT_FILES: Final = (SERVICE, "transcoder-encode@.service", "transcoder-encode@.socket")
GPU_DROP_INS: Final = {
    "gpu-agent.conf": f"{SERVICE}.d/gpu.conf",
    "gpu-encode.conf": "transcoder-encode@.service.d/gpu.conf",
}
_FEWEST_SLOTS: Final = 4
_MOST_SLOTS: Final = 32


class InstallationError(Exception):
    """The service could not be installed; nothing runs that did not run before."""


def is_booted() -> bool:
    """Whether systemd runs this machine: what sd_booted(3) looks at."""
    return Path("/run/systemd/system").is_dir()


def install_agent(state: Path = STATE) -> None:
    """Install and start the service for the identity in `state`; again for an upgrade or a new identity."""
    require_installable(state)
    source = Path(sys.prefix, "share/edge-transcoder/systemd")
    hide_credential(state, CONFIGURATION)
    _run("systemd-sysusers", _copied(source / "sysusers.conf", USERS))
    write_units(source, UNITS, has_gpu=Path("/dev/nvidiactl").exists())
    _run("systemctl", "daemon-reload")
    _run("systemctl", "enable", "--quiet", SERVICE, *instances(slots(os.cpu_count() or 1)))
    _run("systemctl", "restart", SERVICE)


def require_installable(state: Path) -> None:
    """Raises InstallationError, having changed nothing."""
    if Path(sys.prefix) != PREFIX:
        raise InstallationError(
            f"The service runs what is installed in {PREFIX}: install it there first (./run install)."
        )
    if state != STATE:
        raise InstallationError(f"The service keeps its state in {STATE}: join without --state, or with --no-service.")


def slots(processors: int) -> int:
    """How many encode units stand ready: more than there can be work, so that one that starts anew is not waited for."""
    return max(_FEWEST_SLOTS, min(processors + 2, _MOST_SLOTS))


def instances(count: int) -> list[str]:
    return [f"transcoder-encode@{slot:02}.{kind}" for slot in range(count) for kind in ("socket", "service")]


def write_units(source: Path, units: Path, *, has_gpu: bool) -> None:
    """The unit files, and what a card needs where there is one."""
    for name in _UNIT_FILES:
        _copied(source / name, units / name)
    for name, target in GPU_DROP_INS.items():
        if has_gpu:
            _copied(source / name, units / target)
        else:
            (units / target).unlink(missing_ok=True)


def hide_credential(state: Path, configuration: Path) -> None:
    """Only root can read it from now on; systemd hands it to the service."""
    fresh = state / CREDENTIAL
    if fresh.exists():
        configuration.mkdir(parents=True, exist_ok=True)
        write_durably(configuration / CREDENTIAL, fresh.read_bytes())
        remove_durably(fresh)


def _copied(source: Path, target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return str(target)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InstallationError(f"`{' '.join(argv)}` failed: {done.stderr.strip() or done.stdout.strip()}")
