"""What members of more than one structure may be."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

ASCII = "(?-u)"
"""Begins patterns whose digits are 0 to 9 alone."""
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
"""Names and descriptions hold no control characters, here as natively: databases do not take all of them."""
ID = r"^\d{13}-\w{6}$"

Id = Annotated[str, Field(pattern=ASCII + ID)]
Pixels = Annotated[str, Field(pattern=ASCII + r"(^auto$)|(^\d{2,4}$)")]
FrameRate = Literal["auto", "10", "15", "23.97", "24", "25", "29.97", "30", "50", "60"]
AspectRatio = Literal["auto", "1:1", "4:3", "3:2", "16:9"]
SizingPolicy = Literal["Fit", "Fill", "Stretch", "Keep", "ShrinkToFit", "ShrinkToFill"]
