"""Buckets of kind `file`: a directory whose files are the objects.

Every path is walked segment by segment on directory descriptors, following no symbolic link, so that neither a key nor a
link planted in the directory leads outside. What is not published yet lies below `.transcoder/` on the same file system:
objects appear by linking, whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import AlreadyExists, InvalidField, NotFound, StorageFull
from shared.jobspec.fields import RESERVED_SEGMENT

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STAGING: Final = f"{RESERVED_SEGMENT}/staging"
_UPLOADS: Final = f"{RESERVED_SEGMENT}/uploads"


@dataclass(frozen=True)
class ObjectInfo:
    key: str
    size: int
    modified_at: int  # Unix milliseconds


class FileBucket:
    """Blocking calls, each short; uploads are written through `Upload`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self) -> None:
        """Raises InvalidField when the directory cannot be made or written."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for folder in (_STAGING, _UPLOADS):
                (self.root / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise InvalidField(f"The directory cannot be used: {error.strerror}.", pointer="/root") from error

    def open(self, key: str) -> int:
        """A descriptor of a regular file, for reading. Raises NotFound."""
        with self.parent(key, make=False) as (parent, name):
            try:
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=parent)
            except OSError as error:
                raise NotFound("object") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NotFound("object")
        return descriptor

    def stat(self, key: str) -> ObjectInfo | None:
        try:
            descriptor = self.open(key)
        except NotFound:
            return None
        try:
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        return ObjectInfo(key, found.st_size, found.st_mtime_ns // 1_000_000)

    def delete(self, key: str) -> None:
        """Raises NotFound."""
        with self.parent(key, make=False) as (parent, name):
            try:
                os.unlink(name, dir_fd=parent)
            except OSError as error:
                raise NotFound("object") from error

    def keys(self, prefix: str, after: str, size: int) -> list[ObjectInfo]:
        """The first objects in byte order whose key starts with `prefix` and comes after `after`."""
        found = (info for info in self._walk(self.root, "", prefix, after) if info.key > after)
        return [info for info, _ in zip(found, range(size), strict=False)]

    def upload(self, key: str, upload_id: str, *, offset: int) -> Upload:
        """Continues, at `offset`, what an earlier request with the same upload id began."""
        return Upload(self, key, f"{_UPLOADS}/{upload_id}", offset)

    def received(self, upload_id: str) -> int:
        """How many bytes of an unfinished upload have arrived."""
        found = self.stat(f"{_UPLOADS}/{upload_id}")
        return found.size if found else 0

    def is_same(self, staged: str, key: str) -> bool | None:
        """Whether an object is the very file that lies in staging; None when there is no such object."""
        try:
            visible = self.open(key)
        except NotFound:
            return None
        try:
            ours = self.open(staged)
            try:
                return os.path.sameopenfile(visible, ours)
            finally:
                os.close(ours)
        except NotFound:
            return False
        finally:
            os.close(visible)

    def publish(self, staged: str, target: FileBucket, key: str) -> None:
        """Makes a staged file visible as `key`, in this bucket or another. Publishing it again changes nothing.

        Raises AlreadyExists when another object has that key.
        """
        with self.parent(staged, make=False) as (source, name), target.parent(key, make=True) as (parent, final):
            try:
                os.link(name, final, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            except FileExistsError as error:
                if self is not target or not self.is_same(staged, key):
                    raise AlreadyExists(f"There is an object {key!r} already.") from error
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _copy(source, name, parent, final)
            os.fsync(parent)

    def discard(self, attempt: str) -> None:
        """Removes whatever an attempt has in staging."""
        shutil.rmtree(self.root / _STAGING / attempt, ignore_errors=True)

    def staged_attempts(self) -> list[str]:
        with contextlib.suppress(OSError):
            return sorted(os.listdir(self.root / _STAGING))
        return []

    def forget_uploads(self, older_than: float) -> None:
        """Removes unfinished uploads that nobody has added to since that Unix time."""
        with contextlib.suppress(OSError), os.scandir(self.root / _UPLOADS) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < older_than:
                        os.unlink(entry.path)

    @contextlib.contextmanager
    def parent(self, key: str, *, make: bool) -> Iterator[tuple[int, str]]:
        """The directory of a key, as a descriptor, and the name in it. Raises NotFound."""
        *folders, name = key.split("/")
        try:
            descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise NotFound("object") from error
        try:
            for folder in folders:
                descriptor = _step(descriptor, folder, make=make)
            yield descriptor, name
        finally:
            os.close(descriptor)

    def _walk(self, directory: Path, base: str, prefix: str, after: str) -> Iterator[ObjectInfo]:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            with os.scandir(directory) as entries:
                # "a/" sorts before "a0" and after "a.b": directories sort as if their slash were written
                named = sorted(
                    (entry.name + ("/" if entry.is_dir(follow_symlinks=False) else ""), entry) for entry in entries
                )
            for name, entry in named:
                key = base + name
                if key == f"{RESERVED_SEGMENT}/":
                    continue
                if name.endswith("/"):
                    if key.startswith(prefix) or prefix.startswith(key):
                        yield from self._walk(Path(entry.path), key, prefix, after)
                elif key.startswith(prefix) and entry.is_file(follow_symlinks=False):
                    found = entry.stat(follow_symlinks=False)
                    yield ObjectInfo(key, found.st_size, found.st_mtime_ns // 1_000_000)


def staging_key(attempt: str) -> str:
    """Where an attempt's uploads lie in a bucket."""
    return f"{_STAGING}/{attempt}"


class Upload:
    """A file on its way in: written aside, made durable, then put in its place whole."""

    def __init__(self, bucket: FileBucket, key: str, aside: str, offset: int) -> None:
        self._bucket = bucket
        self._key = key
        self._aside = aside
        with bucket.parent(aside, make=True) as (parent, name):
            self._descriptor = os.open(
                name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=parent
            )
        try:
            received = os.fstat(self._descriptor).st_size
            if offset > received:
                raise InvalidField(f"Only {received} bytes have arrived; go on from there.")
            os.ftruncate(self._descriptor, offset)
            os.lseek(self._descriptor, offset, os.SEEK_SET)
        except BaseException:
            os.close(self._descriptor)
            raise

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Raises StorageFull."""
        try:
            view = memoryview(chunk)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull("The bucket's disk is full.", retry_after=60) from error
            raise

    def finish(self) -> None:
        """On disk, then visible: a reader never sees a part."""
        os.fsync(self._descriptor)
        with (
            self._bucket.parent(self._aside, make=False) as (source, name),
            self._bucket.parent(self._key, make=True) as (parent, final),
        ):
            os.rename(name, final, src_dir_fd=source, dst_dir_fd=parent)
            os.fsync(parent)

    def close(self) -> None:
        os.close(self._descriptor)


def _step(parent: int, folder: str, *, make: bool) -> int:
    """Goes down one directory; the parent's descriptor is closed."""
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, dir_fd=parent)
                os.fsync(parent)
        child = os.open(folder, _DIRECTORY, dir_fd=parent)
    except NotADirectoryError as error:
        if make:
            raise AlreadyExists(f"{folder!r} is an object; nothing can lie below it.") from error
        raise NotFound("object") from error
    except OSError as error:
        raise NotFound("object") from error
    os.close(parent)
    return child


def _copy(source: int, name: str, parent: int, final: str) -> None:
    """Publishing onto another file system: a copy aside, made durable, then linked into place."""
    aside = f".{final}.part"
    reading = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    try:
        writing = os.open(
            aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=parent
        )
        try:
            while os.copy_file_range(reading, writing, 1 << 30):
                pass
            os.fsync(writing)
        finally:
            os.close(writing)
        try:
            os.link(aside, final, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.unlink(aside, dir_fd=parent)
    finally:
        os.close(reading)
