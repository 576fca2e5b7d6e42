"""Vendors' clients for tests that cannot stand beside the test extra: installed apart, checked, kept outside of version control.

The test extra has the last boto3 and AWS CLI that carry Elastic Transcoder's model. Here are a boto3 without it, and the SDK for
JavaScript. Several processes may ask at once: one installs, the others wait for it.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from tests.needs import needs

CACHE: Final = Path(__file__).resolve().parents[1] / ".cache" / "clients"
PINNED: Final = Path(__file__).parent / "data" / "clients"

needs_node = needs(
    shutil.which("node") is not None and shutil.which("npm") is not None, "node and npm are not installed"
)


def todays_boto3() -> Path:
    """A directory for PYTHONPATH with a boto3 from after the model was taken out."""
    requirements = PINNED / "boto3.txt"

    def install(into: Path) -> None:
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
        checked = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", requirements)
        subprocess.run([*pip, *checked, "--target", into], check=True, stdout=sys.stderr)

    return _installed("boto3", [requirements], install)


def javascript() -> Path:
    """A directory with `node_modules`, in which the SDK's last version with Elastic Transcoder is."""
    pins = [PINNED / "package.json", PINNED / "package-lock.json"]

    def install(into: Path) -> None:
        for pin in pins:
            shutil.copy(pin, into)
        npm = ("npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts")
        subprocess.run(npm, cwd=into, check=True, stdout=sys.stderr)

    return _installed("javascript", pins, install)


def model() -> Path:
    """Where the installed botocore has Elastic Transcoder's model: a directory of its data."""
    found = importlib.util.find_spec("botocore")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "data" / "elastictranscoder"


def unpacked(name: str) -> bytes:
    """One packed file of the model as JSON: "service-2", "endpoint-rule-set-1"."""
    return gzip.decompress((model() / "2012-09-25" / f"{name}.json.gz").read_bytes())


def _installed(name: str, pins: Iterable[Path], install: Callable[[Path], None]) -> Path:
    """Made once for these pins: whole, or not at all."""
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()
    made = CACHE / f"{name}-{digest[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_dir():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                whole = Path(scratch) / "whole"
                whole.mkdir()
                install(whole)
                whole.rename(made)
    return made
