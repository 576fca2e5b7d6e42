"""Who is let in by a signature, and who is not."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from controlplane.auth.access_keys import Mode
from controlplane.auth.credentials import Credential
from controlplane.settings import Settings
from shared.errors import ErrorCode
from tests.contract.api.service import Caller, Service, serving
from tests.contract.dialects.elastictranscoder.client import ROLE, VERSION, Client, told
from tests.contract.dialects.elastictranscoder.signing import Signer
from tests.soak import times

LIST = f"{VERSION}/pipelines?Ascending=true"


async def sent_as(client: Client, headers: dict[str, str], target: str = LIST, body: bytes = b"") -> Any:
    return await client.send("GET" if not body else "POST", target, body, headers)


class TestRefusals:
    """By the names and in the words of the service."""

    async def test_what_is_not_signed(self, client: Client) -> None:
        answer = await client.send("GET", LIST, b"", {})
        assert told(answer) == (403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        assert answer.headers["x-amzn-RequestId"] == answer.headers["X-Request-Id"]

    async def test_a_header_that_lacks_something(self, client: Client) -> None:
        answer = await client.send(
            "GET", LIST, b"", {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request"}
        )
        assert told(answer) == (
            400,
            "IncompleteSignatureException",
            "Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter.",
        )

    async def test_a_key_that_nobody_has(self, client: Client) -> None:
        client.signer = Signer("AKIDEXAMPLE", client.signer.secret)
        assert told(await client.get("/pipelines")) == (
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )

    async def test_another_secret(self, client: Client) -> None:
        client.signer = Signer(client.signer.access_key_id, "another")
        status, name, message = told(await client.get("/pipelines"))
        assert (status, name) == (403, "InvalidSignatureException")
        assert message.startswith("The request signature we calculated does not match the signature you provided.")

    async def test_a_signature_that_is_over(self, client: Client) -> None:
        headers = client.signed("GET", LIST, b"")
        client.service.clock.pass_seconds(299)
        assert (await sent_as(client, headers)).status == 200
        client.service.clock.pass_seconds(2)
        status, name, message = told(await sent_as(client, headers))
        assert (status, name) == (403, "InvalidSignatureException")
        assert message.startswith("Signature expired: ")

    async def test_a_bearer_whose_key_signs_and_a_signer_whose_key_is_shown(
        self, service: Service, tenant: Caller, client: Client
    ) -> None:
        listed = {one["kind"]: one["id"] for one in (await tenant.get("/v1/keys")).json["items"]}
        shown = Client(tenant, Signer(listed["bearer"], tenant.key.split("_")[2]))
        assert told(await shown.get("/pipelines"))[1] == "UnrecognizedClientException"
        disguised = Credential("etk", client.signer.access_key_id, client.signer.secret).text
        assert (await Caller(service, disguised, None).get("/v1/jobs")).code == ErrorCode.UNAUTHENTICATED


async def test_a_wire_that_changes_a_byte_lets_nobody_in(client: Client, pipeline: str) -> None:
    """The pure half is tried ten thousand times where it is; here with everything before and behind it."""
    chance = random.Random(5)
    body = b'{"Status":"Paused"}'
    target = f"{VERSION}/pipelines/{pipeline}/status"
    for _ in range(times(100, 10_000)):
        place, bit = chance.randrange(len(body)), 1 << chance.randrange(7)
        tampered = body[:place] + bytes([body[place] ^ bit]) + body[place + 1 :]
        answer = await client.send("POST", target, tampered, client.signed("POST", target, body))
        assert told(answer)[:2] == (403, "InvalidSignatureException")
    assert (await client.get(f"/pipelines/{pipeline}")).json["Pipeline"]["Status"] == "Active"


class TestKeys:
    async def test_a_key_is_shown_once_and_listed_without_its_secret(self, tenant: Caller) -> None:
        made = (await tenant.post("/v1/keys", {"kind": "sigv4", "label": "boto"})).json
        assert len(made["access_key_id"]) == 20
        assert made["access_key_id"].startswith("AKIA")
        assert len(made["secret_access_key"]) == 40
        assert (made["id"], made["key"]) == (made["access_key_id"], None)
        (listed,) = (one for one in (await tenant.get("/v1/keys")).json["items"] if one["label"] == "boto")
        assert (listed["kind"], listed["id"]) == ("sigv4", made["id"])
        assert made["secret_access_key"] not in str(listed)

    async def test_the_database_holds_no_secret_in_the_open(self, service: Service, client: Client) -> None:
        await client.get("/pipelines")
        stored = b"".join(file.read_bytes() for file in service.state.iterdir() if file.is_file())
        assert client.signer.access_key_id.encode() in stored
        assert client.signer.secret.encode() not in stored

    async def test_a_revoked_key_is_refused_at_once(self, client: Client) -> None:
        assert (await client.get("/pipelines")).status == 200
        gone = await client.caller.call("DELETE", f"/v1/keys/{client.signer.access_key_id}")
        assert gone.status == 204
        assert told(await client.get("/pipelines"))[1] == "UnrecognizedClientException"

    async def test_a_key_is_over_at_its_end(self, tenant: Caller) -> None:
        client = await Client.of(tenant, expires_in=60)
        assert (await client.get("/pipelines")).status == 200
        client.service.clock.pass_seconds(60)
        assert told(await client.get("/pipelines"))[1] == "UnrecognizedClientException"

    async def test_keys_of_both_kinds_are_counted_together(self, service: Service, tenant: Caller) -> None:
        operator = await service.operator()
        path = f"/v1/tenants/{tenant.tenant_id}/quotas"
        assert (await operator.call("PUT", path, {"keys": 2})).status == 200
        assert (await tenant.post("/v1/keys", {"kind": "sigv4"})).status == 201
        assert (await tenant.post("/v1/keys", {"kind": "sigv4"})).code == ErrorCode.QUOTA_EXCEEDED

    async def test_operators_sign_nothing_and_make_keys_for_tenants(self, service: Service, tenant: Caller) -> None:
        operator = await service.operator()
        assert (await operator.post("/v1/keys", {"kind": "sigv4"})).fault == (400, "invalid_field", "/kind")
        made = await operator.post(f"/v1/tenants/{tenant.tenant_id}/keys", {"kind": "sigv4"})
        client = Client(tenant, Signer(made.json["access_key_id"], made.json["secret_access_key"]))
        assert (await client.get("/pipelines")).status == 200

    async def test_a_suspended_tenants_signature_opens_nothing(self, service: Service, client: Client) -> None:
        operator = await service.operator()
        assert (await client.get("/pipelines")).status == 200
        assert (await operator.post(f"/v1/tenants/{client.caller.tenant_id}/suspend")).status == 200
        assert told(await client.get("/pipelines"))[:2] == (403, "AccessDeniedException")


async def test_an_address_from_which_too_many_are_wrong_is_asked_to_wait(tmp_path: Path) -> None:
    async with serving(tmp_path / "state", failures_per_minute=60) as service:
        wrong = await Client.of(await service.tenant())
        wrong.signer = Signer("AKIDNOBODY", "wrong")
        assert told(await wrong.get("/pipelines"))[1] == "UnrecognizedClientException"
        answer = await wrong.get("/pipelines")
        assert told(answer)[:2] == (429, "ThrottlingException")
        assert int(answer.headers["x-amz-retry-after"]) == 1000 * int(answer.headers["Retry-After"]) == 1000


async def test_who_was_let_in_from_there_before_is_let_in_still(tmp_path: Path) -> None:
    async with serving(tmp_path / "state", failures_per_minute=1) as service:
        client = await Client.of(await service.tenant())
        assert (await client.get("/pipelines")).status == 200
        stranger = Client(client.caller, Signer("AKIDNOBODY", "wrong"))
        assert [told(await stranger.get("/pipelines"))[0] for _ in range(2)] == [403, 429]
        service.clock.pass_seconds(2)
        assert (await client.get("/pipelines")).status == 200
        revoked = await client.caller.call("DELETE", f"/v1/keys/{client.signer.access_key_id}")
        assert revoked.status == 204, revoked.content
        assert [told(await client.get("/pipelines"))[0] for _ in range(2)][-1] == 429


async def test_a_caller_who_calls_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with serving(tmp_path / "state", requests_per_minute=60) as service:
        client = await Client.of(await service.tenant())
        assert (await client.get("/pipelines")).status == 200
        answer = await client.get("/pipelines")
        assert told(answer) == (429, "ThrottlingException", "Too many requests to list.")
        assert answer.headers["x-amz-retry-after"] == "1000"


async def test_a_large_document_counts_as_several_calls(tmp_path: Path) -> None:
    async with serving(tmp_path / "state", requests_per_minute=600) as service:
        client = await Client.of(await service.tenant())
        statuses = [(await client.post("/pipelines", {"Name": " " * 30_000})).status for _ in range(4)]
        assert statuses == [400, 400, 400, 429]  # four calls each, of ten at once


class TestModes:
    async def test_the_id_of_a_key_is_enough_where_signatures_are_not_checked(self, tmp_path: Path) -> None:
        async with serving(tmp_path / "state", dialect_auth="key-only") as service:
            client = await Client.of(await service.tenant())
            client.signer = Signer(client.signer.access_key_id, "whatever")
            assert (await client.get("/pipelines")).status == 200
            client.signer = Signer("AKIDNOBODY", "whatever")
            assert told(await client.get("/pipelines"))[1] == "UnrecognizedClientException"

    async def test_without_keys_a_caller_is_the_tenant_that_it_names_or_the_first(self, tmp_path: Path) -> None:
        async with serving(tmp_path / "state", dialect_auth="off") as service:
            nobody = Client(Caller(service, "", None), Signer("any", "thing"))
            assert told(await nobody.get("/pipelines"))[1] == "UnrecognizedClientException"
            first, second = [await service.tenant(name) for name in ("one", "two")]
            pipelines = {caller.tenant_id: await caller.pipeline() for caller in (first, second)}
            lowest = min(pipelines, key=str)
            for named, expected in ((second.tenant_id, second.tenant_id), ("any", lowest), ("", lowest)):
                client = Client(first, Signer(str(named), "whatever"))
                (found,) = (await client.get("/pipelines")).json["Pipelines"]
                assert found["Id"] == pipelines[expected]
            unsigned = await nobody.send("GET", LIST, b"", {})
            assert unsigned.status == 200
            page = await nobody.send("GET", LIST, b"", {"Origin": "https://elsewhere.example"})
            assert told(page)[:2] == (403, "AccessDeniedException")
            for host, status in (("rebound.example", 403), ("localhost:8080", 200), ("[::1]:8080", 200), ("", 403)):
                assert (await nobody.send("GET", LIST, b"", {"Host": host})).status == status
            known = await Client.of(second)
            known.signer = Signer(known.signer.access_key_id, "whatever")
            assert len((await known.get("/pipelines")).json["Pipelines"]) == 1

    @pytest.mark.parametrize(
        "where",
        [{"host": "192.0.2.1", "behind_proxy": True}, {"behind_proxy": True}],
        ids=["everywhere", "behind a proxy"],
    )
    def test_nobody_else_than_the_machine_itself_is_let_in_without_keys(self, where: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="dialect_auth is off only on loopback"):
            Settings(dialect_auth=Mode.OFF, **where)


async def test_a_body_is_json_whatever_its_type_says_and_may_be_missing(client: Client, pipeline: str) -> None:
    path = f"/pipelines/{pipeline}/status"
    for kind in ("application/json", "application/x-amz-json-1.0", "text/plain"):
        answer = await client.call("POST", path, {"Status": "Paused"}, headers={"Content-Type": kind})
        assert answer.status == 200, answer.content
    status, name, message = told(await client.post(path))
    assert (status, name) == (400, "ValidationException")
    assert "Value null at 'status'" in message
    for body in (b"{", b"[]", b"1", b"\xff"):
        assert told(await client.call("POST", path, body))[1] == "ValidationException"
        assert told(await client.call("POST", "/pipelines", body))[1] == "ValidationException"


async def test_what_an_operation_does_not_know_is_refused_by_name(client: Client) -> None:
    assert "Value at 'frobnicate'" in told(await client.get("/pipelines?Frobnicate=x"))[2]
    assert "Value at 'size'" in told(await client.post("/pipelines", {"Name": "p", "Role": ROLE, "Size": 1}))[2]
