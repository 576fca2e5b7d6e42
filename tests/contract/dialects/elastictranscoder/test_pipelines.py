"""Pipelines, as clients of Elastic Transcoder see them."""

from __future__ import annotations

from tests.contract.dialects.elastictranscoder.client import Client, told


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
        "Notifications": {"Progressing": "", "Completed": "", "Warning": "", "Error": ""},
        "ContentConfig": {"Bucket": "bucket", "Permissions": []},
        "ThumbnailConfig": {"Bucket": "bucket", "Permissions": []},
    }


async def test_what_is_not_there_is_told_by_its_account_and_id(client: Client) -> None:
    assert told(await client.get("/pipelines/1111111111111-abcdef")) == (
        404,
        "ResourceNotFoundException",
        f"The specified pipeline was not found: account={client.caller.tenant_id}, pipelineId=1111111111111-abcdef.",
    )


async def test_an_id_of_another_form_is_refused_in_the_words_of_the_service(client: Client) -> None:
    assert told(await client.get("/pipelines/unknown-pipeline")) == (
        400,
        "ValidationException",
        "1 validation error detected: Value 'unknown-pipeline' at 'id' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: ^\d{13}-\w{6}$",
    )


async def test_pipelines_are_listed_from_the_newest_or_from_the_oldest_over_pages(client: Client) -> None:
    made = [await client.caller.pipeline() for _ in range(3)]
    for query, expected in (("", made[::-1]), ("?Ascending=false", made[::-1]), ("?Ascending=true", made)):
        answer = await client.get(f"/pipelines{query}")
        assert answer.status == 200, answer.content
        assert [one["Id"] for one in answer.json["Pipelines"]] == expected
        assert answer.json["NextPageToken"] is None
    rest = await client.get(f"/pipelines?Ascending=true&PageToken={made[0]}")
    assert [one["Id"] for one in rest.json["Pipelines"]] == made[1:]


async def test_an_unknown_operation_is_told_in_the_words_of_the_service(client: Client) -> None:
    status, name, _ = told(await client.get("/nothing"))
    assert (status, name) == (404, "UnknownOperationException")


async def test_a_key_of_the_native_api_is_as_good_as_a_signature(client: Client, pipeline: str) -> None:
    """So that programs of our own need no second key."""
    answer = await client.caller.get(f"/2012-09-25/pipelines/{pipeline}")
    assert answer.json == (await client.get(f"/pipelines/{pipeline}")).json
    stranger = await client.service.call("GET", f"/2012-09-25/pipelines/{pipeline}", key="etk_nobody")
    assert told(stranger)[:2] == (403, "AccessDeniedException")
