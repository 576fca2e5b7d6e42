"""boto3's client as users make it, and what they ask it for."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

ROLE = "arn:aws:iam::123456789012:role/Elastic_Transcoder_Default_Role"
PATIENCE = 240
"""Seconds: a machine that stands still for a while answers late."""
HLS_400K = "1351620000001-200050"


def client(account: dict[str, str]) -> Any:
    """For an address, a region and a key; it asks once."""
    return boto3.client("elastictranscoder", **set_up(account))


def set_up(account: dict[str, str]) -> dict[str, Any]:
    return {
        "endpoint_url": account["url"],
        "region_name": account["region"],
        "aws_access_key_id": account["access_key_id"],
        "aws_secret_access_key": account["secret_access_key"],
        "config": Config(retries={"max_attempts": 0}, read_timeout=PATIENCE),
    }
