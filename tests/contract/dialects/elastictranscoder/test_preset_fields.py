"""Every field of presets, as the vendor's model has them; and of lists and deletions of both kinds of things."""

from __future__ import annotations

from typing import Final

from controlplane.commands.migration.comparing import differences
from tests.compatibility import answers
from tests.contract.dialects.elastictranscoder.wire import Wire

SIZING: Final = {"MaxWidth": "320", "MaxHeight": "240", "SizingPolicy": "Fit", "PaddingPolicy": "Pad"}
VIDEO: Final = {
    "Codec": "H.264",
    "CodecOptions": {
        "Profile": "main",
        "Level": "3.1",
        "MaxReferenceFrames": "3",
        "MaxBitRate": "900",
        "BufferSize": "1800",
    },
    "KeyframesMaxDist": "90",
    "FixedGOP": "false",
    "BitRate": "600",
    "FrameRate": "auto",
    "MaxFrameRate": "30",
    "MaxWidth": "480",
    "MaxHeight": "auto",
    "DisplayAspectRatio": "16:9",
    "SizingPolicy": "ShrinkToFit",
    "PaddingPolicy": "NoPad",
    "Watermarks": [
        {
            "Id": "TopLeft",
            "MaxWidth": "10%",
            "MaxHeight": "64px",
            "SizingPolicy": "ShrinkToFit",
            "HorizontalAlign": "Left",
            "HorizontalOffset": "5%",
            "VerticalAlign": "Top",
            "VerticalOffset": "12px",
            "Opacity": "50.5",
            "Target": "Frame",
        }
    ],
}
AUDIO: Final = {
    "Codec": "AAC",
    "SampleRate": "44100",
    "BitRate": "128",
    "Channels": "2",
    "AudioPackingMode": "SingleTrack",
    "CodecOptions": {"Profile": "AAC-LC"},
}
PICTURES: Final = {"Format": "png", "Interval": "30", **SIZING}
OLD_PICTURES: Final = {"Format": "jpg", "Interval": "9"}


@answers(
    "CreatePresetRequest.*",
    "CreatePresetResponse.*",
    "ReadPresetRequest.*",
    "ReadPresetResponse.*",
    "Preset.*",
    "VideoParameters.*",
    "PresetWatermark.*",
    "AudioParameters.*",
    "AudioCodecOptions.*",
    "Thumbnails.*",
)
async def test_a_preset_is_answered_as_it_was_asked_for(wire: Wire) -> None:
    sized = {"Resolution": "640x360", "AspectRatio": "16:9"}
    pcm = {"BitDepth": "16", "Signed": "Signed", "BitOrder": "LittleEndian"}
    old = {name: value for name, value in VIDEO.items() if not name.startswith(("Max", "Display", "Sizing", "Padding"))}
    wav = {"Codec": "pcm", "SampleRate": "48000", "Channels": "2", "CodecOptions": pcm}
    shaped = {"Format": "png", "Interval": "30", "AspectRatio": "16:9", **SIZING}
    for wanted, warning in (
        ({"Container": "mp4", "Video": VIDEO, "Audio": AUDIO, "Thumbnails": PICTURES}, None),
        ({"Container": "mp4", "Video": old | sized, "Audio": AUDIO, "Thumbnails": OLD_PICTURES | sized}, None),
        ({"Container": "wav", "Audio": wav}, None),
        ({"Container": "mp4", "Video": VIDEO, "Audio": AUDIO, "Thumbnails": shaped}, "it is ignored"),
    ):
        asked = {"Name": "a preset", "Description": "of ours", **wanted}
        answer = await wire.call("CreatePreset", **asked)
        made = answer["Preset"]
        assert differences(asked, made) == []
        assert (warning or "") in answer.get("Warning", "")
        assert ("Warning" in answer) is (warning is not None)
        assert (made["Type"], (await wire.call("ReadPreset", Id=made["Id"]))["Preset"]) == ("Custom", made)


@answers("DeletePresetRequest.*", "DeletePipelineRequest.*")
async def test_what_is_deleted_is_gone(wire: Wire, pipeline: str) -> None:
    preset = (await wire.call("CreatePreset", Name="a", Container="mp3", Audio={"Codec": "mp3"}))["Preset"]["Id"]
    for name, one in (("Preset", preset), ("Pipeline", pipeline)):
        assert await wire.call(f"Delete{name}", Id=one) == {"Success": "true"}
        assert (await wire.client.get(f"/{name.lower()}s/{one}")).status == 404


@answers(
    "ListPipelinesRequest.*",
    "ListPipelinesResponse.*",
    "ListPresetsRequest.*",
    "ListPresetsResponse.*",
)
async def test_pipelines_and_presets_are_listed_over_pages(wire: Wire) -> None:
    made = [await wire.client.caller.pipeline() for _ in range(51)]
    for name, first in (("Pipeline", made[0]), ("Preset", "1351620000001-000001")):
        page = await wire.call(f"List{name}s", Ascending="true")
        assert page[f"{name}s"][0]["Id"] == first
        assert len(page[f"{name}s"]) == 50
        rest = await wire.call(f"List{name}s", Ascending="true", PageToken=page["NextPageToken"])
        assert rest["NextPageToken"] is None
        assert not {one["Id"] for one in page[f"{name}s"]} & {one["Id"] for one in rest[f"{name}s"]}
