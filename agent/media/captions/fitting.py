"""Whether captions can go out in the formats that an output asks for."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from agent.media.captions.cues import Track
from agent.media.captions.line21 import is_written
from shared.failures import Cause, Failure, FailureCode
from shared.jobspec.captions import CaptionFormat

MAX_TRACKS: Final = 32
LATIN: Final = (CaptionFormat.SCC, CaptionFormat.CEA_708)
"""Formats that have no letters but Latin ones."""
LOST: Final = 0.1
"""Share of letters that may be replaced by question marks."""
TRIPLETS: Final = {
    Fraction(24000, 1001): 25,
    Fraction(24): 25,
    Fraction(25): 24,
    Fraction(30000, 1001): 20,
    Fraction(30): 20,
    Fraction(50): 12,
    Fraction(60000, 1001): 10,
    Fraction(60): 10,
}
"""How many triplets of captions go with each picture, by the rate of pictures (CEA-708)."""


def unfit(tracks: Sequence[Track], formats: Sequence[CaptionFormat]) -> Failure | None:
    """Why the formats do not carry the tracks, or None."""
    if len(tracks) > MAX_TRACKS:
        message = f"There are {len(tracks)} languages of captions; an output has at most {MAX_TRACKS}."
        return _refused(FailureCode.TOO_MANY_CAPTIONS, message)
    if CaptionFormat.CEA_708 in formats and len(tracks) > 1:
        languages = ", ".join(track.language for track in tracks)[:80]
        message = f"cea-708 carries the captions of one language, and there are {languages}. Leave out the others."
        return _refused(FailureCode.CAPTIONS_UNFIT_FOR_FORMAT, message)
    for latin in LATIN:
        strange = next((track for track in tracks if latin in formats and not _is_latin(track)), None)
        if strange is not None:
            message = (
                f"{latin} has Latin letters only, and the captions in {strange.language!r} have others. Use webvtt."
            )
            return _refused(FailureCode.CAPTIONS_UNFIT_FOR_FORMAT, message)
    return None


def unfit_for_rate(formats: Sequence[CaptionFormat], rate: Fraction) -> Failure | None:
    if CaptionFormat.CEA_708 not in formats or rate in TRIPLETS:
        return None
    rates = ", ".join(f"{float(rate):.5g}" for rate in TRIPLETS)
    message = f"cea-708 goes with {rates} frames per second, not with {float(rate):.5g}: choose a frame rate."
    return _refused(FailureCode.CAPTIONS_UNFIT_FOR_FRAME_RATE, message)


def _is_latin(track: Track) -> bool:
    letters = [letter for cue in track.cues for line in cue.lines for letter in line if letter.isalpha()]
    return sum(not is_written(letter) for letter in letters) <= LOST * len(letters)


def _refused(code: FailureCode, message: str) -> Failure:
    return Failure(cause=Cause.INPUT, code=code, message=message)
