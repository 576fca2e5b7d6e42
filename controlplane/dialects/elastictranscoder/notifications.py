"""What topics are told: messages as Amazon SNS posts them, and in them what Elastic Transcoder said of a job."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from controlplane.auth.topics import SIGNATURE_VERSION
from controlplane.dialects.elastictranscoder.jobs import answers
from controlplane.domain.lifecycle import TERMINAL_JOBS
from controlplane.domain.notifications import CONFIRMATION, STATUS, Happening
from controlplane.services.couriers import Letter
from controlplane.services.topics import Tickets, TopicKeys, subscription_arn
from controlplane.store.operations.outbox import Message
from controlplane.store.records import Endpoint, Job
from shared.clock import written
from shared.errors import NotFound

VERSION: Final = "2012-09-25"
PATH: Final = "/sns"
CERTIFICATE: Final = "SimpleNotificationService-"
_STATES: Final[Mapping[Happening, str]] = {
    Happening.PROGRESSING: "PROGRESSING",
    Happening.COMPLETED: "COMPLETED",
    Happening.WARNING: "WARNING",
    Happening.ERROR: "ERROR",
}
_SUBJECTS: Final[Mapping[Happening, str]] = {
    Happening.PROGRESSING: "Amazon Elastic Transcoder has scheduled job {} for transcoding.",
    Happening.COMPLETED: "Amazon Elastic Transcoder has finished transcoding job {}.",
    Happening.WARNING: "Amazon Elastic Transcoder has encountered a warning condition in job {}.",
    Happening.ERROR: "Amazon Elastic Transcoder has failed to transcode job {}.",
}
_SECRET: Final = frozenset({"Encryption", "HlsContentProtection", "PlayReadyDrm"})
"""Members that hold keys: nobody needs them to be told that a job is done."""


class TopicMessages:
    def __init__(self, keys: TopicKeys, tickets: Tickets, public_url: str | None) -> None:
        """Without `public_url`, endpoints reach this service where the operator did who put them behind their topic."""
        self._keys = keys
        self._tickets = tickets
        self._public_url = public_url

    async def letter(self, message: Message) -> Letter:
        key, endpoint = await self._keys.get(), message.endpoint
        base = (self._public_url or endpoint.base_url).rstrip("/") + PATH
        content = self._question(message, base) if message.delivery.type == CONFIRMATION else self._news(message, base)
        content["SignatureVersion"] = SIGNATURE_VERSION
        content["Signature"] = key.signature(content)
        content["SigningCertURL"] = f"{base}/{CERTIFICATE}{key.name}.pem"
        return Letter(_headers(content, endpoint), orjson.dumps(content, option=orjson.OPT_INDENT_2))

    def _news(self, message: Message, base: str) -> dict[str, str]:
        if message.job is None:
            raise NotFound("job")
        happening = Happening(message.delivery.type)
        leave = {
            "Action": "Unsubscribe",
            "SubscriptionArn": subscription_arn(message.endpoint),
            "Token": self._tickets.to_leave(message.endpoint),
        }
        return {
            **_envelope("Notification", message),
            "Subject": _SUBJECTS[happening].format(message.job.id),
            "Message": orjson.dumps(
                told(message.job, happening, orjson.loads(message.delivery.data)), option=orjson.OPT_INDENT_2
            ).decode(),
            "UnsubscribeURL": f"{base}?{urlencode(leave)}",
        }

    def _question(self, message: Message, base: str) -> dict[str, str]:
        endpoint, token = message.endpoint, self._tickets.to_confirm(message.endpoint)
        visit = {"Action": "ConfirmSubscription", "TopicArn": endpoint.arn or "", "Token": token}
        return {
            **_envelope("SubscriptionConfirmation", message),
            "Token": token,
            "Message": f"You have chosen to subscribe to the topic {endpoint.arn}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message.",
            "SubscribeURL": f"{base}?{urlencode(visit)}",
        }


def told(job: Job, happening: Happening, data: Mapping[str, Any]) -> dict[str, Any]:
    """The `Message`: the job at the moment that is told of, with the names of its members in lower camel case."""
    status = STATUS[happening]
    then = replace(job, status=status, result=job.result if status in TERMINAL_JOBS else None)
    shown = answers.job(then, None, "")
    news = {
        "state": _STATES[happening],
        "version": VERSION,
        "jobId": job.id,
        "pipelineId": job.pipeline_id,
        "input": _lowered(shown["Input"]),
        **({"inputs": _lowered(shown["Inputs"])} if len(shown["Inputs"]) > 1 else {}),
        **({"outputKeyPrefix": shown["OutputKeyPrefix"]} if "OutputKeyPrefix" in shown else {}),
        "outputs": _lowered(shown["Outputs"]),
        "playlists": _lowered(shown["Playlists"]),
        "userMetadata": shown["UserMetadata"],
    }
    if happening is Happening.WARNING:
        return news | {"messageDetails": data["message"]}
    if happening is Happening.ERROR:
        news |= _fault([*shown["Outputs"], *shown["Playlists"]])
    return news


def _fault(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The first that went wrong; its detail begins with the number."""
    details = [part["StatusDetail"] for part in parts if part["Status"] == "Error" and "StatusDetail" in part]
    return {"errorCode": int(details[0].split(" ")[0]), "messageDetails": details[0]} if details else {}


def _lowered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _lowered(one) for name, one in value.items() if name not in _SECRET}
    return [_lowered(one) for one in value] if isinstance(value, list) else value


def _envelope(type_: str, message: Message) -> dict[str, str]:
    return {
        "Type": type_,
        "MessageId": str(uuid.UUID(message.delivery.id.rpartition("_")[2])),
        "TopicArn": message.endpoint.arn or "",
        "Timestamp": written(message.delivery.at),
    }


def _headers(content: Mapping[str, str], endpoint: Endpoint) -> dict[str, str]:
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": content["Type"],
        "x-amz-sns-message-id": content["MessageId"],
        "x-amz-sns-topic-arn": content["TopicArn"],
    }
    if content["Type"] == "Notification":
        headers["x-amz-sns-subscription-arn"] = subscription_arn(endpoint)
    return headers
