"""The captions that go with every picture: both codes, as one SEI unit each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

from agent.media.captions import dtvcc, sei
from agent.media.captions.cues import Cue, flattened
from agent.media.captions.fitting import TRIPLETS
from agent.media.captions.line21 import RATE, Pair, pages, scheduled, with_parity
from agent.media.captions.sei import Triplet

NONE: Final = (0, 0)
MOST_PAIRS: Final = 2
"""Of line 21 that go with one picture, where there are fewer pictures than pairs."""


def units(cues: Sequence[Cue], rate: Fraction, count: int) -> Iterator[bytes]:
    """A NAL unit for every picture, in the order in which they are shown."""
    total = TRIPLETS[rate]
    pairs = scheduled(cues)
    times = [round(number * 1000 / rate) for number in range(count)]
    shown = [page for cue in flattened(cues) for page in pages(cue)]
    digital = dtvcc.packets(shown, times, total - 2 * MOST_PAIRS)
    for number, packet in enumerate(digital):
        yield sei.written([*_line21(pairs, rate, number), *packet], total)


def _line21(pairs: dict[int, Pair], rate: Fraction, number: int) -> Iterator[Triplet]:
    """Pairs of the first field whose time has come with this picture; the second field has none."""
    due = range(_slots_before(number, rate), _slots_before(number + 1, rate)) or range(-1, 0)
    for slot in due:
        first, second = pairs.get(slot, NONE)
        yield Triplet(0, with_parity(first), with_parity(second))
        yield Triplet(1, with_parity(0), with_parity(0))


def _slots_before(number: int, rate: Fraction) -> int:
    """How many frames of line 21 have begun before a picture, taken half a frame later so that equal rates stay in step."""
    return int(number / rate * RATE + Fraction(1, 2))


def idle(rate: Fraction) -> bytes:
    """Of a picture with which no captions go."""
    return sei.written(list(_line21({}, rate, 0)), TRIPLETS[rate])
