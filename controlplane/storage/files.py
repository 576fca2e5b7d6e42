"""Buckets of kind `file`: a directory whose files are the objects.

What is not published yet lies below `.transcoder/` on the same file system: objects appear by linking, whole or not at
all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop
from pathlib import Path
from typing import Final

from controlplane.storage.paths import DIRECTORY, is_name, one_at_a_time, place_of, refusals, size_of
from controlplane.storage.uploads import Upload
from shared.errors import AlreadyExists, InvalidField, NotFound
from shared.jobspec.fields import RESERVED_SEGMENT

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_COMPARED: Final = 1024 * 1024
_STAGING: Final = f"{RESERVED_SEGMENT}/staging"
_UPLOADS: Final = f"{RESERVED_SEGMENT}/uploads"


@dataclass(frozen=True)
class ObjectInfo:
    key: str
    size: int
    modified_at: int  # Unix milliseconds


def size_hint(root: str, key: str) -> int:
    """Roughly, for planning: 0 when there is no such object yet. Cheaper than `stat`, and nothing to rely on."""
    try:
        return os.lstat(f"{root}/{key}").st_size
    except (OSError, ValueError):
        return 0


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

    def unmake(self) -> None:
        """Takes back what `create` made, unless something was put there."""
        with contextlib.suppress(OSError):
            for folder in (_STAGING, _UPLOADS, RESERVED_SEGMENT, ""):
                (self.root / folder).rmdir()

    def open(self, key: str) -> int:
        """A descriptor of a regular file, for reading. Raises NotFound."""
        with place_of(self.root, key, make=False) as (parent, name):
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

    def delete(self, key: str) -> int:
        """How large it was. Raises NotFound."""
        with place_of(self.root, key, make=False) as (parent, name), one_at_a_time(parent):
            try:
                size = size_of(parent, name)
                os.unlink(name, dir_fd=parent)
            except OSError as error:
                raise NotFound("object") from error
        return size

    def keys(self, prefix: str, after: str, size: int) -> list[ObjectInfo]:
        """The first objects in byte order whose key starts with `prefix` and comes after `after`."""
        found = (info for info in self._walk("", prefix, after) if info.key > after)
        return [info for info, _ in zip(found, range(size), strict=False)]

    def upload(self, key: str, upload_id: str, *, offset: int) -> Upload:
        """Continues, at `offset`, what an earlier request with the same upload id began."""
        return Upload(self.root, key, f"{_UPLOADS}/{upload_id}", offset)

    def received(self, upload_id: str) -> int:
        """How many bytes of an unfinished upload have arrived."""
        found = self.stat(f"{_UPLOADS}/{upload_id}")
        return found.size if found else 0

    def is_same(self, staged: str, target: FileBucket, key: str) -> bool | None:
        """Whether an object is what lies in staging; None when its key is free.

        On another file system it is what has the same content: there it was copied.
        """
        try:
            visible = target.open(key)
        except NotFound as error:
            is_free = isinstance(error.__cause__, FileNotFoundError) or target.is_free(key)
            return None if is_free else False
        try:
            ours = self.open(staged)
            try:
                return os.path.sameopenfile(visible, ours) or (self.root != target.root and _is_equal(visible, ours))
            finally:
                os.close(ours)
        except NotFound:
            return False
        finally:
            os.close(visible)

    def is_free(self, key: str) -> bool:
        """Whether nothing, not even a directory, is in the way of an object."""
        try:
            with place_of(self.root, key, make=False) as (parent, name):
                os.stat(name, dir_fd=parent, follow_symlinks=False)
        except NotFound as error:
            return isinstance(error.__cause__, FileNotFoundError)
        except OSError as error:
            return error.errno in (errno.ENOENT, errno.ENAMETOOLONG)
        return False

    def publish(self, staged: str, target: FileBucket, key: str) -> None:
        """Makes a staged file visible as `key`, in this bucket or another; `sync` makes it stay so, whatever happens.

        Publishing it again changes nothing. Raises AlreadyExists when another object has that key, and NotFound when nothing is
        staged.
        """
        with (
            place_of(self.root, staged, make=False) as (source, name),
            place_of(target.root, key, make=True) as (parent, final),
            refusals(),
        ):
            try:
                os.link(name, final, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            except FileExistsError as error:
                if not self.is_same(staged, target, key):
                    raise AlreadyExists(f"There is an object {key!r} already.") from error
            except FileNotFoundError as error:
                raise NotFound("object") from error
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                if not self.is_same(staged, target, key):
                    self._copy(staged, target, parent, final)

    def sync(self, folder: str) -> None:
        """What was published into a folder is on disk."""
        with place_of(self.root, f"{folder}/_" if folder else "_", make=False) as (descriptor, _), refusals():
            os.fsync(descriptor)

    def has_staged(self, attempt: str, name: str, size: int) -> bool:
        """Whether an upload lies there whole, as far as one look tells: publishing walks there with care."""
        if "/" in name or not is_name(name):
            return False
        try:
            found = os.lstat(f"{self.root}/{_STAGING}/{attempt}/{name}")
        except OSError:
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size == size

    def discard(self, attempt: str) -> None:
        """Removes whatever an attempt has in staging: files, as far as nobody put anything else there."""
        folder = f"{self.root}/{_STAGING}/{attempt}"
        try:
            descriptor = os.open(folder, DIRECTORY)
            try:
                for name in os.listdir(descriptor):
                    os.unlink(name, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            os.rmdir(folder)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)

    def discard_all(self, attempts: Iterable[str]) -> None:
        for attempt in attempts:
            self.discard(attempt)

    def staged_attempts(self) -> list[str]:
        with contextlib.suppress(OSError):
            return sorted(os.listdir(self.root / _STAGING))
        return []

    def forget_uploads(self, older_than: float) -> int:
        """Removes unfinished uploads that nobody has added to since that Unix time; how many."""
        forgotten = 0
        with contextlib.suppress(OSError), os.scandir(self.root / _UPLOADS) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < older_than:
                        os.unlink(entry.path)
                        forgotten += 1
        return forgotten

    def _copy(self, staged: str, target: FileBucket, parent: int, final: str) -> None:
        """Publishing onto another file system: a copy aside, made durable, then linked into place."""
        reading = self.open(staged)
        try:
            with place_of(target.root, f"{_UPLOADS}/{secrets.token_hex(16)}", make=True) as (folder, aside), refusals():
                writing = os.open(aside, _NEW, 0o644, dir_fd=folder)
                try:
                    while os.sendfile(writing, reading, None, 1 << 30):
                        pass
                    os.fsync(writing)
                    os.link(aside, final, src_dir_fd=folder, dst_dir_fd=parent, follow_symlinks=False)
                finally:
                    os.close(writing)
                    os.unlink(aside, dir_fd=folder)
        finally:
            os.close(reading)

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[ObjectInfo]:
        with (
            contextlib.suppress(NotFound),
            place_of(self.root, f"{folder}_", make=False) as (descriptor, _),
            os.scandir(descriptor) as entries,
        ):
            # "a/" sorts before "a0" and after "a.b": directories sort as if their slash were written
            waiting = [
                (key, entry)
                for entry in entries
                if _may_come(key := folder + _as_listed(entry), prefix, after) and is_name(entry.name)
            ]
            heapify(waiting)  # a page takes few of them
            while waiting:
                key, entry = heappop(waiting)
                if key.endswith("/"):
                    yield from self._walk(key, prefix, after)
                elif entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):  # deleted since
                        found = entry.stat(follow_symlinks=False)
                        yield ObjectInfo(key, found.st_size, found.st_mtime_ns // 1_000_000)


def staging_key(attempt: str) -> str:
    """Where an attempt's uploads lie in a bucket."""
    return f"{_STAGING}/{attempt}"


def _may_come(key: str, prefix: str, after: str) -> bool:
    """Whether an object, or one below a directory, belongs to a list of what begins with `prefix` and comes after `after`."""
    if not key.endswith("/"):
        return key > after and key.startswith(prefix)
    is_among = key.startswith(prefix) or prefix.startswith(key)
    return is_among and (key > after or after.startswith(key)) and key != f"{RESERVED_SEGMENT}/"


def _as_listed(entry: os.DirEntry[str]) -> str:
    return entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")


def _is_equal(one: int, other: int) -> bool:
    if os.fstat(one).st_size != os.fstat(other).st_size:
        return False
    while True:
        ours, theirs = os.read(one, _COMPARED), os.read(other, _COMPARED)
        if ours != theirs:
            return False
        if not ours:
            return True
