"""The three kinds of pydantic model: what users send, what programs tell each other, what is answered."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Sent(BaseModel):
    """Written by people: unknown fields and loose types are refused, so that a typo is never silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Message(BaseModel):
    """Between control plane and agent: unknown fields are ignored, so that old meets new."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Answer(BaseModel):
    """Rendered for people and their programs."""

    model_config = ConfigDict(frozen=True)
