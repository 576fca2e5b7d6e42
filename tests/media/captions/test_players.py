"""What players of web pages show of captions, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.jobspec import PlaylistFormat
from shared.jobspec.captions import CaptionFormat
from shared.protocol import CaptionSourceSpec, OutputSpec
from tests.browser import DASH, HLS, played
from tests.media.captions.test_captions import beside, wanted, written
from tests.media.encoding import published, transcoded
from tests.media.playlists.sites import AUDIO, VIDEO, a_playlist, an_output, film
from tests.players import player
from tests.unit.agent.media.builders import a_task

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("browser")]

TEXT = "WEBVTT\n\n00:01.000 --> 00:02.500\nHello, world\n\n00:03.000 --> 00:04.000\nGrüße & Küsse\n"
CLOCK = 0.13
"""Seconds: of a transport stream a player's clock begins with what is decoded first, two pictures before what is shown first."""
EXPECTED = [(1.0, 2.5, "Hello, world"), (3.0, 4.0, "Grüße & Küsse")]


def captioned(container: str, form: CaptionFormat) -> tuple[OutputSpec, ...]:
    """With sound; apart from the picture, where players want it so."""
    if container == "ts":
        return (an_output(0, "v/film", "ts", video=VIDEO, audio=AUDIO).model_copy(update={"captions": wanted(form)}),)
    picture = an_output(0, "v/film.mp4", "fmp4", video=VIDEO).model_copy(update={"captions": wanted(form)})
    return (picture, an_output(1, "v/sound.mp4", "fmp4", audio=AUDIO))


@pytest.mark.parametrize(
    ("outputs", "form", "script", "kind"),
    [
        pytest.param(captioned("ts", CaptionFormat.WEBVTT), PlaylistFormat.HLS_V3, "hls", "subtitles", id="HLSv3"),
        pytest.param(captioned("ts", CaptionFormat.WEBVTT), PlaylistFormat.HLS_V4, "hls", "subtitles", id="HLSv4"),
        pytest.param(captioned("ts", CaptionFormat.CEA_708), PlaylistFormat.HLS_V3, "hls", "captions", id="closed"),
        pytest.param(captioned("fmp4", CaptionFormat.WEBVTT), PlaylistFormat.CMAF, "hls", "subtitles", id="CMAF"),
        pytest.param(captioned("fmp4", CaptionFormat.WEBVTT), PlaylistFormat.MPEG_DASH, "dash", "subtitles", id="DASH"),
    ],
)
def test_players_show_captions_in_time(
    tmp_path: Path, outputs: tuple[OutputSpec, ...], form: PlaylistFormat, script: str, kind: str
) -> None:
    playlist = a_playlist(form, len(outputs), key="film.mpd" if script == "dash" else "film.m3u8")
    task = a_task(*outputs, playlists=(playlist,))
    source = CaptionSourceSpec(input=1, language="en", label="English")
    task = task.model_copy(update={"captions": (beside(source),)})
    made = transcoded(tmp_path / "job", [film(tmp_path / "film.mp4"), *written(tmp_path, en=TEXT)], task)
    published(made, tmp_path / "site")
    told = played(tmp_path / "site", player(script), (DASH if script == "dash" else HLS) % f"/{playlist.key}")
    assert "error" not in told, told
    assert {(told_kind, language) for told_kind, language, *_ in told["captions"]} == {(kind, "en")}
    shown = sorted((start, end, text) for _, _, start, end, text in told["captions"])
    assert [text.replace("\n", " ").replace("&amp;", "&").strip() for _, _, text in shown] == [
        text for *_, text in EXPECTED
    ]
    for (start, end, _), (begin, until, _) in zip(shown, EXPECTED, strict=True):
        assert (start, end) == (pytest.approx(begin, abs=CLOCK), pytest.approx(until, abs=CLOCK))
