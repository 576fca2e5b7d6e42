"""Which topic is told of what happens to a pipeline's jobs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from shared.models import Sent

TopicArn = Annotated[
    str, StringConstraints(pattern=r'^arn:aws:sns:[^\x00-\x1f\x7f"\\]*:\w{12}:[^\x00-\x1f\x7f"\\]+$', max_length=512)
]


class Notifications(Sent):
    """A topic per event; null: nobody is told."""

    progressing: TopicArn | None = Field(None, description="When a node begins.")
    completed: TopicArn | None = Field(None, description="When every output and playlist is there.")
    warning: TopicArn | None = Field(None, description="When an attempt came to nothing and there will be another.")
    error: TopicArn | None = Field(None, description="When the job failed, or a part of it.")
