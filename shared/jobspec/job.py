"""The job document as a tenant sends it."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from shared.jobspec.fields import (
    ClientRequestToken,
    KeyPrefix,
    LabelKey,
    LabelValue,
    MetadataKey,
    MetadataValue,
    Slug,
    TranscoderId,
)
from shared.jobspec.inputs import Input
from shared.jobspec.outputs import Output
from shared.jobspec.playlists import Playlist
from shared.models import Sent

MOST_INPUTS: Final = 200


class StartPolicy(StrEnum):
    AUTO = "auto"
    MANUAL = "manual"  # waits, Submitted, until somebody starts it


class HardwarePreference(StrEnum):
    PREFER = "prefer"  # a hardware encoder where one is free, software otherwise
    REQUIRE = "require"
    AVOID = "avoid"


class Placement(Sent):
    """Where the work may run."""

    cluster_id: Slug | None = None
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=10)
    hardware: HardwarePreference = HardwarePreference.PREFER


_ANYWHERE = Placement()


def _anywhere() -> Placement:
    """One for all: a default value would be copied for every job."""
    return _ANYWHERE


class JobDocument(Sent):
    pipeline_id: TranscoderId
    client_request_token: ClientRequestToken | None = Field(
        None, description="Makes this create happen once: the same token and document again give the first answer."
    )
    priority: Annotated[int, Field(ge=-50, le=50)] = 0
    start: StartPolicy = StartPolicy.AUTO
    placement: Placement = Field(default_factory=_anywhere)
    inputs: Annotated[tuple[Input, ...], Field(min_length=1, max_length=MOST_INPUTS)] = Field(
        description="Shown one after the other in every output."
    )
    output_key_prefix: KeyPrefix = ""
    outputs: Annotated[tuple[Output, ...], Field(min_length=1, max_length=30)]
    playlists: Annotated[tuple[Playlist, ...], Field(max_length=30)] = ()
    metadata: dict[MetadataKey, MetadataValue] = Field(default_factory=dict, max_length=10)
    max_attempts: Annotated[int, Field(ge=1, le=10)] = 3

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for kind, names in (("output", [o.key for o in self.outputs]), ("playlist", [p.name for p in self.playlists])):
            repeated = [name for name, count in Counter(names).items() if count > 1]
            if repeated:
                raise PydanticCustomError(
                    "repeated_name", "Two {kind}s are named {name}.", {"kind": kind, "name": repeated[0]}
                )
        return self
