"""A tenant of a running service with a key for signed requests: all that a client of a vendor is told."""

from __future__ import annotations

import os
import sys
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.whole.service import Service

REGION = "eu-west-1"
FILM_CAPTIONS = "1\n00:00:01,000 --> 00:00:03,000\nA bunny comes out of its hole\n"


@dataclass(frozen=True)
class Account:
    service: Service
    tenant_id: str
    api_key: str
    access_key_id: str
    secret_access_key: str

    @property
    def facts(self) -> dict[str, str]:
        """For a script."""
        return {
            "url": self.service.url,
            "region": REGION,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
        }

    def environment(self, home: Path) -> dict[str, str]:
        """That of a person who has set up a client of Amazon's for this service, and nothing else; `home` has its files."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "AWS_EC2_METADATA_DISABLED": "true",
            **variables(self.facts),
        }

    @property
    def made(self) -> Path:
        """Where the outputs of the film lie."""
        return self.service.root / "server" / "buckets" / self.tenant_id / "films-out" / "made"

    def call(self, method: str, path: str, document: Any = None) -> Any:
        return self.service.call(method, path, document, key=self.api_key)

    def put(self, bucket: str, key: str, content: bytes) -> None:
        url = self.call("POST", f"/v1/buckets/{bucket}/uploads", {"key": key})["url"]
        request = urllib.request.Request(url, data=content, method="PUT")  # noqa: S310 (our own address)
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            assert response.status == 201


def variables(facts: Mapping[str, str]) -> dict[str, str]:
    """By which all clients find an address, a region and a key."""
    return {
        "AWS_ENDPOINT_URL_ELASTIC_TRANSCODER": facts["url"],
        "AWS_DEFAULT_REGION": facts["region"],
        "AWS_REGION": facts["region"],
        "AWS_ACCESS_KEY_ID": facts["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": facts["secret_access_key"],
    }


def opened(service: Service) -> Account:
    """A new tenant, with nothing but keys."""
    tenant_id = service.call("POST", "/v1/tenants", {"name": uuid.uuid4().hex}, key=service.operator_key)["id"]
    keys = f"/v1/tenants/{tenant_id}/keys"
    key = service.call("POST", keys, {}, key=service.operator_key)["key"]
    signing = service.call("POST", keys, {"kind": "sigv4"}, key=service.operator_key)
    return Account(service, tenant_id, key, signing["access_key_id"], signing["secret_access_key"])
