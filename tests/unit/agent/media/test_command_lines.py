"""Whole command lines of representative jobs, in software and on a graphics card."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from agent.media import Device, plan, split
from agent.media.facts import MediaFacts
from shared.protocol import TranscodeFile
from tests.unit.agent.media.builders import MOVIE, a_movie, a_task, an_output, settings, thumbnails

PROCESS = "ffmpeg -hide_banner -v error -nostats -progress pipe:1 -stats_period 0.5 -y -filter_complex_threads 2"
FORMATS = (
    "aac,ac3,aiff,amr,asf,avi,caf,dv,eac3,flac,flv,gif,h264,hevc,ivf,m4v,matroska,mov,mp3,mp4,mpeg,mpegts,mpegvideo,mxf,ogg,"
    "w64,wav,webm"
)
BOUNDS = "-max_pixels 33177600 -max_streams 64 -probesize 50M -protocol_whitelist file,pipe -threads 2 -i file:in/0"
SOURCE = f"-analyzeduration 30M -format_whitelist {FORMATS} {BOUNDS}"
SOURCE_ON_GPU = (
    f"-analyzeduration 30M -extra_hw_frames 8 -format_whitelist {FORMATS}"
    f" -hwaccel cuda -hwaccel_device 1 -hwaccel_output_format cuda {BOUNDS}"
)

H264 = settings(container="mp4", video={"codec": "h264", "quality": 21})
PADDED = settings(
    container="mp4",
    video={"codec": "h264", "quality": 21, "padding_policy": "Pad", "max_width": 640, "max_height": 640},
)
FILLED = settings(
    container="mp4",
    video={"codec": "h264", "quality": 21, "sizing_policy": "Fill", "max_width": 640, "max_height": 640},
)
LADDER = a_task(
    an_output("200010", 0, segment_duration=6.0),
    an_output("200030", 1, segment_duration=6.0),
    an_output("200050", 2, segment_duration=6.0),
    an_output("000010", 3, thumbnails=thumbnails(10)),
)
DASH = a_task(an_output("500050", 0, segment_duration=4.0), an_output("500060", 1, segment_duration=4.0))

AN_MP4 = f"""
{PROCESS} {SOURCE}
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
A_LADDER_WITH_AN_MP4_AND_THUMBNAILS = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]split=5[s0][s1][s2][s3][s4];
    [s0]fps=24/1:start_time=0[s5];
    [s5]scale=1024:576[s6];
    [s6]format=yuv420p[s7];
    [s7]setsar=1/1[s8];
    [0:1]asplit=4[s9][s10][s11][s12];
    [s9]aresample=44100:async=1:first_pts=0[s13];
    [s13]aformat=channel_layouts=stereo:sample_rates=44100[s14];
    [s1]fps=24/1:start_time=0[s15];
    [s15]scale=640:360[s16];
    [s16]format=yuv420p[s17];
    [s17]setsar=1/1[s18];
    [s10]aresample=44100:async=1:first_pts=0[s19];
    [s19]aformat=channel_layouts=stereo:sample_rates=44100[s20];
    [s2]fps=24/1:start_time=0[s21];
    [s21]scale=400:224[s22];
    [s22]format=yuv420p[s23];
    [s23]setsar=1/1[s24];
    [s11]aresample=44100:async=1:first_pts=0[s25];
    [s25]aformat=channel_layouts=stereo:sample_rates=44100[s26];
    [s3]scale=1280:720[s27];
    [s27]format=yuv420p[s28];
    [s28]setsar=1/1[s29];
    [s29]fps=30000/1001:start_time=0[s30];
    [s12]aresample=44100:async=1:first_pts=0[s31];
    [s31]aformat=channel_layouts=stereo:sample_rates=44100[s32];
    [s4]fps=1/10:round=up:start_time=0[s33];
    [s33]scale=192:108:in_color_matrix=bt709[s34];
    [s34]format=rgb24[s35];
    [s35]setsar=1/1[s36]
-map [s8] -map [s14] -f hls -a53cc 0 -avoid_negative_ts disabled -b:a 128000 -b:v 1872000 -bufsize 37440000 -c:a aac -c:v
    libx264 -color_primaries bt709 -color_trc bt709 -colorspace bt709 -flags +cgop -force_key_frames
    expr:gte(t,n_forced*6-0.004) -g 72 -hls_list_size 0 -hls_playlist_type vod -hls_segment_filename out/o0_%05d.ts
    -hls_segment_options avoid_negative_ts=disabled -hls_time 6 -keyint_min 72 -level:v 3.1 -map_chapters -1
    -map_metadata -1 -maxrate 3744000 -preset veryfast -profile:v main -sc_threshold 0 -start_number 0 -threads 2
    -x264-params b-pyramid=none file:out/o0.m3u8
-map [s18] -map [s20] -f hls -a53cc 0 -avoid_negative_ts disabled -b:a 128000 -b:v 872000 -bufsize 17440000 -c:a aac -c:v
    libx264 -color_primaries bt709 -color_trc bt709 -colorspace bt709 -flags +cgop -force_key_frames
    expr:gte(t,n_forced*6-0.004) -g 72 -hls_list_size 0 -hls_playlist_type vod -hls_segment_filename out/o1_%05d.ts
    -hls_segment_options avoid_negative_ts=disabled -hls_time 6 -keyint_min 72 -level:v 3.1 -map_chapters -1
    -map_metadata -1 -maxrate 1744000 -preset veryfast -profile:v main -sc_threshold 0 -start_number 0 -threads 2
    -x264-params b-pyramid=none file:out/o1.m3u8
-map [s24] -map [s26] -f hls -a53cc 0 -avoid_negative_ts disabled -b:a 128000 -b:v 272000 -bf 0 -bufsize 5440000 -c:a aac
    -c:v libx264 -color_primaries bt709 -color_trc bt709 -colorspace bt709 -flags +cgop -force_key_frames
    expr:gte(t,n_forced*6-0.004) -g 72 -hls_list_size 0 -hls_playlist_type vod -hls_segment_filename out/o2_%05d.ts
    -hls_segment_options avoid_negative_ts=disabled -hls_time 6 -keyint_min 72 -level:v 3 -map_chapters -1
    -map_metadata -1 -maxrate 544000 -preset veryfast -profile:v baseline -sc_threshold 0 -start_number 0 -threads 2
    file:out/o2.m3u8
-map [s30] -map [s32] -f mp4 -a53cc 0 -b:a 160000 -b:v 2400000 -bufsize 48000000 -c:a aac -c:v libx264 -g 90 -level:v 3.1
    -map_chapters -1 -map_metadata -1 -maxrate 4800000 -movflags +faststart -preset veryfast -profile:v baseline
    -threads 2 -x264-params b-pyramid=none file:out/o3.mp4
-map [s36] -f image2 -c:v png -start_number 1 file:out/t3_%05d.png
"""
A_WEBM = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]scale=1280:720[s0];
    [s0]format=yuv420p[s1];
    [s1]setsar=1/1[s2];
    [s2]fps=30/1:start_time=0[s3];
    [0:1]aresample=44100:async=1:first_pts=0[s4];
    [s4]aformat=channel_layouts=stereo:sample_rates=44100[s5]
-map [s3] -map [s5] -f webm -b:a 128000 -b:v 1200000 -bufsize 24000000 -c:a libvorbis -c:v libvpx-vp9 -cpu-used 5
    -deadline good -g 90 -map_chapters -1 -map_metadata -1 -maxrate 2400000 -row-mt 1 -threads 2 -tile-columns 2
    file:out/o0.webm
"""
A_GIF = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]fps=15/1:start_time=0[s0];
    [s0]scale=1280:720[s1];
    [s1]format=yuv420p[s2];
    [s2]setsar=1/1[s3];
    [s3]setparams=colorspace=bt709[s4];
    [s4]split=2[s5][s6];
    [s6]scale=320:180[s7];
    [s7]palettegen=stats_mode=single[s8];
    [s5][s8]paletteuse=bayer_scale=4:dither=bayer:new=1[s9]
-map [s9] -f gif -c:v gif -loop 0 -map_chapters -1 -map_metadata -1 -threads 2 file:out/o0.gif
"""
A_BROADCAST_MXF = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]scale=1280:720[s0];
    [s0]format=yuv422p[s1];
    [s1]pad=1920:1080:320:180[s2];
    [s2]setsar=1/1[s3];
    [s3]fps=60000/1001:start_time=0[s4];
    [s4]interlace=scan=tff[s5];
    [0:1]aresample=48000:async=1:first_pts=0[s6];
    [s6]aformat=channel_layouts=stereo:sample_fmts=s32:sample_rates=48000[s7];
    [s7]asplit=2[s8][s9];
    [s8]channelmap=0:mono[s10];
    [s9]channelmap=1:mono[s11]
-map [s5] -map [s10] -map [s11] -f mxf -a53cc 0 -b:v 50000000 -bf 2 -bufsize 100000000 -c:a pcm_s24le -c:v mpeg2video
    -color_primaries bt709 -color_trc bt709 -colorspace bt709 -dc 10 -flags +cgop+ildct+ilme -g 15 -intra_vlc 1
    -keyint_min 15 -level:v 2 -map_chapters -1 -map_metadata -1 -maxrate 50000000 -minrate 50000000 -mpv_flags
    +strict_gop -non_linear_quant 1 -profile:v 0 -qmax 28 -sc_threshold 1000000000 -threads 2 file:out/o0.mxf
"""
AN_MP3 = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:1]aresample=44100:async=1:first_pts=0[s0];
    [s0]aformat=channel_layouts=stereo:sample_rates=44100[s1]
-map [s1] -f mp3 -b:a 128000 -c:a libmp3lame -map_chapters -1 -map_metadata -1 -threads 2 file:out/o0.mp3
"""
DASH_FILES = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]scale=426:240[s0];
    [s0]format=yuv420p[s1];
    [s1]setsar=1/1[s2];
    [s2]fps=30/1:start_time=0[s3];
    [0:1]aresample=48000:async=1:first_pts=0[s4];
    [s4]aformat=channel_layouts=stereo:sample_rates=48000[s5]
-map [s3] -f mp4 -a53cc 0 -b:v 600000 -bf 0 -bufsize 1200000 -c:v libx264 -color_primaries bt709 -color_trc bt709 -colorspace
    bt709 -flags +cgop -force_key_frames expr:gte(t,n_forced*4-0.004) -g 60 -keyint_min 60 -level:v 3 -map_chapters
    -1 -map_metadata -1 -maxrate 600000 -min_frag_duration 3950000 -movflags
    +frag_keyframe+delay_moov+default_base_moof+global_sidx -preset veryfast -profile:v main -sc_threshold 0
    -threads 2 file:out/o0.mp4
-map [s5] -f mp4 -b:a 128000 -c:a aac -frag_duration 4000000 -map_chapters -1 -map_metadata -1 -movflags
    +frag_keyframe+delay_moov+default_base_moof+global_sidx -threads 2 file:out/o1.mp4
"""
DEINTERLACING = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]bwdif=deint=interlaced:mode=send_frame:parity=auto[s0];
    [s0]fps=24/1:start_time=0[s1];
    [s1]scale=1280:720[s2];
    [s2]format=yuv420p[s3];
    [s3]setsar=1/1[s4]
-map [s4] -f mp4 -a53cc 0 -c:v libx264 -crf 21 -g 90 -map_chapters -1 -map_metadata -1 -movflags +faststart -preset veryfast
    -threads 2 file:out/o0.mp4
"""
INTERLACED_TO_INTERLACED = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]bwdif=deint=interlaced:mode=send_field:parity=auto[s0];
    [s0]scale=1280:720[s1];
    [s1]format=yuv420p[s2];
    [s2]pad=1920:1080:320:180[s3];
    [s3]setsar=1/1[s4];
    [s4]fps=50/1:start_time=0[s5];
    [s5]interlace=scan=tff[s6];
    [0:1]aresample=48000:async=1:first_pts=0[s7];
    [s7]aformat=channel_layouts=stereo:sample_rates=48000[s8]
-map [s6] -map [s8] -f mp4 -a53cc 0 -b:a 160000 -b:v 10000000 -bufsize 100000000 -c:a aac -c:v libx264 -color_primaries bt709
    -color_trc bt709 -colorspace bt709 -flags +cgop+ildct+ilme -g 12 -keyint_min 12 -level:v 4.1 -map_chapters -1
    -map_metadata -1 -maxrate 10000000 -movflags +faststart -preset veryfast -profile:v main -sc_threshold 0
    -threads 2 -x264-params b-pyramid=none file:out/o0.mp4
"""
FULL_RANGE_OBLONG_PIXELS_CROPPED = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]crop=540:720[s1];
    [s1]scale=640:640:out_range=tv[s2];
    [s2]format=yuv420p[s3];
    [s3]setsar=1/1[s4]
-map [s4] -f mp4 -a53cc 0 -c:v libx264 -color_primaries bt709 -color_trc bt709 -colorspace bt709 -crf 21 -g 90 -map_chapters
    -1 -map_metadata -1 -movflags +faststart -preset veryfast -threads 2 file:out/o0.mp4
"""
AN_MP4_ON_A_GPU = f"""
{PROCESS} {SOURCE_ON_GPU}
-filter_complex
    [0:0]fps=30000/1001:start_time=0[s0];
    [s0]scale_cuda=1280:720:format=yuv420p[s1];
    [s1]setsar=1/1[s2];
    [0:1]aresample=44100:async=1:first_pts=0[s3];
    [s3]aformat=channel_layouts=stereo:sample_rates=44100[s4]
-map [s2] -map [s4] -f mp4 -a53cc 0 -b:a 160000 -b:v 2400000 -bf 0 -bufsize 48000000 -c:a aac -c:v h264_nvenc -forced-idr 1
    -g 90 -gpu 1 -level:v 3.1 -map_chapters -1 -map_metadata -1 -maxrate 4800000 -movflags +faststart -preset p4 -profile:v
    baseline -rc vbr -rc-lookahead 20 -refs 3 -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
"""
A_LADDER_ON_A_GPU = f"""
{PROCESS} {SOURCE_ON_GPU}
-filter_complex
    [0:0]split=5[s0][s1][s2][s3][s4];
    [s0]fps=24/1:start_time=0[s5];
    [s5]scale_cuda=1024:576:format=yuv420p[s6];
    [s6]setsar=1/1[s7];
    [0:1]asplit=4[s8][s9][s10][s11];
    [s8]aresample=44100:async=1:first_pts=0[s12];
    [s12]aformat=channel_layouts=stereo:sample_rates=44100[s13];
    [s1]fps=24/1:start_time=0[s14];
    [s14]scale_cuda=640:360:format=yuv420p[s15];
    [s15]setsar=1/1[s16];
    [s9]aresample=44100:async=1:first_pts=0[s17];
    [s17]aformat=channel_layouts=stereo:sample_rates=44100[s18];
    [s2]fps=24/1:start_time=0[s19];
    [s19]scale_cuda=400:224:format=yuv420p[s20];
    [s20]setsar=1/1[s21];
    [s10]aresample=44100:async=1:first_pts=0[s22];
    [s22]aformat=channel_layouts=stereo:sample_rates=44100[s23];
    [s3]fps=30000/1001:start_time=0[s24];
    [s24]scale_cuda=1280:720:format=yuv420p[s25];
    [s25]setsar=1/1[s26];
    [s11]aresample=44100:async=1:first_pts=0[s27];
    [s27]aformat=channel_layouts=stereo:sample_rates=44100[s28];
    [s4]fps=1/10:round=up:start_time=0[s29];
    [s29]scale_cuda=192:108:format=yuv420p[s30];
    [s30]hwdownload[s31];
    [s31]format=yuv420p[s32];
    [s32]scale=in_color_matrix=bt709[s33];
    [s33]format=rgb24[s34];
    [s34]setsar=1/1[s35]
-map [s7] -map [s13] -f hls -a53cc 0 -avoid_negative_ts disabled -b:a 128000 -b:v 1872000 -bufsize 37440000 -c:a aac -c:v
    h264_nvenc -color_primaries bt709 -color_trc bt709 -colorspace bt709 -flags +cgop -force_key_frames
    expr:gte(t,n_forced*6-0.004) -forced-idr 1 -g 72 -gpu 1 -hls_list_size 0 -hls_playlist_type vod
    -hls_segment_filename out/o0_%05d.ts -hls_segment_options avoid_negative_ts=disabled -hls_time 6 -keyint_min 72
    -level:v 3.1 -map_chapters -1 -map_metadata -1 -maxrate 3744000 -no-scenecut 1 -preset p4 -profile:v main -rc
    vbr -rc-lookahead 20 -refs 3 -spatial-aq 1 -start_number 0 -strict_gop 1 -threads 2 -tune hq file:out/o0.m3u8
-map [s16] -map [s18] -f hls -a53cc 0 -avoid_negative_ts disabled -b:a 128000 -b:v 872000 -bufsize 17440000 -c:a aac -c:v
    h264_nvenc -color_primaries bt709 -color_trc bt709 -colorspace bt709 -flags +cgop -force_key_frames
    expr:gte(t,n_forced*6-0.004) -forced-idr 1 -g 72 -gpu 1 -hls_list_size 0 -hls_playlist_type vod
    -hls_segment_filename out/o1_%05d.ts -hls_segment_options avoid_negative_ts=disabled -hls_time 6 -keyint_min 72
    -level:v 3.1 -map_chapters -1 -map_metadata -1 -maxrate 1744000 -no-scenecut 1 -preset p4 -profile:v main -rc
    vbr -rc-lookahead 20 -refs 3 -spatial-aq 1 -start_number 0 -strict_gop 1 -threads 2 -tune hq file:out/o1.m3u8
-map [s21] -map [s23] -f hls -a53cc 0 -avoid_negative_ts disabled -b:a 128000 -b:v 272000 -bf 0 -bufsize 5440000 -c:a aac
    -c:v h264_nvenc -color_primaries bt709 -color_trc bt709 -colorspace bt709 -flags +cgop -force_key_frames
    expr:gte(t,n_forced*6-0.004) -forced-idr 1 -g 72 -gpu 1 -hls_list_size 0 -hls_playlist_type vod
    -hls_segment_filename out/o2_%05d.ts -hls_segment_options avoid_negative_ts=disabled -hls_time 6 -keyint_min 72
    -level:v 3 -map_chapters -1 -map_metadata -1 -maxrate 544000 -no-scenecut 1 -preset p4 -profile:v baseline -rc
    vbr -rc-lookahead 20 -refs 1 -spatial-aq 1 -start_number 0 -strict_gop 1 -threads 2 -tune hq file:out/o2.m3u8
-map [s26] -map [s28] -f mp4 -a53cc 0 -b:a 160000 -b:v 2400000 -bf 0 -bufsize 48000000 -c:a aac -c:v h264_nvenc -forced-idr 1
    -g 90 -gpu 1 -level:v 3.1 -map_chapters -1 -map_metadata -1 -maxrate 4800000 -movflags +faststart -preset p4
    -profile:v baseline -rc vbr -rc-lookahead 20 -refs 3 -spatial-aq 1 -threads 2 -tune hq file:out/o3.mp4
-map [s35] -f image2 -c:v png -start_number 1 file:out/t3_%05d.png
"""
DASH_FILES_ON_A_GPU = f"""
{PROCESS} {SOURCE_ON_GPU}
-filter_complex
    [0:0]fps=30/1:start_time=0[s0];
    [s0]scale_cuda=426:240:format=yuv420p[s1];
    [s1]setsar=1/1[s2];
    [0:1]aresample=48000:async=1:first_pts=0[s3];
    [s3]aformat=channel_layouts=stereo:sample_rates=48000[s4]
-map [s2] -f mp4 -a53cc 0 -b:v 600000 -bf 0 -bufsize 1200000 -c:v h264_nvenc -color_primaries bt709 -color_trc bt709
    -colorspace bt709 -flags +cgop -force_key_frames expr:gte(t,n_forced*4-0.004) -forced-idr 1 -g 60 -gpu 1
    -keyint_min 60 -level:v 3 -map_chapters -1 -map_metadata -1 -maxrate 600000 -min_frag_duration 3950000 -movflags
    +frag_keyframe+delay_moov+default_base_moof+global_sidx -no-scenecut 1 -preset p4 -profile:v main -rc vbr
    -rc-lookahead 20 -refs 1 -spatial-aq 1 -strict_gop 1 -threads 2 -tune hq file:out/o0.mp4
-map [s4] -f mp4 -b:a 128000 -c:a aac -frag_duration 4000000 -map_chapters -1 -map_metadata -1 -movflags
    +frag_keyframe+delay_moov+default_base_moof+global_sidx -threads 2 file:out/o1.mp4
"""
PADDING_ON_A_GPU = f"""
{PROCESS} {SOURCE_ON_GPU}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]scale_cuda=640:360:format=yuv420p[s1];
    [s1]hwdownload[s2];
    [s2]format=yuv420p[s3];
    [s3]format=yuv420p[s4];
    [s4]pad=640:640:0:140[s5];
    [s5]setsar=1/1[s6]
-map [s6] -f mp4 -a53cc 0 -b:v 0 -c:v h264_nvenc -color_primaries bt709 -color_trc bt709 -colorspace bt709 -cq 21 -forced-idr
    1 -g 90 -gpu 1 -map_chapters -1 -map_metadata -1 -movflags +faststart -preset p4 -rc vbr -rc-lookahead 20
    -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
"""
CROPPING_ON_A_GPU = f"""
{PROCESS} {SOURCE_ON_GPU}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]hwdownload[s1];
    [s1]format=nv12[s2];
    [s2]crop=720:720[s3];
    [s3]scale=640:640[s4];
    [s4]format=yuv420p[s5];
    [s5]setsar=1/1[s6]
-map [s6] -f mp4 -a53cc 0 -b:v 0 -c:v h264_nvenc -color_primaries bt709 -color_trc bt709 -colorspace bt709 -cq 21 -forced-idr
    1 -g 90 -gpu 1 -map_chapters -1 -map_metadata -1 -movflags +faststart -preset p4 -rc vbr -rc-lookahead 20
    -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
"""
DEINTERLACING_ON_A_GPU = f"""
{PROCESS} {SOURCE_ON_GPU}
-filter_complex
    [0:0]yadif_cuda=deint=interlaced:mode=send_frame:parity=auto[s0];
    [s0]fps=24/1:start_time=0[s1];
    [s1]scale_cuda=1280:720:format=yuv420p[s2];
    [s2]setsar=1/1[s3]
-map [s3] -f mp4 -a53cc 0 -b:v 0 -c:v h264_nvenc -cq 21 -forced-idr 1 -g 90 -gpu 1 -map_chapters -1 -map_metadata -1 -movflags
    +faststart -preset p4 -rc vbr -rc-lookahead 20 -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
"""
A_ROTATED_MOVIE_ON_A_GPU = f"""
{PROCESS} {SOURCE}
-filter_complex
    [0:0]fps=24/1:start_time=0[s0];
    [s0]scale=608:1080[s1];
    [s1]format=yuv420p[s2];
    [s2]setsar=1/1[s3]
-map [s3] -f mp4 -a53cc 0 -b:v 0 -c:v h264_nvenc -cq 21 -forced-idr 1 -g 90 -gpu 1 -map_chapters -1 -map_metadata -1 -movflags
    +faststart -preset p4 -rc vbr -rc-lookahead 20 -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
"""
A_WEBM_BESIDE_AN_MP4_ON_A_GPU = f"""
{PROCESS} {SOURCE_ON_GPU}
-filter_complex
    [0:0]split=2[s0][s1];
    [s0]fps=30000/1001:start_time=0[s2];
    [s2]scale_cuda=1280:720:format=yuv420p[s3];
    [s3]setsar=1/1[s4];
    [s1]scale_cuda=640:360:format=yuv420p[s5];
    [s5]hwdownload[s6];
    [s6]format=yuv420p[s7];
    [s7]format=yuv420p[s8];
    [s8]setsar=1/1[s9];
    [s9]fps=30/1:start_time=0[s10]
-map [s4] -f mp4 -a53cc 0 -b:v 2400000 -bf 0 -bufsize 48000000 -c:v h264_nvenc -forced-idr 1 -g 90 -gpu 1 -level:v 3.1
    -map_chapters -1 -map_metadata -1 -maxrate 4800000 -movflags +faststart -preset p4 -profile:v baseline -rc vbr
    -rc-lookahead 20 -refs 3 -spatial-aq 1 -threads 2 -tune hq file:out/o0.mp4
-map [s10] -f webm -b:v 600000 -bufsize 12000000 -c:v libvpx-vp9 -color_primaries bt709 -color_trc bt709 -colorspace
    bt709 -cpu-used 5 -deadline good -g 90 -map_chapters -1 -map_metadata -1 -maxrate 1200000 -row-mt 1 -threads 2
    -tile-columns 2 file:out/o1.webm
"""

CASES = {
    "an mp4": (a_task(an_output("000010")), MOVIE, Device.CPU, AN_MP4),
    "a ladder with an mp4 and thumbnails": (LADDER, MOVIE, Device.CPU, A_LADDER_WITH_AN_MP4_AND_THUMBNAILS),
    "a webm": (a_task(an_output("100250")), MOVIE, Device.CPU, A_WEBM),
    "a gif": (a_task(an_output("100200")), MOVIE, Device.CPU, A_GIF),
    "a broadcast mxf": (a_task(an_output("100220")), MOVIE, Device.CPU, A_BROADCAST_MXF),
    "an mp3": (a_task(an_output("300040")), MOVIE, Device.CPU, AN_MP3),
    "dash files": (DASH, MOVIE, Device.CPU, DASH_FILES),
    "deinterlacing": (a_task(an_output(H264)), a_movie(interlaced=True, audio=None), Device.CPU, DEINTERLACING),
    "interlaced to interlaced": (
        a_task(an_output("100190")),
        a_movie(interlaced=True, frame_rate=Fraction(25)),
        Device.CPU,
        INTERLACED_TO_INTERLACED,
    ),
    "full range oblong pixels cropped": (
        a_task(an_output(FILLED)),
        a_movie(full_range=True, pixel_aspect=Fraction(4, 3), audio=None),
        Device.CPU,
        FULL_RANGE_OBLONG_PIXELS_CROPPED,
    ),
    "an mp4 on a gpu": (a_task(an_output("000010")), MOVIE, Device.NVENC, AN_MP4_ON_A_GPU),
    "a ladder on a gpu": (LADDER, MOVIE, Device.NVENC, A_LADDER_ON_A_GPU),
    "dash files on a gpu": (DASH, MOVIE, Device.NVENC, DASH_FILES_ON_A_GPU),
    "padding on a gpu": (a_task(an_output(PADDED)), a_movie(audio=None), Device.NVENC, PADDING_ON_A_GPU),
    "cropping on a gpu": (a_task(an_output(FILLED)), a_movie(audio=None), Device.NVENC, CROPPING_ON_A_GPU),
    "deinterlacing on a gpu": (
        a_task(an_output(H264)),
        a_movie(interlaced=True, audio=None),
        Device.NVENC,
        DEINTERLACING_ON_A_GPU,
    ),
    "a rotated movie on a gpu": (
        a_task(an_output(H264)),
        a_movie(rotation=90, audio=None),
        Device.NVENC,
        A_ROTATED_MOVIE_ON_A_GPU,
    ),
    "a webm beside an mp4 on a gpu": (
        a_task(an_output("000010"), an_output("100260", 1)),
        a_movie(audio=None),
        Device.NVENC,
        A_WEBM_BESIDE_AN_MP4_ON_A_GPU,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_whole_command_line(case: str) -> None:
    task, facts, device, expected = CASES[case]
    assert command_line(task, facts, device) == re.sub(r";\s+", ";", expected).split()


def test_the_parts_of_a_pass_stay_on_its_card() -> None:
    (whole,) = plan(LADDER, (MOVIE,), device=Device.NVENC, threads=2, gpu=3).passes
    for part in split(whole):
        assert " -hwaccel_device 3 " in f" {' '.join(part.argv)} "
        assert " -gpu 3 " in f" {' '.join(part.argv)} "


def command_line(task: TranscodeFile, facts: MediaFacts, device: Device) -> list[str]:
    [only] = plan(task, (facts,), device=device, threads=2, gpu=1).passes
    return only.argv
