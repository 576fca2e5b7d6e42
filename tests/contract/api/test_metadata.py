"""Jobs found by their metadata."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from controlplane.store.operations import matching
from tests.contract.api.service import Caller
from tests.fields import shows


async def walk(tenant: Caller, size: int = 50, **query: str) -> list[str]:
    """Every page, however short."""
    found: list[str] = []
    token: str | None = None
    while True:
        asked = {**query, "page_size": str(size), **({"page_token": token} if token else {})}
        page: dict[str, Any] = (await tenant.get(f"/v1/jobs?{urlencode(asked)}")).json
        assert len(page["items"]) <= size
        found += [job["id"] for job in page["items"]]
        token = page["next_page_token"]
        if token is None:
            return found


@pytest.mark.parametrize("size", [2, 50])
@pytest.mark.parametrize("looked_at", [3, 1000])
async def test_just_the_jobs_that_have_it_are_found_in_either_order(
    tenant: Caller, pipeline: str, size: int, looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "LOOKED_AT", looked_at)
    made = [await tenant.submit(pipeline, metadata={"order": str(number % 3)}) for number in range(9)]
    assert await walk(tenant, size, **{"metadata.order": "1"}) == made[1::3][::-1]
    assert await walk(tenant, size, **{"metadata.order": "1", "ascending": "true"}) == made[1::3]
    assert await walk(tenant, size, **{"metadata.order": "9"}) == []


@shows("metadata")
async def test_several_narrow_further_and_so_does_what_else_is_asked(tenant: Caller, pipeline: str) -> None:
    other = await tenant.pipeline("another")
    both = {"order": "1", "dish": "lasagna"}
    first = await tenant.submit(pipeline, metadata=both)
    second = await tenant.submit(other, metadata=both)
    await tenant.submit(pipeline, metadata={"order": "1"})
    asked = {"metadata.order": "1", "metadata.dish": "lasagna"}
    assert await walk(tenant, **asked) == [second, first]
    assert await walk(tenant, **asked, pipeline_id=pipeline) == [first]
    assert await walk(tenant, **asked, status="Complete") == []


async def test_no_sign_in_a_value_stands_for_others(tenant: Caller, pipeline: str) -> None:
    await tenant.submit(pipeline, metadata={"a_b": "1x1"})
    exact = await tenant.submit(pipeline, metadata={"a_b": "1%1", "Case": "x"})
    assert await walk(tenant, **{"metadata.a_b": "1%1"}) == [exact]
    for asked in ({"metadata.a_b": "%"}, {"metadata.a%b": "1%1"}, {"metadata.case": "x"}, {"metadata.Case": "X"}):
        assert await walk(tenant, **asked) == []


async def test_a_value_that_stands_elsewhere_in_the_document_is_no_metadata(tenant: Caller, pipeline: str) -> None:
    await tenant.submit(pipeline, metadata={"priority": "none"}, inputs=[{"key": "x"}])
    assert await walk(tenant, **{"metadata.key": "x"}) == []


async def test_a_retry_keeps_it(tenant: Caller, pipeline: str) -> None:
    job_id = await tenant.submit(pipeline, metadata={"order": "4711"})
    await tenant.post(f"/v1/jobs/{job_id}/cancel")
    again = (await tenant.post(f"/v1/jobs/{job_id}/retry", {})).json["id"]
    assert await walk(tenant, **{"metadata.order": "4711"}) == [again, job_id]


@pytest.mark.parametrize("query", ["metadata.=x", 'metadata.order="x"', "metadata.a%22b=x", "metadata=x"])
async def test_what_no_job_could_have_is_refused(tenant: Caller, query: str) -> None:
    assert (await tenant.get(f"/v1/jobs?{query}")).status == 400


async def test_a_token_of_one_search_is_none_of_another(tenant: Caller, pipeline: str) -> None:
    for _ in range(3):
        await tenant.submit(pipeline, metadata={"order": "1"})
    token = (await tenant.get("/v1/jobs?metadata.order=1&page_size=1")).json["next_page_token"]
    assert (await tenant.get(f"/v1/jobs?metadata.order=2&page_size=1&page_token={token}")).status == 400
