"""Remembers which inputs failed for a fault of their own. In memory: a restart forgets, and at worst tries them again."""

from __future__ import annotations

from pathlib import Path

from controlplane.domain.faulty import Contents, Faulty, own_fault
from controlplane.services.files import JobFiles
from controlplane.settings import Settings
from controlplane.storage.files import FileBucket
from shared.clock import Clock
from shared.failures import Failure
from shared.protocol import Finished


class FaultyInputs:
    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._known = Faulty(int(settings.refuse_inputs_for * 1000))

    def failed(self, files: JobFiles, failure: Failure) -> None:
        contents = _contents(files)
        if contents is not None:
            self._known.note(_names(files), contents, failure, self._clock.now_ms())

    def finished(self, files: JobFiles, settled: Finished) -> None:
        failure = own_fault(settled)
        if failure is not None:
            self.failed(files, failure)

    @property
    def knows_any(self) -> bool:
        return self._known.knows_any

    def verdict(self, files: JobFiles) -> Failure | None:
        """Why a job with these inputs need not be tried. The disk is asked only where something is known of them."""
        names = _names(files)
        contents = _contents(files) if self._known.knows(names) else None
        return None if contents is None else self._known.verdict(names, contents, self._clock.now_ms())


def _names(files: JobFiles) -> tuple[str, ...]:
    return (files.input_root, *files.inputs)


def _contents(files: JobFiles) -> Contents | None:
    """None when one of them is not there."""
    bucket = FileBucket(Path(files.input_root))
    found = [bucket.stat(key) for key in files.inputs]
    return tuple((one.size, one.modified_at) for one in found if one) if all(found) else None
