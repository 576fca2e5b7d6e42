"""Pipelines, as clients of Elastic Transcoder see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from tests.contract.api.service import Caller, Service, serving
from tests.contract.dialects.elastictranscoder.client import ROLE, Client, told

WANTED: Final[dict[str, Any]] = {"Name": "mine", "InputBucket": "in", "OutputBucket": "out", "Role": ROLE}
TOPIC: Final = "arn:aws:sns:us-east-1:123456789012:jobs"
NOBODY: Final = {"Progressing": "", "Completed": "", "Warning": "", "Error": ""}
CONFIGS: Final[dict[str, Any]] = {
    "ContentConfig": {
        "Bucket": "out",
        "StorageClass": "Standard",
        "Permissions": [{"GranteeType": "Group", "Grantee": "AllUsers", "Access": ["Read"]}],
    },
    "ThumbnailConfig": {"Bucket": "thumbs", "StorageClass": "ReducedRedundancy", "Permissions": []},
}
NOT_THERE: Final = "1111111111111-abcdef"


@pytest.fixture
async def generous(tmp_path: Path) -> AsyncIterator[Service]:
    """Whose buckets are made by being named."""
    async with serving(tmp_path / "generous", create_buckets_on_first_use=True) as service:
        yield service


@pytest.fixture
async def guest(generous: Service) -> Client:
    return await Client.of(await generous.tenant())


async def made(client: Client, wanted: dict[str, Any] = WANTED) -> dict[str, Any]:
    answer = await client.post("/pipelines", wanted)
    assert answer.status == 201, answer.content
    pipeline: dict[str, Any] = answer.json["Pipeline"]
    return pipeline


async def test_a_pipeline_reads_as_the_service_told_it(client: Client, pipeline: str) -> None:
    answer = await client.get(f"/pipelines/{pipeline}")
    assert answer.status == 200, answer.content
    assert answer.headers["x-amzn-RequestId"] == answer.headers["X-Request-Id"]
    account = client.caller.tenant_id
    assert answer.json["Pipeline"] == {
        "Id": pipeline,
        "Arn": f"arn:aws:elastictranscoder:us-east-1:{account}:pipeline/{pipeline}",
        "Name": "p",
        "Status": "Active",
        "InputBucket": "bucket",
        "OutputBucket": "bucket",
        "Role": f"arn:aws:iam::{account}:role/transcoder",
        "AwsKmsKeyArn": None,
        "Notifications": NOBODY,
        "ContentConfig": {"Bucket": "bucket", "Permissions": []},
        "ThumbnailConfig": {"Bucket": "bucket", "Permissions": []},
    }


@pytest.mark.parametrize(("signed_for", "told"), [("eu-west-1", "eu-west-1"), ("0", "us-east-1"), ("a:b", "us-east-1")])
async def test_names_tell_the_region_that_a_client_speaks_to(
    client: Client, pipeline: str, signed_for: str, told: str
) -> None:
    client.signer = replace(client.signer, region=signed_for)
    arn = (await client.get(f"/pipelines/{pipeline}")).json["Pipeline"]["Arn"]
    assert arn == f"arn:aws:elastictranscoder:{told}:{client.caller.tenant_id}:pipeline/{pipeline}"


async def test_buckets_are_made_by_being_named_where_the_operator_allows_it(guest: Client) -> None:
    pipeline = await made(guest, WANTED | {"AwsKmsKeyArn": "arn:aws:kms:x"})
    assert (pipeline["InputBucket"], pipeline["OutputBucket"], pipeline["Role"]) == ("in", "out", ROLE)
    assert pipeline["AwsKmsKeyArn"] == "arn:aws:kms:x"
    assert pipeline["ContentConfig"] == pipeline["ThumbnailConfig"] == {"Bucket": "out", "Permissions": []}
    listed = await guest.caller.get("/v1/buckets")
    assert [one["name"] for one in listed.json["items"]] == ["in", "out"]
    again = await made(guest)
    assert again["Id"] != pipeline["Id"]
    log = (await guest.caller.get("/v1/audit")).json["items"]
    deeds = [(row["action"], row["object"]) for row in log if "bucket" in row["action"] or ":" in row["action"]]
    assert deeds[::-1] == [
        ("create_bucket", "in"),
        ("create_bucket", "out"),
        ("elastictranscoder:CreatePipeline", pipeline["Id"]),
        ("elastictranscoder:CreatePipeline", again["Id"]),
    ]


async def test_an_unknown_bucket_is_refused_by_its_name_elsewhere(client: Client) -> None:
    assert told(await client.post("/pipelines", WANTED)) == (
        400,
        "ValidationException",
        "1 validation error detected: Value 'in' at 'inputBucket' failed to satisfy constraint: "
        "Member must be a bucket of yours: There is no bucket 'in'.",
    )


@pytest.mark.parametrize("name", ["..", ".", "-x", "x-", ".hidden"])
async def test_no_bucket_is_made_whose_name_could_mean_something_to_a_file_system(guest: Client, name: str) -> None:
    status, exception, message = told(await guest.post("/pipelines", WANTED | {"OutputBucket": name}))
    assert (status, exception) == (400, "ValidationException")
    assert f"Value '{name}' at 'outputBucket'" in message


async def test_what_a_pipeline_says_of_its_results_is_kept_and_told_back(guest: Client) -> None:
    wanted = {"Name": "mine", "InputBucket": "in", "Role": ROLE, **CONFIGS}
    pipeline = await made(guest, wanted)
    assert {name: pipeline[name] for name in CONFIGS} == CONFIGS
    assert pipeline["OutputBucket"] == "out"
    native = (await guest.caller.get(f"/v1/pipelines/{pipeline['Id']}")).json
    assert (native["output_bucket"], native["thumbnail_bucket"]) == ("out", "thumbs")
    changed = await guest.put(f"/pipelines/{pipeline['Id']}", {"ThumbnailConfig": {"Bucket": "others"}})
    assert changed.status == 200, changed.content
    assert changed.json["Pipeline"]["ContentConfig"] == CONFIGS["ContentConfig"]
    assert changed.json["Pipeline"]["ThumbnailConfig"] == {"Bucket": "others", "Permissions": []}


async def test_a_pipeline_is_changed_in_what_is_sent_alone(guest: Client) -> None:
    pipeline = await made(guest)
    role = "arn:aws:iam::123456789012:role/other"
    path = f"/pipelines/{pipeline['Id']}"
    for change in ({"Name": "other"}, {"InputBucket": "in2"}, {"Role": role}, {"AwsKmsKeyArn": "k"}):
        answer = await guest.put(path, change)
        assert answer.status == 200, answer.content
        pipeline |= change
        assert answer.json == {"Pipeline": pipeline, "Warnings": []}
    assert (await guest.get(path)).json["Pipeline"] == pipeline


async def test_notifications_are_set_with_a_pipeline_and_by_themselves(guest: Client) -> None:
    pipeline = await made(guest, WANTED | {"Notifications": {"Error": TOPIC, "Completed": ""}})
    assert pipeline["Notifications"] == NOBODY | {"Error": TOPIC}
    path = f"/pipelines/{pipeline['Id']}"
    answer = await guest.post(path + "/notifications", {"Notifications": {"Completed": TOPIC}})
    assert answer.status == 200, answer.content
    assert answer.json["Pipeline"]["Notifications"] == NOBODY | {"Completed": TOPIC}
    wrong = await guest.post(path + "/notifications", {"Notifications": {"Completed": "jobs"}})
    assert told(wrong)[2].startswith("1 validation error detected: Value 'jobs' at 'notifications.completed' failed")


async def test_a_pipeline_is_paused_and_resumed(client: Client, pipeline: str) -> None:
    for status in ("Paused", "Paused", "Active"):
        answer = await client.post(f"/pipelines/{pipeline}/status", {"Status": status})
        assert (answer.status, answer.json["Pipeline"]["Status"]) == (200, status)
    wrong = await client.post(f"/pipelines/{pipeline}/status", {"Status": "Off"})
    assert told(wrong)[2].endswith("Member must satisfy regular expression pattern: (^Active$)|(^Paused$)")


@pytest.mark.parametrize(
    ("verbs", "paused", "resumed"),
    [(("pause", "resume"), 200, 200), (("pause",), 200, 403), (("resume",), 403, 403)],
)
async def test_who_may_pause_may_not_therefore_resume(
    service: Service, tenant: Caller, pipeline: str, verbs: tuple[str, ...], paused: int, resumed: int
) -> None:
    """One operation does both: it needs `pipelines:pause`, and `pipelines:resume` as well to make a pipeline Active."""
    allowed = {"actions": [f"pipelines:{verb}" for verb in verbs], "resources": [f"pipeline/{pipeline}"]}
    user = await service.user(tenant, role="tenant_user", permissions=[allowed])
    client = await Client.of(tenant, user_id=user.user_id)
    for status, expected in (("Paused", paused), ("Active", resumed)):
        answer = await client.post(f"/pipelines/{pipeline}/status", {"Status": status})
        assert answer.status == expected
        assert answer.status == 200 or told(answer)[1] == "AccessDeniedException"


async def test_a_pipeline_with_jobs_that_have_not_ended_stays(client: Client, pipeline: str) -> None:
    job_id = await client.caller.submit(pipeline)
    assert told(await client.delete(f"/pipelines/{pipeline}"))[:2] == (409, "ResourceInUseException")
    await client.caller.post(f"/v1/jobs/{job_id}/cancel")
    gone = await client.delete(f"/pipelines/{pipeline}")
    assert (gone.status, gone.json) == (202, {"Success": "true"})
    assert told(await client.delete(f"/pipelines/{pipeline}"))[:2] == (404, "ResourceNotFoundException")


@pytest.mark.parametrize(
    ("method", "path", "document"),
    [
        ("GET", "", None),
        ("PUT", "", {"Name": "x"}),
        ("DELETE", "", None),
        ("POST", "/status", {"Status": "Paused"}),
        ("POST", "/notifications", {"Notifications": {}}),
    ],
)
async def test_what_is_not_there_or_anothers_is_told_by_account_and_id(
    client: Client, method: str, path: str, document: Any
) -> None:
    other = await (await client.service.tenant("other")).pipeline()
    for name in (NOT_THERE, other):
        assert told(await client.call(method, f"/pipelines/{name}{path}", document)) == (
            404,
            "ResourceNotFoundException",
            f"The specified pipeline was not found: account={client.caller.tenant_id}, pipelineId={name}.",
        )


async def test_an_id_of_another_form_is_refused_in_the_words_of_the_service(client: Client) -> None:
    assert told(await client.get("/pipelines/unknown-pipeline")) == (
        400,
        "ValidationException",
        "1 validation error detected: Value 'unknown-pipeline' at 'id' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: ^\d{13}-\w{6}$",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"InputBucket": None},
            "1 validation error detected: Value null at 'inputBucket' failed to satisfy constraint: Member must not be null",
        ),
        ({"Role": None}, "Role cannot be blank"),
        ({"Role": ""}, "Role cannot be blank"),
        ({"Role": "asdf"}, "Role ARN is invalid: asdf"),
        ({"OutputBucket": None}, "[OutputBucket and ContentConfig:Bucket are not allowed to both be null.]"),
        (CONFIGS, "[OutputBucket and ContentConfig are mutually exclusive.]"),
        (
            {"OutputBucket": None, "ContentConfig": {"Bucket": "out"}},
            "[ThumbnailConfig:Bucket is not allowed to be null if ContentConfig is specified.]",
        ),
        (
            {"OutputBucket": "a/b"},
            "1 validation error detected: Value 'a/b' at 'outputBucket' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: ^(\w|\.|-){1,255}$",
        ),
    ],
)
async def test_what_does_not_go_together_is_told_in_the_words_of_the_service(
    guest: Client, change: dict[str, Any], message: str
) -> None:
    wanted = {name: value for name, value in (WANTED | change).items() if value is not None}
    assert told(await guest.post("/pipelines", wanted)) == (400, "ValidationException", message)


async def test_pipelines_are_listed_from_the_newest_or_from_the_oldest_over_pages(client: Client) -> None:
    made = [await client.caller.pipeline() for _ in range(3)]
    for query, expected in (("", made[::-1]), ("?Ascending=false", made[::-1]), ("?Ascending=true", made)):
        answer = await client.get(f"/pipelines{query}")
        assert answer.status == 200, answer.content
        assert [one["Id"] for one in answer.json["Pipelines"]] == expected
        assert answer.json["NextPageToken"] is None
    rest = await client.get(f"/pipelines?Ascending=true&PageToken={made[0]}")
    assert [one["Id"] for one in rest.json["Pipelines"]] == made[1:]


async def test_a_role_is_tested_by_what_its_caller_may_do_with_the_buckets(
    service: Service, tenant: Caller, client: Client, pipeline: str
) -> None:
    asked = {"Role": ROLE, "InputBucket": "bucket", "OutputBucket": "bucket", "Topics": []}
    fine = await client.post("/roleTests", asked)
    assert (fine.status, fine.json) == (200, {"Success": "true", "Messages": []})
    missing = await client.post("/roleTests", asked | {"OutputBucket": "nowhere"})
    assert missing.json == {"Success": "false", "Messages": ["nowhere: There is no bucket 'nowhere'."]}
    reader = await service.user(tenant, role="read_only")
    narrow = await Client.of(tenant, user_id=reader.user_id)
    told_to_reader = await narrow.post("/roleTests", asked)
    assert told_to_reader.json["Success"] == "false"
    assert "objects:create" in told_to_reader.json["Messages"][0]


async def test_an_unknown_operation_is_told_in_the_words_of_the_service(client: Client) -> None:
    status, name, _ = told(await client.get("/nothing"))
    assert (status, name) == (404, "UnknownOperationException")
    status, name, _ = told(await client.delete("/pipelines"))
    assert (status, name) == (404, "UnknownOperationException")


@pytest.mark.parametrize(
    "path", ["/2011-01-01/pipelines", "/2099-12-31/pipelines/1/status", "/2017-08-29/", "/0000-00-00/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_another_version_is_told_to_be_another(client: Client, method: str, path: str) -> None:
    """Whether it is signed or not: nothing of it is served to anybody."""
    for headers in (client.signed(method, path, b""), {}):
        status, name, message = told(await client.send(method, path, b"", headers))
        assert (status, name) == (400, "IncompatibleVersionException")
        assert message == f"Version {path[1:11]} is not served here: speak 2012-09-25."


@pytest.mark.parametrize(
    "path", ["/2012-09-25", "/2012-9-25/pipelines", "/\u0662012-09-25/pipelines", "/v1/2011-01-01/"]
)
async def test_what_looks_like_no_version_is_in_the_words_of_the_native_api(client: Client, path: str) -> None:
    answer = await client.send("GET", quote(path), b"", {})
    assert "x-amzn-ErrorType" not in answer.headers
    assert answer.json["code"] == "not_found"
