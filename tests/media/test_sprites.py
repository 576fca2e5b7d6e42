"""Sheets of thumbnails: the map names parts that show what was on the screen at that time."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from shared.protocol import SpriteSpec
from tests.fields import shows
from tests.media.encoding import ffmpeg, published, transcoded
from tests.unit.agent.media.builders import a_task, an_output, settings, thumbnails

pytestmark = pytest.mark.media

COLOURS = ("red", "lime", "blue", "white", "black")


def colour_at(sheet: Path, x: int, y: int, width: int, height: int) -> str:
    cut = f"format=rgb24,crop=1:1:{x + width // 2}:{y + height // 2}"
    taken = ["ffmpeg", "-v", "error", "-i", str(sheet), "-vf", cut, "-frames:v", "1", "-f", "rawvideo", "-"]
    red, green, blue = (value > 127 for value in subprocess.run(taken, capture_output=True, check=True).stdout)
    names = {(1, 0, 0): "red", (0, 1, 0): "lime", (0, 0, 1): "blue", (1, 1, 1): "white", (0, 0, 0): "black"}
    return names[red, green, blue]


@shows("outputs[].thumbnails.sprite.key", "outputs[].thumbnails.sprite.columns", "outputs[].thumbnails.sprite.rows")
@pytest.mark.parametrize("form", ["jpg", "png"])
def test_the_map_leads_to_what_was_shown_at_every_time(tmp_path: Path, form: str) -> None:
    source = tmp_path / "colours.mp4"
    parts = [option for colour in COLOURS for option in ("-f", "lavfi", "-i", f"color={colour}:s=160x90:r=10:d=1")]
    joined = "".join(f"[{number}]" for number in range(len(COLOURS))) + f"concat=n={len(COLOURS)}"
    ffmpeg(*parts, "-filter_complex", joined, "-pix_fmt", "yuv420p", str(source))
    sprite = SpriteSpec(key="jobs/seek bar", columns=2, rows=2)
    wanted = thumbnails(1, format=form, max_width=80, max_height=80).model_copy(update={"sprite": sprite})
    video = settings(container="mp4", video={"codec": "h264", "max_width": 160, "max_height": 90})
    made = transcoded(tmp_path / "job", source, a_task(an_output(video, thumbnails=wanted)))
    assert made.failures == {}
    assert [one.key for one in made.objects(role="sprite")] == [
        f"jobs/seek bar-00001.{form}",
        f"jobs/seek bar-00002.{form}",
    ]
    published(made, tmp_path / "site")
    shown = (tmp_path / "site" / "jobs" / "seek bar.vtt").read_text()
    cues = re.findall(r"(\S+) --> (\S+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)", shown)
    assert [(start, end) for start, end, *_ in cues] == [
        (f"00:00:0{second}.000", f"00:00:0{second + 1}.000") for second in range(5)
    ]
    found = []
    for *_, uri, x, y, width, height in cues:
        assert (width, height) == ("80", "45")
        sheet = tmp_path / "site" / "jobs" / uri.replace("%20", " ")
        found.append(colour_at(sheet, int(x), int(y), int(width), int(height)))
    assert tuple(found) == COLOURS
