"""What the native document refuses, in the words and names of the wire."""

from __future__ import annotations

import pytest

from controlplane.dialects.elastictranscoder.jobs import refusals
from controlplane.dialects.elastictranscoder.jobs.structures import CreateJob
from shared.errors import ErrorCode, InvalidField, NotFound, TranscoderError

KEY = "c2l4dGVlbiBzZWNyZXRz"
SENT = CreateJob.model_validate_json(
    """{"PipelineId": "1111111111111-abcde1", "Input": {"Key": "in.mp4", "Encryption": {"Key": "KEY"}},
        "Outputs": [
          {"Key": "a", "PresetId": "1351620000001-000010", "Rotate": "90",
           "Composition": [{"TimeSpan": {"StartTime": "00:00:05.000"}}]},
          {"Key": "b", "PresetId": "1351620000001-000010", "ThumbnailPattern": "t-{count}",
           "Captions": {"CaptionFormats": [{"Format": "srt", "Pattern": "s-{language}"}]}}],
        "Playlists": [{"Name": "m", "Format": "HLSv3", "OutputKeys": ["a", "b"]}]}""".replace("KEY", KEY, 1)
)


def refused(pointer: str, detail: str = "It is not so.") -> str:
    return refusals.in_wire_names(InvalidField(detail, pointer=pointer), SENT).detail


@pytest.mark.parametrize(
    ("pointer", "told"),
    [
        ("/pipeline_id", "Value '1111111111111-abcde1' at 'pipelineId'"),
        ("/outputs/0/rotate", "Value '90' at 'outputs.1.member.rotate'"),
        ("/outputs/0/clip/start", "Value '00:00:05.000' at 'outputs.1.member.composition.1.member.timeSpan.startTime'"),
        ("/outputs/1/thumbnails/pattern", "Value 't-{count}' at 'outputs.2.member.thumbnailPattern'"),
        ("/outputs/1/thumbnails", "Value 't-{count}' at 'outputs.2.member.thumbnailPattern'"),
        ("/outputs/0/thumbnails/encryption", "Value null at 'outputs.1.member.thumbnailEncryption'"),
        (
            "/outputs/1/captions/formats/0/pattern",
            "Value 's-{language}' at 'outputs.2.member.captions.captionFormats.1.member.pattern'",
        ),
        ("/playlists/0/output_keys/1", "Value 'b' at 'playlists.1.member.outputKeys.2.member'"),
        ("/metadata/k", "Value null at 'userMetadata'"),
        ("/inputs/0/container", "Value null at 'input.container'"),
        ("/inputs/0/encryption", "Value at 'input.encryption'"),
        ("/inputs/0/encryption/key", "Value at 'input.encryption.key'"),
    ],
)
def test_a_fault_is_told_where_it_is_on_the_wire(pointer: str, told: str) -> None:
    assert refused(pointer) == f"1 validation error detected: {told} failed to satisfy constraint: It is not so."


def test_a_key_is_never_repeated() -> None:
    assert KEY not in refused("/inputs/0/encryption/key") + refused("/inputs/0/encryption")


def test_sentences_name_what_is_on_the_wire() -> None:
    sentence = (
        "As `segment_duration`, hls_content_protection and /outputs/1/thumbnails/pattern; of `clip`, not of h264."
    )
    told = refused("/outputs/0/key", sentence).partition("constraint: ")[2]
    assert told == (
        "As SegmentDuration, HlsContentProtection and outputs.2.member.thumbnailPattern; of Composition, not of h264."
    )


def test_what_is_missing_is_null() -> None:
    error = TranscoderError.of(
        ErrorCode.MISSING_FIELD, "This field is required.", pointer="/outputs/0/captions/formats"
    )
    assert refusals.in_wire_names(error, SENT).detail == (
        "1 validation error detected: Value null at 'outputs.1.member.captions.captionFormats' "
        "failed to satisfy constraint: Member must not be null"
    )


def test_a_refusal_of_something_else_stays_as_it_is() -> None:
    error = NotFound("pipeline")
    assert refusals.in_wire_names(error, SENT) is error
