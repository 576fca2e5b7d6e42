"""Lists: fifty a page, from the oldest or from the newest, and tokens that are ids."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Literal, Protocol, TypeVar

from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.members import Id
from controlplane.domain.permissions import Resources
from controlplane.http.calls import Call
from controlplane.http.looking import visible

PAGE: Final = 50
FIRST_ID: Final = ""
LAST_ID: Final = "~"  # sorts after every id


class Named(Protocol):
    @property
    def id(self) -> str: ...


Found = TypeVar("Found", bound=Named)


class Listing(Structure):
    ascending: Literal["true", "false"] | None = None
    page_token: Id | None = None

    @property
    def is_ascending(self) -> bool:
        """The newest come first unless told otherwise."""
        return self.ascending == "true"

    @property
    def after(self) -> str:
        return self.page_token or (FIRST_ID if self.is_ascending else LAST_ID)


async def page(
    call: Call[Listing], find: Callable[[str, int], Awaitable[list[Found]]], about: Callable[[Found], Resources]
) -> tuple[list[Found], str | None]:
    """What the caller may see of a page, and the token of the next: `find(after, size)` gives what comes after an id."""
    asked = call.body

    async def batch(after: str | None, size: int) -> tuple[list[Found], str | None]:
        found = await find(after or asked.after, size + 1)
        return found[:size], found[size - 1].id if len(found) > size else None

    return await visible(call, batch, about, token=asked.page_token, size=PAGE)
