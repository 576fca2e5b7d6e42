"""Anything that a CreateJob may say, and what it is once the documented normal forms are taken."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from hypothesis import strategies as st

Sent = dict[str, Any]


def job() -> st.SearchStrategy[Sent]:
    """The one member or the list, of inputs and of outputs."""
    one, many = st.booleans(), st.booleans()
    return st.builds(_job, one, many, _members(_JOB, ()), st.lists(_input(), min_size=1, max_size=3), _outputs())


def normal(sent: Sent) -> Sent:
    """How a job is answered that was asked for so."""
    inputs, outputs = sent.get("Inputs") or [sent["Input"]], sent.get("Outputs") or [sent["Output"]]
    found = {name: value for name, value in _there(sent).items() if name not in ("Input", "Output")}
    return {
        **found,
        "Inputs": [_normal_input(one) for one in inputs],
        "Outputs": [_normal_output(one) for one in outputs],
        "Playlists": [_normal_playlist(one) for one in sent.get("Playlists") or []],
        "UserMetadata": sent.get("UserMetadata") or {},
    }


def _job(one_input: bool, one_output: bool, others: Sent, inputs: list[Sent], outputs: list[Sent]) -> Sent:
    said: Sent = {**others, "PipelineId": "1111111111111-abcde1"}
    said |= {"Input": inputs[0]} if one_input else {"Inputs": inputs}
    return said | ({"Output": outputs[0]} if one_output else {"Outputs": outputs})


def _members(optional: Mapping[str, st.SearchStrategy[Any]], nullable: tuple[str, ...] | None = None) -> Any:
    """Any of these, some of them null, which is the same as not being there."""
    or_null = {
        name: strategy if nullable is not None and name not in nullable else st.none() | strategy
        for name, strategy in optional.items()
    }
    return st.fixed_dictionaries({}, optional=or_null)


def _key_text(suffix: str = "") -> st.SearchStrategy[str]:
    letters = st.text("abcXYZ019 _-é́ö漢", min_size=1, max_size=12)
    return st.lists(letters, min_size=1, max_size=3).map("/".join).map(lambda key: f"k{key}{suffix}")


def _times() -> st.SearchStrategy[str]:
    clock = st.builds("{:02}:{:02}:{:02}.{:03}".format, *map(st.integers, (0, 0, 1, 0), (23, 59, 59, 999)))
    return clock | st.integers(1, 99_999).map(str) | st.decimals(1, 9_999, places=3).map(str) | st.just("1:05.")


def _secret(lengths: tuple[int, ...], *, needed: bool, vector: int = 16) -> st.SearchStrategy[Sent]:
    def made(key: bytes, iv: bytes, has_digest: bool, empty: list[str]) -> Sent:
        said = {"Key": _encoded(key), "InitializationVector": _encoded(iv)}
        if has_digest:
            said["KeyMd5"] = _encoded(hashlib.md5(key, usedforsecurity=False).digest())
        return said if needed else said | dict.fromkeys(empty, "")

    keys = st.sampled_from(lengths).flatmap(lambda length: st.binary(min_size=length, max_size=length))
    empty = st.just([]) | st.just(["Key", "KeyMd5"]) | st.just(["InitializationVector", "KeyMd5"])
    return st.builds(made, keys, st.binary(min_size=vector, max_size=vector), st.booleans(), empty)


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _encryption(*, of_input: bool) -> st.SearchStrategy[Sent]:
    modes = st.sampled_from(["aes-cbc-pkcs7", "aes-ctr", "aes-gcm"])
    secrets = _secret((16, 24, 32), needed=of_input)
    return st.builds(lambda mode, secret: {"Mode": mode, **secret}, modes, secrets)


_SPAN: Final = {"StartTime": _times(), "Duration": _times()}
_RATES: Final = st.sampled_from(["auto", "10", "15", "23.97", "24", "25", "29.97", "30", "50", "60"])
_SIZES: Final = st.just("auto") | st.integers(16, 4096).map(str) | st.just("0600")
_SIZING: Final = st.sampled_from(["Fit", "Fill", "Stretch", "Keep", "ShrinkToFit", "ShrinkToFill"])
_PADDING: Final = st.sampled_from(["Pad", "NoPad"])
_MERGING: Final = st.sampled_from(["MergeOverride", "MergeRetain", "Override"])
_OFFSETS: Final = st.builds("{}{}".format, st.sampled_from(["", "+", "-"]), _times())


def _with(needed: Mapping[str, st.SearchStrategy[Any]], optional: Mapping[str, st.SearchStrategy[Any]]) -> Any:
    return st.builds(lambda one, other: one | other, st.fixed_dictionaries(dict(needed)), _members(optional))


def _sources() -> st.SearchStrategy[list[Sent]]:
    source = _with(
        {"Key": _key_text(".srt"), "Language": st.sampled_from(["en", "fre", "de", "zho", "pt"])},
        {
            "TimeOffset": _OFFSETS,
            "Label": st.text("abc é", min_size=1, max_size=40),
            "Encryption": _encryption(of_input=True),
        },
    )
    return st.lists(source, max_size=3, unique_by=lambda one: one["Language"])


def _input() -> Any:
    return _with(
        {"Key": _key_text()},
        {
            "FrameRate": _RATES,
            "Resolution": st.just("auto") | st.builds("{}x{}".format, st.integers(1, 9999), st.integers(1, 9999)),
            "AspectRatio": st.sampled_from(["auto", "1:1", "4:3", "3:2", "16:9"]),
            "Interlaced": st.sampled_from(["auto", "true", "false"]),
            "Container": st.sampled_from(["auto", "mp4", "mkv", "3gp", "mpeg-ts", "aac"]),
            "Encryption": _encryption(of_input=True),
            "TimeSpan": _members(_SPAN),
            "InputCaptions": _members({"MergePolicy": _MERGING, "CaptionSources": _sources()}),
            "DetectedProperties": _members(
                {
                    "Width": st.integers(-(1 << 31), (1 << 31) - 1),
                    "Height": st.integers(-(1 << 31), (1 << 31) - 1),
                    "FrameRate": st.just("25.00"),
                    "FileSize": st.integers(-(1 << 63), (1 << 63) - 1),
                    "DurationMillis": st.integers(-(1 << 63), (1 << 63) - 1),
                }
            ),
        },
    )


def _captions() -> Any:
    sidecar = _with(
        {
            "Format": st.sampled_from(["srt", "scc", "webvtt", "dfxp"]),
            "Pattern": _key_text().map(lambda key: f"{key}-{{language}}"),
        },
        {"Encryption": _encryption(of_input=False)},
    )
    embedded = _with({"Format": st.sampled_from(["mov-text", "cea-708"])}, {"Pattern": st.just("")})
    formats = st.lists(sidecar, min_size=1, max_size=4, unique_by=lambda one: one["Format"]) | embedded.map(
        lambda one: [one]
    )
    return _with({"CaptionFormats": formats}, {"MergePolicy": _MERGING, "CaptionSources": _sources()})


def _outputs() -> st.SearchStrategy[list[Sent]]:
    artwork = _with(
        {"InputKey": _key_text(".png")},
        {
            "MaxWidth": _SIZES,
            "MaxHeight": _SIZES,
            "SizingPolicy": _SIZING,
            "PaddingPolicy": _PADDING,
            "AlbumArtFormat": st.sampled_from(["jpg", "png"]),
            "Encryption": _encryption(of_input=True),
        },
    )
    watermark = _with(
        {"PresetWatermarkId": st.text("abc ", min_size=1, max_size=40), "InputKey": _key_text(".jpeg")},
        {"Encryption": _encryption(of_input=True)},
    )
    output = _with(
        {"Key": _key_text(), "PresetId": st.from_regex(r"\A[0-9]{13}-[0-9a-z_]{6}\Z")},
        {
            "ThumbnailPattern": st.just("") | _key_text().map(lambda key: f"{key}{{count}}-{{resolution}}"),
            "ThumbnailEncryption": _encryption(of_input=False),
            "Rotate": st.sampled_from(["auto", "0", "90", "180", "270"]),
            "SegmentDuration": st.decimals(1, 60, places=5).map(str) | st.integers(1, 60).map(str) | st.just("06."),
            "Watermarks": st.lists(watermark, max_size=4),
            "AlbumArt": _members(
                {
                    "MergePolicy": st.sampled_from(["Replace", "Prepend", "Append", "Fallback"]),
                    "Artwork": st.lists(artwork, max_size=3),
                }
            ),
            "Composition": st.just([]) | _members(_SPAN).map(lambda span: [{"TimeSpan": span}]),
            "Captions": _captions(),
            "Encryption": _encryption(of_input=False),
        },
    )
    return st.lists(output, min_size=1, max_size=3, unique_by=lambda one: unicodedata.normalize("NFC", one["Key"]))


def _protection() -> Any:
    stored = st.fixed_dictionaries({"KeyStoragePolicy": st.just("WithVariantPlaylists")})
    licensed = _with(
        {"LicenseAcquisitionUrl": st.just("https://keys.example.com/k")}, {"KeyStoragePolicy": st.just("NoStore")}
    )
    return st.builds(
        lambda one, other: {"Method": "aes-128"} | one | other, stored | licensed, _secret((16,), needed=False)
    )


def _drm() -> Any:
    return _secret((16,), needed=True, vector=8).flatmap(
        lambda secret: st.builds(
            lambda form, key_id: (
                secret | {"Format": form, "KeyId": key_id, "LicenseAcquisitionUrl": "http://licences.example.com"}
            ),
            st.sampled_from(["microsoft", "discretix-3.0"]),
            st.uuids().map(str) | st.uuids().map(lambda one: one.hex.upper()),
        )
    )


_PLAYLIST: Final = _with(
    {
        "Name": _key_text(),
        "Format": st.sampled_from(["HLSv3", "HLSv4", "Smooth", "MPEG-DASH"]),
        "OutputKeys": st.lists(_key_text(), min_size=1, max_size=3),
    },
    {"HlsContentProtection": _protection(), "PlayReadyDrm": _drm()},
)
_NOTES: Final = "0123456789abcXYZ _.:/=+-%@"
_JOB: Final = {
    "OutputKeyPrefix": _key_text().map(lambda key: f"{key}/"),
    "Playlists": st.lists(_PLAYLIST, max_size=2, unique_by=lambda one: unicodedata.normalize("NFC", one["Name"])),
    "UserMetadata": st.dictionaries(
        st.text(_NOTES, min_size=1, max_size=128), st.text(_NOTES, max_size=256), max_size=10
    ),
}


def _there(structure: Sent) -> Sent:
    """What is null or an empty text is not there; keys are in their normal form."""
    return {name: _composed(value) for name, value in structure.items() if value is not None and value != ""}


def _composed(value: Any) -> Any:
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def _normal_input(sent: Sent) -> Sent:
    said = {"FrameRate": "auto", "Resolution": "auto", "AspectRatio": "auto", "Interlaced": "auto", "Container": "auto"}
    said |= _there(sent)
    said.pop("DetectedProperties", None)
    _within(said, "InputCaptions", _normal_input_captions)
    _within(said, "TimeSpan", _there)
    _within(said, "Encryption", _there)
    return said


def _normal_input_captions(sent: Sent) -> Sent:
    said = {"MergePolicy": "MergeOverride", "CaptionSources": []} | _there(sent)
    return said | {"CaptionSources": [_normal_encrypted(one) for one in said["CaptionSources"]]}


def _normal_encrypted(sent: Sent) -> Sent:
    said = _there(sent)
    _within(said, "Encryption", _there)
    return said


def _normal_output(sent: Sent) -> Sent:
    said = {"Rotate": "auto", "Watermarks": []} | _there(sent)
    if "ThumbnailPattern" not in said:
        said.pop("ThumbnailEncryption", None)
    if "SegmentDuration" in said:
        said["SegmentDuration"] = f"{float(said['SegmentDuration']):.5f}".rstrip("0").rstrip(".")
    if not said.get("Composition"):
        said.pop("Composition", None)
    _within(said, "Composition", lambda clips: [{"TimeSpan": _there(clips[0]["TimeSpan"])}])
    _within(said, "Watermarks", lambda marks: [_normal_encrypted(mark) for mark in marks])
    _within(said, "AlbumArt", _normal_album_art)
    _within(said, "Captions", _normal_captions)
    for name in ("Encryption", "ThumbnailEncryption"):
        _within(said, name, _there)
    return said


def _normal_album_art(sent: Sent) -> Sent:
    said = {"MergePolicy": "Replace", "Artwork": []} | _there(sent)
    return said | {"Artwork": [_normal_artwork(art) for art in said["Artwork"]]}


def _normal_artwork(sent: Sent) -> Sent:
    said = {"MaxWidth": "auto", "MaxHeight": "auto", "SizingPolicy": "ShrinkToFit", "PaddingPolicy": "NoPad"}
    said |= _normal_encrypted(sent)
    return said | {name: said[name].lstrip("0") for name in ("MaxWidth", "MaxHeight")}


def _normal_captions(sent: Sent) -> Sent:
    said = _there(sent)
    _within(said, "CaptionSources", lambda sources: [_normal_encrypted(one) for one in sources])
    return said | {"CaptionFormats": [_normal_encrypted(one) for one in said["CaptionFormats"]]}


def _normal_playlist(sent: Sent) -> Sent:
    said = _there(sent)
    said["OutputKeys"] = [_composed(key) for key in said["OutputKeys"]]
    _within(said, "HlsContentProtection", lambda one: {"KeyStoragePolicy": "NoStore"} | _there(one))
    _within(said, "PlayReadyDrm", lambda one: one | {"KeyId": str(uuid.UUID(one["KeyId"]))})
    return said


def _within(said: Sent, name: str, change: Callable[[Any], Any]) -> None:
    if name in said:
        said[name] = change(said[name])
