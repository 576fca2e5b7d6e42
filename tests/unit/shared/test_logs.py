"""What both programs' logs tell, and what they keep to themselves."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from controlplane.services.acting import ACTING, REQUEST, Acting, who_acts
from shared.logs import log_to_stderr
from shared.redaction import without_secrets


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Gives what was said to standard error, line by line."""
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    root = logging.getLogger()
    before = root.handlers, root.level
    log_to_stderr(who_acts)
    yield lambda: [json.loads(line) for line in said.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers, root.level = before
    logging.captureWarnings(False)


def test_an_event_is_one_line_with_its_ids(logged: Any) -> None:
    structlog.get_logger().info("job.published", job_id="1763750000000-a1b2c3", task_id="1763750000000-a1b2c3-0")
    (line,) = logged()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "job.published",
        "level": "info",
        "job_id": "1763750000000-a1b2c3",
        "task_id": "1763750000000-a1b2c3-0",
    }


def test_what_happens_during_a_call_carries_its_ids(logged: Any) -> None:
    acting = Acting("us_1", "tenant_user", "123456789012", "", "rq_1", "create_job", (), is_owed=False)
    acted, asked = ACTING.set(acting), REQUEST.set("rq_1")
    structlog.get_logger().info("something")
    ACTING.reset(acted)
    REQUEST.reset(asked)
    structlog.get_logger().info("something else")
    during, after = logged()
    assert (during["request_id"], during["user_id"], during["tenant_id"]) == ("rq_1", "us_1", "123456789012")
    assert not {"request_id", "user_id", "tenant_id"} & after.keys()


def test_libraries_go_the_same_way(logged: Any) -> None:
    logging.getLogger("aiohttp.server").error("GET %s failed", "/objects/s3cret/film.mp4")
    logging.getLogger("asyncio").info("nothing of importance")
    try:
        raise OSError("postgresql://user:hunter2@host/name is away")
    except OSError:
        logging.getLogger("library").exception("it broke")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("etk_01_s3cret_crc is old", stacklevel=1)
    failed, broke, warned = logged()
    assert (failed["level"], failed["logger"], failed["said"]) == (
        "error",
        "aiohttp.server",
        "GET /objects/… failed",
    )
    assert "postgresql://…@host/name" in broke["exception"]
    assert "etk_…" in warned["said"]


def test_no_secret_reaches_the_log_wherever_it_stands(logged: Any) -> None:
    log = structlog.get_logger()
    try:
        raise OSError("GET http://cp/objects/s3cret/movie.mp4 broke")
    except OSError:
        log.exception("failed", urls=["/objects/s3cret/movie.mp4"], credential="s3cret", Authorization="Bearer s3cret")
    log.info("asked", url="http://cp/a?sig=s3cret#f", nested={"header": "Bearer s3cretS3cret="}, tokens=3)
    log.info("made", key="in/film.mp4", pem="-----BEGIN EC PRIVATE KEY-----\ns3cret\n-----END EC PRIVATE KEY-----\n")
    failed, asked, made = logged()
    assert "s3cret" not in str([failed, asked, made])
    assert (asked["tokens"], made["key"]) == (3, "in/film.mp4")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("etj_a_b_c.0011ff and etn_x", "etj_… and etn_…"),
        ("at /var/lib/transcoder/controlplane/transcoder.db", "at /var/lib/transcoder/controlplane/transcoder.db"),
        ("https://user:pw@host:1/path", "https://…@host:1/path"),
        ("password=x&token=y", "password=…&token=…"),
        ("the bearer of this", "the bearer of this"),
        ("let_it_be", "let_it_be"),
    ],
)
def test_what_opens_something_goes_and_the_rest_stays(said: str, told: str) -> None:
    assert without_secrets(said) == told
    assert without_secrets(told) == told
