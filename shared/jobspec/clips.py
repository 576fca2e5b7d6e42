"""A stretch of time, in seconds or as Elastic Transcoder writes it: "HH:mm:ss.SSS" or "sssss.SSS"."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from shared.jobspec.mismatch import mismatch
from shared.models import Sent

LONGEST: Final = 604_800
"""Seconds: a week."""
PATTERN: Final = r"^(\d{1,5}(\.\d{0,3})?|((([01]?\d|2[0-3]):)?[0-5]?\d:)?[0-5]?\d(\.\d{0,3})?)$"
_TEXT: Final = re.compile(PATTERN, re.ASCII)
_FORMS: Final = (
    f'A time is a number of seconds, at most {LONGEST}, or a text like "01:02:03.500" or "3723.500": '
    "it has at most three decimals."
)


def _time(value: Any) -> float | str:
    if isinstance(value, str):
        if _TEXT.fullmatch(value):
            return value
    elif isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST:
        return float(value)
    raise PydanticCustomError("time", _FORMS)


Time = Annotated[
    float | str,
    PlainValidator(_time),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": LONGEST}, {"type": "string", "pattern": PATTERN}]}
    ),
]
"""Kept as it was sent, so that it is answered so."""


def seconds(time: float | str) -> float:
    """A time as a number: 3723.5 for "1:02:03.5"."""
    if isinstance(time, float):
        return time
    total = 0.0
    for part in time.split(":"):
        total = total * 60 + float(part)
    return round(total, 3)


class Clip(Sent):
    start: Time = Field(0.0, description='From the beginning, in seconds, or "HH:mm:ss.SSS", or "sssss.SSS".')
    duration: Time | None = Field(
        None, description="In the same forms; up to the end when null, or when that is nearer."
    )

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.lasts == 0:
            raise mismatch("duration", "A clip lasts longer than 0 s.")
        return self

    @property
    def begins(self) -> float:
        return seconds(self.start)

    @property
    def lasts(self) -> float | None:
        return None if self.duration is None else seconds(self.duration)
