"""Messages to webhooks, as Standard Webhooks 1.0.0 has them, and the secrets that they are signed with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from controlplane.auth import webhooks as signing
from controlplane.auth.content_keys import Seal
from controlplane.domain.notifications import STATUS, Happening
from controlplane.services.couriers import Letter
from controlplane.store.operations.outbox import Message
from controlplane.store.records import Endpoint, Job
from shared.clock import Clock, written
from shared.ids import EndpointId
from shared.statuses import JobStatus

MOST_SECRETS: Final = 3
"""At a time: the new one, and those that it takes the place of."""


@dataclass(frozen=True)
class _Secret:
    """Sealed, as hexadecimal text; `until` is when it signs no more, None for the one that is good."""

    sealed: str
    until: int | None


class Secrets:
    """Of a webhook, as its row keeps them: the one that is good first."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def first(self, endpoint_id: EndpointId, secret: bytes) -> str:
        return _text([self._sealed(endpoint_id, secret)])

    def replaced(self, endpoint: Endpoint, secret: bytes, *, until: int, now: int) -> str:
        """With a new one; those before it sign until then."""
        kept = [
            _Secret(one.sealed, until if one.until is None else min(one.until, until)) for one in _live(endpoint, now)
        ]
        return _text([self._sealed(endpoint.id, secret), *kept[: MOST_SECRETS - 1]])

    def live(self, endpoint: Endpoint, now: int) -> list[bytes]:
        """Raises InvalidField when they were sealed with another secret of the service."""
        return [self._seal.open(endpoint.id, bytes.fromhex(one.sealed)) for one in _live(endpoint, now)]

    def _sealed(self, endpoint_id: EndpointId, secret: bytes) -> _Secret:
        return _Secret(self._seal.close(endpoint_id, secret).hex(), None)


class WebhookMessages:
    def __init__(self, clock: Clock, secrets: Secrets) -> None:
        self._clock = clock
        self._secrets = secrets

    async def letter(self, message: Message) -> Letter:
        """Raises InvalidField when its secret cannot be opened: it was sealed with another secret of the service."""
        now, told = self._clock.now_ms(), message.delivery
        body = orjson.dumps(news(message))
        keys = self._secrets.live(message.endpoint, now)
        return Letter(
            {
                "Content-Type": "application/json",
                "User-Agent": "Edge-Transcoder",
                "webhook-id": told.id,
                "webhook-timestamp": str(now // 1000),
                "webhook-signature": signing.signatures(keys, told.id, now // 1000, body),
            },
            body,
        )


def news(message: Message) -> Mapping[str, Any]:
    """The body: thin, since whoever wants more reads the job."""
    told = message.delivery
    data: dict[str, Any] = {"sequence": told.number}
    if told.job_id is not None:
        data |= {"job_id": told.job_id, "status": STATUS[Happening(told.type)], **orjson.loads(told.data)}
    if message.job is not None:
        data |= _known_of(message.job, data["status"])
    return {"type": told.type, "timestamp": written(told.at), "data": data}


def _known_of(job: Job, status: JobStatus) -> Mapping[str, Any]:
    document, result = orjson.loads(job.document), orjson.loads(job.result or "{}")
    known = {"pipeline_id": job.pipeline_id, "metadata": document["metadata"]}
    failure = result.get("failure") if status is JobStatus.ERROR else None
    if failure is None:
        return known
    return known | {"status_detail": {name: failure.get(name) for name in ("code", "message", "reason")}}


def _live(endpoint: Endpoint, now: int) -> list[_Secret]:
    kept = [_Secret(**one) for one in orjson.loads(endpoint.secrets)]
    return [one for one in kept if one.until is None or one.until > now]


def _text(secrets: Sequence[_Secret]) -> str:
    return orjson.dumps(list(secrets)).decode()
