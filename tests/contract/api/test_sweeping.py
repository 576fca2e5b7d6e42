"""The one sweeper in a whole service: what is over goes, by its setting and the service's clock."""

from __future__ import annotations

import os
from pathlib import Path

from controlplane.http.keys import PUBLISHER, SETTINGS
from controlplane.services.audit import Sealer
from controlplane.services.retention import Sweeper
from controlplane.store.operations import resources
from tests.contract.api.service import OUT, Caller, Service, serving

DAY = 86_400.0


def sweeper(service: Service) -> Sweeper:
    return Sweeper(service.store, service.clock, service.app[PUBLISHER], service.app[SETTINGS])


async def test_everything_ends_by_its_setting_and_nothing_before(tmp_path: Path) -> None:
    lifetimes = {"keep_jobs": 30 * DAY, "keep_events": 10 * DAY, "keep_audit": 60 * DAY, "keep_join_tokens": 5 * DAY}
    async with serving(tmp_path / "state", **lifetimes) as service:
        tenant = await service.tenant()
        pipeline = await tenant.pipeline()
        node = await service.node()
        job_id = await tenant.submit(pipeline, client_request_token="t")
        await tenant.post(f"/v1/jobs/{job_id}/cancel")
        await Sealer(service.store, service.clock, 1).seal()
        one = sweeper(service)
        gone: dict[str, int] = {}
        for day in range(70):
            for kind, count in (await one.sweep()).items():
                if count and kind not in gone:
                    gone[kind] = day
            service.clock.pass_seconds(DAY)
        histories = {"events": 10, "node_events": 10}
        assert gone == {"lanes": 0, "request_tokens": 1, "join_tokens": 5, **histories, "jobs": 30, "audit_rows": 61}
        assert (await tenant.get(f"/v1/jobs/{job_id}")).status == 404
        assert (await tenant.get("/v1/pipelines")).json["items"]
        assert (await node.hello()).status == 200


async def test_staging_of_dead_attempts_and_unfinished_uploads_go_and_live_ones_stay(tmp_path: Path) -> None:
    async with serving(tmp_path / "state") as service:
        tenant = await service.tenant()
        pipeline = await tenant.pipeline()
        node = await service.node()
        await tenant.submit(pipeline)
        order = await node.take()
        await node.stage(order.ref, OUT)
        bucket = service.state / "buckets" / str(tenant.tenant_id) / "bucket"
        (live,) = (bucket / ".transcoder" / "staging").iterdir()
        dead = live.with_name("1763750000000-dead00-0.1")
        dead.mkdir()
        (dead / "out.mp4").write_bytes(b"x")
        uploads = bucket / ".transcoder" / "uploads"
        uploads.mkdir(exist_ok=True)
        now = service.clock.now_ms() / 1000
        for name, age in (("old", 2 * DAY), ("young", DAY / 2)):
            (uploads / name).write_bytes(b"x")
            os.utime(uploads / name, (now - age, now - age))
        assert (await sweeper(service).sweep())["staged"] == 2
        assert live.is_dir()
        assert not dead.exists()
        assert "old" not in {entry.name for entry in uploads.iterdir()}
        assert "young" in {entry.name for entry in uploads.iterdir()}


async def test_what_lies_half_way_in_a_bucket_that_was_forgotten_goes_too(service: Service, tenant: Caller) -> None:
    await tenant.post("/v1/buckets", {"name": "spare"})
    await tenant.call("DELETE", "/v1/buckets/spare")
    hidden = service.state / "buckets" / str(tenant.tenant_id) / "spare" / ".transcoder"
    (hidden / "staging" / "tk_gone.1").mkdir()
    (hidden.parent / "film.mp4").write_bytes(b"stays")
    publisher = service.app[PUBLISHER]
    assert await publisher.sweep(86_400) == 1
    assert [entry.name for entry in (hidden / "staging").iterdir()] == []
    assert (hidden.parent / "film.mp4").exists()
    service.clock.pass_seconds(2 * 86_400 + 1)
    await publisher.sweep(86_400)
    assert await service.store.read(resources.forgotten_roots()) == []
