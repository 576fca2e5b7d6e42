"""What the order of turns promises, simulated over the service's own operations."""

from __future__ import annotations

import pytest

from benchmarks.fairness import (
    HALF_AN_HOUR,
    MEAN,
    Submission,
    a_flood,
    equals,
    even,
    jain,
    percentile,
    simulate,
    waits,
)
from shared.ids import TenantId
from tests.soak import times


@pytest.mark.parametrize("seed", range(times(1, 20)))
def test_a_flood_of_2000_jobs_keeps_small_tenants_waiting_for_less_than_half_a_job(seed: int) -> None:
    ran = simulate(a_flood(seed, even), slots=8, until=HALF_AN_HOUR)
    small = waits(ran)
    assert len(small) >= 195
    assert percentile(small, 0.95) <= 0.5 * MEAN
    assert len(ran) - len(small) > 400, "and the flood has all the rest"


@pytest.mark.parametrize("seed", range(times(1, 20)))
def test_equals_with_enough_to_do_are_served_equally(seed: int) -> None:
    ran = simulate(equals(seed, tenants=20, costs=(1,), count=60), slots=8, until=HALF_AN_HOUR)
    assert jain(ran, HALF_AN_HOUR) >= 0.95


def test_a_tenant_of_three_times_the_weight_is_served_three_times_as_much() -> None:
    heavy, light = TenantId("100000000001"), TenantId("100000000002")
    submissions = [Submission(0.0, tenant, MEAN) for tenant in (heavy, light) for _ in range(300)]
    ran = simulate(submissions, slots=8, until=600, weights={heavy: 3})
    began = [job.submission.tenant_id for job in ran]
    assert began.count(heavy) == pytest.approx(3 * began.count(light), rel=0.1)
