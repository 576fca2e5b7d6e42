"""Any request that the model allows is answered as the model says, and none that it does not allow is taken."""

from __future__ import annotations

import http.client
import json
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
from tests.e2e.clients.shapes import Broken, Shapes
from tests.soak import IS_SOAKING, times

pytestmark = pytest.mark.xdist_group("clients")

MODEL = json.loads(clients.unpacked("service-2"))
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
        return Shapes(MODEL, {"Id": ids, "PresetId": ids, "BucketName": st.sampled_from(["films-in", "films-out"])})

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
        self._connection.request(method, target, body, dict(request.headers.items()))
        response = self._connection.getresponse()
        content = response.read()
        assert response.headers["x-amzn-RequestId"]
        return response.status, response.headers.get("x-amzn-ErrorType"), json.loads(content)


@pytest.fixture
def fuzzed(account: Account) -> Any:
    fuzzed = Fuzzed(account)
    yield fuzzed
    fuzzed.close()


@pytest.mark.parametrize("operation", MODEL["operations"])
def test_what_the_model_allows_is_done_or_refused_as_documented(fuzzed: Fuzzed, operation: str) -> None:
    allowed = {error["shape"] for error in MODEL["operations"][operation]["errors"]}
    success = MODEL["operations"][operation]["http"].get("responseCode", 200)

    @given(fuzzed.shapes.request(operation))
    @FUZZ
    def holds(asked: dict[str, Any]) -> None:
        status, error, answer = fuzzed.call(operation, asked)
        if status == success:
            assert error is None
            return
        assert error in allowed, answer
        assert error != "InternalServiceException", answer
        assert status == STATUSES[error]
        assert answer["message"]

    holds()


@pytest.mark.parametrize("operation", WITH_BODY)
def test_one_thing_that_is_wrong_is_refused_by_its_name(fuzzed: Fuzzed, operation: str) -> None:
    @given(fuzzed.shapes.broken(operation))
    @FUZZ
    def holds(asked: Broken) -> None:
        status, error, answer = fuzzed.call(operation, asked.document)
        assert (status, error) == (400, "ValidationException"), asked.why
        told = answer["message"].lower()
        assert asked.named in told or told.endswith("…"), asked.why  # of many faults only the first are told

    holds()
