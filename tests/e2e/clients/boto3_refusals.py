"""Every refusal that the service documents, as boto3 raises it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import boto3
import botocore.session
from botocore.exceptions import ClientError

from tests.e2e.clients.boto3_client import HLS_400K, client, set_up

MISSING = "1111111111111-abcde1"
COMMON = {"ThrottlingException": 429, "UnrecognizedClientException": 403, "InvalidSignatureException": 403}
"""Those that all of Amazon's services have in common: no model names them."""


class Refusals:
    """Told by their names; `seen` are those that came."""

    def __init__(self, transcoder: Any) -> None:
        self.documented = documented(transcoder.meta.service_model)
        self.seen: set[str] = set()

    def told(self, name: str, call: Callable[[], Any]) -> str:
        """What is told of it; typed and with the status that the model documents."""
        caught = None
        try:
            call()
        except ClientError as error:
            caught = error
        assert caught is not None, f"{name} was not raised"
        answer = caught.response
        assert answer["Error"]["Code"] == name, caught
        assert type(caught).__name__ == (name if name in self.documented else "ClientError")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == (self.documented | COMMON)[name]
        assert answer["ResponseMetadata"]["RequestId"]
        self.seen.add(name)
        return str(answer["Error"]["Message"])


def documented(model: Any) -> dict[str, int]:
    """The statuses of a model's exceptions; it tells none for a fault."""
    return {shape.name: shape.metadata.get("error", {}).get("httpStatusCode", 500) for shape in model.error_shapes}


def what_is_refused(transcoder: Any, troubles: dict[str, Any], pipeline: str, complete: str) -> None:
    """`pipeline` waits with as many jobs as the account may have, and is the one that it may have; `complete` is a job."""
    refusals = Refusals(transcoder)
    told = refusals.told
    a_job = {"PipelineId": pipeline, "Input": {"Key": "a"}, "Output": {"Key": "b", "PresetId": HLS_400K}}
    told("ResourceInUseException", lambda: transcoder.cancel_job(Id=complete))
    told("ResourceInUseException", lambda: transcoder.delete_pipeline(Id=pipeline))
    for operation in ("cancel_job", "read_job", "read_pipeline", "delete_pipeline", "read_preset", "delete_preset"):
        told("ResourceNotFoundException", lambda named=operation: getattr(transcoder, named)(Id=MISSING))
    message = told("ValidationException", lambda: transcoder.read_job(Id="nothing"))
    assert message == (
        "1 validation error detected: Value 'nothing' at 'id' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: ^\d{13}-\w{6}$"
    )
    turned = {**a_job, "Output": {**a_job["Output"], "Rotate": "45"}}  # type: ignore[dict-item]
    assert "'45' at 'output.rotate'" in told("ValidationException", lambda: transcoder.create_job(**turned))
    told("AccessDeniedException", lambda: transcoder.delete_preset(Id=HLS_400K))
    told("AccessDeniedException", lambda: client(troubles["reader"]).create_job(**a_job))
    told("LimitExceededException", lambda: transcoder.create_job(**a_job))
    told("LimitExceededException", lambda: a_second_pipeline(transcoder, pipeline))
    told("IncompatibleVersionException", lambda: of_another_version(troubles).list_pipelines())
    damaged = troubles["damaged"]
    told("InternalServiceException", lambda: client(damaged).read_pipeline(Id=damaged["pipeline"]))
    hurried = client(troubles["hurried"])
    told("ThrottlingException", lambda: [hurried.list_pipelines() for _ in itertools.repeat(None, 100)])
    told("UnrecognizedClientException", lambda: client(troubles["stranger"]).list_pipelines())
    told("InvalidSignatureException", lambda: client(troubles["forger"]).list_pipelines())
    message = told("InvalidSignatureException", lambda: client(troubles["late"]).list_pipelines())
    assert message.startswith("Signature expired: ")
    assert refusals.seen == refusals.documented.keys() | COMMON.keys()


def a_second_pipeline(transcoder: Any, first: str) -> None:
    told = transcoder.read_pipeline(Id=first)["Pipeline"]
    transcoder.create_pipeline(**{key: told[key] for key in ("Name", "InputBucket", "OutputBucket", "Role")})


def of_another_version(troubles: dict[str, Any]) -> Any:
    """A model beside that of the client: as was saved of a service of another age."""
    core = botocore.session.Session()
    core.set_config_variable("data_path", troubles["models"])
    session = boto3.Session(botocore_session=core)
    return session.client("elastictranscoder", api_version=troubles["version"], **set_up(troubles["account"]))
