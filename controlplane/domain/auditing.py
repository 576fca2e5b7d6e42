"""The chain that makes the audit log tamper-evident.

Rows are folded into a hash in the order of their ids: `hash = SHA-256(hash before ‖ row)`, the first one from `GENESIS`. A
seal keeps the hash as it stands after a row; whatever is changed, put in, taken away or put elsewhere before a seal, that
seal no longer fits. Who can write the database can also make the whole chain anew: against that, heads are written to the
service's log, and a verification is told of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter, itemgetter
from typing import Any, Final

import orjson

GENESIS: Final = "0" * 64
SWEPT: Final = "sweep_audit"
"""The action of the row that tells up to which seal rows were removed for their age."""


@dataclass(frozen=True)
class Act:
    """Who did what, to whose things. `tenant_id` is the tenant that it was done to, or None."""

    user_id: str
    role: str
    tenant_id: str | None
    address: str
    request_id: str
    action: str
    object: str


@dataclass(frozen=True)
class Deed(Act):
    """An act as it is kept: one row."""

    id: int
    at: int


@dataclass(frozen=True)
class Seal:
    """The chain's hash after the row `id`."""

    id: int
    hash: str

    def __str__(self) -> str:
        return f"{self.id}:{self.hash}"


@dataclass(frozen=True)
class Verdict:
    """What a verification found: how much there was, the newest seal, and a sentence for each fault."""

    rows: int
    unsealed: int
    head: Seal
    faults: tuple[str, ...]


_COLUMNS: Final = tuple(field.name for field in fields(Deed))
_values: Final[attrgetter[tuple[Any, ...]]] = attrgetter(*_COLUMNS)
_of_row: Final[itemgetter[tuple[Any, ...]]] = itemgetter(*_COLUMNS)


def chained(before: str, deeds: Iterable[Deed]) -> str:
    return _folded(before, map(_values, deeds))


def chained_rows(before: str, rows: Iterable[Any]) -> str:
    """The same of rows as a database tells them: every call adds one, and deeds need not be made of them."""
    return _folded(before, map(_of_row, rows))


def _folded(before: str, rows: Iterable[tuple[Any, ...]]) -> str:
    for row in rows:
        before = hashlib.sha256(before.encode() + orjson.dumps(row)).hexdigest()
    return before


class Verifier:
    """Goes along the log once, from seal to seal."""

    def __init__(self, known: Iterable[Seal] = ()) -> None:
        """`known` are seals that were written down elsewhere: a log that was cut off or made anew does not have them."""
        self._known = {seal.id: seal for seal in known}
        self._checkpoint: Seal | None = None
        self._head = Seal(0, GENESIS)
        self._rows = 0
        self._sweeps: set[str] = set()
        self._faults: list[str] = []

    def stretch(self, deeds: Sequence[Deed], seal: Seal) -> None:
        """The rows after the last seal, and the seal after them."""
        self._take(deeds)
        if self._head.id == 0 and not deeds:
            self._checkpoint = seal  # where the log begins since older rows were swept
        elif chained(self._head.hash, deeds) != seal.hash:
            self._faults.append(f"Rows {self._head.id + 1} to {seal.id} are not those that were sealed.")
        if self._known.pop(seal.id, seal) != seal:
            self._faults.append(f"The seal of row {seal.id} is not the one that was written down.")
        self._head = seal

    def end(self, unsealed: Sequence[Deed]) -> Verdict:
        """`unsealed` are the rows after the last seal."""
        self._take(unsealed)
        begins = self._checkpoint.id if self._checkpoint else 0
        if self._checkpoint is not None and str(self._checkpoint) not in self._sweeps:
            self._faults.append(f"Row {begins} and those before are gone, and no row tells that they were swept.")
        for lost in sorted(seal_id for seal_id in self._known if seal_id >= begins):
            self._faults.append(f"The seal of row {lost} that was written down is not there.")
        return Verdict(self._rows, len(unsealed), self._head, tuple(self._faults))

    def _take(self, deeds: Sequence[Deed]) -> None:
        self._rows += len(deeds)
        self._sweeps |= {deed.object for deed in deeds if deed.action == SWEPT}
