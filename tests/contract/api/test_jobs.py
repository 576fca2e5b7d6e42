"""Jobs over HTTP: created once, listed page by page, cancelled, stopped, started, watched."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from controlplane.http.keys import JOBS
from controlplane.services.jobs import LISTED_MS
from shared.failures import Cause
from shared.protocol import Failed, Stopped
from tests.builders import a_failure, eventually, finished
from tests.contract.api.service import OUT, Caller, Node, Service, a_document, serving
from tests.fields import shows


class TestTokens:
    @shows("client_request_token")
    async def test_the_same_request_again_is_answered_with_the_first_job(self, tenant: Caller, pipeline: str) -> None:
        document = a_document(pipeline, client_request_token="token")
        first, again = await tenant.post("/v1/jobs", document), await tenant.post("/v1/jobs", document)
        assert (first.status, again.status) == (201, 201)
        assert again.json == first.json
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"

    async def test_white_space_and_order_make_no_other_request(self, tenant: Caller, pipeline: str) -> None:
        document = a_document(pipeline, client_request_token="token")
        await tenant.post("/v1/jobs", document)
        text = json.dumps(dict(reversed(document.items())), indent=4)
        assert (await tenant.post("/v1/jobs", content=text)).headers["Idempotency-Replayed"] == "true"

    async def test_another_request_under_the_token_is_refused(self, tenant: Caller, pipeline: str) -> None:
        await tenant.post("/v1/jobs", a_document(pipeline, client_request_token="token"))
        other = await tenant.post("/v1/jobs", a_document(pipeline, client_request_token="token", priority=1))
        assert other.fault[:2] == (409, "idempotency_mismatch")

    async def test_the_header_is_a_token_too(self, tenant: Caller, pipeline: str) -> None:
        headers = {"Idempotency-Key": "token"}
        document = a_document(pipeline)
        first = await tenant.post("/v1/jobs", document, headers=headers)
        again = await tenant.post("/v1/jobs", document, headers=headers)
        assert first.json["id"] == again.json["id"]
        differing = await tenant.post("/v1/jobs", a_document(pipeline, client_request_token="x"), headers=headers)
        assert differing.fault == (400, "invalid_field", "/client_request_token")

    async def test_the_token_may_move_from_the_body_to_the_header(self, tenant: Caller, pipeline: str) -> None:
        first = await tenant.post("/v1/jobs", a_document(pipeline, client_request_token="token"))
        again = await tenant.post("/v1/jobs", a_document(pipeline), headers={"Idempotency-Key": "token"})
        assert again.json["id"] == first.json["id"]

    @pytest.mark.parametrize("token", ["x" * 65, "ü", ""])
    async def test_a_header_that_is_no_token_is_refused(self, tenant: Caller, pipeline: str, token: str) -> None:
        answer = await tenant.post("/v1/jobs", a_document(pipeline), headers={"Idempotency-Key": token})
        assert answer.fault[:2] == (400, "invalid_field")

    async def test_of_many_callers_with_one_token_one_creates(self, tenant: Caller, pipeline: str) -> None:
        document = a_document(pipeline, client_request_token="token")
        answers = await asyncio.gather(*(tenant.post("/v1/jobs", document) for _ in range(16)))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.json["id"] for answer in answers}) == 1
        assert Counter("Idempotency-Replayed" in answer.headers for answer in answers) == {True: 15, False: 1}

    async def test_the_first_answer_is_given_again_when_its_pipeline_is_gone(
        self, tenant: Caller, pipeline: str
    ) -> None:
        document = a_document(pipeline, client_request_token="token")
        first = await tenant.post("/v1/jobs", document)
        await tenant.post(f"/v1/jobs/{first.json['id']}/cancel")
        assert (await tenant.call("DELETE", f"/v1/pipelines/{pipeline}")).status == 204
        again = await tenant.post("/v1/jobs", document)
        assert (again.status, again.json["id"]) == (201, first.json["id"])

    async def test_a_refused_request_leaves_its_token_free(self, tenant: Caller, pipeline: str) -> None:
        bad = a_document("1111111111111-abcdef", client_request_token="token")
        assert (await tenant.post("/v1/jobs", bad)).status == 400
        good = await tenant.post("/v1/jobs", a_document(pipeline, client_request_token="token"))
        assert (good.status, "Idempotency-Replayed" in good.headers) == (201, False)


class TestLists:
    async def walk(self, tenant: Caller, query: str = "", size: int = 7) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        token = ""
        while True:
            page = (await tenant.get(f"/v1/jobs?page_size={size}{query}{token}")).json
            items += page["items"]
            if page["next_page_token"] is None:
                return items
            token = f"&page_token={page['next_page_token']}"

    async def test_newest_first_or_oldest_first_and_every_job_once(self, tenant: Caller, pipeline: str) -> None:
        made = [await tenant.submit(pipeline) for _ in range(20)]
        assert [job["id"] for job in await self.walk(tenant)] == made[::-1]
        assert [job["id"] for job in await self.walk(tenant, "&ascending=true")] == made

    async def test_the_last_page_says_so_also_when_it_is_full(self, tenant: Caller, pipeline: str) -> None:
        for _ in range(4):
            await tenant.submit(pipeline)
        page = (await tenant.get("/v1/jobs?page_size=4")).json
        assert (len(page["items"]), page["next_page_token"]) == (4, None)

    async def test_a_page_token_that_was_tampered_with_opens_no_other_page(self, tenant: Caller, pipeline: str) -> None:
        for _ in range(3):
            await tenant.submit(pipeline)
        page = (await tenant.get("/v1/jobs?page_size=1")).json
        second = (await tenant.get(f"/v1/jobs?page_size=1&page_token={page['next_page_token']}")).json["items"]
        token = page["next_page_token"]
        for place in range(len(token)):
            other = "A" if token[place] != "A" else "B"
            tampered = token[:place] + other + token[place + 1 :]
            answer = await tenant.get(f"/v1/jobs?page_size=1&page_token={tampered}")
            assert (answer.status == 200 and answer.json["items"] == second) or answer.code == "invalid_page_token"

    async def test_a_page_token_belongs_to_one_list_of_one_tenant(
        self, service: Service, tenant: Caller, pipeline: str
    ) -> None:
        for _ in range(3):
            await tenant.submit(pipeline)
        token = (await tenant.get("/v1/jobs?page_size=1")).json["next_page_token"]
        stranger = await service.tenant("stranger")
        for caller, path in (
            (stranger, "/v1/jobs?"),
            (tenant, "/v1/jobs?status=Submitted&"),
            (tenant, "/v1/jobs?ascending=true&"),
            (tenant, "/v1/pipelines?"),
        ):
            assert (await caller.get(f"{path}page_token={token}")).fault == (400, "invalid_page_token", "/page_token")

    async def test_lists_reach_back_six_months(self, service: Service, tenant: Caller, pipeline: str) -> None:
        await tenant.submit(pipeline)
        service.clock.pass_seconds(LISTED_MS / 1000 + 1)
        recent = await tenant.submit(pipeline)
        for query in ("", "&ascending=true"):
            assert [job["id"] for job in await self.walk(tenant, query)] == [recent]

    async def test_other_lists_have_pages_too(self, operator: Caller) -> None:
        for number in range(5):
            await operator.post("/v1/clusters", {"id": f"c-{number}"})
        seen, token = [], ""
        while True:
            page = (await operator.get(f"/v1/clusters?page_size=2{token}")).json
            seen += [cluster["id"] for cluster in page["items"]]
            if not page["next_page_token"]:
                break
            token = f"&page_token={page['next_page_token']}"
        assert seen == [f"c-{number}" for number in range(5)]

    async def test_presets_are_listed_system_first_then_ones_own_each_once(self, tenant: Caller) -> None:
        own = [
            (
                await tenant.post("/v1/presets", {"name": f"{n}", "settings": a_document("")["outputs"][0]["settings"]})
            ).json["id"]
            for n in range(3)
        ]
        seen, token = [], ""
        while True:
            page = (await tenant.get(f"/v1/presets?page_size=11{token}")).json
            seen += [(preset["id"], preset["type"]) for preset in page["items"]]
            if not page["next_page_token"]:
                break
            token = f"&page_token={page['next_page_token']}"
        assert len(seen) == len(set(seen))
        assert [preset_id for preset_id, kind in seen if kind == "Custom"] == own
        assert {kind for _, kind in seen[:-3]} == {"System"}


class TestVerbs:
    async def test_cancel_is_for_what_has_not_begun(self, tenant: Caller, pipeline: str, node: Node) -> None:
        waiting = await tenant.submit(pipeline)
        for _ in range(2):
            assert (await tenant.post(f"/v1/jobs/{waiting}/cancel")).json["status"] == "Canceled"
        running = await tenant.submit(pipeline)
        await node.take()
        assert (await tenant.post(f"/v1/jobs/{running}/cancel")).fault[:2] == (409, "wrong_state")

    async def test_stop_is_for_what_has_begun(self, tenant: Caller, pipeline: str, node: Node) -> None:
        job_id = await tenant.submit(pipeline)
        assert (await tenant.post(f"/v1/jobs/{job_id}/stop")).fault[:2] == (409, "wrong_state")
        order = await node.take()
        for _ in range(2):
            assert (await tenant.post(f"/v1/jobs/{job_id}/stop")).status == 202
        await node.report(order.ref, Stopped())
        assert (await tenant.post(f"/v1/jobs/{job_id}/stop")).json["status"] == "Canceled"

    async def a_failed_job(self, tenant: Caller, pipeline: str, node: Node) -> str:
        job_id = await tenant.submit(pipeline)
        await node.report((await node.take()).ref, Failed(failure=a_failure(Cause.INPUT)))
        return job_id

    @shows("retry_of")
    async def test_a_retry_is_a_new_job_that_names_the_old_one(self, tenant: Caller, pipeline: str, node: Node) -> None:
        job_id = await self.a_failed_job(tenant, pipeline, node)
        before = (await tenant.get(f"/v1/jobs/{job_id}")).json
        answers = [await tenant.post(f"/v1/jobs/{job_id}/retry", {"client_request_token": "once"}) for _ in range(2)]
        assert [answer.status for answer in answers] == [201, 201]
        assert answers[0].json["id"] == answers[1].json["id"] != job_id
        assert answers[1].headers["Idempotency-Replayed"] == "true"
        assert answers[0].json["retry_of"] == job_id
        assert answers[0].json["outputs"][0]["key"] == before["outputs"][0]["key"]
        assert (await tenant.get(f"/v1/jobs/{job_id}")).json == before
        assert (await node.take()).job_id == answers[0].json["id"]
        refused = await tenant.post(f"/v1/jobs/{answers[0].json['id']}/retry")
        assert refused.fault[:2] == (409, "wrong_state")

    async def test_all_that_failed_are_retried_once_in_portions(
        self, tenant: Caller, operator: Caller, pipeline: str, node: Node
    ) -> None:
        failed = [await self.a_failed_job(tenant, pipeline, node) for _ in range(3)]
        since = (await tenant.get(f"/v1/jobs/{failed[0]}")).json["timing"]["finished_at"]
        asked = {"failed_since": since, "limit": 2}
        first = (await tenant.post("/v1/jobs/retry", asked)).json
        rest = (await operator.post(f"/v1/tenants/{tenant.tenant_id}/jobs/retry", asked)).json
        assert [item["retry_of"] for item in first["items"] + rest["items"]] == failed
        assert (first["has_more"], rest["has_more"]) == (True, False)
        assert (await tenant.post("/v1/jobs/retry", asked)).json == {"items": [], "has_more": False}

    async def test_a_call_that_retries_several_counts_as_several(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        failed = [await self.a_failed_job(tenant, pipeline, node) for _ in range(3)]
        since = (await tenant.get(f"/v1/jobs/{failed[0]}")).json["timing"]["finished_at"]
        none = await tenant.post("/v1/jobs/retry", {"failed_since": since, "failed_before": since})
        three = await tenant.post("/v1/jobs/retry", {"failed_since": since})
        assert [len(answer.json["items"]) for answer in (none, three)] == [0, 3]
        left = [int(answer.headers["RateLimit-Remaining"]) for answer in (none, three)]
        assert left[0] - left[1] == 1 + 3

    @pytest.mark.parametrize("sent", [{}, {"failed_since": "yesterday"}, {"failed_since": "2026-11-22T10:00:00"}])
    async def test_a_time_without_a_zone_is_no_time(self, tenant: Caller, sent: dict[str, str]) -> None:
        assert (await tenant.post("/v1/jobs/retry", sent)).status == 400

    async def test_a_manual_job_waits_for_its_start_and_starts_once(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        job_id = await tenant.submit(pipeline, start="manual")
        assert await node.orders(0.05) == []
        assert "start" in (await tenant.get(f"/v1/jobs/{job_id}")).json["waiting_because"]["message"]
        held = asyncio.create_task(node.start(20))
        await eventually(lambda: service.held_polls)
        assert (await tenant.post(f"/v1/jobs/{job_id}/start")).status == 200
        assert (await held).job_id == job_id
        assert (await tenant.post(f"/v1/jobs/{job_id}/start")).fault[:2] == (409, "wrong_state")

    async def test_ended_jobs_take_no_verb(self, tenant: Caller, pipeline: str, node: Node) -> None:
        job_id = await tenant.submit(pipeline)
        order = await node.take()
        await node.report(order.ref, Failed(failure=a_failure(Cause.INPUT)))
        for verb in ("cancel", "stop", "start"):
            assert (await tenant.post(f"/v1/jobs/{job_id}/{verb}")).fault[:2] == (409, "wrong_state")


class TestOutputs:
    async def test_links_of_what_was_made_open_it(self, tenant: Caller, pipeline: str, node: Node) -> None:
        key = "a b/ü?#%41.mp4"
        outputs = [{"key": key, "settings": a_document("")["outputs"][0]["settings"]}]
        job_id = await tenant.submit(pipeline, outputs=outputs)
        order = await node.take()
        await node.stage(order.ref, OUT)
        await node.report(order.ref, finished(OUT.model_copy(update={"key": key})))
        await ended(tenant, job_id)
        (link,) = (await tenant.get(f"/v1/jobs/{job_id}/outputs")).json["items"]
        assert (link["key"], link["role"]) == (key, "media")
        assert (await tenant.service.call("GET", link["url"])).content == b"x" * OUT.size

    async def test_a_job_that_made_nothing_has_no_links(self, tenant: Caller, pipeline: str) -> None:
        job_id = await tenant.submit(pipeline)
        assert (await tenant.get(f"/v1/jobs/{job_id}/outputs")).json["items"] == []


class TestEvents:
    async def test_the_history_of_a_job_is_a_list(self, tenant: Caller, pipeline: str) -> None:
        job_id = await tenant.submit(pipeline)
        await tenant.post(f"/v1/jobs/{job_id}/cancel")
        first, second = (await tenant.get(f"/v1/jobs/{job_id}/events")).json["items"]
        assert [first["type"], second["type"]] == ["submitted", "canceled"]
        later = (await tenant.get(f"/v1/jobs/{job_id}/events?after={first['id']}")).json["items"]
        assert later == [second]

    async def test_a_stream_tells_the_history_then_what_happens_then_the_end(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        job_id = await tenant.submit(pipeline)
        async with watching(tenant, job_id) as events:
            assert (await anext(events))[1] == "submitted"
            order = await node.take()
            assert (await anext(events))[1] == "progressing"
            await node.beat(order.ref, percent=40)
            await node.say("progress", progress_of(node, order.ref, 55))
            kinds = [await anext(events)]
            assert kinds[0][1] == "progress"
            await node.report(order.ref, Failed(failure=a_failure(Cause.INPUT)))
            rest = [event async for event in events]
        assert [kind for _, kind, _ in rest if kind != "progress"] == ["error", "end"]
        assert rest[-1][2]["status"] == "Error"

    async def test_a_stream_goes_on_after_the_last_event_that_is_known(self, tenant: Caller, pipeline: str) -> None:
        job_id = await tenant.submit(pipeline)
        await tenant.post(f"/v1/jobs/{job_id}/cancel")
        async with watching(tenant, job_id) as events:
            told = [event async for event in events]
        async with watching(tenant, job_id, last=told[0][0]) as events:
            assert [kind for _, kind, _ in [event async for event in events]] == ["canceled", "end"]

    @pytest.mark.parametrize("last", ["x", "-1", "9" * 30, "9" * 5000, "²", ""])
    async def test_an_odd_last_event_id_is_no_fault_of_ours(self, tenant: Caller, pipeline: str, last: str) -> None:
        job_id = await tenant.submit(pipeline)
        await tenant.post(f"/v1/jobs/{job_id}/cancel")
        async with watching(tenant, job_id, last=last) as events:
            assert [event async for event in events][-1][1] == "end"

    async def test_a_watcher_that_goes_away_is_forgotten(self, service: Service, tenant: Caller, pipeline: str) -> None:
        job_id = await tenant.submit(pipeline)
        signals = service.app[JOBS]._signals
        async with watching(tenant, job_id) as events:
            await anext(events)
            await eventually(lambda: signals.is_watched(job_id))
        await eventually(lambda: not signals.is_watched(job_id))

    async def test_watchers_do_not_hold_up_the_end_of_the_service(self, tmp_path: Path) -> None:
        loop = asyncio.get_running_loop()
        async with serving(tmp_path / "state", shutdown_grace=5.0) as service:
            tenant = await service.tenant()
            job_id = await tenant.submit(await tenant.pipeline())
            async with watching(tenant, job_id) as events:
                await anext(events)
                begun = loop.time()
                await service.app.shutdown()
                assert [event async for event in events] == []
        assert loop.time() - begun < 2

    @pytest.mark.parametrize("what", ["events", "log"])
    @pytest.mark.parametrize("how", ["revoked", "deleted", "narrowed", "suspended"])
    async def test_a_stream_ends_when_its_reader_may_not_read_it_any_more(
        self,
        service: Service,
        tenant: Caller,
        operator: Caller,
        pipeline: str,
        monkeypatch: pytest.MonkeyPatch,
        how: str,
        what: str,
    ) -> None:
        monkeypatch.setattr("controlplane.api.jobs.QUIET_SECONDS", 0.01)
        user = await service.user(tenant)
        job_id = await tenant.submit(pipeline)
        (key,) = (await tenant.get(f"/v1/keys?user_id={user.user_id}")).json["items"]
        elsewhere = {"actions": ["jobs:read"], "resources": ["pipeline/another"]}
        async with watching(user, job_id, what=what) as events, asyncio.timeout(10):
            match how:
                case "revoked":
                    await tenant.call("DELETE", f"/v1/keys/{key['id']}")
                case "deleted":
                    await tenant.call("DELETE", f"/v1/users/{user.user_id}")
                case "narrowed":
                    await tenant.call("PATCH", f"/v1/users/{user.user_id}", {"permissions": [elsewhere]})
                case "suspended":
                    await operator.post(f"/v1/tenants/{tenant.tenant_id}/suspend")
            assert "end" not in [kind async for _, kind, _ in events]

    async def test_an_unknown_job_has_no_stream(self, tenant: Caller) -> None:
        answer = await tenant.get("/v1/jobs/none/events", headers={"Accept": "text/event-stream"})
        assert answer.fault[:2] == (404, "not_found")


def progress_of(node: Node, ref: Any, percent: float) -> Any:
    from shared.protocol import AttemptProgress, ProgressRequest
    from tests.builders import some_progress

    attempts = (AttemptProgress(ref=ref, progress=some_progress(percent)),)
    return ProgressRequest(boot_id=node.boot_id, attempts=attempts)


class watching:  # noqa: N801 (read as a verb)
    """The events of a job as they happen: (id, type, data)."""

    def __init__(
        self,
        tenant: Caller,
        job_id: str,
        last: str | None = None,
        *,
        what: str = "events",
        path: str = "/v1/jobs/{job_id}/{what}",
    ) -> None:
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {tenant.key}"}
        if last is not None:
            headers["Last-Event-ID"] = last
        self._url = tenant.service.url + path.format(job_id=job_id, what=what)
        self._headers = headers
        self._session = aiohttp.ClientSession()

    async def __aenter__(self) -> AsyncIterator[tuple[str, str, Any]]:
        self._response = await self._session.get(self._url, headers=self._headers)
        assert self._response.status == 200
        assert self._response.content_type == "text/event-stream"
        return self._events()

    async def __aexit__(self, *_: object) -> None:
        self._response.close()
        await self._session.close()

    async def _events(self) -> AsyncIterator[tuple[str, str, Any]]:
        fields: dict[str, str] = {}
        async for line in self._response.content:
            text = line.decode().rstrip("\n")
            if text:
                name, _, value = text.partition(": ")
                fields[name] = value
            elif "event" in fields:
                yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
                fields = {}


async def ended(tenant: Caller, job_id: str) -> None:
    async with asyncio.timeout(5):
        while await tenant.status(job_id) in ("Submitted", "Progressing"):  # noqa: ASYNC110 (a server is asked)
            await asyncio.sleep(0.01)


class TestWhatIsNamed:
    async def test_an_unknown_cluster_is_refused_by_name(self, tenant: Caller, pipeline: str) -> None:
        document = a_document(pipeline, placement={"cluster_id": "nowhere"})
        assert (await tenant.post("/v1/jobs", document)).fault == (400, "invalid_field", "/placement/cluster_id")

    async def test_a_key_that_grows_when_it_is_made_normal_is_measured_then(
        self, tenant: Caller, pipeline: str
    ) -> None:
        output = {**a_document(pipeline)["outputs"][0], "key": "\u0958" * 150}
        answer = await tenant.post("/v1/jobs", a_document(pipeline, outputs=[output]))
        assert answer.fault == (400, "invalid_field", "/outputs/0/key")
