"""Makes the control plane a service of this machine: its user, its unit, its secret. Needs root."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

PREFIX: Final = Path("/opt/edge-transcoder")
SECRET: Final = Path("/etc/transcoder/secret.key")
STATE: Final = Path("/var/lib/transcoder/controlplane")
UNITS: Final = Path("/etc/systemd/system")
USERS: Final = Path("/etc/sysusers.d/edge-transcoder.conf")

SERVICE: Final = "transcoder-controlplane.service"


class InstallationError(Exception):
    """The service could not be installed; nothing runs that did not run before."""


def install_controlplane() -> None:
    """Install and start the service; again for an upgrade. Returns when it serves."""
    if Path(sys.prefix) != PREFIX:
        raise InstallationError(
            f"The service runs what is installed in {PREFIX}: install it there first (./run install)."
        )
    source = Path(sys.prefix, "share/edge-transcoder/systemd")
    keep_secret(SECRET, STATE / SECRET.name)
    _run("systemd-sysusers", _copied(source / "sysusers.conf", USERS))
    _copied(source / SERVICE, UNITS / SERVICE)
    _run("systemctl", "daemon-reload")
    _run("systemctl", "enable", "--quiet", SERVICE)
    _run("systemctl", "restart", SERVICE)


def keep_secret(path: Path, earlier: Path) -> None:
    """What signs links and page tokens: the one that was used before, else a new one. Only root can read it."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    content = earlier.read_bytes() if earlier.exists() else secrets.token_bytes(32)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        os.fsync(file.fileno())


def _copied(source: Path, target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return str(target)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InstallationError(f"`{' '.join(argv)}` failed: {done.stderr.strip() or done.stdout.strip()}")
