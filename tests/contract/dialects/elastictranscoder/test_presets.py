"""Presets, as clients of Elastic Transcoder see them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from controlplane.dialects.elastictranscoder.presets.structures import CreatePreset
from controlplane.dialects.elastictranscoder.presets.translation import (
    UNUSED_ASPECT_RATIO,
    UNUSED_BIT_RATE,
    settings,
    told,
)
from shared.ids import PresetId
from shared.presets import DEPRECATED_IDS, SYSTEM_PRESETS
from tests.contract.dialects.elastictranscoder import client as clients
from tests.contract.dialects.elastictranscoder.client import Client

_FACTS: Final = json.loads((Path(__file__).parents[3] / "data" / "system_presets.json").read_text())
_WATERMARKS: Final = {one["Id"]: one for one in _FACTS["watermarks"]}
MINE: Final[dict[str, Any]] = {
    "Name": "mine",
    "Description": "",
    "Container": "mp4",
    "Video": {
        "Codec": "H.264",
        "CodecOptions": {"Profile": "main", "Level": "3.1", "MaxReferenceFrames": "3"},
        "KeyframesMaxDist": "90",
        "FixedGOP": "false",
        "BitRate": "1000",
        "FrameRate": "auto",
        "MaxWidth": "1280",
        "MaxHeight": "auto",
        "SizingPolicy": "ShrinkToFit",
        "PaddingPolicy": "NoPad",
        "DisplayAspectRatio": "auto",
    },
    "Audio": {
        "Codec": "AAC",
        "SampleRate": "44100",
        "BitRate": "128",
        "Channels": "2",
        "AudioPackingMode": "SingleTrack",
    },
    "Thumbnails": {
        "Format": "png",
        "Interval": "60",
        "MaxWidth": "192",
        "MaxHeight": "108",
        "SizingPolicy": "ShrinkToFit",
        "PaddingPolicy": "NoPad",
    },
}


def published(preset: dict[str, Any]) -> dict[str, Any]:
    """As the service told it."""
    if "Watermarks" not in preset.get("Video", {}):
        return preset
    marks = [_WATERMARKS[name] for name in preset["Video"]["Watermarks"]]
    return preset | {"Video": preset["Video"] | {"Watermarks": marks}}


PUBLISHED: Final = {preset["Id"]: published(preset) for preset in _FACTS["presets"]}


async def test_all_sixty_two_are_told_exactly_as_the_service_told_them(client: Client) -> None:
    for preset_id, expected in PUBLISHED.items():
        answer = await client.get(f"/presets/{preset_id}")
        assert answer.status == 200, answer.content
        arn = f"arn:aws:elastictranscoder:us-east-1:{client.caller.tenant_id}:preset/{preset_id}"
        assert answer.json["Preset"] == {**expected, "Arn": arn, "Type": "System"}


@pytest.mark.parametrize("preset_id", PUBLISHED)
def test_what_the_service_told_of_a_preset_means_what_it_means_here(preset_id: str) -> None:
    wire = {name: value for name, value in PUBLISHED[preset_id].items() if name != "Id"}
    if len(wire["Name"]) > 40:  # the service's own may be longer
        wire["Name"] = "short"
    found, _ = settings(CreatePreset.model_validate_json(json.dumps(wire)))
    ours = SYSTEM_PRESETS[PresetId(preset_id)].settings
    assert found == ours
    meaningless = {"AspectRatio"} | ({"BitRate"} if wire["Container"] == "gif" else set())
    video = {name: value for name, value in wire.get("Video", {}).items() if name not in meaningless}
    expected = {name: wire[name] for name in ("Audio", "Thumbnails") if name in wire}
    assert told(found) == ({"Video": video} if video else {}) | expected


async def test_a_preset_is_told_as_it_was_sent(client: Client) -> None:
    made = await client.post("/presets", MINE)
    assert made.status == 201, made.content
    assert "Warning" not in made.json
    preset = made.json["Preset"]
    assert preset == {**MINE, "Id": preset["Id"], "Arn": preset["Arn"], "Type": "Custom"}
    assert (await client.get(f"/presets/{preset['Id']}")).json["Preset"] == preset
    native = await client.caller.get(f"/v1/presets/{preset['Id']}")
    assert native.json["settings"]["video"]["bit_rate"] == 1_000_000


async def test_one_that_was_made_natively_is_told_in_the_words_of_the_wire(client: Client) -> None:
    wanted = {"container": "mp4", "video": {"codec": "h264", "bit_rate": 800_000}, "audio": {"codec": "aac"}}
    made = await client.caller.post("/v1/presets", {"name": "native", "settings": wanted})
    assert made.status == 201, made.content
    preset = (await client.get(f"/presets/{made.json['id']}")).json["Preset"]
    assert (preset["Video"]["Codec"], preset["Video"]["BitRate"], preset["Video"]["MaxWidth"]) == (
        "H.264",
        "800",
        "auto",
    )
    assert preset["Audio"] == {"Codec": "AAC", "SampleRate": "auto", "Channels": "auto"}


async def test_a_shape_that_says_nothing_is_warned_of(client: Client) -> None:
    made = await client.post("/presets", MINE | {"Video": MINE["Video"] | {"AspectRatio": "16:9"}})
    assert (made.status, made.json["Warning"]) == (201, UNUSED_ASPECT_RATIO)
    assert made.json["Preset"]["Video"]["AspectRatio"] == "16:9"


async def test_a_rate_that_says_nothing_of_a_gif_is_warned_of(client: Client) -> None:
    gif = {"Codec": "gif", "CodecOptions": {"LoopCount": "Infinite"}, "BitRate": "400", "FrameRate": "15"}
    made = await client.post("/presets", {"Name": "gif", "Container": "gif", "Video": gif})
    assert (made.status, made.json["Warning"]) == (201, UNUSED_BIT_RATE)
    assert made.json["Preset"]["Video"] == gif
    native = await client.caller.get(f"/v1/presets/{made.json['Preset']['Id']}")
    assert native.json["settings"]["video"]["bit_rate"] is None


@pytest.mark.parametrize("old", DEPRECATED_IDS)
async def test_an_id_that_was_given_up_stands_for_the_one_of_today(client: Client, pipeline: str, old: str) -> None:
    today = DEPRECATED_IDS[PresetId(old)]
    preset = (await client.get(f"/presets/{old}")).json["Preset"]
    assert preset["Id"] == old
    assert preset["Name"] == PUBLISHED[today]["Name"]
    output = {"key": "out.mp4", "preset_id": old}
    native = {"pipeline_id": pipeline, "inputs": [{"key": "in.mp4"}], "outputs": [output]}
    made = await client.caller.post("/v1/jobs", native)
    assert made.status == 201, made.content


async def test_presets_are_listed_over_pages_in_both_directions(client: Client) -> None:
    mine = [(await client.post("/presets", MINE | {"Name": name})).json["Preset"]["Id"] for name in "abc"]
    for query, expected in (("?Ascending=true", [*PUBLISHED, *mine]), ("", [*mine[::-1], *reversed(PUBLISHED)])):
        listed: list[str] = []
        token: str | None = ""
        while token is not None:
            more = f"{'&' if query else '?'}PageToken={token}" if token else ""
            page = (await client.get(f"/presets{query}{more}")).json
            listed += [one["Id"] for one in page["Presets"]]
            assert len(page["Presets"]) <= 50
            token = page["NextPageToken"]
        assert listed == expected


async def test_a_preset_of_ones_own_can_be_deleted_and_none_of_the_services(client: Client) -> None:
    preset_id = (await client.post("/presets", MINE)).json["Preset"]["Id"]
    gone = await client.delete(f"/presets/{preset_id}")
    assert (gone.status, gone.json) == (202, {"Success": "true"})
    account = client.caller.tenant_id
    assert clients.told(await client.get(f"/presets/{preset_id}")) == (
        404,
        "ResourceNotFoundException",
        f"The specified preset was not found: account={account}, presetId={preset_id}.",
    )
    for system in ("1351620000001-000010", "1351620000000-100080"):
        assert clients.told(await client.delete(f"/presets/{system}"))[:2] == (403, "AccessDeniedException")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"Container": "avi"},
            "Value 'avi' at 'container' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: (^mp4$)|(^ts$)",
        ),
        (
            {"Name": ""},
            "Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            {"Video": MINE["Video"] | {"BitRate": "fast"}},
            r"Value 'fast' at 'video.bitRate' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: (^\d{2,5}$)|(^auto$)",
        ),
        (
            {"Video": MINE["Video"] | {"CodecOptions": {"Profile": "main", "Level": "9"}}},
            "Value '9' at 'video.codecOptions.level' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: (^1$)|(^1b$)",
        ),
        (
            {"Audio": {"Codec": "mp3", "CodecOptions": {"Profile": "AAC-LC"}}},
            "Value 'AAC-LC' at 'audio.codecOptions.profile'",
        ),
        ({"Video": MINE["Video"] | {"Colour": "red"}}, "Value at 'video.colour'"),
        (
            {"Video": MINE["Video"] | {"MaxWidth": "1281"}},
            "Value '1281' at 'video.maxWidth' failed to satisfy constraint: Member must be a multiple of 2",
        ),
        (
            {"Audio": MINE["Audio"] | {"BitRate": "999"}},
            "Value '999' at 'audio.bitRate' failed to satisfy constraint: Member must have value less than or equal to 512",
        ),
        (
            {"Video": MINE["Video"] | {"CodecOptions": {"Profile": "main", "MaxBitRate": "10"}}},
            "Value '10' at 'video.codecOptions.maxBitRate' failed to satisfy constraint: MaxBitRate is at least BitRate.",
        ),
        (
            {"Video": MINE["Video"] | {"Resolution": "640x360"}},
            "Value '1280' at 'video.maxWidth' failed to satisfy constraint: MaxWidth does not go with Resolution",
        ),
        (
            {"Video": MINE["Video"] | {"Watermarks": [{"Id": "a", "MaxWidth": "101%", "MaxHeight": "9%"}]}},
            "Value '101%' at 'video.watermarks.1.member.maxWidth' failed to satisfy constraint: A length has at most 100%.",
        ),
        (
            {"Video": {name: value for name, value in MINE["Video"].items() if name != "Codec"}},
            "Value null at 'video.codec' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"Thumbnails": MINE["Thumbnails"] | {"Resolution": "640x360"}},
            "Value '192' at 'thumbnails.maxWidth' failed to satisfy constraint: Member must be null beside Resolution",
        ),
    ],
)
async def test_what_is_wrong_with_a_preset_is_told_by_the_name_of_the_member(
    client: Client, change: dict[str, Any], sentence: str
) -> None:
    status, name, message = clients.told(await client.post("/presets", MINE | change))
    assert (status, name) == (400, "ValidationException")
    assert message.startswith(f"1 validation error detected: {sentence}"), message


@pytest.mark.parametrize(
    ("sent", "bounds"),
    [
        ({"MaxWidth": "auto", "MaxHeight": "auto"}, (1920, 1080)),
        ({"MaxWidth": "320", "MaxHeight": "auto"}, (320, 1080)),
        ({"MaxWidth": "auto", "MaxHeight": "90"}, (1920, 90)),
        ({}, (192, 108)),
    ],
)
async def test_thumbnails_without_bounds_are_large(
    client: Client, sent: dict[str, str], bounds: tuple[int, int]
) -> None:
    """As the guide has it for auto, and Terraform's own example asks for."""
    made = (await client.post("/presets", MINE | {"Thumbnails": {"Format": "png", "Interval": "2", **sent}})).json
    assert made["Preset"]["Thumbnails"] == {"Format": "png", "Interval": "2", **sent}
    native = (await client.caller.get(f"/v1/presets/{made['Preset']['Id']}")).json["settings"]["thumbnails"]
    assert (native["max_width"], native["max_height"]) == bounds


async def test_all_that_is_wrong_is_told_at_once(client: Client) -> None:
    wrong = {name: value for name, value in MINE.items() if name != "Name"} | {"Container": "avi"}
    message = clients.told(await client.post("/presets", wrong))[2]
    assert message.startswith(
        "2 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; "
    )
