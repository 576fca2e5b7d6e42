"""More inputs than one process holds open: others feed it through pipes, and nothing tells the result from that of one process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.jobs.disk import used
from agent.media.planning import feeding
from shared.failures import FailureCode
from shared.protocol import PartSpec, Span, TranscodeFile
from tests.media.comparing import assert_alike, pictures, samples
from tests.media.encoding import Made, transcoded
from tests.media.inputs.making import H264, PICTURE, SOUND, interlaced, movie, tone
from tests.unit.agent.media.builders import a_task, an_output, parts, settings, thumbnails

pytestmark = pytest.mark.media

BT709 = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", *H264, "-c:a", "aac")
TEN_BITS = (
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "log-level=none:chromaloc=2",
    "-pix_fmt",
    "yuv420p10le",
)
TWO_PASSES = settings(
    container="mp4", video={"codec": "h264", "bit_rate": 300_000, "two_pass": True}, audio={"codec": "aac"}
)


def in_groups(
    root: Path, sources: list[Path], task: TranscodeFile, monkeypatch: pytest.MonkeyPatch, together: int = 2
) -> Made:
    with monkeypatch.context() as patch:
        patch.setattr(feeding, "TOGETHER", together)
        return transcoded(root, sources, task)


def assert_same(one: Made, other: Made) -> None:
    assert one.failures == other.failures == {}
    names = sorted(file.name for file in one.uploaded.iterdir())
    assert names == sorted(file.name for file in other.uploaded.iterdir())
    different = [name for name in names if (one.uploaded / name).read_bytes() != (other.uploaded / name).read_bytes()]
    assert different == []


def test_groups_give_the_bytes_that_one_process_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [
        movie(tmp_path / "a.mp4", 0.6, *BT709),
        movie(tmp_path / "b.mp4", 0.5, size="90x160", rate="30", tone=None),
        movie(tmp_path / "c.mp4", 0.7, tone=880),
        interlaced(tmp_path / "d.ts", 0.4),
        tone(tmp_path / "e.wav", 0.5, 660, rate=44100),
        movie(tmp_path / "f.mp4", 0.7, rate="30000/1001", size="320x180"),
    ]
    turned = PartSpec(source=0, resolution="90x160")
    clip = PartSpec(source=5, clip=Span(start=0.123, duration=0.4))
    task = a_task(
        an_output(PICTURE, thumbnails=thumbnails(1)),
        an_output(SOUND, 1),
        an_output(PICTURE, 2, clip=Span(start=0.9, duration=1.5)),
        parts=(*parts(6), clip, turned),
    )
    at_once = transcoded(tmp_path / "at-once", sources, task)
    grouped = in_groups(tmp_path / "grouped", sources, task, monkeypatch)
    assert_same(grouped, at_once)
    assert len(grouped.commands) == len(at_once.commands) + 4 + 2
    assert not list((tmp_path / "grouped").glob("*/joined*"))


def test_both_of_two_passes_are_fed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [movie(tmp_path / "a.mp4", 0.4), movie(tmp_path / "b.mp4", 0.4, rate="30")]
    task = a_task(an_output(TWO_PASSES), parts=(*parts(2), PartSpec()))
    grouped = in_groups(tmp_path / "grouped", sources, task, monkeypatch)
    assert len(grouped.commands) == 2 * 3
    at_once = transcoded(tmp_path / "at-once", sources, task)
    assert_alike(pictures(grouped.file()), pictures(at_once.file()))


def test_ten_bits_stay_ten_bits_between_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [movie(tmp_path / f"{number}.mkv", 0.4, *TEN_BITS) for number in range(3)]
    task = a_task(an_output(settings(container="mp4", video={"codec": "hevc", "quality": 20})), parts=parts(3))
    at_once = transcoded(tmp_path / "at-once", sources, task)
    assert_same(in_groups(tmp_path / "grouped", sources, task, monkeypatch), at_once)


def test_two_hundred_inputs_become_one_output(tmp_path: Path) -> None:
    source, other = (
        movie(tmp_path / "a.mp4", 0.2, size="64x36"),
        movie(tmp_path / "b.mp4", 0.2, size="64x36", tone=None),
    )
    specs = tuple(spec for _ in range(100) for spec in parts(2))
    task = a_task(an_output(PICTURE), an_output(SOUND, 1), parts=specs)
    with peak_of(tmp_path / "job") as peak:
        made = transcoded(tmp_path / "job", [source, other], task)
    assert made.failures == {}
    assert len(made.report.inputs) == 200
    size = "64x36"
    reference = pictures(source, size=size)
    assert_alike(pictures(made.file(), size=size)[-10:], reference + reference)
    assert len(samples(made.file(1))) == 200 * 0.2 * 48000
    lasting = sum(file.stat().st_size for file in (source, other, *made.uploaded.iterdir()))
    assert 0 < max(peak) <= 1.1 * lasting


def test_an_input_of_a_group_that_breaks_off_fails_with_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [movie(tmp_path / f"{number}.mkv", 2.0) for number in range(5)]
    whole = sources[3].read_bytes()
    sources[3].write_bytes(whole[: len(whole) // 2])
    made = in_groups(
        tmp_path / "job", sources, a_task(an_output(PICTURE), an_output(SOUND, 1), parts=parts(5)), monkeypatch
    )
    assert {failure.code for failure in made.failures.values()} == {FailureCode.BAD_INPUT_FORMAT}


@contextmanager
def peak_of(folder: Path) -> Iterator[list[int]]:
    """Bytes in a folder, at every look while it lasts."""
    seen, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            seen.append(used(folder))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()
