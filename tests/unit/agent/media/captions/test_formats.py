"""Every format that is written is read again: by its own reader, and by ttconv's, which had no part in it."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from xml.etree import ElementTree as ET

import pytest
import ttconv.imsc.reader
import ttconv.scc.reader
import ttconv.srt.reader
import ttconv.srt.writer
import ttconv.vtt.reader
from hypothesis import given
from hypothesis import strategies as st

from agent.media.captions import Cue, Cues, NotUtf8, Unreadable, read, scc, srt, ttml, webvtt

FRAME = 34
"""Milliseconds, and one for rounding."""
CUES: Cues = (
    Cue(1_500, 2_500, ("Hello, world", "Grüße & Küsse")),
    Cue(4_000, 5_000, ("♪ “La la” ♪",)),
    Cue(5_000, 6_200, ("à bientôt…",)),
)
WRITERS: dict[str, Callable[[Cues], str]] = {
    "srt": srt.written,
    "webvtt": webvtt.written,
    "dfxp": lambda cues: ttml.written(cues, "en"),
}
OTHERS: dict[str, Callable[[str], object]] = {
    "srt": lambda text: ttconv.srt.reader.to_model(StringIO(text)),
    "webvtt": lambda text: ttconv.vtt.reader.to_model(StringIO(text)),
    "dfxp": lambda text: ttconv.imsc.reader.to_model(ET.ElementTree(ET.fromstring(text))),  # noqa: S314 (our own)
    "scc": ttconv.scc.reader.to_model,
}

letters = st.characters(categories=["L", "N", "P", "S"], exclude_characters="<>&{}\\")
words = st.text(letters, min_size=1, max_size=12)
lines = st.lists(words, min_size=1, max_size=4).map(" ".join)


@st.composite
def rows_of_cues(draw: st.DrawFn) -> Cues:
    at, cues = 0, []
    for _ in range(draw(st.integers(1, 6))):
        at += draw(st.integers(0, 10_000_000))
        until = at + draw(st.integers(1, 10_000))
        cues.append(Cue(at, until, tuple(draw(st.lists(lines, min_size=1, max_size=3)))))
        at = until
    return tuple(cues)


@pytest.mark.parametrize("form", WRITERS)
@given(cues=rows_of_cues())
def test_what_is_written_is_read_again(form: str, cues: Cues) -> None:
    assert read(WRITERS[form](cues).encode()) == cues


@pytest.mark.parametrize("form", [*WRITERS, "scc"])
def test_others_read_the_same(form: str) -> None:
    written = scc.written(CUES) if form == "scc" else WRITERS[form](CUES)
    heard = read(ttconv.srt.writer.from_model(OTHERS[form](written)).encode())
    expected = CUES if form != "scc" else (*CUES[:2], Cue(5_000, 6_200, ("à bientôt...",)))
    assert [cue.lines for cue in heard] == [cue.lines for cue in expected]
    for one, other in zip(heard, expected, strict=True):
        assert (one.start, one.end) == (pytest.approx(other.start, abs=FRAME), pytest.approx(other.end, abs=FRAME))


def test_what_is_no_tag_stays() -> None:
    cues = (Cue(0, 1_000, ("2 < 3 & 4 > 3", "<b>")),)
    assert read(webvtt.written(cues).encode()) == read(ttml.written(cues, "en").encode()) == cues


@pytest.mark.parametrize(
    "text",
    [
        "1\r\n00:00:01,500 --> 00:00:02,500\r\nHello\r\n\r\n",
        "\ufeff1\n0:00:01.5 --> 0:00:02.5 X1:40\n{\\an8}<font color='red'>Hello</font>",
        "00:00:00,000 --> 00:00:01,000\n\n2\n00:00:01,500 --> 00:00:02,500\nHello",
        "WEBVTT - a title\n\nSTYLE\n::cue {}\n\nNOTE no caption\n\nid\n00:01.500 --> 00:02.500 line:0\n<v Ann>Hello</v>\n",
        "<tt xmlns='http://www.w3.org/2006/10/ttaf1'><body><div><p begin='1.5s' dur='1s'>Hello</p></div></body></tt>",
        "<tt:tt xmlns:tt='http://www.w3.org/ns/ttml' xmlns:p='http://www.w3.org/ns/ttml#parameter' p:frameRate='25'>"
        "<tt:body><tt:div><tt:p begin='00:00:01:12' end='62f'><tt:span>Hel</tt:span>lo</tt:p></tt:div>"
        "<tt:div><tt:p begin='0s' end='9s'>Other</tt:p></tt:div></tt:body></tt:tt>",
        "<tt p:tickRate='1000' xmlns:p='p'><body begin='1s'><div>"
        "<p><span begin='500t' end='1500t'>Hello</span></p></div></body></tt>",
        "Scenarist_SCC V1.0\n\n00:00:01:00\t9420 9420 94ae 94ae 9470 9470 c8e5 ecec ef80 9420 9420 9420 9420 9420 9420 942f\n"
        "\n00:00:02:15\t942c 942c",
    ],
    ids=["srt", "loose srt", "empty srt", "webvtt", "dfxp", "ebu-tt", "ticks", "scc"],
)
def test_dialects_are_read(text: str) -> None:
    (cue,) = read(text.encode())
    assert cue.lines == ("Hello",)
    assert (cue.start, cue.end) == (pytest.approx(1_500, abs=25), pytest.approx(2_500, abs=25))


BILLION_LAUGHS = "<!DOCTYPE tt [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><tt><body><div><p>&b;</p></div></body></tt>"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"A letter, nothing more.",
        b"<html><body><p>Hello</p></body></html>",
        b"<tt><body>",
        b"<tt><body><div><p begin='soon' end='1s'>Hello</p></div></body></tt>",
        BILLION_LAUGHS.encode(),
        b"<tt><body>" + b"<div>" * 100_000,
        b"1\n00:00:01,000 --> 00:00:02,000\nHello\n\n" * 60_000,
        b" " * (9 << 20),
    ],
    ids=["nothing", "a letter", "a page", "half", "no time", "entities", "too deep", "too many", "too large"],
)
def test_what_is_no_captions_is_refused(content: bytes) -> None:
    with pytest.raises(Unreadable):
        read(content)


def test_other_encodings_are_told_apart() -> None:
    with pytest.raises(NotUtf8):
        read("1\n00:00:01,000 --> 00:00:02,000\nGrüße".encode("latin-1"))
    with pytest.raises(NotUtf8):
        read("WEBVTT".encode("utf-16"))


@given(st.binary(max_size=400))
def test_nothing_else_comes_of_noise(content: bytes) -> None:
    for head in (
        b"",
        b"WEBVTT\n\n",
        b"Scenarist_SCC V1.0\n\n00:00:01:00\t",
        b"<tt>",
        b"00:00:01,000 --> 00:00:02,000\n",
    ):
        try:
            read(head + content)
        except Unreadable:
            continue


@given(rows_of_cues(), st.lists(st.floats(0.5, 10), min_size=1, max_size=20))
def test_segments_show_together_what_the_whole_shows(cues: Cues, durations: list[float]) -> None:
    end = round(sum(durations) * 1000)
    texts = list(webvtt.segments(cues, durations, first_pts=1 << 33))
    assert all(text.startswith("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n") for text in texts)
    assert {cue for text in texts for cue in read(text.encode())} == {cue for cue in cues if cue.start < end}
