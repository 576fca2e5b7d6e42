"""Fields that do not go together."""

from __future__ import annotations

from pydantic_core import PydanticCustomError


def mismatch(field: str, sentence: str) -> PydanticCustomError:
    """An error of the whole model that still names one field below it (a path with slashes)."""
    return PydanticCustomError("mismatch", "{sentence}", {"sentence": sentence, "field": field})
