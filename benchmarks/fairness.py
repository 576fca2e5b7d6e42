"""How long do small tenants wait while one floods the service, and are equals served equally?

Simulated in virtual time over the service's own operations on a real database: submit, grant, accept, report, publish. Only
the nodes and their work are made up.

    python -m benchmarks.fairness [--seeds 5]
"""

from __future__ import annotations

import argparse
import heapq
import random
import sqlite3
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from controlplane.domain.fairness import ENCODER
from controlplane.domain.placement import Need, Offer
from controlplane.store import sql
from controlplane.store.operations import dispatch, ending, granting, identity, jobs, resources, results
from controlplane.store.operations.dispatch import Acceptance
from controlplane.store.operations.granting import Grant
from controlplane.store.operations.needs import need_to_json
from controlplane.store.port import Op, T, alone
from controlplane.store.records import Pipeline
from controlplane.store.sqlite import _migrate, _run
from shared.capacity import Capacity, Demand, NodeFacts, remaining
from shared.ids import BootId, ClusterId, JobId, NodeId, PipelineId, TenantId, TranscoderIds, UserId
from shared.jobspec import HardwarePreference
from shared.protocol import DetectedProperties, Finished, OutputResult, ReportRequest
from shared.statuses import JobStatus, PipelineStatus

BEGAN_MS: Final = 1_763_750_000_000
CLUSTER: Final = ClusterId("simulated")
FLOOD: Final = TenantId("100000000000")
MEAN: Final = 20.0
"""Seconds of an average job."""
HALF_AN_HOUR: Final = 1800.0
FINISHED: Final = Finished(
    inputs=(DetectedProperties(size=1),),
    outputs=(OutputResult(index=0, status=JobStatus.COMPLETE),),
    encode_seconds=1.0,
)


@dataclass(frozen=True)
class Submission:
    """A job that takes one slot for so many seconds and costs so many encoders meanwhile."""

    at: float
    tenant_id: TenantId
    seconds: float
    encoders: float = 1.0


@dataclass(frozen=True)
class Ran:
    submission: Submission
    began: float
    ended: float

    @property
    def waited(self) -> float:
        return self.began - self.submission.at


class Service:
    """The control plane's operations on a database in memory, and one node with so many slots."""

    def __init__(self, slots: int, tenants: Sequence[TenantId], weights: dict[TenantId, int]) -> None:
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        self._database.row_factory = sqlite3.Row
        _migrate(self._database)
        self._queries = sql.queries(sql.SQLITE)
        self._ids = TranscoderIds()
        self._node_id, self._boot_id = NodeId("nd_1"), BootId("bt_1")
        self._pipelines = {tenant_id: PipelineId(f"{BEGAN_MS}-{tenant_id[-6:]}") for tenant_id in tenants}
        self._capacity = Capacity(cpu_threads=slots, memory=1 << 40, scratch=1 << 40)
        self._set_up(weights)

    def submit(self, submission: Submission) -> JobId:
        now = _ms(submission.at)
        demand = Demand(cpu_threads=1, memory=1, scratch=1, pixel_rate=int(submission.encoders * ENCODER))
        need = Need(None, {}, HardwarePreference.AVOID, demand)
        new = jobs.NewJob(
            id=JobId(self._ids.next(now)),
            tenant_id=submission.tenant_id,
            user_id=UserId("us_1"),
            pipeline_id=self._pipelines[submission.tenant_id],
            cluster_id=None,
            document='{"outputs": [{}]}',
            outputs=1,
            priority=0,
            held=False,
            need=need_to_json(need),
            presets="{}",
            files="{}",
            max_attempts=3,
            token=None,
        )
        return self._do(jobs.create(new, now)).job.id

    def grant(self, at: float) -> list[Grant]:
        """One round, and everything that it gave accepted."""
        free = remaining(self._capacity, ())
        offer = Offer(self._node_id, self._boot_id, CLUSTER, {}, self._capacity, free)
        granted = self._do(granting.grant_round([offer], now=_ms(at), number=0, accept_within=10_000))
        for grant in granted:
            self._do(alone(dispatch.accept, Acceptance(grant.ref, grant.node_id, _ms(at), _ms(at) + 60_000)))
        return granted

    def finish(self, grant: Grant, at: float) -> None:
        self._do(ending.report(ReportRequest(ref=grant.ref, outcome=FINISHED), grant.node_id, _ms(at)))
        task = self._do(ending.task(grant.ref.task_id))
        self._do(alone(results.published, results.Published(task, FINISHED, _ms(at))))

    def _set_up(self, weights: dict[TenantId, int]) -> None:
        self._do(resources.add_cluster(CLUSTER, "", BEGAN_MS))
        for tenant_id, pipeline_id in self._pipelines.items():
            user_id = UserId(f"us_{tenant_id}")
            self._do(identity.add_tenant(tenant_id, tenant_id, weights.get(tenant_id, 1), user_id, BEGAN_MS))
            self._do(resources.add_bucket(tenant_id, "b", "file", "/b", BEGAN_MS))
            pipeline = Pipeline(pipeline_id, tenant_id, "p", "b", "b", "b", PipelineStatus.ACTIVE, 1, BEGAN_MS)
            self._do(resources.add_pipeline(pipeline))
        self._do(identity.add_join_token("token", CLUSTER, "{}", now=BEGAN_MS, expires_at=BEGAN_MS + 1))
        self._do(identity.enrol("token", self._node_id, "node", "", BEGAN_MS))
        facts = _facts(self._capacity).model_dump_json()
        self._do(dispatch.hello(self._node_id, dispatch.Start(self._boot_id), facts, now=BEGAN_MS, lease=60_000))

    def _do(self, operation: Op[T]) -> T:
        self._database.execute("BEGIN")
        result = _run(self._database, self._queries, operation)
        self._database.execute("COMMIT")
        return result


def simulate(
    submissions: Sequence[Submission], *, slots: int, until: float, weights: dict[TenantId, int] | None = None
) -> list[Ran]:
    """What began before `until`; a round is made whenever a job came or a slot is free again, as in the service."""
    service = Service(slots, sorted({submission.tenant_id for submission in submissions}), weights or {})
    coming = sorted(submissions, key=lambda submission: submission.at)
    running: list[tuple[float, int, Grant]] = []
    known: dict[JobId, Submission] = {}
    ran: list[Ran] = []
    while coming or running:
        now = min([coming[0].at] if coming else [running[0][0]], [running[0][0]] if running else [coming[0].at])[0]
        if now >= until:
            break
        while running and running[0][0] <= now:
            service.finish(heapq.heappop(running)[2], now)
        while coming and coming[0].at <= now:
            submission = coming.pop(0)
            known[service.submit(submission)] = submission
        for grant in service.grant(now):
            submission = known.pop(grant.job_id)
            heapq.heappush(running, (now + submission.seconds, len(ran), grant))
            ran.append(Ran(submission, now, now + submission.seconds))
    return ran


Length = Callable[[random.Random], float]


def even(chance: random.Random) -> float:
    """Seconds, between half of the mean and half as much again."""
    return chance.uniform(MEAN / 2, MEAN * 3 / 2)


def exponential(chance: random.Random) -> float:
    """Some many times as long as most."""
    return chance.expovariate(1 / MEAN)


def a_flood(seed: int, length: Length, *, flood: int = 2000) -> list[Submission]:
    """One tenant's jobs all at once, and twenty tenants with ten jobs each at any time of half an hour."""
    chance = random.Random(seed)
    submissions = [Submission(0.0, FLOOD, length(chance)) for _ in range(flood)]
    for tenant in range(1, 21):
        tenant_id = TenantId(f"{100000000000 + tenant}")
        submissions += [Submission(chance.uniform(0, HALF_AN_HOUR), tenant_id, length(chance)) for _ in range(10)]
    return submissions


def equals(seed: int, *, tenants: int, costs: Sequence[float], count: int) -> list[Submission]:
    """Tenants of equal weight with as much to do as they like, some in short jobs and some in long ones."""
    chance = random.Random(seed)
    return [
        Submission(
            0.0,
            TenantId(f"{100000000000 + tenant}"),
            chance.expovariate(1 / (MEAN * (1 + tenant % 4))),
            costs[tenant % len(costs)],
        )
        for tenant in range(tenants)
        for _ in range(count)
    ]


def waits(ran: Sequence[Ran]) -> list[float]:
    """Of the small tenants."""
    return sorted(job.waited for job in ran if job.submission.tenant_id != FLOOD)


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def jain(ran: Sequence[Ran], until: float) -> float:
    """Of what each tenant was served, in encoder-seconds: 1 when all got the same, 1/n when one got all."""
    served: dict[TenantId, float] = defaultdict(float)
    for job in ran:
        served[job.submission.tenant_id] += (min(job.ended, until) - job.began) * job.submission.encoders
    total = sum(served.values())
    return total * total / (len(served) * sum(value * value for value in served.values()))


def _facts(capacity: Capacity) -> NodeFacts:
    return NodeFacts(
        hostname="node",
        agent_version="0",
        os="",
        cpu_model="",
        ffmpeg_version="",
        encoders=(),
        confinement="none",
        gpu_note="",
        capacity=capacity,
    )


def _ms(seconds: float) -> int:
    return BEGAN_MS + int(seconds * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    for length in (even, exponential):
        small = [waits(simulate(a_flood(seed, length), slots=8, until=HALF_AN_HOUR)) for seed in seeds]
        ratios = [percentile(found, 0.95) / MEAN for found in small]
        print(f"{length.__name__} lengths:")
        print(f"  small tenants' jobs that began   {min(map(len, small))} to {max(map(len, small))} of 200")
        print(
            f"  their p95 wait ÷ mean job        {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        )
        print(f"  their longest wait ÷ mean job    {max(max(found) for found in small) / MEAN:.2f}")
    alike = [
        jain(simulate(equals(seed, tenants=20, costs=(1,), count=200), slots=8, until=3600), 3600) for seed in seeds
    ]
    mixed = [
        jain(simulate(equals(seed, tenants=8, costs=(1, 2, 4), count=2000), slots=32, until=3600), 3600)
        for seed in seeds
    ]
    print(f"Jain, 20 equals, 8 slots           {min(alike):.3f} to {max(alike):.3f}")
    print(f"Jain, 8 of unlike cost, 32 slots   {min(mixed):.3f} to {max(mixed):.3f}")


if __name__ == "__main__":
    main()
