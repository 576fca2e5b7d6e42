"""Whole command lines of what players fetch in parts, where picture and sound do not end together; each with its twin on a card."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from agent.media import Device, MediaFacts
from tests.unit.agent.media.builders import AUDIO, a_movie, a_task, an_output, settings
from tests.unit.agent.media.test_command_lines import PROCESS, SOURCE, SOURCE_ON_GPU, command_line

IN_PARTS = settings(
    container="fmp4",
    video={"codec": "h264", "quality": 21, "fixed_gop": True, "keyframes_max_distance": 48},
    audio={"codec": "aac", "channels": 2, "sample_rate": 48000},
)
SOUND_LASTS = a_movie(duration=50.0)
PICTURE_LASTS = a_movie(audio=replace(AUDIO, duration=50.0))

FRAGMENTS = "-map_chapters -1 -map_metadata -1 -movflags +frag_keyframe+delay_moov+default_base_moof+global_sidx"
IN_SOFTWARE = f"""-f mp4 -a53cc 0 -b:a 128000 -c:a aac -c:v libx264 -crf 21 -flags +cgop -g 48 -keyint_min 48 {FRAGMENTS}
    -preset veryfast -sc_threshold 0 -threads 2 file:out/o0.mp4"""
ON_A_CARD = f"""-f mp4 -a53cc 0 -b:a 128000 -b:v 0 -c:a aac -c:v h264_nvenc -cq 21 -flags +cgop -forced-idr 1 -g 48 -gpu 1
    -keyint_min 48 {FRAGMENTS} -no-scenecut 1 -preset p4 -rc vbr -rc-lookahead 20 -spatial-aq 1 -strict_gop 1 -threads 2
    -tune hq file:out/o0.mp4"""

A_PICTURE_THAT_STAYS = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]scale=1280:720[s1];
    [s1]format=yuv420p[s2];
    [s2]setsar=1/1[s3];
    [s3]tpad=stop=120:stop_mode=clone[s4];
    [0:1]aresample=48000:async=1:first_pts=0[s5];
    [s5]aformat=channel_layouts=stereo:sample_rates=48000[s6]
-map [s4] -map [s6] {IN_SOFTWARE}
"""
A_PICTURE_THAT_STAYS_ON_A_GPU = f"""
{PROCESS} {SOURCE_ON_GPU}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]scale_cuda=1280:720:format=yuv420p[s1];
    [s1]hwdownload[s2];
    [s2]format=yuv420p[s3];
    [s3]format=yuv420p[s4];
    [s4]setsar=1/1[s5];
    [s5]tpad=stop=120:stop_mode=clone[s6];
    [0:1]aresample=48000:async=1:first_pts=0[s7];
    [s7]aformat=channel_layouts=stereo:sample_rates=48000[s8]
-map [s6] -map [s8] {ON_A_CARD}
"""
SILENCE_IN_THE_END = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]scale=1280:720[s1];
    [s1]format=yuv420p[s2];
    [s2]setsar=1/1[s3];
    [0:1]aresample=48000:async=1:first_pts=0[s4];
    [s4]aformat=channel_layouts=stereo:sample_rates=48000[s5];
    [s5]apad=whole_dur=55.000000[s6]
-map [s3] -map [s6] {IN_SOFTWARE}
"""
SILENCE_IN_THE_END_ON_A_GPU = f"""
{PROCESS} {SOURCE_ON_GPU}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]scale_cuda=1280:720:format=yuv420p[s1];
    [s1]setsar=1/1[s2];
    [0:1]aresample=48000:async=1:first_pts=0[s3];
    [s3]aformat=channel_layouts=stereo:sample_rates=48000[s4];
    [s4]apad=whole_dur=55.000000[s5]
-map [s2] -map [s5] {ON_A_CARD}
"""


@pytest.mark.parametrize(
    ("facts", "device", "expected"),
    [
        pytest.param(SOUND_LASTS, Device.CPU, A_PICTURE_THAT_STAYS, id="the sound lasts"),
        pytest.param(SOUND_LASTS, Device.NVENC, A_PICTURE_THAT_STAYS_ON_A_GPU, id="the sound lasts, on a gpu"),
        pytest.param(PICTURE_LASTS, Device.CPU, SILENCE_IN_THE_END, id="the picture lasts"),
        pytest.param(PICTURE_LASTS, Device.NVENC, SILENCE_IN_THE_END_ON_A_GPU, id="the picture lasts, on a gpu"),
    ],
)
def test_the_whole_command_line(facts: MediaFacts, device: Device, expected: str) -> None:
    assert command_line(a_task(an_output(IN_PARTS)), facts, device) == re.sub(r";\s+", ";", expected).split()
