"""What tenants and operators set up: made, changed, paused, deleted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.builders import finished, mp4_settings, ts_settings
from tests.contract.api.service import OUT, Caller, Node, Service, a_document
from tests.contract.api.test_jobs import ended
from tests.fields import shows


class TestPipelines:
    async def test_a_change_under_the_version_that_was_read(self, tenant: Caller, pipeline: str) -> None:
        path = f"/v1/pipelines/{pipeline}"
        tag = (await tenant.get(path)).headers["ETag"]
        changed = await tenant.call("PATCH", path, {"name": "new"}, headers={"If-Match": tag})
        assert (changed.status, changed.json["name"]) == (200, "new")
        assert changed.headers["ETag"] != tag
        again = await tenant.call("PATCH", path, {"name": "newer"}, headers={"If-Match": tag})
        assert again.fault[:2] == (412, "precondition_failed")
        assert (await tenant.get(path)).json["name"] == "new"

    @pytest.mark.parametrize(
        "tag", ["1", 'W/"1"', '"x"', '""', f'"{"9" * 5000}"', '"-1"', '"99999999999999999999"', '"1", "2"']
    )
    async def test_a_tag_that_is_none_of_ours_never_matches(self, tenant: Caller, pipeline: str, tag: str) -> None:
        answer = await tenant.call("PATCH", f"/v1/pipelines/{pipeline}", {"name": "new"}, headers={"If-Match": tag})
        assert answer.fault[:2] == (412, "precondition_failed")

    async def test_a_star_matches_whatever_is_there(self, tenant: Caller, pipeline: str) -> None:
        answer = await tenant.call("PATCH", f"/v1/pipelines/{pipeline}", {"name": "new"}, headers={"If-Match": "*"})
        assert answer.status == 200

    async def test_a_change_names_buckets_that_exist_and_no_nulls(self, tenant: Caller, pipeline: str) -> None:
        path = f"/v1/pipelines/{pipeline}"
        assert (await tenant.call("PATCH", path, {"input_bucket": "none"})).fault == (
            400,
            "invalid_field",
            "/input_bucket",
        )
        assert (await tenant.call("PATCH", path, {"name": None})).fault == (400, "invalid_field", "/name")
        assert (await tenant.call("PATCH", path, {})).status == 200

    async def test_a_pipeline_tells_topics_and_a_change_names_all_of_them(self, tenant: Caller, pipeline: str) -> None:
        path, nobody = f"/v1/pipelines/{pipeline}", dict.fromkeys(("progressing", "completed", "warning", "error"))
        assert (await tenant.get(path)).json["notifications"] == nobody
        topic = "arn:aws:sns:eu-west-1:123456789012:finished"
        for event in nobody:
            changed = await tenant.call("PATCH", path, {"notifications": {event: topic}})
            assert changed.json["notifications"] == nobody | {event: topic}
        await tenant.call("PATCH", path, {"name": "new"})
        assert (await tenant.get(path)).json["notifications"] == nobody | {"error": topic}
        document = {"name": "p", "input_bucket": "bucket", "output_bucket": "bucket"}
        made = await tenant.post("/v1/pipelines", document | {"notifications": {"completed": topic}})
        assert (made.status, made.json["notifications"]) == (201, nobody | {"completed": topic})

    @pytest.mark.parametrize(
        "arn", ["finished", "", "arn:aws:sqs:eu-west-1:123456789012:q", 'arn:aws:sns:eu:123456789012:"']
    )
    async def test_what_is_no_topic_is_refused_by_name(self, tenant: Caller, pipeline: str, arn: str) -> None:
        answer = await tenant.call("PATCH", f"/v1/pipelines/{pipeline}", {"notifications": {"warning": arn}})
        assert answer.fault == (400, "invalid_field", "/notifications/warning")

    @shows("pipeline_id")
    async def test_a_paused_pipeline_takes_jobs_and_starts_none(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        assert (await tenant.post(f"/v1/pipelines/{pipeline}/pause")).json["status"] == "Paused"
        await tenant.submit(pipeline)
        assert await node.orders(0.05) == []
        assert (await tenant.post(f"/v1/pipelines/{pipeline}/resume")).json["status"] == "Active"
        assert len(await node.orders()) == 1

    async def test_a_pipeline_with_unfinished_jobs_stays(self, tenant: Caller, pipeline: str) -> None:
        job_id = await tenant.submit(pipeline)
        assert (await tenant.call("DELETE", f"/v1/pipelines/{pipeline}")).code == "in_use"
        await tenant.post(f"/v1/jobs/{job_id}/cancel")
        assert (await tenant.call("DELETE", f"/v1/pipelines/{pipeline}")).status == 204
        assert (await tenant.get(f"/v1/pipelines/{pipeline}")).code == "not_found"
        assert (await tenant.get(f"/v1/jobs/{job_id}")).status == 200

    async def test_a_job_keeps_the_buckets_that_it_was_submitted_with(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        await tenant.upload("in.mp4", b"first")
        await tenant.submit(pipeline)
        await tenant.post("/v1/buckets", {"name": "other"})
        await tenant.call("PATCH", f"/v1/pipelines/{pipeline}", {"input_bucket": "other"})
        order = await node.start()
        assert (await service.call("GET", service.url + order.inputs[0].url)).content == b"first"

    async def test_the_next_job_has_the_buckets_that_its_pipeline_has_by_then(
        self, tenant: Caller, pipeline: str, node: Node, service: Service
    ) -> None:
        await tenant.upload("in.mp4", b"first")
        await tenant.post(f"/v1/jobs/{await tenant.submit(pipeline)}/cancel")
        await tenant.post("/v1/buckets", {"name": "other"})
        await tenant.upload("in.mp4", b"second", bucket="other")
        await tenant.call("PATCH", f"/v1/pipelines/{pipeline}", {"input_bucket": "other"})
        await tenant.submit(pipeline)
        order = await node.start()
        assert (await service.call("GET", service.url + order.inputs[0].url)).content == b"second"

    @pytest.mark.parametrize("is_made_anew", [False, True])
    async def test_results_go_where_they_were_to_go_though_their_bucket_is_forgotten(
        self, tenant: Caller, pipeline: str, node: Node, service: Service, *, is_made_anew: bool
    ) -> None:
        job_id = await tenant.submit(pipeline)
        await tenant.post("/v1/buckets", {"name": "other"})
        others = dict.fromkeys(("input_bucket", "output_bucket", "thumbnail_bucket"), "other")
        await tenant.call("PATCH", f"/v1/pipelines/{pipeline}", others)
        (bucket,) = [one for one in (await tenant.get("/v1/buckets")).json["items"] if one["name"] == "bucket"]
        assert (await tenant.call("DELETE", "/v1/buckets/bucket")).status == 204
        if is_made_anew:
            await tenant.post("/v1/buckets", {"name": "bucket", "root": f"{bucket['root']}-anew"})
        order = await node.take()
        await node.stage(order.ref, OUT)
        assert (await node.report(order.ref, finished(OUT))).json["task_state"] == "Publishing"
        await ended(tenant, job_id)
        assert await tenant.status(job_id) == "Complete"
        assert (Path(bucket["root"]) / OUT.key).read_bytes() == b"x" * OUT.size

    async def test_two_changes_at_once_are_both_made(self, tenant: Caller, pipeline: str) -> None:
        await tenant.post("/v1/buckets", {"name": "other"})
        path = f"/v1/pipelines/{pipeline}"
        changes = ({"name": "new"}, {"output_bucket": "other"})
        await asyncio.gather(*(tenant.call("PATCH", path, change) for change in changes))
        changed = (await tenant.get(path)).json
        assert (changed["name"], changed["output_bucket"]) == ("new", "other")


class TestPresets:
    async def test_a_preset_of_ones_own_is_used_and_outlives_its_deletion_in_jobs(
        self, tenant: Caller, pipeline: str, node: Node
    ) -> None:
        made = await tenant.post("/v1/presets", {"name": "mine", "settings": mp4_settings()})
        assert (made.status, made.json["type"]) == (201, "Custom")
        preset_id = made.json["id"]
        await tenant.submit(pipeline, outputs=[{"key": "out.mp4", "preset_id": preset_id}])
        assert (await tenant.call("DELETE", f"/v1/presets/{preset_id}")).status == 204
        assert (await tenant.get(f"/v1/presets/{preset_id}")).code == "not_found"
        order = await node.start()
        video = order.payload.outputs[0].settings.video
        assert video is not None
        assert video.bit_rate == 600_000

    async def test_system_presets_are_everybodys_and_stay(self, tenant: Caller, operator: Caller) -> None:
        listed = (await operator.get("/v1/presets?page_size=200")).json["items"]
        assert len(listed) > 50
        path = f"/v1/presets/{listed[0]['id']}"
        assert (await tenant.get(path)).json == listed[0] == (await operator.get(path)).json
        assert (await tenant.call("DELETE", path)).code == "forbidden"

    async def test_every_system_preset_makes_a_job(self, tenant: Caller, pipeline: str, operator: Caller) -> None:
        for preset in (await operator.get("/v1/presets?page_size=200")).json["items"]:
            output: dict[str, Any] = {"key": preset["id"], "preset_id": preset["id"]}
            answer = await tenant.post("/v1/jobs", a_document(pipeline, outputs=[output]))
            assert answer.status == 201, (preset["name"], answer.content)

    async def test_deprecated_ids_are_known_and_not_listed(self, tenant: Caller, pipeline: str) -> None:
        old, new = "1351620000000-100100", "1351620000001-100080"
        found = (await tenant.get(f"/v1/presets/{old}")).json
        assert found == (await tenant.get(f"/v1/presets/{new}")).json
        assert old not in {preset["id"] for preset in (await tenant.get("/v1/presets?page_size=200")).json["items"]}
        assert (await tenant.call("DELETE", f"/v1/presets/{old}")).code == "forbidden"
        job_id = await tenant.submit(pipeline, outputs=[{"key": "out.mp4", "preset_id": old}])
        assert (await tenant.get(f"/v1/jobs/{job_id}")).json["outputs"][0]["preset_id"] == old

    async def test_settings_that_do_not_fit_are_refused_with_a_pointer(self, tenant: Caller) -> None:
        answer = await tenant.post("/v1/presets", {"name": "p", "settings": ts_settings(profile="9")})
        assert answer.fault == (400, "invalid_field", "/settings/video/profile")


class TestFleet:
    async def test_a_cluster_is_made_renamed_and_deleted_when_it_is_empty(self, operator: Caller) -> None:
        assert (await operator.post("/v1/clusters", {"id": "c", "name": "C"})).status == 201
        assert (await operator.post("/v1/clusters", {"id": "c"})).fault == (409, "already_exists", "/id")
        assert (await operator.call("PATCH", "/v1/clusters/c", {"name": "D"})).json["name"] == "D"
        await operator.post("/v1/clusters/c/join-tokens", {})
        assert (await operator.call("DELETE", "/v1/clusters/c")).code == "in_use"
        operator.service.clock.pass_seconds(3600)
        assert (await operator.call("DELETE", "/v1/clusters/c")).status == 204
        assert (await operator.call("DELETE", "/v1/clusters/c")).code == "not_found"

    async def test_a_node_shows_what_it_is_and_wears_the_operators_labels(
        self, service: Service, operator: Caller
    ) -> None:
        node = await service.node(labels={"disk": "ssd"})
        await node.beat()
        view = (await operator.get(f"/v1/nodes/{node.id}")).json
        assert view["labels"] == {"disk": "ssd"}
        assert view["facts"]["capacity"]["cpu_threads"] == 8
        assert view["free"]["cpu_threads"] == 8
        assert [found["id"] for found in (await operator.get("/v1/nodes?cluster_id=paris-1")).json["items"]] == [
            node.id
        ]
        assert (await operator.get("/v1/nodes?cluster_id=elsewhere")).json["items"] == []

    async def test_nothing_brings_a_revoked_node_back(self, operator: Caller, node: Node) -> None:
        assert (await operator.call("DELETE", f"/v1/nodes/{node.id}")).status == 204
        for verb in ("drain", "resume"):
            assert (await operator.post(f"/v1/nodes/{node.id}/{verb}")).code == "not_found"

    async def test_a_tenants_name_is_its_own(self, operator: Caller) -> None:
        assert (await operator.post("/v1/tenants", {"name": "acme"})).status == 201
        assert (await operator.post("/v1/tenants", {"name": "acme"})).fault == (409, "already_exists", "/name")
        assert (await operator.post("/v1/tenants", {"name": "x", "weight": 0})).fault == (
            400,
            "invalid_field",
            "/weight",
        )
