"""Progress as ffmpeg writes it, in whatever pieces the pipe delivers it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.media import ProgressParser, Sample

HALF = b"frame=660\nfps=48.20\nout_time_us=27500000\nout_time=00:00:27.500000\nspeed=2.5x\nprogress=continue\n"
END = b"frame=1320\nfps=48.20\nout_time_us=54950000\nspeed=2.5x\nprogress=end\n"


def test_a_block_becomes_a_sample() -> None:
    assert ProgressParser(55.0).feed(HALF) == Sample(percent=50.0, seconds=27.5, fps=48.2, speed=2.5, eta=11.0)


def test_an_unfinished_block_is_kept_for_later() -> None:
    parser = ProgressParser(55.0)
    assert parser.feed(HALF[:40]) is None
    assert parser.feed(HALF[40:]) == Sample(percent=50.0, seconds=27.5, fps=48.2, speed=2.5, eta=11.0)


def test_the_end_is_a_hundred_percent() -> None:
    sample = ProgressParser(55.0).feed(END)
    assert sample is not None
    assert (sample.percent, sample.eta) == (100.0, 0.0)


def test_nothing_known_yet_is_zero_percent() -> None:
    said = b"fps=0.00\nout_time_us=N/A\nspeed=N/A\nprogress=continue\n"
    assert ProgressParser(55.0).feed(said) == Sample(percent=0.0, seconds=0.0, fps=None, speed=None, eta=None)


def test_negative_times_and_bytes_that_are_no_text_are_tolerated() -> None:
    said = b"out_time_us=-9223372036854775807\nfps=\xff\xfe\nspeed=-1x\nprogress=continue\n"
    assert ProgressParser(55.0).feed(said) == Sample(percent=0.0, seconds=0.0, fps=None, speed=None, eta=None)


def test_without_a_duration_percent_waits_for_the_end() -> None:
    parser = ProgressParser(0.0)
    first, last = parser.feed(HALF), parser.feed(END)
    assert first is not None
    assert last is not None
    assert (first.percent, first.eta, last.percent) == (0.0, None, 100.0)


def test_a_line_without_end_is_not_kept_whole() -> None:
    parser = ProgressParser(55.0)
    for _ in range(100):
        parser.feed(b"x" * 10_000)
    assert len(parser._rest) <= 10_000


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1), st.integers(1, 200))
def test_percent_never_falls_and_stays_in_bounds(times: list[int], piece: int) -> None:
    parser = ProgressParser(55.0)
    said = b"".join(b"out_time_us=%d\nprogress=continue\n" % time for time in times)
    samples = [parser.feed(said[start : start + piece]) for start in range(0, len(said), piece)]
    percents = [sample.percent for sample in samples if sample is not None]
    assert percents == sorted(percents)
    assert all(0 <= percent <= 100 for percent in percents)


@given(st.lists(st.binary()))
def test_any_bytes_are_survived(chunks: list[bytes]) -> None:
    parser = ProgressParser(1.0)
    for chunk in chunks:
        parser.feed(chunk)


@pytest.mark.parametrize(("dropped", "is_uneven"), [(b"0", False), (b"2", False), (b"3", True), (b"N/A", False)])
def test_pictures_that_were_dropped_tell_of_a_graph_that_was_drawn_anew(dropped: bytes, is_uneven: bool) -> None:
    sample = ProgressParser(55.0).feed(b"drop_frames=%b\nprogress=end\n" % dropped)
    assert sample is not None
    assert sample.began_anew is is_uneven
