"""What a caller may see of a list."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from controlplane.domain.permissions import Resources
from controlplane.http.calls import Call

Found = TypeVar("Found")
MOST_BATCHES: Final = 10
"""Looked through for somebody who sees but a part. Everybody waits for each of them."""


async def visible(
    call: Call[Any],
    batch: Callable[[str | None, int], Awaitable[tuple[list[Found], str | None]]],
    about: Callable[[Found], Resources],
    *,
    token: str | None,
    size: int,
) -> tuple[list[Found], str | None]:
    """Page by page: `batch(token, size)` gives what there is, and the next token.

    A page on which too much is left out is a short one, and yet not the last.
    """
    seen: list[Found] = []
    for _ in range(MOST_BATCHES):
        found, token = await batch(token, size - len(seen))
        if not call.principal.statements:
            return found, token
        seen += [one for one in found if call.may(about(one))]
        if token is None or len(seen) == size:
            break
        await asyncio.sleep(0)
    return seen, token
