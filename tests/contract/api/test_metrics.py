"""What Prometheus is told: figures that follow what happened, under labels that nobody outside can multiply."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.failures import Cause
from shared.jobspec import HardwarePreference
from shared.protocol import AttemptProgress, Failed, ProgressRequest
from tests.builders import a_failure, some_progress
from tests.contract.api.service import Caller, Node, Service, a_document

DOCUMENT = Path(__file__).parents[3] / "docs" / "operating.md"
_SERIES = re.compile(r"^(\w+)(\{[^}]*\})? (\S+)$")


async def figures(service: Service) -> dict[str, float]:
    text = (await service.call("GET", "/metrics")).content.decode()
    found = [_SERIES.match(line) for line in text.splitlines() if not line.startswith("#")]
    return {f"{match[1]}{match[2] or ''}": float(match[3]) for match in found if match}


async def test_the_life_of_jobs_is_counted(service: Service, tenant: Caller, pipeline: str, node: Node) -> None:
    before = await figures(service)
    await tenant.submit(pipeline)
    service.clock.pass_seconds(7)
    waiting = await figures(service)
    order = await node.take()
    await node.beat(order.ref)
    running = await figures(service)
    await node.report(order.ref, Failed(failure=a_failure(Cause.INPUT)))
    after = await figures(service)

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert waiting['transcoder_queue_age_by_hardware_seconds{hardware="prefer"}'] == 7
    assert running['transcoder_tasks_held_by_nodes{device="cpu"}'] == 1
    assert running['transcoder_encoders_in_use{kind="cpu_threads"}'] == order.cpu_threads
    assert running['transcoder_nodes_by_state{state="Active"}'] == 1
    for event in ("granted", "accepted", "renewed"):
        assert grown(f'transcoder_leases_total{{event="{event}"}}') == 1
    assert grown("transcoder_job_wait_seconds_count") == 1
    assert grown("transcoder_job_wait_seconds_sum") == 7
    failure = a_failure(Cause.INPUT)
    assert grown(f'transcoder_attempt_failures_total{{cause="{failure.cause}",code="{failure.code}"}}') == 1
    assert grown('transcoder_http_requests_total{method="POST",route="/v1/jobs",status="201"}') == 1
    assert grown('transcoder_http_request_seconds_count{method="POST",route="/v1/jobs"}') == 1
    assert grown("transcoder_store_batch_seconds_count") >= 4


async def test_the_oldest_is_found_among_very_many_lanes_a_few_at_a_time(
    service: Service, tenant: Caller, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controlplane.store.operations.figures.LANES_TOGETHER", 2)
    for number in range(5):
        await tenant.submit(pipeline, placement={"labels": {"disk": str(number)}, "hardware": "avoid"})
        service.clock.pass_seconds(1)
    await tenant.submit(pipeline)
    told = await figures(service)
    ages = {name: told[f'transcoder_queue_age_by_hardware_seconds{{hardware="{name}"}}'] for name in HardwarePreference}
    assert ages == {"avoid": 5, "prefer": 0, "require": 0}
    assert told["transcoder_queue_age_seconds"] == 5


async def test_refusals_are_counted_by_their_code(service: Service, tenant: Caller, pipeline: str) -> None:
    before = await figures(service)
    await tenant.post("/v1/jobs", a_document(pipeline, colour="red"))
    await service.call("GET", "/v1/jobs")
    after = await figures(service)
    for code in ("unknown_field", "unauthenticated"):
        name = f'transcoder_refusals_total{{code="{code}"}}'
        assert after[name] - before.get(name, 0) == 1


async def test_nothing_that_callers_choose_becomes_a_label(
    service: Service, tenant: Caller, pipeline: str, node: Node
) -> None:
    job_id = await tenant.submit(pipeline)
    order = await node.take()
    made_up = some_progress(10).model_copy(update={"encoder": "made-up-encoder", "speed": 2.0})
    told = AttemptProgress(ref=order.ref, progress=made_up)
    await node.say("progress", ProgressRequest(boot_id=node.boot_id, attempts=(told,)))
    before = await figures(service)
    for number in range(20):
        await tenant.get(f"/v1/jobs/{number}")
        await tenant.get(f"/nowhere/{number}")
        await tenant.call(f"VERB{number}", "/v1/jobs")
        await tenant.post("/v1/jobs", a_document(pipeline, metadata={f"key{number}": "value"}))
    after = await figures(service)
    text = " ".join(after)
    for chosen in (job_id, pipeline, str(tenant.tenant_id), node.id, "VERB", "nowhere", "made-up-encoder", "key1"):
        assert chosen not in text
    known = {
        f'method="{route.method}",route="{resource.canonical}"'
        for resource in service.app.router.resources()
        for route in resource
    }
    new = {series for series in after.keys() - before.keys() if "http_request" in series}
    assert [series for series in new if not any(route in series for route in (*known, 'method="-",route="-"'))] == []


async def test_every_figure_is_explained_in_the_handbook(service: Service, tenant: Caller) -> None:
    await tenant.get("/v1/jobs")
    text = (await service.call("GET", "/metrics")).content.decode()
    made = set(re.findall(r"^# TYPE (transcoder_\w+) ", text, re.MULTILINE))
    made = {name for name in made if not name.endswith("_created")}
    explained = set(re.findall(r"`(transcoder_\w+)`", DOCUMENT.read_text()))
    assert made == explained
