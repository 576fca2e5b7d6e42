"""Which starts of this agent there were, on disk, so that the control plane can tell a restart from a copy of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog
from pydantic import ValidationError

from agent.files import write_durably
from shared.ids import BootId
from shared.models import Message

REMEMBERED: Final = 99
_MACHINE: Final = Path("/proc/sys/kernel/random/boot_id")

log = structlog.get_logger()


class Kept(Message):
    """The last start whose hello was answered, and those after it, of which any may have been heard all the same."""

    answered: BootId | None = None
    unanswered: tuple[BootId, ...] = ()


class Starts:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = _read(path)

    def begin(self, boot_id: BootId) -> tuple[BootId, ...]:
        """Note this start before it says hello; tells those before it."""
        before = self._kept
        unanswered = (*before.unanswered, boot_id)[-REMEMBERED:]
        self._write(Kept(answered=before.answered, unanswered=unanswered))
        return (*((before.answered,) if before.answered else ()), *before.unanswered)

    def answered(self, boot_id: BootId) -> None:
        self._write(Kept(answered=boot_id))

    def _write(self, kept: Kept) -> None:
        """What is not remembered makes this machine look like a copy of itself, which does no harm while there is only one."""
        self._kept = kept
        try:
            write_durably(self._path, kept.model_dump_json().encode())
        except OSError as error:
            log.error("start.not_on_disk", reason=str(error))


def machine_boot() -> str:
    """Another one after every start of the machine itself."""
    return _MACHINE.read_text().strip()


def _read(path: Path) -> Kept:
    try:
        return Kept.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Kept()
    except (OSError, ValidationError) as error:
        log.error("starts.unreadable", file=path.name, reason=str(error))
        return Kept()
