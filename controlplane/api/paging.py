"""Lists of things that sort by one key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from controlplane.api.keys import PAGES
from controlplane.api.routing import Call
from controlplane.api.views import Page

Found = TypeVar("Found")


async def page(
    call: Call[Any],
    scope: Sequence[str],
    find: Callable[[str, int], Awaitable[list[Found]]],
    key: Callable[[Found], str],
    view: Callable[[Found], Any],
) -> Page[Any]:
    """One page: `find(after, size)` gives what comes after a key; one more than asked tells whether there is another."""
    pages, size = call.request.app[PAGES], call.query.page_size
    whole = [call.principal.tenant_id or "", *scope]
    after = pages.read(call.query.page_token, whole) if call.query.page_token else ""
    found = await find(after, size + 1)
    more = pages.make(key(found[size - 1]), whole) if len(found) > size else None
    return Page[Any](items=[view(one) for one in found[:size]], next_page_token=more)
