"""Captions in the job document."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shared.jobspec.captions import CaptionSource, OutputCaption, seconds_of


@pytest.mark.parametrize(
    ("offset", "seconds"),
    [
        (1.5, 1.5),
        (-2, -2.0),
        ("1.5", 1.5),
        ("+99999.999", 99999.999),
        ("-1.2", -1.2),
        ("-00:00:01.2", -1.2),
        ("+1:02:03.5", 3723.5),
        ("2:03", 123.0),
    ],
)
def test_offsets_have_a_sign_and_two_forms(offset: float | str, seconds: float) -> None:
    source = CaptionSource(key="en.srt", language="en", offset=offset)
    assert source.offset == offset
    assert seconds_of(source.offset) == pytest.approx(seconds)


@pytest.mark.parametrize("offset", ["", "soon", "1:2:3:4", "24:00:00", "--1", "1e3", "१", 1e6, float("nan")])
def test_what_is_no_offset_is_refused(offset: float | str) -> None:
    with pytest.raises(ValidationError, match="offset"):
        CaptionSource(key="en.srt", language="en", offset=offset)


@pytest.mark.parametrize("language", ["english", "EN", "en-US", "xx", "e", ""])
def test_what_is_no_code_of_a_language_is_refused(language: str) -> None:
    with pytest.raises(ValidationError, match="language"):
        CaptionSource(key="en.srt", language=language)


@pytest.mark.parametrize(("pattern", "stem"), [("a-{language}-b", "a-{language}-b"), ("a", "a{language}")])
def test_the_language_is_put_behind_a_pattern_without_it(pattern: str, stem: str) -> None:
    assert OutputCaption.model_validate({"format": "srt", "pattern": pattern}, strict=False).stem == stem
