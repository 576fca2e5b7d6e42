"""Whole command lines of jobs with captions: what is taken out of inputs, and what is put into outputs."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from agent.media import Device, plan
from agent.media.captions import of_pictures, of_text, writing
from agent.media.facts import CaptionFacts
from shared.jobspec.captions import CaptionFormat
from shared.protocol import CaptionFormatSpec, OutputCaptionsSpec
from tests.unit.agent.media.builders import MOVIE, a_task, an_output, settings
from tests.unit.agent.media.test_command_lines import BOUNDS, FORMATS, PROCESS, SOURCE, SOURCE_ON_GPU

TRACKS = f"-analyzeduration 30M -format_whitelist {FORMATS} {BOUNDS}".replace("-threads 2 ", "").replace(
    "in/0", "in/t0.mp4"
)
SINGLE = PROCESS.replace("-filter_complex_threads 2", "-filter_complex_threads 1")
PLACE_3 = SOURCE.replace("-threads 2", "-threads 1").replace("in/0", "in/3")
WRITTEN = "-protocol_whitelist file -format_whitelist srt,ffmetadata"
WRITTEN_TEXT = "-f srt -format_whitelist srt,ffmetadata -protocol_whitelist file"
UNITS = "-bsf:v h264_mp4toannexb,filter_units=pass_types=6 -c:v copy"

TRACKS_IN_AN_MP4 = f"""
{PROCESS} {SOURCE} {TRACKS}
-filter_complex
    [0:0]scale=1280:720[s0];
    [s0]format=yuv420p[s1];
    [s1]setsar=1/1[s2];
    [s2]fps=25/1:start_time=0[s3]
-map [s3] -map 1:s:0 -map 1:s:1 -f mp4 -a53cc 0 -c:s copy -c:v libx264 -crf 21 -g 90 -map_chapters -1 -map_metadata -1
    -map_metadata:s:s:0 1:s:s:0 -map_metadata:s:s:1 1:s:s:1 -movflags +faststart -preset veryfast -threads 2 file:out/o0.mp4
"""
TRACKS_IN_AN_MP4_ON_A_GPU = f"""
{PROCESS} {SOURCE_ON_GPU} {TRACKS}
-filter_complex
    [0:0]fps=25/1:start_time=0[s0];
    [s0]scale_cuda=1280:720:format=yuv420p[s1];
    [s1]setsar=1/1[s2]
-map [s2] -map 1:s:0 -map 1:s:1 -f mp4 -a53cc 0 -b:v 0 -c:s copy -c:v h264_nvenc -cq 21 -forced-idr 1 -g 90 -gpu 1
    -map_chapters -1 -map_metadata -1 -map_metadata:s:s:0 1:s:s:0 -map_metadata:s:s:1 1:s:s:1 -movflags +faststart -preset p4
    -rc vbr -rc-lookahead 20 -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
"""
TEXT_OUT_OF_AN_INPUT = f"""
{SINGLE} {PLACE_3} -map 0:2 -f srt -c:s srt file:out/s3_2.srt -map 0:4 -f srt -c:s srt file:out/s3_4.srt
"""
UNITS_OUT_OF_AN_INPUT = f"""
{SINGLE} {PLACE_3} -map 0:0 -f h264 {UNITS} file:out/s3.units -map 0:0 -f framecrc {UNITS} file:out/s3.times
"""
A_FILE_OF_TRACKS = f"""
{SINGLE} {WRITTEN_TEXT} -i file:in/t0_0.srt {WRITTEN_TEXT} -i file:in/t0_1.srt -f ffmetadata {WRITTEN} -i file:in/t0.meta
-map 0:0 -map 1:0 -f mp4 -c:s mov_text -disposition:s:0 default -disposition:s:1 0 -map_metadata -1
    -map_metadata:s:s:0 2:s:0 -map_metadata:s:s:1 2:s:1 file:out/t0.mp4
"""
CAPTIONED = replace(MOVIE, captions=(CaptionFacts(2, "mov_text", "eng", None), CaptionFacts(4, "webvtt", "fra", None)))


def words(command: str) -> list[str]:
    return re.sub(r";\s+", ";", command).split()


@pytest.mark.parametrize(
    ("device", "expected"), [(Device.CPU, TRACKS_IN_AN_MP4), (Device.NVENC, TRACKS_IN_AN_MP4_ON_A_GPU)]
)
def test_tracks_are_copied_beside_the_picture(device: Device, expected: str) -> None:
    chosen = settings(container="mp4", video={"codec": "h264", "quality": 21, "frame_rate": "25"})
    captions = OutputCaptionsSpec(formats=(CaptionFormatSpec(format=CaptionFormat.MOV_TEXT),))
    task = a_task(an_output(chosen, captions=captions))
    (only,) = plan(task, (MOVIE,), device=device, threads=2, gpu=1, tracks={0: 2}).passes
    assert only.argv == words(expected)


def test_captions_are_taken_out_of_inputs() -> None:
    assert of_text(3, CAPTIONED).argv == words(TEXT_OUT_OF_AN_INPUT)
    pictures = of_pictures(3, CAPTIONED)
    assert pictures is not None
    assert pictures.argv == words(UNITS_OUT_OF_AN_INPUT)


def test_labels_come_by_a_file() -> None:
    assert writing("t0.mp4", 0, 2) == words(A_FILE_OF_TRACKS)


def test_pictures_of_a_broadcast_are_read_with_their_sound() -> None:
    """Without it, ffmpeg would count the times of captions from the first picture, though sound began before."""
    taken = of_pictures(3, replace(MOVIE, format="mpegts"))
    assert taken is not None
    assert " ".join(taken.argv).endswith("file:out/s3.times -map 0:1 -f null -c copy -")
