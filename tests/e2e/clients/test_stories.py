"""The life of a film through each client: set up, submitted, waited for, listed, cancelled, refused, taken down.

Clients are set up as `docs/elastictranscoder/clients.md` says, by what stands there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import clients
from tests.clients import needs_node
from tests.e2e.clients import aws_story, boto3_story, guide
from tests.e2e.clients.account import Account, opened
from tests.e2e.clients.aws_story import Aws
from tests.e2e.clients.running import ran, tried
from tests.e2e.clients.troubles import limited, troubles
from tests.e2e.whole.service import Service
from tests.soak import IS_SOAKING

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
    save, export = guide.blocks("A newer boto3", "sh", account)
    ran(["bash", "-euc", save], tmp_path, account.environment(tmp_path))
    look = "import boto3; print(boto3.client('elastictranscoder').list_pipelines()['Pipelines'])"
    given = {name: value for name, value in environment.items() if not name.startswith("AWS_ENDPOINT")}
    told = ran(["bash", "-euc", f'{export}\n"$0" -c "$1"', sys.executable, look], tmp_path, given)
    assert told == "[]\n"
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


def test_the_aws_cli_works_unchanged(account: Account, facts: dict[str, Any], tmp_path: Path) -> None:
    """The guide's own lines, and on from what they have made.

    Its command that waits looks once in half a minute: usually it is called when there is nothing left to wait for.
    """
    [exports] = guide.blocks("An address, a region, a key", "sh", account)
    first, second = guide.blocks("AWS CLI", "sh", account)
    given = {name: value for name, value in account.environment(tmp_path).items() if not name.startswith("AWS_")}
    told = ran(["bash", "-euc", f"{exports}\n{first}\necho $PIPELINE $PRESET $JOB"], tmp_path, given)
    pipeline, preset, job = told.split()
    aws = Aws(tmp_path, account.environment(tmp_path))
    while not IS_SOAKING and aws("read-job", "--id", job)["Job"]["Status"] in ("Submitted", "Progressing"):
        pass
    told = ran(["bash", "-euc", f"{exports}\nPIPELINE={pipeline} JOB={job}\n{second}"], tmp_path, given)
    assert told.splitlines() == ["Complete", job, "Paused"]
    is_a_film(account.made)
    aws_story.told(aws, facts["troubles"], pipeline, preset, job)


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
