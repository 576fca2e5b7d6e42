"""Players of web pages for tests: taken out of packages of npm's registry, checked, and kept outside of version control."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.clips import cache


@dataclass(frozen=True)
class Player:
    """A script within a package."""

    package: str
    member: str
    sha256: str


PLAYERS = {
    "hls": Player(
        package="hls.js@1.7.4",
        member="package/dist/hls.min.js",
        sha256="cfc70cc9e9fc63d071919e087670abc760c8fd1bc889b88588026e4d22193bbe",
    ),
    "dash": Player(
        package="dashjs@5.2.1",
        member="package/dist/modern/umd/dash.all.min.js",
        sha256="3a22b1f4576ab294f41e56f156cec7972a5f83edda379416778293ff22d2eb49",
    ),
    # what the one before needs for Smooth Streaming
    "smooth": Player(
        package="dashjs@5.2.1",
        member="package/dist/modern/umd/dash.mss.min.js",
        sha256="1114b690dda007ed6284024419c2f1a5dd8e1ddba13fda26357cab77838e234e",
    ),
    # which takes keys without a licence server
    "shaka": Player(
        package="shaka-player@5.2.12",
        member="package/dist/shaka-player.compiled.js",
        sha256="b22dfdba631104c48a654cb623b08b0f79e2d52c83c0e9b4b7cff54730b55894",
    ),
}


def player(name: str) -> bytes:
    """The script of a player; fetched when the cache does not have it."""
    wanted = PLAYERS[name]
    cached = cache() / f"{name}-{wanted.sha256[:16]}.js"
    if not cached.is_file():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
            _fetched(wanted, Path(scratch)).replace(cached)
    return cached.read_bytes()


def _fetched(wanted: Player, scratch: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("Fetching a player needs npm: install it.")
    subprocess.run([npm, "pack", "--silent", wanted.package], cwd=scratch, check=True, stdout=subprocess.DEVNULL)
    [archive] = scratch.glob("*.tgz")
    with tarfile.open(archive) as package:
        found = package.extractfile(wanted.member)
        assert found is not None
        script = found.read()
    if hashlib.sha256(script).hexdigest() != wanted.sha256:
        raise SystemExit(f"{wanted.member} of {wanted.package} is not the file it was: its SHA-256 differs.")
    unpacked = scratch / "player.js"
    unpacked.write_bytes(script)
    return unpacked
