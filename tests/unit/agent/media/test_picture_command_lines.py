"""Whole command lines of jobs that do something to the picture, in software and on a graphics card."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agent.media import Device, Still, plan
from agent.media.facts import MediaFacts
from agent.media.sizing import Size
from shared.failures import Failure
from shared.jobspec import WatermarkSlot
from shared.protocol import OutputSpec, TranscodeFile, WatermarkSpec
from tests.unit.agent.media.builders import a_movie, a_task, an_output, settings
from tests.unit.agent.media.test_command_lines import PROCESS, SOURCE, SOURCE_ON_GPU

STILL = "-f {} -format_whitelist png_pipe,jpeg_pipe -max_pixels 33177600 -max_streams 1 -protocol_whitelist file,pipe -i file:in/{}"
LOGO, PHOTO = STILL.format("png_pipe", 1), STILL.format("jpeg_pipe", 2)
CARD = "-init_hw_device cuda=card:1 -filter_hw_device card"
PROCESS_WITH_CARD = PROCESS.replace("-filter_complex_threads", f"{CARD} -filter_complex_threads")
SOURCE_ON_CARD = SOURCE_ON_GPU.replace("-hwaccel_device 1", "-hwaccel_device card")
STILLS: dict[int, Still | Failure] = {1: Still(Size(400, 200), "png_pipe"), 2: Still(Size(300, 300), "jpeg_pipe")}
SLOT: dict[str, Any] = {
    "id": "Mark", "max_width": "10%", "max_height": "10%", "sizing_policy": "ShrinkToFit", "horizontal_align": "Right",
    "horizontal_offset": "16px", "vertical_align": "Top", "vertical_offset": "8px", "opacity": 100.0, "target": "Content",
}  # fmt: skip


def a_mark(source: int, **slot: Any) -> WatermarkSpec:
    return WatermarkSpec(input=source, slot=WatermarkSlot.model_validate(SLOT | slot, strict=False))


def h264(index: int = 0, *marks: WatermarkSpec, rotate: Any = "auto", **video: Any) -> OutputSpec:
    chosen = settings(container="mp4", video={"codec": "h264", "quality": 21} | video)
    return an_output(chosen, index, watermarks=marks, rotate=rotate)


MARKED = a_task(h264(0, a_mark(1), a_mark(2, opacity=50.0, vertical_align="Bottom")), h264(1, a_mark(1), max_width=640))
PADDED = a_task(h264(0, a_mark(1, target="Frame"), padding_policy="Pad", max_width=640, max_height=640))
TURNED = a_task(h264(rotate=90, max_width=720, max_height=720))
PLAIN = a_movie(audio=None, color_space="bt709")
HDR10 = a_movie(
    audio=None, codec="hevc", pix_fmt="yuv420p10le", color_space="bt2020nc", primaries="bt2020", transfer="smpte2084"
)
A_SCREEN = a_movie(audio=None, codec="ffv1", pix_fmt="bgr0", color_space="gbr")

MARKS = f"""
{PROCESS} {SOURCE} {LOGO} {PHOTO}
-filter_complex
    [0:0]split=2[s0][s1];
    [s0]fps=24/1:start_time=0[s2];
    [s2]scale=1280:720[s3];
    [s3]format=yuv420p[s4];
    [s4]setsar=1/1[s5];
    [1:v]split=2[s6][s7];
    [s6]format=gbrap[s8];
    [s8]premultiply=inplace=1[s9];
    [s9]scale=128:64[s10];
    [s10]unpremultiply=inplace=1[s11];
    [s11]scale=out_color_matrix=bt709:out_range=tv[s12];
    [s12]format=yuva420p[s13];
    [s5][s13]overlay=1136:8:format=yuv420[s14];
    [2:v]format=gbrap[s15];
    [s15]premultiply=inplace=1[s16];
    [s16]scale=72:72[s17];
    [s17]unpremultiply=inplace=1[s18];
    [s18]colorchannelmixer=aa=0.5[s19];
    [s19]scale=out_color_matrix=bt709:out_range=tv[s20];
    [s20]format=yuva420p[s21];
    [s14][s21]overlay=1192:640:format=yuv420[s22];
    [s1]fps=24/1:start_time=0[s23];
    [s23]scale=640:360[s24];
    [s24]format=yuv420p[s25];
    [s25]setsar=1/1[s26];
    [s7]format=gbrap[s27];
    [s27]premultiply=inplace=1[s28];
    [s28]scale=64:32[s29];
    [s29]unpremultiply=inplace=1[s30];
    [s30]scale=out_color_matrix=bt709:out_range=tv[s31];
    [s31]format=yuva420p[s32];
    [s26][s32]overlay=560:8:format=yuv420[s33]
-map [s22] -f mp4 -a53cc 0 -c:v libx264 -crf 21 -g 90 -map_chapters -1 -map_metadata -1 -movflags +faststart -preset veryfast
    -threads 2 file:out/o0.mp4
-map [s33] -f mp4 -a53cc 0 -c:v libx264 -crf 21 -g 90 -map_chapters -1 -map_metadata -1 -movflags +faststart -preset veryfast
    -threads 2 file:out/o1.mp4
"""
MARKS_ON_A_GPU = f"""
{PROCESS_WITH_CARD} {SOURCE_ON_CARD} {LOGO} {PHOTO}
-filter_complex
    [0:0]split=2[s0][s1];
    [s0]fps=24/1:start_time=0[s2];
    [s2]scale_cuda=1280:720:format=yuv420p[s3];
    [s3]setsar=1/1[s4];
    [1:v]split=2[s5][s6];
    [s5]format=gbrap[s7];
    [s7]premultiply=inplace=1[s8];
    [s8]scale=128:64[s9];
    [s9]unpremultiply=inplace=1[s10];
    [s10]scale=out_color_matrix=bt709:out_range=tv[s11];
    [s11]format=yuva420p[s12];
    [s12]hwupload[s13];
    [s4][s13]overlay_cuda=1136:8[s14];
    [2:v]format=gbrap[s15];
    [s15]premultiply=inplace=1[s16];
    [s16]scale=72:72[s17];
    [s17]unpremultiply=inplace=1[s18];
    [s18]colorchannelmixer=aa=0.5[s19];
    [s19]scale=out_color_matrix=bt709:out_range=tv[s20];
    [s20]format=yuva420p[s21];
    [s21]hwupload[s22];
    [s14][s22]overlay_cuda=1192:640[s23];
    [s1]fps=24/1:start_time=0[s24];
    [s24]scale_cuda=640:360:format=yuv420p[s25];
    [s25]setsar=1/1[s26];
    [s6]format=gbrap[s27];
    [s27]premultiply=inplace=1[s28];
    [s28]scale=64:32[s29];
    [s29]unpremultiply=inplace=1[s30];
    [s30]scale=out_color_matrix=bt709:out_range=tv[s31];
    [s31]format=yuva420p[s32];
    [s32]hwupload[s33];
    [s26][s33]overlay_cuda=560:8[s34]
-map [s23] -f mp4 -a53cc 0 -b:v 0 -c:v h264_nvenc -cq 21 -forced-idr 1 -g 90 -gpu 1 -map_chapters -1 -map_metadata -1
    -movflags +faststart -preset p4 -rc vbr -rc-lookahead 20 -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
-map [s34] -f mp4 -a53cc 0 -b:v 0 -c:v h264_nvenc -cq 21 -forced-idr 1 -g 90 -gpu 1 -map_chapters -1 -map_metadata -1
    -movflags +faststart -preset p4 -rc vbr -rc-lookahead 20 -spatial-aq 1 -threads 2 -tune hq file:out/o1.mp4
"""
A_MARK_AND_BARS_ON_A_GPU = f"""
{PROCESS} {SOURCE_ON_GPU} {LOGO}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]scale_cuda=640:360:format=yuv420p[s1];
    [s1]hwdownload[s2];
    [s2]format=yuv420p[s3];
    [s3]format=yuv420p[s4];
    [s4]pad=640:640:0:140[s5];
    [s5]setsar=1/1[s6];
    [1:v]format=gbrap[s7];
    [s7]premultiply=inplace=1[s8];
    [s8]scale=64:32[s9];
    [s9]unpremultiply=inplace=1[s10];
    [s10]scale=out_color_matrix=bt709:out_range=tv[s11];
    [s11]format=yuva420p[s12];
    [s6][s12]overlay=560:8:format=yuv420[s13]
-map [s13] -f mp4 -a53cc 0 -b:v 0 -c:v h264_nvenc -cq 21 -forced-idr 1 -g 90 -gpu 1 -map_chapters -1 -map_metadata -1
    -movflags +faststart -preset p4 -rc vbr -rc-lookahead 20 -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
"""
A_TURN = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]scale=720:404[s1];
    [s1]transpose=clock[s2];
    [s2]format=yuv420p[s3];
    [s3]setsar=1/1[s4]
-map [s4] -f mp4 -a53cc 0 -c:v libx264 -crf 21 -g 90 -map_chapters -1 -map_metadata -1 -movflags +faststart -preset veryfast
    -threads 2 file:out/o0.mp4
"""
A_TURN_ON_A_GPU = f"""
{PROCESS} {SOURCE_ON_GPU}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]scale_cuda=720:404:format=yuv420p[s1];
    [s1]hwdownload[s2];
    [s2]format=yuv420p[s3];
    [s3]transpose=clock[s4];
    [s4]format=yuv420p[s5];
    [s5]setsar=1/1[s6]
-map [s6] -f mp4 -a53cc 0 -b:v 0 -c:v h264_nvenc -cq 21 -forced-idr 1 -g 90 -gpu 1 -map_chapters -1 -map_metadata -1
    -movflags +faststart -preset p4 -rc vbr -rc-lookahead 20 -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
"""
HIGH_DYNAMIC_RANGE = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]scale=1280:720[s1];
    [s1]format=yuv420p10le[s2];
    [s2]zscale=min=bt2020nc:npl=100:pin=bt2020:rin=tv:t=linear:tin=smpte2084[s3];
    [s3]format=gbrpf32le[s4];
    [s4]zscale=p=bt709[s5];
    [s5]tonemap=hable:desat=0[s6];
    [s6]zscale=m=bt709:r=tv:t=bt709[s7];
    [s7]format=yuv420p[s8];
    [s8]setsar=1/1[s9]
-map [s9] -f mp4 -a53cc 0 -c:v libx264 -color_primaries bt709 -color_trc bt709 -colorspace bt709 -crf 21 -g 90 -map_chapters
    -1 -map_metadata -1 -movflags +faststart -preset veryfast -threads 2 file:out/o0.mp4
"""
HIGH_DYNAMIC_RANGE_FOR_A_GPU = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]scale=1280:720[s1];
    [s1]format=yuv420p10le[s2];
    [s2]zscale=min=bt2020nc:npl=100:pin=bt2020:rin=tv:t=linear:tin=smpte2084[s3];
    [s3]format=gbrpf32le[s4];
    [s4]zscale=p=bt709[s5];
    [s5]tonemap=hable:desat=0[s6];
    [s6]zscale=m=bt709:r=tv:t=bt709[s7];
    [s7]format=yuv420p[s8];
    [s8]setsar=1/1[s9]
-map [s9] -f mp4 -a53cc 0 -b:v 0 -c:v h264_nvenc -color_primaries bt709 -color_trc bt709 -colorspace bt709 -cq 21 -forced-idr
    1 -g 90 -gpu 1 -map_chapters -1 -map_metadata -1 -movflags +faststart -preset p4 -rc vbr -rc-lookahead 20
    -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
"""
A_SCREEN_OF_RED_GREEN_AND_BLUE = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]scale=1280:720:out_color_matrix=bt709[s1];
    [s1]format=yuv420p[s2];
    [s2]setsar=1/1[s3]
-map [s3] -f mp4 -a53cc 0 -c:v libx264 -color_primaries bt709 -color_trc bt709 -colorspace bt709 -crf 21 -g 90 -map_chapters
    -1 -map_metadata -1 -movflags +faststart -preset veryfast -threads 2 file:out/o0.mp4
"""

CASES = {
    "marks": (MARKED, PLAIN, Device.CPU, MARKS),
    "marks on a gpu": (MARKED, PLAIN, Device.NVENC, MARKS_ON_A_GPU),
    "a mark and bars on a gpu": (PADDED, PLAIN, Device.NVENC, A_MARK_AND_BARS_ON_A_GPU),
    "a turn": (TURNED, PLAIN, Device.CPU, A_TURN),
    "a turn on a gpu": (TURNED, PLAIN, Device.NVENC, A_TURN_ON_A_GPU),
    "high dynamic range": (a_task(h264()), HDR10, Device.CPU, HIGH_DYNAMIC_RANGE),
    "high dynamic range for a gpu": (a_task(h264()), HDR10, Device.NVENC, HIGH_DYNAMIC_RANGE_FOR_A_GPU),
    "a screen of red, green and blue": (a_task(h264()), A_SCREEN, Device.CPU, A_SCREEN_OF_RED_GREEN_AND_BLUE),
}


@pytest.mark.parametrize("case", CASES)
def test_the_whole_command_line(case: str) -> None:
    task, facts, device, expected = CASES[case]
    assert command_line(task, facts, device) == re.sub(r";\s+", ";", expected).split()


def command_line(task: TranscodeFile, facts: MediaFacts, device: Device) -> list[str]:
    [only] = plan(task, (facts,), STILLS, device=device, threads=2, gpu=1).passes
    return only.argv
