"""Requests that no client makes: each is refused, in few words, and never with what must stay secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.api.service import Caller, serving
from tests.contract.dialects.elastictranscoder.client import ROLE, VERSION, Client, told

KEY = "c2VjcmV0c2VjcmV0c2VjcmV0"


@pytest.mark.parametrize("depth", [300, 900, 100_000])
@pytest.mark.parametrize("path", ["/jobs", "/pipelines/{}/status"])
async def test_what_is_nested_deep_is_no_request(client: Client, pipeline: str, path: str, depth: int) -> None:
    body = b'{"Status":' + b"[" * depth + b"]" * depth + b"}"
    answer = await client.call("POST", path.format(pipeline), body)
    assert told(answer) == (400, "ValidationException", "The body is not a JSON object.")


@pytest.mark.parametrize("body", [b"[]", b"null", b'"Status"', b"7", b"{", b"\xff"])
async def test_what_is_no_object_is_no_request(client: Client, pipeline: str, body: bytes) -> None:
    answer = await client.call("POST", f"/pipelines/{pipeline}/status", body)
    assert told(answer) == (400, "ValidationException", "The body is not a JSON object.")


async def test_what_the_path_names_may_be_told_once_more(client: Client, pipeline: str) -> None:
    """As boto 2 and the guide's own examples do."""
    assert (await client.get(f"/jobsByPipeline/{pipeline}?PipelineId={pipeline}")).json["Jobs"] == []
    assert (await client.get("/jobsByStatus/Error?Status=Error&Ascending=true")).json["Jobs"] == []
    for path, document in (("/status", {"Status": "Paused"}), ("/notifications", {"Notifications": {}})):
        answer = await client.post(f"/pipelines/{pipeline}{path}", {"Id": pipeline, **document})
        assert answer.status == 200, answer.content
    assert (await client.put(f"/pipelines/{pipeline}", {"Id": pipeline, "Name": "b"})).json["Pipeline"]["Name"] == "b"


@pytest.mark.parametrize("name", ["1111111111111-abcdef", None, 7, ["x"]])
async def test_what_is_told_in_two_ways_is_refused(client: Client, pipeline: str, name: Any) -> None:
    answer = await client.put(f"/pipelines/{pipeline}", {"Id": name, "Name": "b"})
    assert told(answer) == (400, "ValidationException", "Id is told twice, in two ways.")


async def test_a_parameter_is_told_in_one_way(client: Client, pipeline: str) -> None:
    answer = await client.get("/pipelines?Ascending=true&Ascending=false")
    assert told(answer) == (400, "ValidationException", "Ascending is told twice, in two ways.")


async def test_of_many_faults_some_are_told(client: Client) -> None:
    answer = await client.post("/pipelines", {f"Member{number}": number for number in range(900)})
    status, name, message = told(answer)
    assert (status, name) == (400, "ValidationException")
    assert message.startswith("902 validation errors detected: ")
    assert message.endswith("; …")
    assert len(message) < 4_000


async def test_of_thousands_of_faults_their_number_is_told(client: Client) -> None:
    answer = await client.post("/pipelines", {f"Member{number}": number for number in range(9_000)})
    assert told(answer) == (400, "ValidationException", "9002 validation errors detected: too many to tell")


@pytest.mark.parametrize(
    "date", ["Mon, 20 Nov 1995 19:12:08 +99999999999999", "Mon, 20 Nov 9223372036854775808 19:12:08 GMT", "soon", ""]
)
async def test_a_date_that_is_none(client: Client, date: str) -> None:
    client.signer = type(client.signer)(client.signer.access_key_id, client.signer.secret, dated_by="Date")
    headers = {**client.signed("GET", f"{VERSION}/pipelines", b""), "Date": date}
    assert told(await client.send("GET", f"{VERSION}/pipelines", b"", headers)) == (
        400,
        "IncompleteSignatureException",
        "Date must be in ISO-8601 'basic format', or as RFC 9110 writes it.",
    )


@pytest.mark.parametrize(
    "output",
    [
        {"Encryption": KEY},
        {"Encryption": [KEY]},
        {"Encryption": {"Key": [KEY]}},
        {"Encryption": {"Key": KEY + "!"}},
        {"Encryption": {"key": KEY}},
        {"encryption": {"Key": KEY}},
        {"EncryptionKey": KEY},
        {"Captions": {"CaptionFormats": {"Format": "srt", "Encryption": {"Key": KEY}}}},
    ],
)
async def test_a_key_that_was_put_wrong_is_not_told_back(client: Client, pipeline: str, output: dict[str, Any]) -> None:
    whole = {"Key": "out.mp4", "PresetId": "1351620000001-000010", **output}
    for outputs in ([whole], whole):
        document = {"PipelineId": pipeline, "Input": {"Key": "in.mp4"}, "Outputs": outputs}
        answer = await client.post("/jobs", document)
        assert told(answer)[:2] == (400, "ValidationException")
        assert KEY.encode() not in answer.content


@pytest.mark.parametrize(
    "playlist",
    [
        {"HlsContentProtection": KEY},
        {"HlsContentProtection": {"Method": "aes-128", "Key": [KEY]}},
        {"HlsContentProtection": {"Method": "aes-128", "Keys": KEY}},
        {"PlayReadyDrm": [{"Key": KEY}]},
        {"PlayReadyDRM": {"Key": KEY}},
    ],
)
async def test_nor_is_that_of_a_playlist(client: Client, pipeline: str, playlist: dict[str, Any]) -> None:
    whole = {"Name": "all", "Format": "HLSv3", "OutputKeys": ["out"], **playlist}
    output = {"Key": "out", "PresetId": "1351620000001-200010", "SegmentDuration": "10"}
    for playlists in ([whole], whole):
        document = {"PipelineId": pipeline, "Input": {"Key": "in.mp4"}, "Output": output, "Playlists": playlists}
        answer = await client.post("/jobs", document)
        assert told(answer)[:2] == (400, "ValidationException")
        assert KEY.encode() not in answer.content


async def test_names_hold_no_control_characters(client: Client, pipeline: str) -> None:
    for answer in (
        await client.put(f"/pipelines/{pipeline}", {"Name": "a\0"}),
        await client.post("/presets", {"Name": "a\0", "Container": "mp3", "Audio": {"Codec": "mp3"}}),
        await client.post(
            "/presets", {"Name": "a", "Description": "\0", "Container": "mp3", "Audio": {"Codec": "mp3"}}
        ),
    ):
        assert told(answer)[:2] == (400, "ValidationException")


async def test_a_role_is_not_as_long_as_one_likes(client: Client) -> None:
    document = {"Name": "a", "InputBucket": "in", "OutputBucket": "out", "Role": ROLE + "x" * 2048}
    assert told(await client.post("/pipelines", document))[:2] == (400, "ValidationException")


async def test_buckets_beyond_the_quota_leave_no_directories(tmp_path: Path) -> None:
    async with serving(tmp_path / "state", create_buckets_on_first_use=True) as service:
        tenant = await service.tenant()
        client = await Client.of(tenant)
        operator = await service.operator()
        listed = (await tenant.get("/v1/buckets")).json["items"]
        limits = {"buckets": len(listed)}
        changed = await operator.call("PUT", f"/v1/tenants/{tenant.tenant_id}/quotas", limits)
        assert changed.status == 200, changed.content
        home = tmp_path / "state" / "buckets" / str(tenant.tenant_id)
        before = sorted(home.glob("*"))
        document = {"Name": "a", "InputBucket": "more", "OutputBucket": "still-more", "Role": ROLE}
        assert told(await client.post("/pipelines", document))[:2] == (429, "LimitExceededException")
        assert sorted(home.glob("*")) == before


async def test_who_may_make_presets_of_one_name_makes_none_that_has_no_name_yet(tenant: Caller) -> None:
    statement = {"actions": ["presets:create"], "resources": ["preset/1111111111111-abcdef"]}
    user = await tenant.post("/v1/users", {"name": "one", "role": "tenant_user", "permissions": [statement]})
    client = await Client.of(tenant, user_id=user.json["id"])
    preset = {"Name": "a", "Container": "mp3", "Audio": {"Codec": "mp3", "SampleRate": "44100"}}
    assert told(await client.post("/presets", preset))[:2] == (403, "AccessDeniedException")
