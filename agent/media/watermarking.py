"""Where in the frame a watermark comes to lie, and how large it is: arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from agent.media.sizing import Size, Sizing
from shared.jobspec import WatermarkSlot


@dataclass(frozen=True)
class Place:
    """In pixels of the frame; what sticks out of it is not seen."""

    x: int
    y: int
    size: Size


def place(slot: WatermarkSlot, picture: Size, sizing: Sizing) -> Place:
    """Of a picture that is to look in the frame as it is, whatever the shape of the frame's pixels."""
    is_framed = slot.target == "Frame"
    area = sizing.frame if is_framed else sizing.scaled
    left, top = (0, 0) if is_framed else (sizing.bars.width, sizing.bars.height)
    size = _size(slot, picture, area, sizing)
    x = _along(slot.horizontal_align, _length(slot.horizontal_offset, area.width), area.width, size.width)
    y = _along(slot.vertical_align, _length(slot.vertical_offset, area.height), area.height, size.height)
    return Place(left + x, top + y, size)


def _size(slot: WatermarkSlot, picture: Size, area: Size, sizing: Sizing) -> Size:
    width, height = picture.width / sizing.pixel_aspect, Fraction(picture.height)
    across = min(_length(slot.max_width, area.width), Fraction(sizing.frame.width))
    down = min(_length(slot.max_height, area.height), Fraction(sizing.frame.height))
    if slot.sizing_policy != "Stretch":
        factor = min(across / width, down / height)
        if slot.sizing_policy == "ShrinkToFit":
            factor = min(factor, Fraction(1))
        across, down = width * factor, height * factor
    return Size(max(1, round(across)), max(1, round(down)))


def _along(align: str, offset: Fraction, whole: int, length: int) -> int:
    match align:
        case "Left" | "Top":
            return round(offset)
        case "Right" | "Bottom":
            return round(whole - offset) - length
        case _:
            return (whole - length) // 2


def _length(text: str, whole: int) -> Fraction:
    """Of "16px" or "12.5%"."""
    return whole * Fraction(text[:-1]) / 100 if text.endswith("%") else Fraction(text[:-2])
