"""The life of a film through the AWS CLI, from what its guide has made on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import botocore.session

from tests.e2e.clients.account import variables
from tests.e2e.clients.boto3_client import HLS_400K, ROLE
from tests.e2e.clients.boto3_refusals import COMMON, MISSING, documented
from tests.e2e.clients.boto3_story import MANY
from tests.e2e.clients.running import ran, tried

ROOT = Path(__file__).parents[3]
BUCKETS = ("--input-bucket", "films-in", "--output-bucket", "films-out", "--role", ROLE)
ANSWERED = re.compile(r'"[A-Z]+ /\S+ HTTP/1.1" (\d+)')
"""As its log of connections tells the status of an answer."""
SAID = re.compile(r"^An error occurred \((\w+)\) when calling the \w+ operation(?: \(.*?\))?: (.*)", re.MULTILINE)
REFUSED = 255


class Aws:
    """Somebody's command line."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.environment = environment

    def __call__(self, *words: str) -> Any:
        """What is answered, or None where nothing is."""
        printed = ran(self._command(words), self.home, self.environment)
        return json.loads(printed) if printed else None

    def often(self, commands: Iterable[tuple[str, ...]]) -> list[Any]:
        given = json.dumps([self._command(words)[1:] for words in commands])
        environment = {**self.environment, "PYTHONPATH": str(ROOT)}
        argv = [sys.executable, "-m", "tests.e2e.clients.aws_often"]
        printed = json.loads(ran(argv, self.home, environment, given))
        return [json.loads(one) if one else None for one in printed]

    def once(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Not again where it is refused, which it does by itself for some."""
        environment = {**self.environment, "AWS_MAX_ATTEMPTS": "1", **variables}
        return tried([*self._command(words), "--debug"], self.home, environment)

    @staticmethod
    def _command(words: Iterable[str]) -> list[str]:
        return ["aws", "elastictranscoder", *words, "--output", "json"]


def told(aws: Aws, troubles: dict[str, Any], pipeline: str, preset: str, film: str) -> None:
    """Everything, in the order in which people do it. The pipeline is paused."""
    what_was_made(aws, preset, film)
    jobs = three_pages(aws, pipeline)
    what_is_refused(aws, troubles, pipeline, film)
    none_of_them(aws, pipeline, jobs)
    changes(aws, pipeline)
    the_end(aws, pipeline, preset)


def what_was_made(aws: Aws, preset: str, film: str) -> None:
    assert aws("read-preset", "--id", preset)["Preset"]["Type"] == "Custom"
    assert {one["Type"] for one in aws("list-presets")["Presets"]} == {"System", "Custom"}
    job = aws("read-job", "--id", film)["Job"]
    assert [(one["Status"], one["Width"]) for one in job["Outputs"]] == [("Complete", 400), ("Complete", 320)]
    assert [(one["Name"], one["Status"]) for one in job["Playlists"]] == [("index", "Complete")]


def three_pages(aws: Aws, pipeline: str) -> list[str]:
    """Page by page, in portions of one's own, and put together."""
    one = ("create-job", "--pipeline-id", pipeline, "--input", "Key=in/bunny.mp4")
    outputs = (f"Key=many/{number}.ts,PresetId={HLS_400K}" for number in range(MANY))
    made = [told["Job"]["Id"] for told in aws.often((*one, "--outputs", output) for output in outputs)]
    submitted = ("list-jobs-by-status", "--status", "Submitted", "--ascending", "true")
    pages = [aws(*submitted, "--no-paginate")]
    while token := pages[-1].get("NextPageToken"):
        pages.append(aws(*submitted, "--no-paginate", "--page-token", token))
    assert [len(page["Jobs"]) for page in pages] == [50, 50, 1]
    portion = aws(*submitted, "--max-items", "60")
    rest = aws(*submitted, "--starting-token", portion["NextToken"])
    newest_first = aws("list-jobs-by-pipeline", "--pipeline-id", pipeline, "--ascending", "false")
    for listed in (
        [job for page in pages for job in page["Jobs"]],
        portion["Jobs"] + rest["Jobs"],
        aws(*submitted)["Jobs"],
        newest_first["Jobs"][:MANY][::-1],
    ):
        assert [job["Id"] for job in listed] == made
    return made


def none_of_them(aws: Aws, pipeline: str, jobs: list[str]) -> None:
    aws.often(("cancel-job", "--id", job) for job in jobs)
    assert aws("read-job", "--id", jobs[0])["Job"]["Status"] == "Canceled"
    assert aws("list-jobs-by-status", "--status", "Submitted") == {"Jobs": []}
    told = aws("update-pipeline-status", "--id", pipeline, "--status", "Active")
    assert told["Pipeline"]["Status"] == "Active"


def changes(aws: Aws, pipeline: str) -> None:
    assert aws("read-pipeline", "--id", pipeline)["Pipeline"]["Name"] == "films"
    assert aws("update-pipeline", "--id", pipeline, "--name", "more films")["Pipeline"]["Name"] == "more films"
    silent = dict.fromkeys(("Progressing", "Completed", "Warning", "Error"), "")
    told = aws("update-pipeline-notifications", "--id", pipeline, "--notifications", json.dumps(silent))
    assert told["Pipeline"]["Notifications"] == silent
    assert aws("test-role", *BUCKETS, "--topics") == {"Success": "true", "Messages": []}


def the_end(aws: Aws, pipeline: str, preset: str) -> None:
    assert aws("delete-preset", "--id", preset) is None
    assert aws("delete-pipeline", "--id", pipeline) is None
    assert aws("list-pipelines") == {"Pipelines": []}


def what_is_refused(aws: Aws, troubles: dict[str, Any], pipeline: str, complete: str) -> None:
    """`pipeline` waits with as many jobs as the account may have, and is the one that it may have; `complete` is a job."""
    statuses = documented(botocore.session.Session().get_service_model("elastictranscoder")) | COMMON
    seen = set()

    def refused(name: str, done: subprocess.CompletedProcess[str]) -> str:
        said = SAID.search(done.stderr)
        assert said is not None, done.stderr[-4000:]
        assert (done.returncode, said[1]) == (REFUSED, name), said[0]
        assert ANSWERED.findall(done.stderr) == [str(statuses[name])]
        seen.add(name)
        return said[2]

    a_job = ("create-job", "--pipeline-id", pipeline, "--input", "Key=a", "--outputs", f"Key=b,PresetId={HLS_400K}")
    refused("ResourceInUseException", aws.once("cancel-job", "--id", complete))
    refused("ResourceInUseException", aws.once("delete-pipeline", "--id", pipeline))
    refused("ResourceNotFoundException", aws.once("read-job", "--id", MISSING))
    refused("ResourceNotFoundException", aws.once("delete-preset", "--id", MISSING))
    message = refused("ValidationException", aws.once("read-job", "--id", "nothing"))
    assert message.startswith("1 validation error detected: Value 'nothing' at 'id' failed to satisfy constraint: ")
    refused("AccessDeniedException", aws.once("delete-preset", "--id", HLS_400K))
    refused("AccessDeniedException", aws.once(*a_job, **variables(troubles["reader"])))
    refused("LimitExceededException", aws.once(*a_job))
    refused("LimitExceededException", aws.once("create-pipeline", "--name", "a second", *BUCKETS))
    damaged, listing = troubles["damaged"], ("list-pipelines",)
    refused("InternalServiceException", aws.once("read-pipeline", "--id", damaged["pipeline"], **variables(damaged)))
    refused("IncompatibleVersionException", aws.once(*listing, **of_another_version(aws.home, troubles)))
    often = (aws.once(*listing, **variables(troubles["hurried"])) for _ in range(100))
    refused("ThrottlingException", next(done for done in often if done.returncode != 0))
    refused("UnrecognizedClientException", aws.once(*listing, **variables(troubles["stranger"])))
    refused("InvalidSignatureException", aws.once(*listing, **variables(troubles["forger"])))
    message = refused("InvalidSignatureException", aws.once(*listing, **variables(troubles["late"])))
    assert message.startswith("Signature expired: ")
    assert seen == statuses.keys()


def of_another_version(home: Path, troubles: dict[str, Any]) -> dict[str, str]:
    """A model beside that of the client, which a setting asks for."""
    config = home / "another-version"
    config.write_text(f"[default]\napi_versions =\n  elastictranscoder = {troubles['version']}\n")
    return {"AWS_DATA_PATH": troubles["models"], "AWS_CONFIG_FILE": str(config)}
