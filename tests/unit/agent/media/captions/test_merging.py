"""Which captions an output gets, and when they are shown over all of its inputs."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.media.captions import Cue, Stretch, Track, chosen, joined
from agent.media.captions.cues import clipped, flattened, tidy
from shared.jobspec.captions import MergePolicy
from shared.languages import shortest, three_letters


def track(language: str, text: str = "Hello", *, start: int = 1_000, end: int = 2_000) -> Track:
    return Track(language, None, (Cue(start, end, (text,)),))


def told(tracks: tuple[Track, ...]) -> dict[str, tuple[str, ...]]:
    return {track.language: track.cues[0].lines for track in tracks}


EMBEDDED = (track("eng", "embedded"), track("fra", "embedded"), track("und", "608"))
SIDECARS = (track("en", "beside"), track("de", "beside"))


def test_of_one_language_the_policy_takes_one() -> None:
    assert told(chosen(EMBEDDED, SIDECARS, MergePolicy.MERGE_OVERRIDE)) == {
        "en": ("beside",), "de": ("beside",), "fra": ("embedded",), "und": ("608",),
    }  # fmt: skip
    assert told(chosen(EMBEDDED, SIDECARS, MergePolicy.MERGE_RETAIN)) == {
        "eng": ("embedded",), "fra": ("embedded",), "und": ("608",), "de": ("beside",),
    }  # fmt: skip
    assert told(chosen(EMBEDDED, SIDECARS, MergePolicy.OVERRIDE)) == {"en": ("beside",), "de": ("beside",)}


def test_a_track_without_captions_is_none() -> None:
    assert told(chosen((Track("en", None, ()), track("en", "second")), (), MergePolicy.MERGE_RETAIN)) == {
        "en": ("second",)
    }


def test_captions_go_with_what_is_shown_of_their_input() -> None:
    """Two seconds from the third on, then a second input from its beginning."""
    first = track("en", "first", start=2_500, end=9_000)
    second = track("eng", "second")
    (both,) = joined([(Stretch(0, 2_000, 2_000), (first,)), (Stretch(2_000, 0, None), (second,))])
    assert both.cues == (Cue(500, 2_000, ("first",)), Cue(3_000, 4_000, ("second",)))


def test_a_language_that_an_input_with_captions_lacks_is_left_out() -> None:
    parts = [(Stretch(0, 0, 1_500), EMBEDDED), (Stretch(1_500, 0, 100), ()), (Stretch(1_600, 0, None), SIDECARS)]
    assert [track.language for track in joined(parts)] == ["eng"]


moments = st.integers(0, 50)
cues = st.lists(st.builds(lambda a, b, text: Cue(a, a + b, (text,)), moments, moments, st.text("abc", min_size=1)))


@given(cues.map(tidy))
def test_without_overlaps_the_same_is_shown_at_every_moment(row: tuple[Cue, ...]) -> None:
    flat = flattened(row)
    assert all(one.end <= other.start for one, other in pairwise(flat))
    for moment in range(101):
        shown = [line for cue in row if cue.start <= moment < cue.end for line in cue.lines]
        assert [line for cue in flat if cue.start <= moment < cue.end for line in cue.lines] == shown[-32:]


@given(cues.map(tidy), moments, moments)
def test_a_clip_shows_what_the_whole_shows_there(row: tuple[Cue, ...], start: int, length: int) -> None:
    cut = clipped(row, start, start + length)
    for moment in range(length):
        expected = [cue.lines for cue in row if cue.start <= start + moment < cue.end]
        assert sorted(cue.lines for cue in cut if cue.start <= moment < cue.end) == sorted(expected)
    assert all(cue.end <= length for cue in cut)


def test_languages_have_one_name_to_be_compared_by() -> None:
    assert {three_letters(code) for code in ("de", "deu", "ger")} == {"deu"}
    assert [shortest(code) for code in ("deu", "ger", "de", "und", "haw")] == ["de", "de", "de", "und", "haw"]
