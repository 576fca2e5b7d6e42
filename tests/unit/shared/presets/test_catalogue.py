"""Every field of every system preset agrees with what the service it comes from published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.jobspec import Settings
from shared.presets import SYSTEM_PRESETS

FACTS = json.loads((Path(__file__).parents[3] / "data" / "system_presets.json").read_text())
PUBLISHED = {preset["Id"]: preset for preset in FACTS["presets"]}
VIDEO_FIELDS = {
    "BitRate": "bit_rate",
    "DisplayAspectRatio": "display_aspect_ratio",
    "FixedGOP": "fixed_gop",
    "FrameRate": "frame_rate",
    "KeyframesMaxDist": "keyframes_max_distance",
    "MaxFrameRate": "max_frame_rate",
    "MaxHeight": "max_height",
    "MaxWidth": "max_width",
    "PaddingPolicy": "padding_policy",
    "SizingPolicy": "sizing_policy",
}
VIDEO_OPTIONS = {
    "BufferSize": "buffer_size",
    "ChromaSubsampling": "chroma_subsampling",
    "ColorSpaceConversionMode": "color_space_conversion",
    "InterlacedMode": "interlaced_mode",
    "Level": "level",
    "LoopCount": "loop_count",
    "MaxBitRate": "max_bit_rate",
    "MaxReferenceFrames": "max_reference_frames",
    "Profile": "profile",
}
DEFAULTS = Settings.model_validate({"container": "gif", "video": {"codec": "gif"}}, strict=False)


def test_there_are_all_sixty_two_in_the_order_of_their_ids() -> None:
    assert list(SYSTEM_PRESETS) == sorted(PUBLISHED)
    assert len(SYSTEM_PRESETS) == 62


@pytest.mark.parametrize("preset_id", sorted(PUBLISHED))
def test_a_preset_is_as_published(preset_id: str) -> None:
    published, ours = PUBLISHED[preset_id], SYSTEM_PRESETS[preset_id]
    assert (ours.id, ours.name, ours.description) == (preset_id, published["Name"], published["Description"])
    rendered = ours.settings.model_dump(mode="json")
    assert rendered["container"] == published["Container"]
    assert rendered["video"] == _video(published.get("Video"))
    assert rendered["audio"] == _audio(published.get("Audio"))
    assert rendered["thumbnails"] == _thumbnails(published.get("Thumbnails"))


def test_the_published_form_has_no_field_that_this_test_overlooks() -> None:
    for preset in PUBLISHED.values():
        assert preset.keys() <= {"Id", "Name", "Description", "Container", "Video", "Audio", "Thumbnails"}
        video, audio = preset.get("Video") or {}, preset.get("Audio") or {}
        # AspectRatio is the deprecated twin of DisplayAspectRatio.
        assert video.keys() <= {*VIDEO_FIELDS, "AspectRatio", "Codec", "CodecOptions", "Watermarks"}
        assert video.get("CodecOptions", {}).keys() <= VIDEO_OPTIONS.keys()
        assert audio.keys() <= {"AudioPackingMode", "BitRate", "Channels", "Codec", "CodecOptions", "SampleRate"}
        assert audio.get("CodecOptions", {}).keys() <= {"BitDepth", "BitOrder", "Profile", "Signed"}


def _video(published: dict[str, Any] | None) -> dict[str, Any] | None:
    if not published:
        return None
    assert DEFAULTS.video is not None
    expected = DEFAULTS.video.model_dump(mode="json")
    expected["codec"] = {"H.264": "h264"}.get(published["Codec"], published["Codec"])
    expected |= {ours: _value(ours, published[name]) for name, ours in VIDEO_FIELDS.items() if name in published}
    if published["Codec"] == "gif":
        expected["bit_rate"] = None  # which says nothing of it
    options = published.get("CodecOptions", {})
    expected |= {ours: _value(ours, options[name]) for name, ours in VIDEO_OPTIONS.items() if name in options}
    expected["watermarks"] = [
        _watermark(slot) for slot in FACTS["watermarks"] if slot["Id"] in published.get("Watermarks", ())
    ]
    return expected


def _audio(published: dict[str, Any] | None) -> dict[str, Any] | None:
    if not published:
        return None
    options = published.get("CodecOptions", {})
    return {
        "codec": published["Codec"].lower(),
        "bit_rate": int(published["BitRate"]) * 1000 if "BitRate" in published else None,
        "sample_rate": int(published["SampleRate"]),
        "channels": int(published["Channels"]),
        "packing_mode": published.get("AudioPackingMode", "SingleTrack"),
        "profile": options.get("Profile"),
        "bit_depth": int(options["BitDepth"]) if "BitDepth" in options else None,
        "bit_order": options.get("BitOrder"),
        "loudness": None,
        "signed": options.get("Signed", "Signed") == "Signed",
    }


def _thumbnails(published: dict[str, Any] | None) -> dict[str, Any] | None:
    if not published:
        return None
    return {
        "format": published["Format"],
        "interval": int(published["Interval"]),
        "max_width": int(published["MaxWidth"]),
        "max_height": int(published["MaxHeight"]),
        "sizing_policy": published["SizingPolicy"],
        "padding_policy": published["PaddingPolicy"],
        "resolution": None,
        "aspect_ratio": None,
    }


def _watermark(published: dict[str, str]) -> dict[str, Any]:
    return {
        "id": published["Id"],
        "max_width": published["MaxWidth"],
        "max_height": published["MaxHeight"],
        "sizing_policy": published["SizingPolicy"],
        "horizontal_align": published["HorizontalAlign"],
        "horizontal_offset": published["HorizontalOffset"],
        "vertical_align": published["VerticalAlign"],
        "vertical_offset": published["VerticalOffset"],
        "opacity": float(published["Opacity"]),
        "target": published["Target"],
    }


def _value(field: str, published: str) -> Any:
    """A published string, in our form and units: rates are published in kbit/s, sizes of buffers in kbit."""
    match field:
        case "bit_rate" | "max_bit_rate" | "buffer_size":
            return int(published) * 1000
        case "max_reference_frames" | "keyframes_max_distance":
            return int(published)
        case "max_width" | "max_height":
            return None if published == "auto" else int(published)
        case "fixed_gop":
            return published == "true"
        case "loop_count":
            return published.lower()
        case _:
            return published
