"""What passes for the planned output, and whom everything else is blamed on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.media import inspections
from agent.media.verify import SEGMENTS_PER_PROBE
from shared.failures import Cause, FailureCode
from tests.unit.agent.media.builders import MOVIE, a_sound, an_output, thumbnails
from tests.unit.agent.media.produced import Produced, png, streams_of


def an_mp4() -> Produced:
    return Produced(an_output("000010", thumbnails=thumbnails(10)))


def a_row_of_segments() -> Produced:
    return Produced(an_output("200010", segment_duration=20.0))


def test_a_good_output_is_verified() -> None:
    verified = an_mp4().verified()
    assert (verified.duration, verified.size) == (pytest.approx(55.0, abs=0.1), 1000)
    assert [file.name for file in verified.thumbnails] == [f"t0_{count:05d}.png" for count in range(1, 7)]


def test_good_segments_are_verified() -> None:
    made = a_row_of_segments()
    verified = made.verified()
    assert [(segment.name, segment.seconds) for segment in verified.segments] == [
        ("o0_00000.ts", 20.0),
        ("o0_00001.ts", 20.0),
        ("o0_00002.ts", 15.0),
    ]
    assert verified.size == sum(size for name, size in made.files.items() if name.endswith(".ts"))


def test_a_file_is_inspected_packet_by_packet() -> None:
    [inspection] = inspections(an_mp4().output, {"o0.mp4": 1})
    assert inspection.argv[-4:] == ["-count_packets", "-show_format", "-show_streams", "file:out/o0.mp4"]
    assert inspection.argv[inspection.argv.index("-protocol_whitelist") + 1] == "file,pipe"


def test_many_segments_are_inspected_in_few_runs() -> None:
    output = a_row_of_segments().output
    files = {f"o0_{number:05d}.ts": 1 for number in range(SEGMENTS_PER_PROBE + 1)} | {"o0.m3u8": 1, "o1_00000.ts": 1}
    first, second = inspections(output, files)
    assert first.argv[-1].startswith("concat:out/o0_00000.ts|out/o0_00001.ts|")
    assert second.argv[-1] == f"concat:out/o0_{SEGMENTS_PER_PROBE:05d}.ts"
    assert len(first.argv[-1]) < 128 * 1024


def test_a_truncated_input_is_the_tenants_to_mend() -> None:
    made = an_mp4()
    made.streams, made.declared = streams_of(made.output, 48.1), 48.1
    made.stderr = b"[mov,mp4 @ 0x1] stream 0, offset 0x94109: partial file\n"
    failure = made.failure()
    assert (failure.cause, failure.code) == (Cause.INPUT, FailureCode.BAD_INPUT_FORMAT)
    assert failure.message == "The input ends after 48.1 s of the 55.0 s that it promises; upload the whole file again."


def test_a_few_frames_more_or_less_are_no_matter() -> None:
    for seconds in (54.6, 55.4):
        made = an_mp4()
        made.streams, made.declared = streams_of(made.output, seconds), seconds
        made.verified()


def test_more_than_was_promised_is_a_fault_of_time_stamps() -> None:
    made = an_mp4()
    made.streams, made.declared = streams_of(made.output, 110.0), 110.0
    failure = made.failure()
    assert (failure.cause, failure.code) == (Cause.INPUT, FailureCode.INPUT_UNHANDLED)


def test_a_sound_that_ends_early_counts_as_well() -> None:
    made = an_mp4()
    made.streams[1:] = streams_of(made.output, 30.0)[1:]
    assert made.failure().cause is Cause.INPUT


def test_without_a_promise_anything_but_nothing_will_do() -> None:
    guessed = replace(MOVIE, duration_is_exact=False)
    made = Produced(an_output("000010"), guessed)
    made.streams, made.declared = streams_of(made.output, 12.0), 12.0
    assert made.verified().duration == pytest.approx(12.0, abs=0.1)
    made.streams, made.declared = streams_of(made.output, 0.0), 0.0
    assert made.failure().cause is Cause.INPUT


def test_packets_that_lie_upon_each_other_are_no_output() -> None:
    """Of an input without a promise: of 9 s of sound, 3 lie at one moment."""
    made = Produced(an_output("200010", segment_duration=20.0), replace(MOVIE, duration_is_exact=False))
    made.streams[1] |= {"nb_read_packets": str(round(58.0 * 44100 / 1024))}
    failure = made.failure()
    assert (failure.cause, failure.code) == (Cause.INPUT, FailureCode.INPUT_UNHANDLED)
    assert "changes its kind midway" in failure.message


def test_what_encoders_put_before_the_sound_is_no_part_of_how_long_an_output_is() -> None:
    made = Produced(an_output("000010"), replace(MOVIE, duration_is_exact=False))
    made.streams[0] |= {"nb_read_packets": "1"}
    made.streams[1] |= {"nb_read_packets": str(round(55.0 * 44100 / 1024) + 2)}
    made.declared = 55.0
    assert made.verified().duration == 55.0


def test_an_output_without_a_picture_is_not_tried_again() -> None:
    made = Produced(an_output("000010"), replace(MOVIE, duration_is_exact=False))
    made.streams[0] |= {"nb_read_packets": "0", "codec_name": None}
    assert made.failure().cause is Cause.INPUT


def test_a_promise_of_the_whole_file_counts_where_streams_make_none() -> None:
    assert MOVIE.video is not None
    assert MOVIE.audio is not None
    untold = replace(MOVIE, video=replace(MOVIE.video, duration=None), audio=replace(MOVIE.audio, duration=None))
    made = Produced(an_output("000010"), untold)
    made.verified()
    made.streams, made.declared = streams_of(made.output, 20.0), 20.0
    assert made.failure().cause is Cause.INPUT


def test_a_full_disk_is_the_nodes_fault_even_if_ffmpeg_said_0() -> None:
    made = a_row_of_segments()
    made.stderr = b"av_interleaved_write_frame(): No space left on device\n"
    failure = made.failure()
    assert (failure.cause, failure.code) == (Cause.NODE, FailureCode.NODE_FAULT)


def test_fewer_packets_than_the_file_says_were_never_written() -> None:
    made = Produced(an_output("500020"))
    made.streams = streams_of(made.output, 15.0)
    assert made.failure().cause is Cause.NODE


@pytest.mark.parametrize(
    "broken", ["missing", "empty", "unnamed", "no end", "no playlist", "empty playlist", "shorter"]
)
def test_segments_and_their_playlist_have_to_agree(broken: str) -> None:
    made = a_row_of_segments()
    match broken:
        case "missing":
            del made.contents["o0_00001.ts"]
        case "empty":
            made.contents["o0_00001.ts"] = b""
        case "unnamed":
            made.contents["o0_00003.ts"] = b"x"
        case "no end":
            made.contents["o0.m3u8"] = made.contents["o0.m3u8"].replace(b"#EXT-X-ENDLIST", b"")
        case "no playlist":
            del made.contents["o0.m3u8"]
        case "empty playlist":
            made.contents["o0.m3u8"] = b""
        case "shorter":
            made.streams = streams_of(made.output, 30.0)
    assert made.failure().cause is Cause.NODE


def test_an_output_without_its_file_was_not_written() -> None:
    made = an_mp4()
    del made.contents["o0.mp4"]
    assert made.failure().cause is Cause.NODE


@pytest.mark.parametrize(
    "difference",
    [{"codec_name": "hevc"}, {"width": 1278}, {"codec_type": "data"}],
)
def test_another_picture_than_planned_is_refused(difference: dict[str, object]) -> None:
    made = an_mp4()
    made.streams[0] |= difference
    assert made.failure().cause is Cause.UNKNOWN


def test_another_sound_than_planned_is_refused() -> None:
    made = an_mp4()
    made.streams[1]["channels"] = 1
    assert made.failure().cause is Cause.UNKNOWN


def test_a_stream_too_many_is_refused() -> None:
    made = an_mp4()
    made.streams.append({"codec_type": "subtitle"})
    assert made.failure().cause is Cause.UNKNOWN


def test_an_answer_that_is_none_is_refused() -> None:
    made = an_mp4()
    made.streams = []
    assert made.failure().cause is Cause.UNKNOWN


@pytest.mark.parametrize("broken", ["gap", "cut off", "other size", "too few"])
def test_thumbnails_are_whole_and_in_a_row(broken: str) -> None:
    made = an_mp4()
    match broken:
        case "gap":
            del made.contents["t0_00003.png"]
        case "cut off":
            made.contents["t0_00003.png"] = made.contents["t0_00003.png"][:30]
        case "other size":
            made.contents["t0_00003.png"] = png(10, 10)
        case "too few":
            for count in (4, 5, 6):
                del made.contents[f"t0_{count:05d}.png"]
    made.failure()


def test_jpg_thumbnails_are_whole() -> None:
    made = Produced(an_output("000010", thumbnails=thumbnails(10, format="jpg")))
    for name in [name for name in made.contents if name.endswith(".jpg")]:
        made.contents[name] = b"\xff\xd8....\xff\xd9"
    made.verified()
    made.contents["t0_00002.jpg"] = b"\xff\xd8...."
    assert made.failure().cause is Cause.NODE


def test_sound_whose_packets_vary_lasts_as_its_file_says() -> None:
    made = Produced(an_output("300110"), a_sound())
    assert made.verified().duration == 55.0
    made.streams[0]["duration"], made.declared = "20.0", 20.0
    assert made.failure().cause is Cause.INPUT


def test_no_failure_names_a_path() -> None:
    made = a_row_of_segments()
    del made.contents["o0_00001.ts"]
    assert "/" not in made.failure().message
    assert "o0" not in made.failure().message
