"""What one account has is saved as people save it, and brought over into another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients.account import Account, opened
from tests.e2e.clients.boto3_client import HLS_400K, ROLE, client
from tests.e2e.clients.boto3_story import PRESET
from tests.e2e.clients.running import ran
from tests.e2e.whole.service import Service

pytestmark = pytest.mark.xdist_group("clients")
TOPIC = "arn:aws:sns:us-east-1:123456789012:failures"
PERMISSION = {"GranteeType": "Group", "Grantee": "AllUsers", "Access": ["Read"]}
CONFIGS = {
    "ContentConfig": {"Bucket": "films", "StorageClass": "ReducedRedundancy", "Permissions": [PERMISSION]},
    "ThumbnailConfig": {"Bucket": "pictures", "StorageClass": "Standard", "Permissions": []},
}


@pytest.fixture
def saved(service: Service, tmp_path: Path) -> dict[str, Any]:
    """What an account has: two pipelines, of which one is paused, and a preset; in the files that the AWS CLI prints."""
    old = opened(service)
    transcoder = client(old.facts)
    plain = transcoder.create_pipeline(Name="plain", InputBucket="in", OutputBucket="out", Role=ROLE)
    whole = transcoder.create_pipeline(
        Name="whole", InputBucket="in", Role=ROLE, **CONFIGS, Notifications={"Error": TOPIC}
    )
    transcoder.update_pipeline_status(Id=whole["Pipeline"]["Id"], Status="Paused")
    preset = transcoder.create_preset(**PRESET)
    for kind in ("pipelines", "presets"):
        argv = ["aws", "elastictranscoder", f"list-{kind}", "--output", "json"]
        (tmp_path / f"{kind}.json").write_text(ran(argv, tmp_path, old.environment(tmp_path)))
    return {"plain": plain["Pipeline"], "whole": whole["Pipeline"], "preset": preset["Preset"]}


def test_pipelines_and_presets_are_brought_over_once(service: Service, saved: dict[str, Any], tmp_path: Path) -> None:
    new = opened(service)
    transcoder = client(new.facts)
    told = migrated(new, tmp_path)
    assert outcomes(told) == {"to make"}
    assert not told["applied"]
    assert transcoder.list_pipelines()["Pipelines"] == []
    told = migrated(new, tmp_path, "--apply")
    assert outcomes(told) == {"made"}
    [warning] = next(item["warnings"] for item in told["items"] if item["name"] == "whole")
    assert TOPIC in warning
    ids = json.loads((tmp_path / "elastictranscoder-ids.json").read_text())
    assert ids == told["ids"]
    assert ids.keys() == {saved[name]["Id"] for name in saved}
    own = {"Id", "Arn", "Status"}
    for name, was in saved.items():
        read = transcoder.read_preset if name == "preset" else transcoder.read_pipeline
        now = read(Id=ids[was["Id"]])["Preset" if name == "preset" else "Pipeline"]
        assert {key: now[key] for key in now if key not in own} == {key: was[key] for key in was if key not in own}
    assert transcoder.read_pipeline(Id=ids[saved["whole"]["Id"]])["Pipeline"]["Status"] == "Paused"
    again = migrated(new, tmp_path, "--apply")
    assert (outcomes(again), again["ids"]) == ({"there"}, ids)
    (tmp_path / "elastictranscoder-ids.json").unlink()
    assert migrated(new, tmp_path, "--apply")["ids"] == ids, "what says the same is not made twice, whoever made it"
    assert len(transcoder.list_pipelines()["Pipelines"]) == 2


def test_what_is_refused_is_told_and_the_rest_is_made(service: Service, tmp_path: Path) -> None:
    """A preset that this service cannot make, and a system preset that is otherwise here."""
    new = opened(service)
    wrong = PRESET | {"Id": "1111111111111-abcde1", "Name": "wrong", "Type": "Custom", "Container": "avi"}
    good = PRESET | {"Id": "1111111111111-abcde2", "Type": "Custom"}
    system = {"Id": HLS_400K, "Name": "another name", "Container": "ts", "Type": "System"}
    unknown = {"Id": "1351620000001-999999", "Name": "unknown", "Container": "ts", "Type": "System"}
    (tmp_path / "presets.json").write_text(json.dumps({"Presets": [wrong, good, system, unknown]}))
    (tmp_path / "pipelines.json").write_text(json.dumps({"Pipelines": []}))
    for options, good_one in (((), "to make"), (("--apply",), "made")):
        done = migrating(new, tmp_path, *options)
        assert done.returncode == 3, done.stderr
        items = {item["name"]: item for item in json.loads(done.stdout)["items"]}
        assert items["wrong"]["outcome"] == "refused"
        assert "'avi' at 'container'" in items["wrong"]["reason"]
        assert items["Small"]["outcome"] == good_one
    assert items["another name"]["differences"][0] == {
        "field": "Name",
        "saved": "another name",
        "here": "System preset: HLS 400k",
    }
    assert items["unknown"]["outcome"] == "refused"


def test_people_are_told_in_tables(service: Service, saved: dict[str, Any], tmp_path: Path) -> None:
    new = opened(service)
    done = migrating(new, tmp_path, output="table")
    assert done.returncode == 0, done.stderr
    assert saved["whole"]["Id"] in done.stdout
    assert "Nothing was made: --apply does." in done.stdout


def outcomes(told: dict[str, Any]) -> set[str]:
    """Of everything that is not a system preset; none of which differs from what was saved."""
    assert [item["differences"] for item in told["items"] if item["differences"]] == []
    return {item["outcome"] for item in told["items"] if item["old_id"] != item["id"]}


def migrated(account: Account, directory: Path, *options: str) -> Any:
    done = migrating(account, directory, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def migrating(
    account: Account, directory: Path, *options: str, output: str = "json"
) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "shared.command", "migrate", "elastictranscoder", "pipelines.json", "presets.json")
    given = {**os.environ, "TRANSCODER_URL": account.service.url, "TRANSCODER_KEY": account.api_key, "COLUMNS": "200"}
    return subprocess.run(
        [*command, "-o", output, *options], cwd=directory, env=given, capture_output=True, text=True, check=False
    )
