"""Lists of things that sort by one key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from controlplane.api.keys import PAGES
from controlplane.api.routing import Call
from controlplane.api.views import Page
from controlplane.domain.permissions import Resources

Found = TypeVar("Found")
MOST_BATCHES: Final = 10


async def page(
    call: Call[Any],
    scope: Sequence[str],
    find: Callable[[str, int], Awaitable[list[Found]]],
    key: Callable[[Found], str],
    view: Callable[[Found], Any],
    about: Callable[[Found], Resources] = lambda found: (),
) -> Page[Any]:
    """One page: `find(after, size)` gives what comes after a key; one more than asked tells whether there is another.

    Callers see what they may do this to: of what `about` has no names for, those see something who may do it to everything.
    """
    pages = call.request.app[PAGES]
    whole = [call.principal.tenant_id or "", *scope]

    async def batch(token: str | None, size: int) -> tuple[list[Found], str | None]:
        found = await find(pages.read(token, whole) if token else "", size + 1)
        return found[:size], pages.make(key(found[size - 1]), whole) if len(found) > size else None

    seen, more = await visible(call, batch, about)
    return Page[Any](items=[view(one) for one in seen], next_page_token=more)


async def visible(
    call: Call[Any],
    batch: Callable[[str | None, int], Awaitable[tuple[list[Found], str | None]]],
    about: Callable[[Found], Resources],
) -> tuple[list[Found], str | None]:
    """What a caller may see of a list, page by page: `batch(token, size)` gives what there is, and the next token.

    A page on which too much is left out is a short one, and yet not the last.
    """
    seen: list[Found] = []
    token, size = call.query.page_token, call.query.page_size
    for _ in range(MOST_BATCHES):
        found, token = await batch(token, size - len(seen))
        seen += [one for one in found if call.may(about(one))] if call.principal.statements else found
        if token is None or len(seen) == size:
            break
    return seen, token
