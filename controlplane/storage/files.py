"""Buckets of kind `file`: a directory whose files are the objects.

Every path is walked segment by segment on directory descriptors, following no symbolic link, so that neither a key nor a
link planted in the directory leads outside. What is not published yet lies below `.transcoder/` on the same file system:
objects appear by linking, whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import AlreadyExists, InUse, InvalidField, NotFound, StorageFull, TranscoderError
from shared.jobspec.fields import RESERVED_SEGMENT

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
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

    def delete(self, key: str) -> int:
        """How large it was. Raises NotFound."""
        with self.parent(key, make=False) as (parent, name), _one_at_a_time(parent):
            try:
                size = _size(parent, name)
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
        return Upload(self, key, f"{_UPLOADS}/{upload_id}", offset)

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
            with self.parent(key, make=False) as (parent, name):
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
            self.parent(staged, make=False) as (source, name),
            target.parent(key, make=True) as (parent, final),
            _refusals(),
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
        with self.parent(f"{folder}/_" if folder else "_", make=False) as (descriptor, _), _refusals():
            os.fsync(descriptor)

    def has_staged(self, attempt: str, name: str, size: int) -> bool:
        """Whether an upload lies there whole, as far as one look tells: publishing walks there with care."""
        if "/" in name or not _is_name(name):
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
            descriptor = os.open(folder, _DIRECTORY)
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

    @contextlib.contextmanager
    def parent(self, key: str, *, make: bool) -> Iterator[tuple[int, str]]:
        """The directory of a key, as a descriptor, and the name in it. Raises NotFound."""
        *folders, name = key.split("/")
        if not all(map(_is_name, (*folders, name))):
            raise NotFound("object")
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

    def _copy(self, staged: str, target: FileBucket, parent: int, final: str) -> None:
        """Publishing onto another file system: a copy aside, made durable, then linked into place."""
        reading = self.open(staged)
        try:
            with target.parent(f"{_UPLOADS}/{secrets.token_hex(16)}", make=True) as (folder, aside), _refusals():
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
            self.parent(f"{folder}_", make=False) as (descriptor, _),
            os.scandir(descriptor) as entries,
        ):
            # "a/" sorts before "a0" and after "a.b": directories sort as if their slash were written
            for name, entry in sorted((_as_listed(entry), entry) for entry in entries if _is_name(entry.name)):
                key = folder + name
                if key == f"{RESERVED_SEGMENT}/":
                    continue
                if name.endswith("/"):
                    can_match = key.startswith(prefix) or prefix.startswith(key)
                    if can_match and (key > after or after.startswith(key)):
                        yield from self._walk(key, prefix, after)
                elif key.startswith(prefix) and entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):  # deleted since
                        found = entry.stat(follow_symlinks=False)
                        yield ObjectInfo(key, found.st_size, found.st_mtime_ns // 1_000_000)


def staging_key(attempt: str) -> str:
    """Where an attempt's uploads lie in a bucket."""
    return f"{_STAGING}/{attempt}"


class Upload:
    """A file on its way in: written aside, made durable, then put in its place whole. May be used from any thread.

    Raises InUse when another connection is sending it.
    """

    def __init__(self, bucket: FileBucket, key: str, aside: str, offset: int) -> None:
        self._bucket = bucket
        self._key = key
        self._aside = aside
        self._using = threading.Lock()  # a descriptor that is closed while a thread writes may by then be another file
        self._is_open = True
        with bucket.parent(aside, make=True) as (parent, name), _refusals():
            self._descriptor = _locked(parent, name)
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
        with self._in_use():
            view = memoryview(chunk)
            while view:
                view = view[os.write(self._descriptor, view) :]

    def finish(self) -> int:
        """On disk, then visible: a reader never sees a part. How large the object was that lay in its place, 0 for none.

        Raises AlreadyExists when a directory is in its place.
        """
        with (
            self._in_use(),
            self._bucket.parent(self._aside, make=False) as (source, name),
            self._bucket.parent(self._key, make=True) as (parent, final),
        ):
            os.fsync(self._descriptor)
            with _one_at_a_time(parent):
                replaced = _size(parent, final)
                os.rename(name, final, src_dir_fd=source, dst_dir_fd=parent)
            os.fsync(parent)
        return replaced

    def close(self) -> None:
        with self._using:
            if self._is_open:
                self._is_open = False
                os.close(self._descriptor)

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        with self._using, _refusals():
            if not self._is_open:
                raise InUse("Another connection goes on with this upload.")
            yield


@contextlib.contextmanager
def _one_at_a_time(directory: int) -> Iterator[None]:
    """Whoever takes an object out of a directory, or replaces it, knows which: two never tell of the same one.

    Where the file system locks no directories, over NFS say, both may.
    """
    with contextlib.suppress(OSError):
        fcntl.flock(directory, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(directory, fcntl.LOCK_UN)


def _size(directory: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def _locked(parent: int, name: str) -> int:
    """A descriptor of the file of this name, which nobody else is writing."""
    while True:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=parent)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(name, dir_fd=parent, follow_symlinks=False)):
                    return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise InUse("Another connection is sending this upload.") from error
        os.close(descriptor)  # it was finished in between: the name is another file's now


def _step(parent: int, folder: str, *, make: bool) -> int:
    """Goes down one directory; the parent's descriptor is closed."""
    try:
        try:
            child = os.open(folder, _DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, dir_fd=parent)
                os.fsync(parent)
            child = os.open(folder, _DIRECTORY, dir_fd=parent)
    except OSError as error:
        raise (_refusal(error) if make else None) or NotFound("object") from error
    os.close(parent)
    return child


def _is_name(segment: str) -> bool:
    """Whether a segment of a key names something in the directory it stands in, and nowhere else."""
    if segment in ("", ".", "..") or "\0" in segment:
        return False
    try:
        segment.encode()
    except UnicodeEncodeError:
        return False
    return True


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


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """What the file system says no to, in our words."""
    try:
        yield
    except OSError as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        raise refusal from error


def _refusal(error: OSError) -> TranscoderError | None:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return StorageFull("The bucket's disk is full.", retry_after=60)
        case errno.ENAMETOOLONG:
            return InvalidField("A segment of this key is too long for the bucket's file system.")
        case errno.EEXIST | errno.EISDIR | errno.ENOTDIR:
            return AlreadyExists("Something else lies at this key, or on the way to it.")
        case _:
            return None
