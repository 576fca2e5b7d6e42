"""Any request that the model allows is answered as the model says, and none that it does not allow is taken."""

from __future__ import annotations

import http.client
import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import clients
from tests.e2e.clients.account import REGION, Account
from tests.e2e.clients.boto3_client import HLS_400K, ROLE
from tests.e2e.clients.oracle import Oracle
from tests.e2e.clients.shapes import Broken, Shapes
from tests.e2e.clients.taken import taken
from tests.soak import IS_SOAKING, times

pytestmark = pytest.mark.xdist_group("clients")

MODEL = json.loads(clients.unpacked("service-2"))
ORACLE = Oracle(MODEL)
STATUSES = {name: shape["error"]["httpStatusCode"] for name, shape in MODEL["shapes"].items() if "error" in shape}
CREATING = ("CreateJob", "CreatePipeline", "CreatePreset")
WITH_BODY = (*CREATING, "TestRole", "UpdatePipeline", "UpdatePipelineNotifications", "UpdatePipelineStatus")
FUZZ = settings(
    max_examples=times(20, 2000),
    derandomize=not IS_SOAKING,  # a change is judged by the same requests as the one before
    suppress_health_check=[*HealthCheck],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # documents are large, and take minutes to shrink
)


class Fuzzed:
    """An account whose pipeline starts nothing; it is called as `Shapes` say, over one connection."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._credentials = Credentials(account.access_key_id, account.secret_access_key)
        self._connection = http.client.HTTPConnection(urlsplit(account.service.url).netloc, timeout=300)
        service = account.service
        unlimited = dict.fromkeys(("pipelines", "presets", "queued_jobs"))
        service.call("PUT", f"/v1/tenants/{account.tenant_id}/quotas", unlimited, key=service.operator_key)
        wanted = {"Name": "p", "InputBucket": "films-in", "OutputBucket": "films-out", "Role": ROLE}
        status, _, answer = self.call("CreatePipeline", wanted)
        assert status == 201, answer
        self.pipeline: str = answer["Pipeline"]["Id"]
        assert self.call("UpdatePipelineStatus", {"Id": self.pipeline, "Status": "Paused"})[0] == 200

    def close(self) -> None:
        self._connection.close()

    @property
    def shapes(self) -> Shapes:
        ids = st.sampled_from([self.pipeline, "1351620000001-000010", HLS_400K])
        chosen = {"Id": ids, "PresetId": ids, "BucketName": st.sampled_from(["films-in", "films-out"])}
        return Shapes(MODEL, chosen, taken(self.pipeline))

    def call(self, operation: str, asked: dict[str, Any]) -> tuple[int, str | None, Any]:
        """Status, type of the error, and what was answered."""
        told = MODEL["operations"][operation]
        members = MODEL["shapes"][told["input"]["shape"]]["members"]
        path, query, body = told["http"]["requestUri"], {}, {}
        for name, value in asked.items():
            place = members.get(name, {})
            if place.get("location") == "uri":
                path = path.replace(f"{{{place['locationName']}}}", quote(str(value), safe=""))
            elif place.get("location") == "querystring":
                query[place["locationName"]] = value
            else:
                body[name] = value
        target = f"{path}?{urlencode(query)}" if query else path
        return self.send(told["http"]["method"], target, json.dumps(body).encode() if body else b"")

    def send(self, method: str, target: str, body: bytes) -> tuple[int, str | None, Any]:
        request = AWSRequest(method, self._account.service.url + target, {"Content-Type": "application/json"}, body)
        SigV4Auth(self._credentials, "elastictranscoder", REGION).add_auth(request)
        try:
            response, content = self._answer(method, target, body, dict(request.headers.items()))
        except (
            ConnectionError
        ):  # of a connection that was not used for a while; what is sent again is answered as before
            self._connection.close()
            response, content = self._answer(method, target, body, dict(request.headers.items()))
        assert response.headers["x-amzn-RequestId"]
        return response.status, response.headers.get("x-amzn-ErrorType"), json.loads(content)

    def _answer(
        self, method: str, target: str, body: bytes, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        self._connection.request(method, target, body, headers)
        response = self._connection.getresponse()
        return response, response.read()


@pytest.fixture
def fuzzed(account: Account) -> Iterator[Fuzzed]:
    fuzzed = Fuzzed(account)
    yield fuzzed
    fuzzed.close()


@pytest.fixture
def answers(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Which there were, and how many: told when there are many."""
    answers: Counter[str] = Counter()
    yield answers
    if IS_SOAKING:
        sys.stderr.write(f"\n{request.node.name}: {dict(answers)}\n")


def judge(operation: str, faults: list[str], status: int, error: str | None, answer: Any) -> None:
    """By the model and the guide: what they do not allow is refused, all else is done or refused; always as documented."""
    told = MODEL["operations"][operation]
    if status == told["http"].get("responseCode", 200):
        assert error is None
        assert faults == []
        return
    assert error in {one["shape"] for one in told["errors"]} - {"InternalServiceException"}, answer
    assert status == STATUSES[error]
    assert answer["message"]


@pytest.mark.parametrize("operation", MODEL["operations"])
def test_what_the_model_allows_is_done_or_refused_as_documented(
    fuzzed: Fuzzed, answers: Counter[str], operation: str
) -> None:
    @given(fuzzed.shapes.request(operation))
    @FUZZ
    def holds(asked: dict[str, Any]) -> None:
        status, error, answer = fuzzed.call(operation, asked)
        judge(operation, ORACLE.faults(operation, asked), status, error, answer)
        answers[error or "done"] += 1

    holds()


@pytest.mark.parametrize("is_taken", [False, True], ids=["any", "taken"])
@pytest.mark.parametrize("operation", WITH_BODY)
def test_one_thing_that_is_wrong_is_refused_by_its_name(
    fuzzed: Fuzzed, answers: Counter[str], operation: str, *, is_taken: bool
) -> None:
    """In any request that the model allows, and in one that would have been taken."""

    @given(fuzzed.shapes.broken(operation, is_taken=is_taken))
    @FUZZ
    def holds(asked: Broken) -> None:
        assert ORACLE.faults(operation, asked.document), asked.why
        status, error, answer = fuzzed.call(operation, asked.document)
        assert (status, error) == (400, "ValidationException"), asked.why
        told = answer["message"].lower()
        names = asked.named[-1:] if is_taken else asked.named  # a list that is too long hides what is in it
        assert any(name in told for name in names) or told.endswith("…"), asked.why  # of many faults the first are told
        answers[error] += 1

    holds()


@pytest.mark.parametrize("operation", WITH_BODY)
def test_what_is_taken_with_one_thing_changed_is_no_nonsense(
    fuzzed: Fuzzed, answers: Counter[str], operation: str
) -> None:
    shapes = fuzzed.shapes
    for document in shapes.taken[operation]:
        status, error, answer = fuzzed.call(operation, document)
        assert error is None, answer
        judge(operation, ORACLE.faults(operation, document), status, error, answer)

    @given(shapes.changed(operation))
    @FUZZ
    def holds(asked: dict[str, Any]) -> None:
        status, error, answer = fuzzed.call(operation, asked)
        judge(operation, ORACLE.faults(operation, asked), status, error, answer)
        answers[error or "done"] += 1

    holds()
    assert answers["done"]
