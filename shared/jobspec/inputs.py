"""What a job reads."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.jobspec.captions import InputCaptions
from shared.jobspec.encryption import Decryption
from shared.jobspec.fields import (
    ObjectKey,
)
from shared.models import Sent


class Input(Sent):
    key: ObjectKey
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None,
        description="Of the whole object, in hexadecimal: a node that fetches something else does not transcode it.",
    )
    captions: InputCaptions | None = Field(
        None, description="Without it, outputs that want captions take those embedded in the input."
    )
    encryption: Decryption | None = Field(None, description="How the object is encrypted.")
