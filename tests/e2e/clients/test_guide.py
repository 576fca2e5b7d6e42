"""What `docs/elastictranscoder/clients.md` shows works just as it stands there; the lines of the AWS CLI are run in the stories."""

from __future__ import annotations

import json
import re
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import clients
from tests.clients import needs_node
from tests.e2e.clients import guide
from tests.e2e.clients.account import Account
from tests.e2e.clients.running import ran

pytestmark = [pytest.mark.media, pytest.mark.xdist_group("clients")]


def test_the_versions_that_are_told_are_those_that_are_tried() -> None:
    text = guide.PAGE.read_text()
    for package in ("boto3", "botocore", "awscli"):
        assert set(re.findall(rf"\b{package}==([\d.]+\d)", text)) == {version(package)}
    pinned = json.loads((clients.PINNED / "package.json").read_text())["dependencies"]
    assert re.findall(r"npm install (\S+)@([\d.]+)", text) == [*pinned.items()]


@needs_node
def test_the_lines_of_python_and_javascript_run(account: Account, tmp_path: Path) -> None:
    [python] = guide.blocks("boto3", "python", account)
    environment = account.environment(tmp_path)
    assert ran([sys.executable, "-c", python], tmp_path, environment) == "Complete\n"
    assert (account.made.parent / "bunny" / "index.m3u8").exists()
    [javascript] = guide.blocks("JavaScript", "js", account)
    (tmp_path / "node_modules").symlink_to(clients.javascript() / "node_modules")
    (tmp_path / "guide.mjs").write_text(javascript)
    ran(["node", "guide.mjs"], tmp_path, environment)
    assert (account.made.parent / "by-javascript.mp4").exists()


def test_a_profile_has_the_address(account: Account, tmp_path: Path) -> None:
    """Under the names by which the one and the other look."""
    [profile] = guide.blocks("An address, a region, a key", "ini", account)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(profile)
    environment = account.environment(tmp_path) | {"AWS_PROFILE": "films"}
    for name in ("AWS_ENDPOINT_URL_ELASTIC_TRANSCODER", "AWS_REGION", "AWS_DEFAULT_REGION"):
        del environment[name]
    told = ran(["aws", "elastictranscoder", "list-pipelines", "--output", "json"], tmp_path, environment)
    assert json.loads(told) == {"Pipelines": []}
    one = "import boto3; print(boto3.client('elastictranscoder').list_pipelines()['Pipelines'])"
    shutil.copytree(clients.model(), tmp_path / ".aws" / "models" / "elastictranscoder")
    for libraries in ({}, {"PYTHONPATH": str(clients.todays_boto3())}):
        assert ran([sys.executable, "-c", one], tmp_path, environment | libraries) == "[]\n"
