"""Stretches of pictures and of sound, cut, filled up to a length, and put behind each other."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import ffmpeg

from agent.media import argv
from agent.media.argv import Stream

LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
MOST_CHANNELS: Final = max(LAYOUTS)
SAMPLES: Final = "fltp"


def first_channels(stream: Stream) -> Stream:
    """Of sound that has more: how these lie, nobody knows, and filters could not be told."""
    return stream.filter("channelmap", "|".join(map(str, range(MOST_CHANNELS))), LAYOUTS[MOST_CHANNELS])


def paced(stream: Stream, rate: Fraction) -> Stream:
    """Every picture lasts as long as the others. ffmpeg's own option for that does not tell when the last one is over."""
    return stream.filter("setpts", f"N*{rate.denominator}/{rate.numerator}/TB")


def cut_picture(stream: Stream, start: float, take: float | None) -> Stream:
    """Times count from `start` on: a picture that comes late stays late."""
    return stream.filter("trim", **_from(start, take)).filter("setpts", f"PTS-{start:.6f}/TB")


def cut_sound(stream: Stream, start: float, take: float | None) -> Stream:
    return stream.filter("atrim", **_from(start, take)).filter("asetpts", f"PTS-{start:.6f}/TB")


def resized(stream: Stream, width: int, height: int, *, woven: bool, on_gpu: bool) -> Stream:
    """As if it had always been so large; of pictures woven of two fields, each by itself."""
    fields = {"interl": 1} if woven else {}
    return stream.filter("scale_cuda" if on_gpu else "scale", width, height, **fields).filter("setsar", 1)


def lasting_picture(stream: Stream, frames: int, *, fill: float) -> Stream:
    """Exactly so many pictures, where at most `fill` seconds are missing: then the last one stays."""
    return stream.filter("tpad", stop_mode="clone", stop_duration=f"{fill:.6f}").filter("trim", end_frame=frames)


def lasting_sound(stream: Stream, samples: int, *, fill: float) -> Stream:
    """Exactly so many samples, where at most `fill` seconds are missing: they are silent."""
    return stream.filter("apad", pad_dur=f"{fill:.6f}").filter("atrim", end_sample=samples)


def laid(stream: Stream, sample_rate: int, channels: int) -> Stream:
    """Sound like that of every other stretch."""
    stream = stream.filter("aresample", sample_rate, **{"async": 1, "first_pts": 0})
    return of_one_kind(stream, sample_rate, channels)


def of_one_kind(stream: Stream, sample_rate: int, channels: int) -> Stream:
    layout = LAYOUTS[min(channels, max(LAYOUTS))]
    return stream.filter("aformat", sample_fmts=SAMPLES, sample_rates=sample_rate, channel_layouts=layout)


def black(size: str, rate: Fraction, pix_fmt: str, frames: int, *, number: int) -> Stream:
    """Cut off something longer, by another second for each `number`: ffmpeg-python takes what looks alike for the same."""
    rated = f"{rate.numerator}/{rate.denominator}"
    picture = argv.generated(f"color=c=black:s={size}:r={rated}", seconds=float(frames / rate) + 1 + number)
    return picture.filter("format", pix_fmt).filter("setsar", "1/1").filter("trim", end_frame=frames)


def silence(sample_rate: int, channels: int, samples: int, *, number: int) -> Stream:
    """The same of sound."""
    layout = LAYOUTS[channels]
    sound = argv.generated(f"anullsrc=r={sample_rate}:cl={layout}", seconds=samples / sample_rate + 1 + number)
    sound = sound.filter("aformat", sample_fmts=SAMPLES, sample_rates=sample_rate, channel_layouts=layout)
    return sound.filter("atrim", end_sample=samples)


def held(stream: Stream, frames: int) -> Stream:
    """The last picture stays for so many more."""
    return stream.filter("tpad", stop_mode="clone", stop=frames) if frames else stream


def filled(stream: Stream, seconds: float) -> Stream:
    """At least so long: what is missing is silent."""
    return stream.filter("apad", whole_dur=f"{seconds:.6f}")


def ended(stream: Stream, frames: int | None) -> Stream:
    """After the last filter: the one for rates is not told when what was cut before it is over, and adds a picture."""
    return stream if frames is None else stream.filter("trim", end_frame=frames)


def pictures_in_a_row(streams: Sequence[Stream], rate: Fraction) -> Stream:
    """Counted anew: of a single picture `concat` cannot tell how long it is shown, and lays the next over it."""
    return paced(ffmpeg.filter(streams, "concat", n=len(streams), v=1, a=0), rate)


def sounds_in_a_row(streams: Sequence[Stream]) -> Stream:
    return ffmpeg.filter(streams, "concat", n=len(streams), v=0, a=1)


def _from(start: float, take: float | None) -> dict[str, str]:
    return {"start": f"{start:.6f}"} | ({} if take is None else {"duration": f"{take:.6f}"})
