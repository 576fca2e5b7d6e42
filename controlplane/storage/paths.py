"""The ways to the objects of a `file` bucket, and what the file system answers there.

Every path is walked segment by segment on directory descriptors, following no symbolic link, so that neither a key nor a
link planted in the directory leads outside.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.errors import AlreadyExists, InvalidField, NotFound, StorageFull, TranscoderError

DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def place_of(root: Path, key: str, *, make: bool) -> Iterator[tuple[int, str]]:
    """The directory of a key, as a descriptor, and the name in it. Raises NotFound."""
    *folders, name = key.split("/")
    if not all(map(is_name, (*folders, name))):
        raise NotFound("object")
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NotFound("object") from error
    try:
        for folder in folders:
            descriptor = _step(descriptor, folder, make=make)
        yield descriptor, name
    finally:
        os.close(descriptor)


def is_name(segment: str) -> bool:
    """Whether a segment of a key names something in the directory it stands in, and nowhere else."""
    if segment in ("", ".", "..") or "\0" in segment:
        return False
    try:
        segment.encode()
    except UnicodeEncodeError:
        return False
    return True


def size_of(directory: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def one_at_a_time(directory: int) -> Iterator[None]:
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


@contextlib.contextmanager
def refusals() -> Iterator[None]:
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


def _step(parent: int, folder: str, *, make: bool) -> int:
    """Goes down one directory; the parent's descriptor is closed."""
    try:
        try:
            child = os.open(folder, DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, dir_fd=parent)
                os.fsync(parent)
            child = os.open(folder, DIRECTORY, dir_fd=parent)
    except OSError as error:
        raise (_refusal(error) if make else None) or NotFound("object") from error
    os.close(parent)
    return child
