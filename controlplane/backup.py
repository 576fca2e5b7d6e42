"""Backups of a control plane: one file with the database and the secrets that belong to it.

A backup may be made at any time; what was acknowledged before it began is in it. The media in buckets are not: they are files
already, and large. SQLite is copied as it stands, PostgreSQL by its own programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import IO, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from controlplane import installation
from controlplane.app import open_store
from controlplane.settings import Settings
from controlplane.store import beside, dumping, sql
from controlplane.store.operations import keeping
from controlplane.store.sqlite import only_one

FORMAT: Final = 1
DATABASE: Final = "transcoder.db"
DUMP: Final = "transcoder.pgdump"
_MANIFEST: Final = "manifest.json"
_STATE: Final = "state/"
_CONFIG: Final = "config.toml"
_SECRET: Final = "secret.key"  # noqa: S105 (the name of a file)
_APART: Final = frozenset({"buckets", _SECRET})
"""In `state`, and not backed up with the rest of it, beside the database: media are not at all."""


class BackupError(Exception):
    """No backup was made, or nothing was restored; what was there before is as it was."""


class Manifest(BaseModel):
    """What is in a backup: the first member of the archive."""

    model_config = ConfigDict(extra="ignore")

    format: int
    release: str
    schema_number: int
    made_at: dt.datetime
    digests: dict[str, str]
    """SHA-256 of every other member by name."""


def back_up(settings: Settings, config: Path, target: Path, now: dt.datetime) -> Manifest:
    """Writes `target`, whole or not at all. The file `config` is taken along where there is one."""
    settings.state.mkdir(parents=True, exist_ok=True)
    with _drafts(settings.state) as drafts:
        name = _member(settings)
        if settings.database is not None:
            schema = asyncio.run(dumping.dump(settings.database.get_secret_value(), drafts / name))
        else:
            with acting_as_owner(settings.state):
                schema = beside.copy(settings.state / DATABASE, drafts / name)
        members = {name: drafts / name, **_kept_in(settings.state)}
        members |= {
            name: file for name, file in ((_CONFIG, config), (_SECRET, _secret(settings.state))) if file.is_file()
        }
        manifest = Manifest(
            format=FORMAT,
            release=version("edge-transcoder"),
            schema_number=schema,
            made_at=now,
            digests={name: _digest(file) for name, file in members.items()},
        )
        _pack(target, manifest, members)
    return manifest


def restore(settings: Settings, config: Path, source: Path, *, replace: bool) -> tuple[Manifest, list[str]]:
    """Puts a backup in place of the state; the service must be down. What it replaces is kept aside: where, is returned.

    A `config` that is there already stays as it is.
    """
    settings.state.mkdir(parents=True, exist_ok=True)
    if settings.database is not None:
        return _restore_dump(settings, settings.database.get_secret_value(), config, source, replace=replace)
    if (settings.state / DATABASE).exists() and not replace:
        raise BackupError(f"There is a database in {settings.state} already; --replace puts it aside.")
    with _drafts(settings.state) as drafts, _stopped(settings.state):
        manifest = _unpack(source, drafts, DATABASE)
        aside = _put_in_place(drafts, settings.state, config, manifest)
    return manifest, list(map(str, aside))


def _restore_dump(
    settings: Settings, dsn: str, config: Path, source: Path, *, replace: bool
) -> tuple[Manifest, list[str]]:
    with _drafts(settings.state) as drafts:
        manifest = _unpack(source, drafts, DUMP)
        schema = asyncio.run(dumping.load(dsn, drafts / DUMP, replace=replace))
        files = _put_in_place(drafts, settings.state, config, manifest)
    return manifest, [*([f"the schema {schema} of the database"] if schema else []), *map(str, files)]


async def begin_anew(settings: Settings) -> None:
    """Opens what was restored, and fences what was under way."""
    store = await open_store(settings)
    try:
        await store.write(keeping.fence_restored())
    finally:
        await store.close()


@contextlib.contextmanager
def acting_as_owner(state: Path) -> Iterator[None]:
    """Root makes no files in a service's directory that the service could not write: even readers make some."""
    owner = state.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def _member(settings: Settings) -> str:
    """As what the database is in a backup."""
    return DATABASE if settings.database is None else DUMP


@contextlib.contextmanager
def _drafts(state: Path) -> Iterator[Path]:
    """A directory beside what is copied, for its owner alone."""
    with acting_as_owner(state):
        directory = Path(tempfile.mkdtemp(prefix=".backup-", dir=state))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _stopped(state: Path) -> Iterator[None]:
    """Nobody serves from this state, and nobody can begin to."""
    with acting_as_owner(state):
        lock = only_one(state / DATABASE)
    try:
        yield
    finally:
        os.close(lock)


def _kept_in(state: Path) -> Mapping[str, Path]:
    """Everything else that the service keeps: secrets, certificates."""
    found: dict[str, Path] = {}
    for entry in sorted(state.iterdir()):
        if entry.name.startswith((".", DATABASE.partition(".")[0])) or entry.name in _APART:
            continue
        files = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
        found |= {
            f"{_STATE}{file.relative_to(state)}": file for file in files if file.is_file() and not file.is_symlink()
        }
    return found


def _secret(state: Path) -> Path:
    """The installed service gets its secret from systemd; elsewhere it lies in the state."""
    installed = state == installation.STATE and installation.SECRET.exists()
    return installation.SECRET if installed else state / _SECRET


def _pack(target: Path, manifest: Manifest, members: Mapping[str, Path]) -> None:
    draft = target.with_name(f".{target.name}.draft")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                _add(archive, _MANIFEST, manifest.model_dump_json(indent=2).encode())
                for name, member in members.items():
                    archive.add(member, arcname=name, filter=_plain)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync(target.parent)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    archive.addfile(member, io.BytesIO(content))


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Owners and modes are the new place's business."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _unpack(source: Path, drafts: Path, database: str) -> Manifest:
    """Every member that the manifest names, checked; raises BackupError before anything is changed."""
    try:
        with tarfile.open(source, mode="r:") as archive:
            first = archive.next()
            if first is None or first.name != _MANIFEST:
                raise BackupError(f"{source} is not a backup of this service.")
            manifest = Manifest.model_validate_json(_content(archive, first).read())
            _check_known(manifest, database)
            wanted = dict(manifest.digests)
            for member in archive:
                if member.name in wanted and member.isreg():
                    _extract(_content(archive, member), drafts / member.name, wanted.pop(member.name))
    except (tarfile.TarError, ValidationError, EOFError) as error:
        raise BackupError(f"{source} is damaged, or not a backup of this service.") from error
    if wanted:
        raise BackupError(f"{source} is damaged: it lacks {', '.join(sorted(wanted))}.")
    return manifest


def _check_known(manifest: Manifest, database: str) -> None:
    newest = max(sql.migrations(sql.SQLITE))  # as PostgreSQL's
    if database not in manifest.digests:
        other = "PostgreSQL" if DUMP in manifest.digests else "SQLite"
        raise BackupError(f"This backup is of a service on {other}, and the settings say otherwise (`database`).")
    if manifest.format != FORMAT or manifest.schema_number > newest:
        raise BackupError(f"This backup was made by a newer release ({manifest.release}).")
    for name in manifest.digests:
        if name.startswith("/") or ".." in name.split("/"):
            raise BackupError(f"This backup has a member that belongs nowhere: {name}")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(member)
    if content is None:
        raise BackupError(f"The member {member.name} is not a file.")
    return content


def _extract(content: IO[bytes], target: Path, digest: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(file.fileno())
    if _digest(target) != digest:
        raise BackupError(f"The backup is damaged: {target.name} is not what was backed up.")


def _put_in_place(drafts: Path, state: Path, config: Path, manifest: Manifest) -> list[Path]:
    """Renames, the database last: whoever finds it finds the rest."""
    stamp, aside = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}", []
    places = {name: state / name.removeprefix(_STATE) for name in manifest.digests if name.startswith(_STATE)}
    if _SECRET in manifest.digests:
        places[_SECRET] = _secret(state)
    if _CONFIG in manifest.digests and not config.exists():
        places[_CONFIG] = config
    if DATABASE in manifest.digests:
        places[DATABASE] = state / DATABASE
        for stale in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
            aside += _set_aside(state / stale, stamp)
    for name, place in places.items():
        aside += _set_aside(place, stamp)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(drafts / name, place)
        if place.is_relative_to(state):
            _give(place, state)
    _sync(state)
    return aside


def _set_aside(file: Path, stamp: str) -> list[Path]:
    if not file.exists():
        return []
    kept = file.with_name(f"{file.name}.replaced-{stamp}")
    file.rename(kept)
    return [kept]


def _give(file: Path, state: Path) -> None:
    """To the owner of the state, with the directories on the way."""
    owner = state.stat()
    if os.geteuid() == 0:
        for part in (file, *(folder for folder in file.parents if folder.is_relative_to(state) and folder != state)):
            os.chown(part, owner.st_uid, owner.st_gid)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
