"""The job document as a tenant sends it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

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
from shared.jobspec.mismatch import mismatch
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

    cluster_id: Slug | None = Field(None, description="Only nodes of this cluster take it.")
    labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict, max_length=10, description="Only nodes that have all of these take it."
    )
    hardware: HardwarePreference = Field(HardwarePreference.PREFER, description="Whether a card encodes.")


_ANYWHERE = Placement()


def _anywhere() -> Placement:
    """One for all: a default value would be copied for every job."""
    return _ANYWHERE


class JobDocument(Sent):
    pipeline_id: TranscoderId = Field(description="Where it waits, and whose buckets it reads from and writes to.")
    client_request_token: ClientRequestToken | None = Field(
        None, description="Makes this create happen once: the same token and document again give the first answer."
    )
    priority: Annotated[int, Field(ge=-50, le=50)] = Field(
        0, description="Higher ones go first among the jobs of a tenant; against others it counts up to a ceiling."
    )
    start: StartPolicy = Field(StartPolicy.AUTO, description="With manual it waits, Submitted, until it is started.")
    placement: Placement = Field(default_factory=_anywhere)
    inputs: Annotated[tuple[Input, ...], Field(min_length=1, max_length=MOST_INPUTS, fail_fast=True)] = Field(
        description="Shown one after the other in every output."
    )
    output_key_prefix: KeyPrefix = Field("", description="Stands before every key that the job writes.")
    outputs: Annotated[tuple[Output, ...], Field(min_length=1, max_length=30, fail_fast=True)] = Field(
        description="What is made, each by itself: one may fail while others are made."
    )
    playlists: Annotated[tuple[Playlist, ...], Field(max_length=30, fail_fast=True)] = Field(
        (), description="Outputs named together for players."
    )
    metadata: dict[MetadataKey, MetadataValue] = Field(
        default_factory=dict, max_length=10, description="The sender's own notes; jobs are found by them."
    )
    max_attempts: Annotated[int, Field(ge=1, le=10)] = Field(3, description="How often it is tried when nodes fail it.")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        if (number := _repeated([output.key for output in self.outputs])) is not None:
            raise mismatch(f"outputs/{number}/key", "Two outputs have this key.")
        if (number := _repeated([playlist.name for playlist in self.playlists])) is not None:
            raise mismatch(f"playlists/{number}/name", "Two playlists have this name.")
        return self


def _repeated(names: Sequence[str]) -> int | None:
    """The place of the first that stands there for the second time."""
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            return number
        seen.add(name)
    return None
