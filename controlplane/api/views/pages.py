"""What every list is answered with."""

from __future__ import annotations

import datetime as dt
from typing import Generic, TypeVar

from pydantic import Field

from shared.clock import to_datetime
from shared.models import Answer

Item = TypeVar("Item")


class Page(Answer, Generic[Item]):
    items: list[Item]
    next_page_token: str | None = Field(None, description="Null on the last page.")


def moment(ms: int | None) -> dt.datetime | None:
    return None if ms is None else to_datetime(ms)
