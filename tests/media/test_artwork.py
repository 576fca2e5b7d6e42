"""Album art in every container that carries it, as another reader finds it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from shared.failures import Cause, FailureCode
from shared.jobspec import PaddingPolicy, SizingPolicy
from shared.jobspec.artwork import MergePolicy
from shared.protocol import AlbumArtSpec, ArtworkSpec, TranscodeFile
from tests.fields import shows
from tests.media.encoding import Made, ffmpeg, ffprobe, transcoded
from tests.unit.agent.media.builders import a_task, an_output, settings

pytestmark = pytest.mark.media

CONTAINERS = [("mp3", "mp3"), ("mp4", "aac"), ("flac", "flac"), ("ogg", "vorbis"), ("oga", "flac")]
SONG, RED, BLUE = 0, 1, 2
WAV = settings(container="wav", audio={"codec": "pcm"})


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A song without a cover, a red jpg of 400x200 and a blue png of 100x100."""
    folder = tmp_path_factory.mktemp("album")
    song, red, blue = folder / "song.wav", folder / "red.jpg", folder / "blue.png"
    ffmpeg("-f", "lavfi", "-i", "sine=f=440:r=44100:d=2", str(song))
    ffmpeg("-f", "lavfi", "-i", "color=red:s=400x200", "-frames:v", "1", str(red))
    ffmpeg("-f", "lavfi", "-i", "color=blue:s=100x100", "-frames:v", "1", str(blue))
    return [song, red, blue]


@pytest.fixture(scope="module")
def covered(album: list[Path]) -> Path:
    """The song with a green cover of its own."""
    song = album[0].with_name("covered.mp3")
    cover = ("-f", "lavfi", "-t", "0.04", "-i", "color=green:s=64x64", "-map", "0", "-map", "1")
    ffmpeg("-i", str(album[0]), *cover, "-disposition:v", "attached_pic", "-frames:v", "1", "-c:v", "png", str(song))
    return song


def art(place: int, **fields: Any) -> ArtworkSpec:
    plain = {"sizing_policy": SizingPolicy.SHRINK_TO_FIT, "padding_policy": PaddingPolicy.NO_PAD}
    return ArtworkSpec(input=place, **(plain | fields))


def a_song(
    *pictures: ArtworkSpec, container: str = "mp3", codec: str = "mp3", policy: MergePolicy = MergePolicy.REPLACE
) -> TranscodeFile:
    sound = settings(container=container, audio={"codec": codec})
    return a_task(an_output(sound, album_art=AlbumArtSpec(merge_policy=policy, artwork=pictures)))


def covers(made: Made) -> list[dict[str, Any]]:
    streams = ffprobe(made.file())["streams"]
    assert streams[0]["codec_type"] == "audio"
    assert all(stream["disposition"]["attached_pic"] for stream in streams[1:])
    return list(streams[1:])


def colours(made: Made) -> list[str]:
    """Of the middle of every cover."""
    return [colour_at(made.file(), number, "iw/2", "ih/2") for number in range(len(covers(made)))]


def colour_at(file: Path, number: int, x: str, y: str) -> str:
    taken = ("-map", f"0:v:{number}", "-vf", f"format=rgb24,crop=1:1:{x}:{y}", "-frames:v", "1", "-f", "rawvideo", "-")
    pixel = subprocess.run(["ffmpeg", "-v", "error", "-i", str(file), *taken], capture_output=True, check=True).stdout
    red, green, blue = (value > 90 for value in pixel)
    names = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white"}
    return names[red, green, blue]


@shows("outputs[].album_art.artwork[].input_key", "outputs[].album_art.artwork[].format")
@pytest.mark.parametrize(("container", "codec"), CONTAINERS)
def test_a_cover_is_found_by_others_and_the_sound_is_as_it_was(
    album: list[Path], tmp_path: Path, container: str, codec: str
) -> None:
    plain = transcoded(
        tmp_path / "plain", album, a_task(an_output(settings(container=container, audio={"codec": codec})))
    )
    made = transcoded(tmp_path / "job", album, a_song(art(RED, format="png"), container=container, codec=codec))
    assert made.failures == {}
    [cover] = covers(made)
    assert (cover["codec_name"], cover["width"], cover["height"]) == ("png", 400, 200)
    assert colours(made) == ["red"]
    assert sound_of(made) == sound_of(plain)
    assert made.outputs[0].size == made.file().stat().st_size


def sound_of(made: Made) -> bytes:
    decoding = ["ffmpeg", "-v", "error", "-i", str(made.file()), "-map", "0:a", "-f", "md5", "-"]
    return subprocess.run(decoding, capture_output=True, check=True).stdout


@pytest.mark.parametrize(("container", "codec"), CONTAINERS[:3])
def test_several_covers_keep_their_order(album: list[Path], tmp_path: Path, container: str, codec: str) -> None:
    made = transcoded(tmp_path / "job", album, a_song(art(BLUE), art(RED), container=container, codec=codec))
    assert colours(made) == ["blue", "red"]


@shows("outputs[].album_art.merge_policy")
@pytest.mark.parametrize(
    ("policy", "named", "found"),
    [
        (MergePolicy.REPLACE, True, ["red"]),
        (MergePolicy.REPLACE, False, []),
        (MergePolicy.PREPEND, True, ["red", "green"]),
        (MergePolicy.APPEND, True, ["green", "red"]),
        (MergePolicy.APPEND, False, ["green"]),
        (MergePolicy.FALLBACK, True, ["green"]),
    ],
)
def test_what_the_input_has_is_merged_as_the_policy_says(
    album: list[Path], covered: Path, tmp_path: Path, policy: MergePolicy, named: bool, found: list[str]
) -> None:
    pictures = (art(RED),) if named else ()
    made = transcoded(tmp_path / "job", [covered, *album[1:]], a_song(*pictures, policy=policy))
    assert made.failures == {}
    assert colours(made) == found


def test_a_fallback_takes_the_place_of_what_is_not_there(album: list[Path], tmp_path: Path) -> None:
    made = transcoded(tmp_path / "job", album, a_song(art(RED), policy=MergePolicy.FALLBACK))
    assert colours(made) == ["red"]


@shows(
    "outputs[].album_art.artwork[].max_width",
    "outputs[].album_art.artwork[].max_height",
    "outputs[].album_art.artwork[].sizing_policy",
    "outputs[].album_art.artwork[].padding_policy",
)
@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (400, 200)),
        ({"max_width": 200, "max_height": 200}, (200, 100)),
        ({"sizing_policy": SizingPolicy.FIT}, (600, 300)),
        ({"max_width": 100, "max_height": 100, "sizing_policy": SizingPolicy.FILL}, (100, 100)),
        ({"max_width": 120, "max_height": 40, "sizing_policy": SizingPolicy.STRETCH}, (120, 40)),
        ({"max_width": 101, "max_height": 33, "padding_policy": PaddingPolicy.PAD}, (101, 33)),
    ],
)
def test_a_cover_is_as_large_as_asked_for(
    album: list[Path], tmp_path: Path, fields: dict[str, Any], size: tuple[int, int]
) -> None:
    [cover] = covers(transcoded(tmp_path / "job", album, a_song(art(RED, **fields))))
    assert (cover["width"], cover["height"]) == size


def test_bars_are_white(album: list[Path], tmp_path: Path) -> None:
    padded = art(RED, max_width=100, max_height=100, padding_policy=PaddingPolicy.PAD)
    made = transcoded(tmp_path / "job", album, a_song(padded))
    [cover] = covers(made)
    assert (cover["width"], cover["height"]) == (100, 100)
    assert colour_at(made.file(), 0, "50", "2") == "white"
    assert colour_at(made.file(), 0, "50", "50") == "red"


def test_a_picture_that_is_none_fails_its_output_only(album: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff but no picture")
    plain = an_output(settings(container="mp3", audio={"codec": "mp3"}), 1)
    task = a_song(art(RED))
    made = transcoded(tmp_path / "job", [album[0], broken], task.model_copy(update={"outputs": (*task.outputs, plain)}))
    assert {index: (failure.cause, failure.code) for index, failure in made.failures.items()} == {
        0: (Cause.INPUT, FailureCode.ARTWORK_UNREADABLE)
    }


def test_what_cannot_be_in_the_file_fails_with_its_number(album: list[Path], covered: Path, tmp_path: Path) -> None:
    huge, within = tmp_path / "huge.png", tmp_path / "within.mp3"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=4100x4100", "-frames:v", "1", str(huge))
    both = ("-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v", "attached_pic")
    ffmpeg("-i", str(album[0]), "-i", str(huge), *both, str(within))
    too_many = a_song(*[art(RED)] * 20, policy=MergePolicy.APPEND)
    single = a_song(art(RED), container="ogg", codec="vorbis", policy=MergePolicy.PREPEND)
    cases = {
        FailureCode.TOO_MANY_ARTWORKS: ([covered, album[1]], too_many),
        FailureCode.ARTWORK_TOO_LARGE: ([album[0], huge], a_song(art(RED))),
        FailureCode.EMBEDDED_ARTWORK_TOO_LARGE: ([within], a_song(policy=MergePolicy.APPEND)),
    }
    for number, (sources, task) in cases.items():
        beside = task.model_copy(update={"outputs": (*task.outputs, an_output(WAV, 1))})
        made = transcoded(tmp_path / f"job{number}", sources, beside)
        assert [(index, failure.code) for index, failure in made.failures.items()] == [(0, number)]
    beside = single.model_copy(update={"outputs": (*single.outputs, an_output(WAV, 1))})
    made = transcoded(tmp_path / "job-ogg", [covered, album[1]], beside)
    assert made.failures[0].code is FailureCode.TOO_MANY_ARTWORKS
    assert "2 pictures; ogg holds 1" in made.failures[0].message
