"""Whole command lines of inputs that are stitched, cut and read as they are said to be."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from agent.media import Device, MediaFacts, evenly, instead, plan
from agent.media.hints import hinted
from agent.media.planning import feeding
from shared.failures import FailureReason
from shared.protocol import PartSpec, Span
from tests.unit.agent.media.builders import MOVIE, a_movie, a_sound, a_task, an_output
from tests.unit.agent.media.test_command_lines import FORMATS, PROCESS

BOUNDS = "-max_pixels 33177600 -max_streams 64 -probesize 50M -protocol_whitelist file,pipe"
SECOND = replace(
    a_movie(width=640, height=480, frame_rate=Fraction(30), duration=10.0, interlaced=True, parity="tff", audio=None),
    duration=10.0,
)
THIRD = replace(a_sound(duration=5.0, sample_rate=44100), duration=5.0)
STITCHED = a_task(
    an_output("000010"),
    parts=(PartSpec(clip=Span(start=2, duration=3)), PartSpec(source=1, interlaced=True), PartSpec(source=2)),
)
TOLD = PartSpec(clip=Span(start=2, duration=3), frame_rate="25", resolution="640x360", container="mp4")
HINTED = a_task(an_output("000010"), parts=(TOLD,))

STITCHED_INPUTS = f"""
{PROCESS}
-analyzeduration 30M -format_whitelist {FORMATS} {BOUNDS} -ss 2.000000 -t 3.000000 -threads 2 -i file:in/0
-analyzeduration 30M -format_whitelist {FORMATS} {BOUNDS} -threads 2 -i file:in/1
-f lavfi -t 8.000000 -i color=c=black:s=1280x720:r=30/1 -f lavfi -t 12.000000 -i anullsrc=r=48000:cl=stereo
-analyzeduration 30M -format_whitelist {FORMATS} {BOUNDS} -threads 2 -i file:in/2
-filter_complex
    [0:0]scale=1280:720[s0];
    [s0]format=yuv420p[s1];
    [s1]setsar=1/1[s2];
    [s2]fps=30/1:start_time=0[s3];
    [s3]tpad=stop_duration=0.100000:stop_mode=clone[s4];
    [s4]trim=end_frame=90[s5];
    [1:0]bwdif=deint=all:mode=send_frame:parity=tff[s6];
    [s6]fps=30/1:start_time=0[s7];
    [s7]scale=960:720[s8];
    [s8]format=yuv420p[s9];
    [s9]pad=1280:720:160:0[s10];
    [s10]setsar=1/1[s11];
    [s11]colorspace=all=bt709:iall=bt601-6-525[s12];
    [s12]tpad=stop_duration=0.100000:stop_mode=clone[s13];
    [s13]trim=end_frame=300[s14];
    [2]format=yuv420p[s15];
    [s15]setsar=1/1[s16];
    [s16]trim=end_frame=150[s17];
    [s5][s14][s17]concat=a=0:n=3:v=1[s18];
    [s18]setpts=N*1/30/TB[s19];
    [s19]fps=30000/1001:start_time=0[s20];
    [s20]scale=1280:720[s21];
    [s21]format=yuv420p[s22];
    [s22]setsar=1/1[s23];
    [s23]trim=end_frame=539[s24];
    [0:1]aresample=48000:async=1:first_pts=0[s25];
    [s25]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s26];
    [s26]apad=pad_dur=0.100000[s27];
    [s27]atrim=end_sample=144000[s28];
    [3]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s29];
    [s29]atrim=end_sample=480000[s30];
    [4:1]aresample=48000:async=1:first_pts=0[s31];
    [s31]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s32];
    [s32]apad=pad_dur=0.100000[s33];
    [s33]atrim=end_sample=240000[s34];
    [s28][s30][s34]concat=a=1:n=3:v=0[s35];
    [s35]aresample=44100:async=1:first_pts=0[s36];
    [s36]aformat=channel_layouts=stereo:sample_rates=44100[s37]
-map [s24] -map [s37] -f mp4 -a53cc 0 -b:a 160000 -b:v 2400000 -bufsize 48000000 -c:a aac -c:v libx264 -g 90 -level:v 3.1
    -map_chapters -1 -map_metadata -1 -maxrate 4800000 -movflags +faststart -preset veryfast -profile:v baseline
    -threads 2 -x264-params b-pyramid=none file:out/o0.mp4
"""
ON_A_CARD = (
    f"-analyzeduration 30M -extra_hw_frames 8 -format_whitelist {FORMATS}"
    " -hwaccel cuda -hwaccel_device 1 -hwaccel_output_format cuda"
)
STITCHED_INPUTS_ON_A_GPU = f"""
{PROCESS}
{ON_A_CARD} {BOUNDS} -ss 2.000000 -t 3.000000 -threads 2 -i file:in/0
{ON_A_CARD} {BOUNDS} -threads 2 -i file:in/1
-f lavfi -t 8.000000 -i color=c=black:s=1280x720:r=30/1 -f lavfi -t 12.000000 -i anullsrc=r=48000:cl=stereo
-analyzeduration 30M -format_whitelist {FORMATS} {BOUNDS} -threads 2 -i file:in/2
-filter_complex
    [0:0]scale_cuda=1280:720:format=yuv420p[s0];
    [s0]hwdownload[s1];
    [s1]format=yuv420p[s2];
    [s2]format=yuv420p[s3];
    [s3]setsar=1/1[s4];
    [s4]fps=30/1:start_time=0[s5];
    [s5]tpad=stop_duration=0.100000:stop_mode=clone[s6];
    [s6]trim=end_frame=90[s7];
    [1:0]yadif_cuda=deint=all:mode=send_frame:parity=tff[s8];
    [s8]fps=30/1:start_time=0[s9];
    [s9]scale_cuda=960:720:format=yuv420p[s10];
    [s10]hwdownload[s11];
    [s11]format=yuv420p[s12];
    [s12]format=yuv420p[s13];
    [s13]pad=1280:720:160:0[s14];
    [s14]setsar=1/1[s15];
    [s15]colorspace=all=bt709:iall=bt601-6-525[s16];
    [s16]tpad=stop_duration=0.100000:stop_mode=clone[s17];
    [s17]trim=end_frame=300[s18];
    [2]format=yuv420p[s19];
    [s19]setsar=1/1[s20];
    [s20]trim=end_frame=150[s21];
    [s7][s18][s21]concat=a=0:n=3:v=1[s22];
    [s22]setpts=N*1/30/TB[s23];
    [s23]fps=30000/1001:start_time=0[s24];
    [s24]scale=1280:720[s25];
    [s25]format=yuv420p[s26];
    [s26]setsar=1/1[s27];
    [s27]trim=end_frame=539[s28];
    [0:1]aresample=48000:async=1:first_pts=0[s29];
    [s29]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s30];
    [s30]apad=pad_dur=0.100000[s31];
    [s31]atrim=end_sample=144000[s32];
    [3]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s33];
    [s33]atrim=end_sample=480000[s34];
    [4:1]aresample=48000:async=1:first_pts=0[s35];
    [s35]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s36];
    [s36]apad=pad_dur=0.100000[s37];
    [s37]atrim=end_sample=240000[s38];
    [s32][s34][s38]concat=a=1:n=3:v=0[s39];
    [s39]aresample=44100:async=1:first_pts=0[s40];
    [s40]aformat=channel_layouts=stereo:sample_rates=44100[s41]
-map [s28] -map [s41] -f mp4 -a53cc 0 -b:a 160000 -b:v 2400000 -bf 0 -bufsize 48000000 -c:a aac -c:v h264_nvenc -forced-idr 1
    -g 90 -gpu 1 -level:v 3.1 -map_chapters -1 -map_metadata -1 -maxrate 4800000 -movflags +faststart -preset p4
    -profile:v baseline -rc vbr -rc-lookahead 20 -refs 3 -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
"""
A_CLIP_WITH_HINTS = f"""
{PROCESS}
-f mov -analyzeduration 30M -format_whitelist {FORMATS} {BOUNDS} -threads 2 -i file:in/0
-filter_complex
    [0:0]setpts=N*1/25/TB[s0];
    [s0]trim=duration=3.000000:start=2.000000[s1];
    [s1]setpts=PTS-2.000000/TB[s2];
    [s2]scale=640:360[s3];
    [s3]setsar=1[s4];
    [s4]scale=640:360[s5];
    [s5]format=yuv420p[s6];
    [s6]setsar=1/1[s7];
    [s7]fps=30000/1001:start_time=0[s8];
    [s8]trim=end_frame=90[s9];
    [0:1]atrim=duration=3.000000:start=2.000000[s10];
    [s10]asetpts=PTS-2.000000/TB[s11];
    [s11]aresample=44100:async=1:first_pts=0[s12];
    [s12]aformat=channel_layouts=stereo:sample_rates=44100[s13]
-map [s9] -map [s13] -f mp4 -a53cc 0 -b:a 160000 -b:v 2400000 -bufsize 48000000 -c:a aac -c:v libx264 -g 90 -level:v 3.1
    -map_chapters -1 -map_metadata -1 -maxrate 4800000 -movflags +faststart -preset veryfast -profile:v baseline
    -threads 2 -x264-params b-pyramid=none file:out/o0.mp4
"""
A_CLIP_WITH_HINTS_ON_A_GPU = f"""
{PROCESS}
-f mov -analyzeduration 30M -extra_hw_frames 8 -format_whitelist {FORMATS} -hwaccel cuda -hwaccel_device 1
-hwaccel_output_format cuda {BOUNDS} -threads 2 -i file:in/0
-filter_complex
    [0:0]setpts=N*1/25/TB[s0];
    [s0]trim=duration=3.000000:start=2.000000[s1];
    [s1]setpts=PTS-2.000000/TB[s2];
    [s2]scale_cuda=640:360[s3];
    [s3]setsar=1[s4];
    [s4]fps=30000/1001:start_time=0[s5];
    [s5]scale_cuda=640:360:format=yuv420p[s6];
    [s6]setsar=1/1[s7];
    [s7]trim=end_frame=90[s8];
    [0:1]atrim=duration=3.000000:start=2.000000[s9];
    [s9]asetpts=PTS-2.000000/TB[s10];
    [s10]aresample=44100:async=1:first_pts=0[s11];
    [s11]aformat=channel_layouts=stereo:sample_rates=44100[s12]
-map [s8] -map [s12] -f mp4 -a53cc 0 -b:a 160000 -b:v 2400000 -bf 0 -bufsize 48000000 -c:a aac -c:v h264_nvenc -forced-idr 1
    -g 90 -gpu 1 -level:v 3.1 -map_chapters -1 -map_metadata -1 -maxrate 4800000 -movflags +faststart -preset p4
    -profile:v baseline -rc vbr -rc-lookahead 20 -refs 3 -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
"""

LAST_FEEDER = f"""
{PROCESS}
-f lavfi -t 6.000000 -i color=c=black:s=1280x720:r=30/1
-analyzeduration 30M -format_whitelist {FORMATS} {BOUNDS} -threads 2 -i file:in/2
-filter_complex
    [0]format=yuv420p[s0];
    [s0]setsar=1/1[s1];
    [s1]trim=end_frame=150[s2];
    [s2]concat=a=0:n=1:v=1[s3];
    [s3]setpts=N*1/30/TB[s4];
    [1:1]aresample=48000:async=1:first_pts=0[s5];
    [s5]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s6];
    [s6]apad=pad_dur=0.100000[s7];
    [s7]atrim=end_sample=240000[s8];
    [s8]concat=a=1:n=1:v=0[s9]
-map [s4] -map [s9] -f nut -c:a pcm_f32le -c:v rawvideo -fps_mode passthrough -threads 2 -write_index 0 file:in/joined1
"""
FED = f"""
{PROCESS}
-f concat -chroma_sample_location left -format_whitelist concat,nut -fpsprobesize 0 -protocol_whitelist file -threads 2
-i file:in/joined
-filter_complex
    [0:0]setpts=N*1/30/TB[s0];
    [s0]fps=30/1:start_time=0[s1];
    [s1]scale=1280:720[s2];
    [s2]format=yuv420p[s3];
    [s3]setsar=1/1[s4];
    [s4]tpad=stop_duration=0.100000:stop_mode=clone[s5];
    [s5]trim=end_frame=540[s6];
    [s6]concat=a=0:n=1:v=1[s7];
    [s7]setpts=N*1/30/TB[s8];
    [s8]fps=30000/1001:start_time=0[s9];
    [s9]scale=1280:720[s10];
    [s10]format=yuv420p[s11];
    [s11]setsar=1/1[s12];
    [s12]trim=end_frame=539[s13];
    [0:1]aresample=48000:async=1:first_pts=0[s14];
    [s14]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s15];
    [s15]apad=pad_dur=0.100000[s16];
    [s16]atrim=end_sample=864000[s17];
    [s17]concat=a=1:n=1:v=0[s18];
    [s18]aresample=44100:async=1:first_pts=0[s19];
    [s19]aformat=channel_layouts=stereo:sample_rates=44100[s20]
-map [s13] -map [s20] -f mp4 -a53cc 0 -b:a 160000 -b:v 2400000"""
FED_FOR_X264 = f"""{FED} -bufsize 48000000 -c:a aac -c:v libx264 -g 90 -level:v 3.1
    -map_chapters -1 -map_metadata -1 -maxrate 4800000 -movflags +faststart -preset veryfast -profile:v baseline
    -threads 2 -x264-params b-pyramid=none file:out/o0.mp4
"""
FED_FOR_A_GPU = f"""{FED} -bf 0 -bufsize 48000000 -c:a aac -c:v h264_nvenc -forced-idr 1
    -g 90 -gpu 1 -level:v 3.1 -map_chapters -1 -map_metadata -1 -maxrate 4800000 -movflags +faststart -preset p4
    -profile:v baseline -rc vbr -rc-lookahead 20 -refs 3 -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
"""

CASES = {
    "stitched inputs": (STITCHED, (MOVIE, SECOND, THIRD), Device.CPU, STITCHED_INPUTS),
    "stitched inputs on a gpu": (STITCHED, (MOVIE, SECOND, THIRD), Device.NVENC, STITCHED_INPUTS_ON_A_GPU),
    "a clip with hints": (HINTED, (hinted(MOVIE, TOLD),), Device.CPU, A_CLIP_WITH_HINTS),
    "a clip with hints on a gpu": (HINTED, (hinted(MOVIE, TOLD),), Device.NVENC, A_CLIP_WITH_HINTS_ON_A_GPU),
}


@pytest.mark.parametrize("case", CASES)
def test_the_whole_command_line(case: str) -> None:
    task, facts, device, expected = CASES[case]
    [only] = plan(task, facts, device=device, threads=2, gpu=1).passes
    assert only.argv == words(expected)


def words(command: str) -> list[str]:
    return re.sub(r";\s+", ";", command).split()


@pytest.mark.parametrize(("device", "expected"), [(Device.CPU, FED_FOR_X264), (Device.NVENC, FED_FOR_A_GPU)])
def test_what_others_join_is_read_from_their_pipes(
    device: Device, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "TOGETHER", 2)
    [only] = plan(STITCHED, (MOVIE, SECOND, THIRD), device=device, threads=2, gpu=1).passes
    assert only.argv == words(expected)
    assert not only.decodes_on_gpu
    assert only.feeders is not None
    first, last = only.feeders.commands
    assert (first.count("-i"), first[-1]) == (3, "file:in/joined0")  # two inputs, and silence
    assert last == words(LAST_FEEDER)


def test_a_card_decodes_what_it_can_of_a_few_and_nothing_of_many() -> None:
    deep, turned = replace_video(pix_fmt="yuv420p10le"), replace_video(rotation=90)
    few = a_task(an_output("000010"), parts=tuple(PartSpec(source=index) for index in range(3)))
    [only] = plan(few, (MOVIE, deep, turned), device=Device.NVENC, threads=2, gpu=1).passes
    assert only.decodes_on_gpu
    assert only.argv.count("-hwaccel") == 1
    assert "hwupload" not in " ".join(only.argv)
    [only] = plan(few, (deep, turned, turned), device=Device.NVENC, threads=2, gpu=1).passes
    assert not only.decodes_on_gpu
    many = a_task(an_output("000010"), parts=tuple(PartSpec(source=index) for index in range(9)))
    [only] = plan(many, (MOVIE,) * 9, device=Device.NVENC, threads=2, gpu=1).passes
    assert "-hwaccel" not in only.argv


def test_what_a_card_cannot_decode_of_several_is_decoded_in_memory() -> None:
    few = a_task(an_output("000010"), parts=(PartSpec(), PartSpec(source=1)))
    [only] = plan(few, (MOVIE, MOVIE), device=Device.NVENC, threads=2, gpu=1).passes
    other = instead(only, FailureReason.HARDWARE_DECODING_FAILED, software_threads=2)
    assert other is not None
    assert other.is_on_gpu
    assert "-hwaccel" not in other.argv
    assert "cuda" not in " ".join(other.argv)


def replace_video(**fields: Any) -> MediaFacts:
    assert MOVIE.video is not None
    return replace(MOVIE, video=replace(MOVIE.video, **fields))


EVENED = f"""
{PROCESS}
-f concat -chroma_sample_location left -format_whitelist concat,nut -fpsprobesize 0 -protocol_whitelist file -threads 2
-i file:in/joined
-filter_complex
    [0:0]scale=1280:720[s0];
    [s0]format=yuv420p[s1];
    [s1]setsar=1/1[s2];
    [s2]fps=30000/1001:start_time=0[s3];
    [0:1]aresample=44100:async=1:first_pts=0[s4];
    [s4]aformat=channel_layouts=stereo:sample_rates=44100[s5]
-map [s3] -map [s5] -f mp4 -a53cc 0 -b:a 160000 -b:v 2400000 -bufsize 48000000 -c:a aac -c:v libx264 -g 90 -level:v 3.1
    -map_chapters -1 -map_metadata -1 -maxrate 4800000 -movflags +faststart -preset veryfast -profile:v baseline
    -threads 2 -x264-params b-pyramid=none file:out/o0.mp4
"""
EVENING = f"""
{PROCESS}
-analyzeduration 30M -format_whitelist {FORMATS} {BOUNDS} -threads 2 -i file:in/0
-filter_complex
    [0:0]bwdif=deint=all:mode=send_frame:parity=tff[s0];
    [s0]scale=1280:720[s1];
    [s1]format=yuv420p[s2];
    [0:1]aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000[s3]
-map [s2] -map [s3] -f nut -c:a pcm_f32le -c:v rawvideo -fps_mode passthrough -threads 2 -write_index 0 file:in/joined0
"""


def test_an_input_that_becomes_another_kind_midway_is_made_one_kind_before() -> None:
    woven = replace_video(interlaced=True, parity="tff")
    [only] = plan(a_task(an_output("000010")), (woven,), device=Device.CPU, threads=2).passes
    even = evenly(only)
    assert even is not None
    assert even.argv == words(EVENED)
    assert even.feeders is not None
    assert even.feeders.commands == (words(EVENING),)
    assert evenly(even) is None


def test_of_several_inputs_none_is_made_even() -> None:
    [only] = plan(STITCHED, (MOVIE, SECOND, THIRD), device=Device.CPU, threads=2).passes
    assert evenly(only) is None


def test_sound_alone_of_a_broadcast_is_made_even_at_once() -> None:
    broadcast = replace(MOVIE, format="mpegts", duration_is_exact=False)
    [only] = plan(a_task(an_output("300010")), (broadcast,), device=Device.CPU, threads=2).passes
    assert only.feeders is not None
    [command] = only.feeders.commands
    assert "-c:v" not in command
    [other] = plan(a_task(an_output("300010")), (MOVIE,), device=Device.CPU, threads=2).passes
    assert other.feeders is None
