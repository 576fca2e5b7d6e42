"""Brings an input into the workspace: several parts at once, in constant memory, each from where it broke off.

A validator (the entity tag, or the time of the last change) goes with every question after the first, so that an object
that is replaced meanwhile is noticed instead of being mixed with its predecessor (RFC 9110 §13.1.5).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from agent.client import ControlPlane
from agent.jobs.failure import (
    INPUT_CHANGED,
    INPUT_CORRUPT,
    INPUT_MISSING,
    INPUT_UNREACHABLE,
    AttemptFailed,
)
from agent.racing import together
from agent.refusals import Unreachable
from shared.errors import ErrorCode, StaleLease, TranscoderError
from shared.protocol import AttemptRef, InputSpec

PATIENCE: Final = 3600.0
"""Seconds without one new byte after which the node gives up."""
PART: Final = 16 << 20
"""Bytes of an input that are asked for at once; smaller inputs come in one piece."""
AT_ONCE: Final = 4
_PORTION: Final = 1 << 17
"""Every thread that writes keeps what it once held: large ones would make the agent's memory grow with its inputs."""
_LINKS: Final = 3
"""Links in a row that may be refused before one brings a byte."""

OnBytes = Callable[[int], None]
"""Told how many bytes more there are; or fewer, when a server made us begin anew."""


async def fetch(
    client: ControlPlane, ref: AttemptRef, source: InputSpec, target: Path, on_bytes: OnBytes, *, part: int = PART
) -> None:
    """An empty input is asked for too.

    Raises AttemptFailed when it is gone, is not what it was, or stays out of reach; an OSError is this node's own.
    """
    try:
        await _Download(client, ref, source, target, on_bytes).run(part)
        if source.sha256 is not None and await asyncio.to_thread(_sha256, target) != source.sha256:
            raise AttemptFailed(INPUT_CORRUPT)
    except StaleLease:
        raise
    except Unreachable as error:
        raise AttemptFailed(INPUT_UNREACHABLE) from error
    except TranscoderError as error:
        raise AttemptFailed(_FAILURES.get(error.code, INPUT_UNREACHABLE)) from error


_FAILURES: Final = {ErrorCode.NOT_FOUND: INPUT_MISSING, ErrorCode.RANGE_NOT_SATISFIABLE: INPUT_CHANGED}


@dataclass
class _Part:
    """The bytes from `at` up to `end` are still to come."""

    start: int
    end: int
    at: int

    @property
    def is_whole(self) -> bool:
        return self.at >= self.end


class _Download:
    def __init__(
        self, client: ControlPlane, ref: AttemptRef, source: InputSpec, target: Path, on_bytes: OnBytes
    ) -> None:
        self._client = client
        self._ref = ref
        self._source = source
        self._target = target
        self._on_bytes = on_bytes
        self._url = source.url
        self._renewing = asyncio.Lock()
        self._validator: str | None = None

    async def run(self, part: int) -> None:
        """The first part alone: it shows what object this is, and whether the server gives parts at all."""
        self._target.touch(mode=0o600)
        first, *others = parts_of(self._source.size, part)
        await self._bring(first)
        waiting = deque(others)
        while waiting and waiting[0].end <= first.end:  # the server sent everything
            waiting.popleft()
        await together(self._work(waiting) for _ in range(min(AT_ONCE, len(waiting))))

    async def _work(self, waiting: deque[_Part]) -> None:
        while waiting:
            await self._bring(waiting.popleft())

    async def _bring(self, part: _Part) -> None:
        """As many connections as it takes, as long as each brings something."""
        refused = 0
        is_asked = False
        while not (part.is_whole and is_asked):
            before, link = part.at, self._url
            try:
                await self._client.persistently(lambda: self._advance(part), patience=PATIENCE)
            except TranscoderError as error:
                refused += 1
                if error.code is not ErrorCode.LINK_REFUSED or refused >= _LINKS:
                    raise
                await self._renew(link)
                continue
            if part.at <= before and not part.is_whole:
                raise AttemptFailed(INPUT_CHANGED)
            refused, is_asked = 0, True

    async def _renew(self, refused: str) -> None:
        """A new link, once for all parts that were refused with the old one."""
        async with self._renewing:
            if self._url != refused:
                return
            renewed = await self._client.input_link(self._ref, self._source.index)
            if renewed is None:
                return
            if renewed.size != self._source.size:
                raise AttemptFailed(INPUT_CHANGED)
            self._url = renewed.url

    async def _advance(self, part: _Part) -> None:
        """One connection. What it brought before it broke counts: the next one goes on from there, as patient as the first."""
        before = part.at
        is_everything = (part.at, part.end) == (0, self._source.size)
        span = None if is_everything else (part.at, part.end)
        unchanged = None if (self._validator or "").startswith("W/") else self._validator
        try:
            async with self._client.download(self._url, span, unchanged=unchanged) as response:
                self._check_is_same(response)
                if response.status != 206:
                    self._begin_anew(part)
                elif told_span(response)[0] not in (None, part.at):
                    raise Unreachable("The server sent another part of the input than it was asked for.")
                await self._write(response, part)
        except Unreachable:
            if part.at <= before:
                raise

    def _check_is_same(self, response: aiohttp.ClientResponse) -> None:
        validator = response.headers.get("ETag") or response.headers.get("Last-Modified")
        is_replaced = None not in (validator, self._validator) and validator != self._validator
        _, size = told_span(response)
        if is_replaced or size not in (None, self._source.size):
            raise AttemptFailed(INPUT_CHANGED)
        self._validator = self._validator or validator

    def _begin_anew(self, part: _Part) -> None:
        """The server sends everything. Only the first part takes that: it is alone."""
        if part.start > 0:
            raise Unreachable("The server gave a part of the input before, and now all of it.")
        self._on_bytes(-part.at)
        part.at, part.end = 0, self._source.size

    async def _write(self, response: aiohttp.ClientResponse, part: _Part) -> None:
        with self._target.open("r+b") as file:
            file.seek(part.at)
            async for portion in response.content.iter_chunked(_PORTION):
                if part.at + len(portion) > part.end:
                    raise AttemptFailed(INPUT_CHANGED)
                await asyncio.to_thread(file.write, portion)
                part.at += len(portion)
                self._on_bytes(len(portion))


def parts_of(size: int, part: int) -> list[_Part]:
    """Of an empty input, one empty part."""
    starts = range(0, size, part) or range(1)
    return [_Part(start, min(start + part, size), start) for start in starts]


def told_span(response: aiohttp.ClientResponse) -> tuple[int | None, int | None]:
    """Where in its object an answer begins, and how large the object is, as far as it tells."""
    if response.status != 206:
        return 0, response.content_length
    told = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return (int(told[1]), None if told[2] == "*" else int(told[2])) if told else (None, None)


_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", re.ASCII)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
