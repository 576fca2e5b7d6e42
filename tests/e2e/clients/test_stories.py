"""The life of a film through each client: set up, submitted, waited for, listed, cancelled, refused, taken down.

Clients are set up as `docs/elastictranscoder/clients.md` says, by what stands there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import clients
from tests.clients import needs_node
from tests.e2e.clients import boto3_story, guide
from tests.e2e.clients.account import Account, opened
from tests.e2e.clients.running import ran, tried
from tests.e2e.clients.troubles import limited, troubles
from tests.e2e.whole.service import Service

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("clients")]
HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.fixture
def facts(account: Account, ahead: Service, tmp_path: Path) -> dict[str, Any]:
    """Of an account with its limits, and of the troubles of others."""
    limited(account)
    return {**account.facts, "troubles": troubles(account, opened(ahead), tmp_path / "models")}


def test_the_last_boto3_with_the_model_works_unchanged(account: Account, facts: dict[str, Any]) -> None:
    boto3_story.told(facts)
    is_a_film(account.made)


def test_todays_boto3_works_with_the_saved_model(account: Account, facts: dict[str, Any], tmp_path: Path) -> None:
    """Saved as the guide says, and found where it was put."""
    environment = account.environment(tmp_path) | {"PYTHONPATH": f"{clients.todays_boto3()}:{ROOT}"}
    without = tried([sys.executable, "-c", "import boto3; boto3.client('elastictranscoder')"], tmp_path, environment)
    assert "UnknownServiceError" in without.stderr
    [save] = guide.blocks("A newer boto3", "sh", account)
    ran(["bash", "-euc", save], tmp_path, account.environment(tmp_path))
    story = [sys.executable, "-m", "tests.e2e.clients.boto3_story"]
    told = ran(story, tmp_path, environment, json.dumps(facts))
    assert json.loads(told)["Status"] == "Complete"
    is_a_film(account.made)


@needs_node
def test_the_sdk_for_javascript_works_unchanged(account: Account, facts: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(clients.javascript() / "node_modules")
    (tmp_path / "story.mjs").write_text((HERE / "story.mjs").read_text())
    told = ran(["node", "story.mjs"], tmp_path, account.environment(tmp_path), json.dumps(facts))
    assert json.loads(told)["Status"] == "Complete"
    is_a_film(account.made)


def test_the_aws_cli_works_unchanged(account: Account, tmp_path: Path) -> None:
    """The guide's own lines; between two of its blocks the film is made, for which the command waits in steps of half a minute."""
    [exports] = guide.blocks("An address, a region, a key", "sh", account)
    first, second = guide.blocks("AWS CLI", "sh", account)
    given = {name: value for name, value in account.environment(tmp_path).items() if not name.startswith("AWS_")}
    told = ran(["bash", "-euc", f"{exports}\n{first}\necho $PIPELINE $PRESET $JOB"], tmp_path, given)
    pipeline, preset, job = told.split()
    transcoder = boto3_story.client(account.facts)
    transcoder.get_waiter("job_complete").wait(Id=job, WaiterConfig=boto3_story.AT_ONCE)
    told = ran(["bash", "-euc", f"{exports}\nPIPELINE={pipeline} JOB={job}\n{second}"], tmp_path, given)
    assert told.splitlines() == ["Complete", job, "Paused"]
    is_a_film(account.made)

    def aws(*words: str) -> subprocess.CompletedProcess[str]:
        return tried(["aws", "elastictranscoder", *words, "--output", "json"], tmp_path, account.environment(tmp_path))

    waiting = boto3_story.many(transcoder, pipeline)
    jobs = json.loads(aws("list-jobs-by-status", "--status", "Submitted", "--ascending", "true").stdout)["Jobs"]
    assert [one["Id"] for one in jobs] == waiting, "three pages, put together"
    assert aws("cancel-job", "--id", waiting[0]).returncode == 0
    refused = aws("cancel-job", "--id", job)
    assert "(ResourceInUseException) when calling the CancelJob operation" in refused.stderr
    for other in waiting[1:]:
        transcoder.cancel_job(Id=other)
    assert aws("delete-preset", "--id", preset).returncode == aws("delete-pipeline", "--id", pipeline).returncode == 0
    assert json.loads(aws("list-pipelines").stdout) == {"Pipelines": []}


def is_a_film(made: Path) -> None:
    """The master names both renditions, each with its segments; thumbnails and captions lie beside."""
    master = (made / "index.m3u8").read_text()
    assert "400k/film.m3u8" in master
    assert "small/film.m3u8" in master
    for rendition in ("400k", "small"):
        playlist = (made / rendition / "film.m3u8").read_text()
        segments = [line for line in playlist.splitlines() if line and not line.startswith("#")]
        assert [(made / rendition / segment).stat().st_size > 0 for segment in segments] == [True] * 3
    assert sorted(picture.name for picture in (made / "small").glob("picture-*")) == [
        "picture-00001.png",
        "picture-00002.png",
        "picture-00003.png",
    ]
    captions = list(made.glob("captions-en*"))
    assert any("A bunny comes out" in one.read_text() for one in captions if one.suffix in (".vtt", ".webvtt"))
