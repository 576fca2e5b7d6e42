"""Objects on their way in."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from controlplane.storage.paths import one_at_a_time, place_of, refusals, size_of
from shared.errors import InUse, InvalidField


class Upload:
    """A file on its way in: written aside, made durable, then put in its place whole. May be used from any thread.

    Raises InUse when another connection is sending it.
    """

    def __init__(self, root: Path, key: str, aside: str, offset: int) -> None:
        self._root = root
        self._key = key
        self._aside = aside
        self._using = threading.Lock()  # a descriptor that is closed while a thread writes may by then be another file
        self._is_open = True
        with place_of(root, aside, make=True) as (parent, name), refusals():
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
            place_of(self._root, self._aside, make=False) as (source, name),
            place_of(self._root, self._key, make=True) as (parent, final),
        ):
            os.fsync(self._descriptor)
            with one_at_a_time(parent):
                replaced = size_of(parent, final)
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
        with self._using, refusals():
            if not self._is_open:
                raise InUse("Another connection goes on with this upload.")
            yield


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
