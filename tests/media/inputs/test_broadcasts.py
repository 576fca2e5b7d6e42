"""Recordings of broadcasts: what is sent changes midway, and sound does not begin with the picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.failures import FailureReason
from tests.media.comparing import pictures, pitch, psnr, samples
from tests.media.encoding import transcoded
from tests.media.inputs.making import H264, PICTURE, SOUND, movie
from tests.unit.agent.media.builders import a_task, an_output, parts, settings

pytestmark = pytest.mark.media

RATE = 48000
SURROUND = ("-c:a", "ac3", "-ac", "6")
STEREO = ("-c:a", "ac3", "-ac", "2")
IN_TWO_PASSES = settings(
    container="mp4", video={"codec": "h264", "bit_rate": 300_000, "two_pass": True}, audio={"codec": "aac"}
)


def changing(folder: Path, *then: str, size: str = "160x90") -> Path:
    """1.2 s in stereo and of 440 Hz, then as much of 880 Hz and otherwise as `then` says."""
    first = movie(folder / "first.ts", 1.2, *H264, *STEREO)
    second = movie(folder / "second.ts", 1.2, *H264, *then, "-output_ts_offset", "1.2", tone=880, size=size)
    whole = folder / "whole.ts"
    whole.write_bytes(first.read_bytes() + second.read_bytes())
    return whole


@pytest.mark.parametrize("made_of", [PICTURE, IN_TWO_PASSES, SOUND], ids=["a film", "in two passes", "its sound"])
def test_sound_that_becomes_another_kind_midway_does_not_slip(tmp_path: Path, made_of: dict[str, object]) -> None:
    made = transcoded(tmp_path / "job", changing(tmp_path, *SURROUND), a_task(an_output(made_of)))
    assert made.failures == {}
    heard = samples(made.file())
    assert len(heard) / RATE == pytest.approx(2.4, abs=0.1)
    assert made.outputs[0].duration == pytest.approx(2.4, abs=0.1)
    assert pitch(heard[RATE // 10 : RATE], RATE) == pytest.approx(440, abs=5)
    assert pitch(heard[round(1.3 * RATE) : round(2.3 * RATE)], RATE) == pytest.approx(880, abs=5)


def test_a_picture_that_becomes_another_size_midway_is_shown_in_the_first(tmp_path: Path) -> None:
    source = changing(tmp_path, *STEREO, size="320x180")
    made = transcoded(tmp_path / "job", source, a_task(an_output(PICTURE)))
    assert made.failures == {}
    shown = pictures(made.file())
    assert len(shown) == pytest.approx(60, abs=2)
    later = pictures(tmp_path / "second.ts", filters="scale=160:90")
    assert psnr(shown[45], later[45 - (len(shown) - len(later))]) > 30


def test_of_several_inputs_one_that_becomes_another_kind_fails_by_that_name(tmp_path: Path) -> None:
    sources = [changing(tmp_path, *SURROUND), movie(tmp_path / "other.mp4", 0.4)]
    made = transcoded(tmp_path / "job", sources, a_task(an_output(PICTURE), parts=parts(2)))
    assert made.failures[0].reason is FailureReason.UNEVEN


def test_what_does_not_change_is_made_once(tmp_path: Path) -> None:
    made = transcoded(tmp_path / "job", changing(tmp_path, *STEREO), a_task(an_output(PICTURE)))
    assert made.failures == {}
    assert len(made.commands) == 1


def test_both_of_two_passes_begin_with_the_same_picture(tmp_path: Path) -> None:
    """Where sound is not read, transport streams begin with their picture, which comes a little later."""
    source = movie(tmp_path / "a.ts", 1)
    made = transcoded(tmp_path / "job", source, a_task(an_output(IN_TWO_PASSES)))
    assert made.failures == {}
    assert len(pictures(made.file())) == pytest.approx(25, abs=1)
