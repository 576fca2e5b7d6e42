"""More inputs than one process holds open: joined in groups first, nothing is lost of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.media.planning import staging
from tests.media.comparing import assert_alike, pictures, samples
from tests.media.encoding import transcoded
from tests.media.inputs.making import PICTURE, SOUND, movie
from tests.unit.agent.media.builders import a_task, an_output, parts, thumbnails

pytestmark = pytest.mark.media


def test_groups_give_what_one_process_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [
        movie(tmp_path / "a.mp4", 0.6),
        movie(tmp_path / "b.mp4", 0.5, size="90x160", rate="30", tone=None),
        movie(tmp_path / "c.mp4", 0.7, tone=880),
        movie(tmp_path / "d.mp4", 0.4, size="320x180"),
        movie(tmp_path / "e.mp4", 0.5),
    ]
    task = a_task(an_output(PICTURE, thumbnails=thumbnails(1)), an_output(SOUND, 1), parts=parts(5))
    at_once = transcoded(tmp_path / "at-once", sources, task)
    monkeypatch.setattr(staging, "TOGETHER", 2)
    in_groups = transcoded(tmp_path / "in-groups", sources, task)
    assert in_groups.commands[-4].count("-i") == 3  # two inputs, and silence
    assert len(in_groups.commands) == len(at_once.commands) + 3
    assert not list((tmp_path / "in-groups" / "out").glob("joined*"))
    assert in_groups.failures == {}
    size = "320x180"
    assert_alike(pictures(in_groups.file(), size=size), pictures(at_once.file(), size=size))
    one, other = samples(in_groups.file(1)), samples(at_once.file(1))
    assert len(one) == pytest.approx(len(other), abs=1)
    assert sum(abs(a - b) for a, b in zip(one, other, strict=False)) / len(other) < 40
    assert len(in_groups.files(0, "thumbnail")) == len(at_once.files(0, "thumbnail"))


def test_two_hundred_inputs_become_one_output(tmp_path: Path) -> None:
    source, other = (
        movie(tmp_path / "a.mp4", 0.2, size="64x36"),
        movie(tmp_path / "b.mp4", 0.2, size="64x36", tone=None),
    )
    specs = tuple(spec for _ in range(100) for spec in parts(2))
    made = transcoded(tmp_path / "job", [source, other], a_task(an_output(PICTURE), an_output(SOUND, 1), parts=specs))
    assert made.failures == {}
    assert len(made.report.inputs) == 200
    size = "64x36"
    reference = pictures(source, size=size)
    assert_alike(pictures(made.file(), size=size)[-10:], reference + reference)
    assert len(samples(made.file(1))) == pytest.approx(200 * 0.2 * 48000, abs=8)
