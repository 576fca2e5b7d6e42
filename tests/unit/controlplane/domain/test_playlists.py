"""Which outputs may be together in a playlist, and what all that comes of them is called."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from controlplane.domain import planning
from controlplane.domain.results import stray_keys
from shared.errors import InvalidField
from shared.jobspec import JobDocument
from shared.protocol import TranscodeFile
from tests.builders import a_document, finished, produced

PIPELINE = "1763750000000-000000"
VIDEO = {"codec": "h264", "fixed_gop": True, "keyframes_max_distance": 60}
AUDIO = {"codec": "aac"}

B64 = "AAECAwQFBgcICQoLDA0ODw=="
STORED = {"method": "aes-128", "key_storage_policy": "WithVariantPlaylists"}
FETCHED = {"method": "aes-128", "license_acquisition_url": "https://keys.example/1?a=b&c=d"}
LICENSED = {
    "format": "microsoft",
    "key": B64,
    "key_id": "01020304-0506-0708-090A-0B0C0D0E0F10",
    "license_acquisition_url": "https://licences.example/",
}


def an_output(key: str, container: str = "ts", segment: float | None = 6.0, **settings: Any) -> dict[str, Any]:
    chosen = settings or {"video": VIDEO, "audio": AUDIO}
    return {"key": key, "segment_duration": segment, "settings": {"container": container, **chosen}}


def a_playlist(form: str, *keys: str, name: str = "index", **fields: Any) -> dict[str, Any]:
    return {"name": name, "format": form, "output_keys": list(keys), **fields}


def checked(outputs: list[dict[str, Any]], playlists: list[dict[str, Any]]) -> TranscodeFile:
    """Raises InvalidField."""
    document = JobDocument.model_validate_json(orjson.dumps(a_document(PIPELINE, outputs=outputs, playlists=playlists)))
    planning.check(document, {})
    return planning.plan(document, {})


def refused(outputs: list[dict[str, Any]], playlists: list[dict[str, Any]]) -> str | None:
    """Where."""
    with pytest.raises(InvalidField) as refusal:
        checked(outputs, playlists)
    return refusal.value.pointer


@pytest.mark.parametrize(
    ("form", "outputs"),
    [
        ("HLSv3", [an_output("a"), an_output("b", video=VIDEO), an_output("c", audio=AUDIO)]),
        ("HLSv4", [an_output("a"), an_output("b", video=VIDEO), an_output("c", audio=AUDIO)]),
        ("MPEG-DASH", [an_output("a", "fmp4"), an_output("b", "fmp4", video=VIDEO)]),
        ("MPEG-DASH", [an_output("a", "fmp4", None)]),
        ("CMAF", [an_output("a", "fmp4", video=VIDEO), an_output("b", "fmp4", audio=AUDIO)]),
        ("Smooth", [an_output("a", "fmp4"), an_output("b", "fmp4", audio=AUDIO)]),
    ],
)
def test_each_format_takes_its_containers(form: str, outputs: list[dict[str, Any]]) -> None:
    task = checked(outputs, [a_playlist(form, *(output["key"] for output in outputs))])
    assert task.playlists[0].outputs == tuple(range(len(outputs)))


@pytest.mark.parametrize(
    ("form", "output"),
    [
        ("HLSv3", an_output("b", "fmp4")),
        ("HLSv3", an_output("b", segment=None)),
        ("HLSv4", an_output("b", "fmp4")),
        ("HLSv4", an_output("b", segment=None)),
        ("HLSv4", an_output("b", segment=4.0)),
        ("MPEG-DASH", an_output("b")),
        ("CMAF", an_output("b", "fmp4")),
        ("CMAF", an_output("b", video=VIDEO)),
        ("Smooth", an_output("b")),
        ("Smooth", an_output("b", "fmp4", video={**VIDEO, "profile": "high"})),
        ("Smooth", an_output("b", "fmp4", video={**VIDEO, "codec": "hevc"})),
        ("Smooth", an_output("b", "fmp4", audio={"codec": "opus", "sample_rate": 48000})),
        ("Smooth", an_output("b", "fmp4", video={**VIDEO, "keyframes_max_distance": 30})),
        ("Smooth", an_output("b", "fmp4", video={**VIDEO, "frame_rate": "30"})),
    ],
)
def test_an_output_that_does_not_fit_is_named(form: str, output: dict[str, Any]) -> None:
    fitting = an_output("a") if form.startswith("HLS") else an_output("a", "fmp4", video=VIDEO)
    assert refused([fitting, output], [a_playlist(form, "a", "b")]) == "/playlists/0/output_keys/1"


def test_fragments_of_one_playlist_are_of_one_length() -> None:
    outputs = [an_output("a", "fmp4", 2.0, video=VIDEO), an_output("b", "fmp4", 4.0, video=VIDEO)]
    assert refused(outputs, [a_playlist("MPEG-DASH", "a", "b")]) == "/playlists/0/output_keys/1"


def test_a_playlist_names_an_output_once() -> None:
    assert refused([an_output("a")], [a_playlist("HLSv3", "a", "a")]) == "/playlists/0/output_keys/1"


def test_only_what_is_cut_has_segments() -> None:
    assert refused([an_output("a.mp4", "mp4")], []) == "/outputs/0/segment_duration"


@pytest.mark.parametrize(
    ("outputs", "playlists", "pointer"),
    [
        ([an_output("a")], [a_playlist("HLSv3", "a", name="a")], "/playlists/0/name"),
        ([an_output("a")], [a_playlist("HLSv4", "a", name="a_v4")], "/playlists/0/name"),
        ([an_output("a")], [a_playlist("HLSv4", "a", name="a_iframe")], "/playlists/0/name"),
        ([an_output("a"), an_output("a.ts", segment=None)], [a_playlist("HLSv4", "a")], "/outputs/1/key"),
        ([an_output("a", "fmp4", video=VIDEO)], [a_playlist("CMAF", "a", name="a")], "/playlists/0/name"),
        (
            [an_output("a.mp4", "fmp4"), an_output("s.ism", "fmp4")],
            [a_playlist("Smooth", "a.mp4", name="s")],
            "/playlists/0/name",
        ),
        (
            [an_output("a"), an_output("a.key", segment=None)],
            [a_playlist("HLSv4", "a", hls_content_protection=STORED)],
            "/outputs/1/key",
        ),
        ([an_output("a"), an_output("a00000.ts", segment=None)], [], "/outputs/1/key"),
        ([an_output("a"), an_output("a123456.ts", segment=None)], [], "/outputs/1/key"),
    ],
)
def test_nothing_is_written_to_a_key_that_is_taken(
    outputs: list[dict[str, Any]], playlists: list[dict[str, Any]], pointer: str
) -> None:
    assert str(refused(outputs, playlists)).startswith(pointer)


def test_names_that_only_look_alike_are_no_collision() -> None:
    outputs = [an_output("a"), an_output("a_v4"), an_output("a0000.ts", segment=None), an_output("b")]
    checked(outputs, [a_playlist("HLSv3", "a", "a_v4"), a_playlist("HLSv4", "b", name="four")])


def test_a_node_publishes_what_the_formats_of_its_playlists_have() -> None:
    task = checked(
        [an_output("four"), an_output("both"), an_output("cmaf", "fmp4", video=VIDEO), an_output("none")],
        [
            a_playlist("HLSv4", "four", "both", name="f"),
            a_playlist("HLSv3", "both", name="t"),
            a_playlist("CMAF", "cmaf", name="c"),
        ],
    )
    may = {
        0: ["four.ts", "four_v4.m3u8", "four_iframe.m3u8"],
        1: ["both.ts", "both_v4.m3u8", "both_iframe.m3u8", "both.m3u8", "both00000.ts"],
        2: ["cmaf", "cmaf.m3u8"],
        3: ["none.m3u8", "none00000.ts"],
    }
    everything = [key for keys in may.values() for key in keys]
    for index, keys in may.items():
        report = finished(*(produced(key) for key in everything))
        of_this = report.model_copy(update={"outputs": (report.outputs[0].model_copy(update={"index": index}),)})
        assert [key for key in everything if key not in stray_keys(task, of_this)] == keys
    assert [playlist.keys for playlist in task.playlists] == [("f.m3u8",), ("t.m3u8",), ("c.m3u8", "c.mpd")]


@pytest.mark.parametrize(
    ("form", "protection"),
    [
        ("HLSv3", {"hls_content_protection": STORED}),
        ("HLSv4", {"hls_content_protection": {**FETCHED, "key": B64}}),
        ("MPEG-DASH", {"play_ready_drm": LICENSED}),
        ("Smooth", {"play_ready_drm": {**LICENSED, "format": "discretix-3.0", "key_id": "0" * 32}}),
    ],
)
def test_each_format_has_its_protection(form: str, protection: dict[str, Any]) -> None:
    outputs = [an_output("a", "ts" if form.startswith("HLS") else "fmp4")]
    document = a_document(PIPELINE, outputs=outputs, playlists=[a_playlist(form, "a", **protection)])
    planning.check(JobDocument.model_validate_json(orjson.dumps(document)), {})


@pytest.mark.parametrize(
    ("form", "protection"),
    [
        ("HLSv3", {"play_ready_drm": LICENSED}),
        ("HLSv4", {"play_ready_drm": LICENSED}),
        ("MPEG-DASH", {"hls_content_protection": STORED}),
        ("Smooth", {"hls_content_protection": STORED}),
        ("CMAF", {"hls_content_protection": STORED}),
        ("CMAF", {"play_ready_drm": LICENSED}),
    ],
)
def test_protection_that_players_of_a_format_do_not_know_is_refused(form: str, protection: dict[str, Any]) -> None:
    container, settings = ("ts", {}) if form.startswith("HLS") else ("fmp4", {"video": VIDEO})
    where = refused([an_output("a", container, **settings)], [a_playlist(form, "a", **protection)])
    assert where == f"/playlists/0/{next(iter(protection))}"


def test_licences_are_for_h264_and_aac() -> None:
    outputs = [an_output("a", "fmp4", audio=AUDIO), an_output("b", "fmp4", video={**VIDEO, "codec": "av1"})]
    playlist = a_playlist("MPEG-DASH", "a", "b", play_ready_drm=LICENSED)
    assert refused(outputs, [playlist]) == "/playlists/0/output_keys/1"


def test_an_output_is_protected_in_one_way_only() -> None:
    for other in ({}, {"hls_content_protection": FETCHED}, {"hls_content_protection": {**STORED, "key": B64}}):
        playlists = [
            a_playlist("HLSv3", "b", "a", hls_content_protection=STORED, name="one"),
            a_playlist("HLSv4", "a", name="two", **other),
        ]
        assert refused([an_output("a"), an_output("b")], playlists) == "/playlists/1/output_keys/0"


def test_a_key_that_is_made_is_made_for_one_playlist() -> None:
    """Two would be made of which one opens nothing; unless players find the right one beside the segments."""

    def twice(protection: dict[str, Any]) -> list[dict[str, Any]]:
        forms = (("one", "HLSv3"), ("two", "HLSv4"))
        return [a_playlist(form, "a", hls_content_protection=protection, name=name) for name, form in forms]

    assert refused([an_output("a")], twice(FETCHED)) == "/playlists/1/hls_content_protection/key"
    for protection in ({**FETCHED, "key": B64}, STORED):
        document = a_document(PIPELINE, outputs=[an_output("a")], playlists=twice(protection))
        planning.check(JobDocument.model_validate_json(orjson.dumps(document)), {})


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("hls_content_protection", {"method": "aes-128"}),
        ("hls_content_protection", {**STORED, "license_acquisition_url": "https://keys.example/"}),
        ("hls_content_protection", {**FETCHED, "license_acquisition_url": "keys/1"}),
        ("hls_content_protection", {**FETCHED, "license_acquisition_url": 'https://keys.example/",IV="0'}),
        ("hls_content_protection", {**FETCHED, "license_acquisition_url": "https://keys.example/\n#EXT"}),
        ("hls_content_protection", {**FETCHED, "key": "AAEC"}),
        ("hls_content_protection", {**FETCHED, "key": B64, "key_md5": B64}),
        ("hls_content_protection", {**FETCHED, "initialization_vector": "AAECAwQFBgc="}),
        ("hls_content_protection", {**FETCHED, "method": "sample-aes"}),
        ("play_ready_drm", {name: value for name, value in LICENSED.items() if name != "key"}),
        ("play_ready_drm", {**LICENSED, "key_id": "{" + "0" * 32 + "}"}),
        ("play_ready_drm", {**LICENSED, "initialization_vector": B64}),
        ("play_ready_drm", {**LICENSED, "key": B64[:-2] + "8AAAAAAAAAAAA="}),
    ],
)
def test_a_protection_that_cannot_be_is_refused_as_it_is_read(field: str, wrong: dict[str, Any]) -> None:
    document = a_document(PIPELINE, outputs=[an_output("a")], playlists=[a_playlist("HLSv3", "a", **{field: wrong})])
    with pytest.raises(ValidationError):
        JobDocument.model_validate_json(orjson.dumps(document))
