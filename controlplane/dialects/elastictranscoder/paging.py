"""Lists: fifty a page, from the oldest or from the newest, and tokens that are ids."""

from __future__ import annotations

from typing import Final, Literal

from controlplane.dialects.elastictranscoder.conversion import Structure
from controlplane.dialects.elastictranscoder.members import Id

PAGE: Final = 50
FIRST_ID: Final = ""
LAST_ID: Final = "~"  # sorts after every id


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
