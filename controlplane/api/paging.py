"""Lists of things that sort by one key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from controlplane.api.views import Page
from controlplane.domain.permissions import Resources
from controlplane.http.calls import Call
from controlplane.http.keys import PAGES
from controlplane.http.looking import visible

Found = TypeVar("Found")


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

    seen, more = await visible(call, batch, about, token=call.query.page_token, size=call.query.page_size)
    return Page[Any](items=[view(one) for one in seen], next_page_token=more)
