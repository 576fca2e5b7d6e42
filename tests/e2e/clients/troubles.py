"""Accounts that are refused, each for a reason of its own that is real: nothing of the service is replaced for it."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests import clients
from tests.e2e.clients.account import Account, opened
from tests.e2e.clients.boto3_story import MANY

ANOTHER_VERSION = "2011-01-01"


def limited(account: Account) -> None:
    """To one pipeline, and the jobs of three pages."""
    service = account.service
    limits = {"pipelines": 1, "queued_jobs": MANY}
    service.call("PUT", f"/v1/tenants/{account.tenant_id}/quotas", limits, key=service.operator_key)


def reader(account: Account) -> Account:
    """Somebody of the same tenant, who may look and nothing else."""
    user = account.call("POST", "/v1/users", {"name": "reader", "role": "read_only"})
    key = account.call("POST", "/v1/keys", {"kind": "sigv4", "user_id": user["id"]})
    return dataclasses.replace(account, access_key_id=key["access_key_id"], secret_access_key=key["secret_access_key"])


def hurried(account: Account) -> Account:
    """Of a tenant that may list once a minute."""
    service, made = account.service, opened(account.service)
    service.call("PATCH", f"/v1/tenants/{made.tenant_id}", {"rates": {"list": 1}}, key=service.operator_key)
    return made


def damaged(account: Account) -> tuple[Account, str]:
    """Of a tenant whose pipeline was damaged on the disk: its row is there, and no JSON is in it any more."""
    made = opened(account.service)
    for name in ("in", "out"):
        made.call("POST", "/v1/buckets", {"name": name})
    wanted = {"name": "damaged", "input_bucket": "in", "output_bucket": "out"}
    pipeline = made.call("POST", "/v1/pipelines", wanted)["id"]
    database = account.service.root / "server" / "transcoder.db"
    with closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as beside:
        beside.execute("UPDATE pipelines SET terms = '{' WHERE id = ?", (pipeline,))
    return made, pipeline


def of_another_version(directory: Path) -> None:
    """The client's model, as it would have been for another version of the service."""
    into = directory / "elastictranscoder" / ANOTHER_VERSION
    into.mkdir(parents=True)
    for name in ("service-2", "endpoint-rule-set-1"):
        (into / f"{name}.json").write_text(clients.unpacked(name).decode().replace("2012-09-25", ANOTHER_VERSION))


def troubles(account: Account, late: Account, directory: Path) -> dict[str, Any]:
    """For a script. `late` is of a service whose clock is ahead, so that what is signed now is too old for it."""
    of_another_version(directory)
    broken, pipeline = damaged(account)
    return {
        "account": account.facts,
        "reader": reader(account).facts,
        "hurried": hurried(account).facts,
        "damaged": {**broken.facts, "pipeline": pipeline},
        "late": late.facts,
        "stranger": {**account.facts, "access_key_id": "AKIAIOSFODNN7EXAMPLE"},
        "forger": {**account.facts, "secret_access_key": json.dumps(account.access_key_id)},
        "models": str(directory),
        "version": ANOTHER_VERSION,
    }
