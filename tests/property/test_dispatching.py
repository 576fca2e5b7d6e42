"""Any order of submissions, nodes, reports and passing time; what a node holds may be long stale."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from controlplane.domain.lifecycle import TERMINAL_JOBS, TERMINAL_TASKS
from controlplane.domain.permissions import Role
from controlplane.domain.placement import Offer
from controlplane.domain.quota import MINUTE_MS, Quota
from controlplane.store import sql
from controlplane.store.operations import (
    dispatch,
    ending,
    endpoints,
    granting,
    identity,
    jobs,
    quotas,
    resources,
    results,
)
from controlplane.store.operations.dispatch import Acceptance
from controlplane.store.operations.granting import Grant
from controlplane.store.port import Op, T, alone
from controlplane.store.records import Pipeline, User
from controlplane.store.sqlite import _migrate, _run
from shared.capacity import Demand
from shared.errors import StaleLease, TooManyQueued, WrongState
from shared.failures import Cause
from shared.ids import BootId, ClusterId, JobId, NodeId, PipelineId, TenantId, UserId
from shared.protocol import (
    AttemptProgress,
    DetectedProperties,
    Failed,
    HandedBack,
    Interruption,
    ReportRequest,
    Stopped,
)
from shared.statuses import JobStatus, Phase, PipelineStatus
from tests.builders import a_capacity, a_failure, a_job, finished, free_of, some_facts, some_progress
from tests.clock import NOW_MS
from tests.contract.store.test_outbox import an_endpoint
from tests.soak import times

NODES = ("one", "two", "three")
TENANTS = (TenantId("100000000001"), TenantId("100000000002"))
CLUSTER = ClusterId("paris-1")
OUTCOMES = {
    "finished": finished(),
    "failed by the node": Failed(failure=a_failure(Cause.NODE)),
    "failed by the input": Failed(failure=a_failure(Cause.INPUT)),
    "stopped": Stopped(),
    "handed back": HandedBack(reason="it drains"),
}
LIMITS = dict.fromkeys(Quota) | {
    Quota.QUEUED_JOBS: 6,
    Quota.RUNNING_JOBS: 3,
    Quota.OUTPUT_MINUTES: 3 * MINUTE_MS,
    Quota.STORED_BYTES: 35,
}
TABLES = ("tenants", "quotas", "user_quotas", "usage", "jobs", "tasks", "lanes", "events", "deliveries")
STATUS_OF_EVENT = {
    "submitted": JobStatus.SUBMITTED,
    "started": JobStatus.SUBMITTED,
    "progressing": JobStatus.PROGRESSING,
    "stopping": JobStatus.PROGRESSING,
    "complete": JobStatus.COMPLETE,
    "error": JobStatus.ERROR,
    "canceled": JobStatus.CANCELED,
}
TOLD_AT_THE_END = {
    JobStatus.COMPLETE: "job.completed",
    JobStatus.ERROR: "job.error",
    JobStatus.CANCELED: "job.canceled",
}


class Dispatching(RuleBasedStateMachine):
    submitted = Bundle("submitted")
    grants = Bundle("grants")

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW_MS
        self.database = sqlite3.connect(":memory:", isolation_level=None)
        self.database.row_factory = sqlite3.Row
        _migrate(self.database)
        self.queries = sql.queries(sql.SQLITE)
        self.made = 0
        self.boots = dict.fromkeys(NODES, 1)
        self.attempts: dict[str, int] = defaultdict(int)
        self.ended: dict[str, tuple[Any, ...]] = {}
        self.leases: set[str] = set()

    def teardown(self) -> None:
        self.database.close()

    def do(self, operation: Op[T]) -> T:
        """One transaction."""
        self.database.execute("BEGIN")
        try:
            result = _run(self.database, self.queries, operation)
        except BaseException:
            self.database.execute("ROLLBACK")
            raise
        self.database.execute("COMMIT")
        return result

    def may_be_refused(self, operation: Op[Any]) -> None:
        """A refusal changes nothing."""
        before = self.everything()
        try:
            self.do(operation)
        except (StaleLease, WrongState):
            assert self.everything() == before

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.database.execute(statement)]

    def everything(self) -> list[list[tuple[Any, ...]]]:
        return [self.rows(f"SELECT * FROM {table}") for table in TABLES]

    @initialize()
    def a_world(self) -> None:
        self.do(resources.add_cluster(CLUSTER, "", self.now))
        for tenant_id in TENANTS:
            first, second = users_of(tenant_id)
            self.do(identity.add_tenant(tenant_id, tenant_id, 1, first, self.now))
            self.do(identity.add_user(User(second, tenant_id, "second", Role.TENANT_USER, "[]", self.now)))
            self.do(quotas.set_limits(tenant_id, LIMITS))
            self.do(resources.add_bucket(tenant_id, "b", "file", "/b", self.now))
            self.do(resources.add_pipeline(pipeline_of(tenant_id)))
            self.do(endpoints.add(an_endpoint(f"we_{tenant_id}", tenant_id=tenant_id)))
        for name in NODES:
            self.do(identity.add_join_token(name, CLUSTER, "{}", now=self.now, expires_at=self.now + 1))
            self.do(identity.enrol(name, NodeId(name), name, "", self.now))
            self.hello(name, [], [], same_boot=True)

    @rule(
        target=submitted,
        tenant_id=st.sampled_from(TENANTS),
        held=st.booleans(),
        priority=st.integers(-1, 1),
        threads=st.integers(1, 5),
        max_attempts=st.integers(1, 3),
        user=st.integers(0, 1),
    )
    def submit(self, tenant_id: TenantId, held: bool, priority: int, threads: int, max_attempts: int, user: int) -> Any:
        self.made += 1
        new = a_job(
            f"{self.now:013d}-{self.made:06d}",
            tenant_id,
            pipeline_of(tenant_id).id,
            user_id=users_of(tenant_id)[user],
            held=held,
            priority=priority,
            demand=Demand(cpu_threads=threads, memory=1, scratch=1),
            max_attempts=max_attempts,
        )
        is_full = (1,) in self.rows(
            f"""SELECT queued >= max_queued FROM tenants WHERE id = '{tenant_id}'
                 UNION ALL SELECT queued >= max_queued FROM user_quotas WHERE user_id = '{new.user_id}'"""
        )
        before = self.everything()
        try:
            self.do(jobs.create(new, self.now))
        except TooManyQueued:
            assert is_full
            assert self.everything() == before
            return multiple()
        assert not is_full
        return tenant_id, new.id

    @rule(
        tenant_id=st.sampled_from(TENANTS),
        user=st.integers(0, 1),
        queued=st.none() | st.integers(0, 3),
        running=st.none() | st.integers(0, 2),
    )
    def limit_a_user(self, tenant_id: TenantId, user: int, queued: int | None, running: int | None) -> None:
        limits = {Quota.QUEUED_JOBS: queued, Quota.RUNNING_JOBS: running}
        self.do(quotas.set_user_limits(tenant_id, users_of(tenant_id)[user], limits))

    @rule(job=submitted, deed=st.sampled_from(["cancel", "stop", "start"]))
    def ask(self, job: tuple[TenantId, JobId], deed: str) -> None:
        operation: Callable[..., Op[Any]] = getattr(jobs, deed)
        self.may_be_refused(operation(*job, self.now))

    @rule(tenant_id=st.sampled_from(TENANTS), status=st.sampled_from(PipelineStatus))
    def pause_or_resume(self, tenant_id: TenantId, status: PipelineStatus) -> None:
        self.do(resources.set_pipeline_status(tenant_id, pipeline_of(tenant_id).id, status))

    @rule(target=grants, names=st.sets(st.sampled_from(NODES), min_size=1))
    def poll(self, names: set[str]) -> Any:
        capacity = a_capacity(threads=4)
        offers = [
            Offer(NodeId(name), self.boot_of(name), CLUSTER, {}, capacity, free_of(capacity)) for name in sorted(names)
        ]
        granted = self.do(granting.grant_round(offers, now=self.now, number=0, accept_within=10_000))
        started = {grant.ref.task_id for grant in granted}
        for user_id, task_id in self.rows(
            """SELECT u.user_id, t.id FROM user_quotas u JOIN tasks t ON t.user_id = u.user_id
                WHERE u.running > u.max_running AND t.state = 'Leased'"""
        ):
            assert task_id not in started, f"{user_id} runs more than it may"
        for grant in granted:
            assert grant.ref.attempt > self.attempts[grant.ref.task_id], "the attempt rises"
            assert grant.ref.lease_id not in self.leases, "no lease is given twice"
            self.attempts[grant.ref.task_id] = grant.ref.attempt
            self.leases.add(grant.ref.lease_id)
        return multiple(*granted)

    @rule(grant=grants)
    def accept(self, grant: Grant) -> None:
        self.may_be_refused(alone(dispatch.accept, Acceptance(grant.ref, grant.node_id, self.now, self.now + 60_000)))

    @rule(grant=grants, seconds=st.sampled_from([None, 1.0, 60.0, 119.5]))
    def probe(self, grant: Grant, seconds: float | None) -> None:
        """What is known before it is made is never too much; what nobody foretold counts when it is."""
        found = (DetectedProperties(duration=seconds, size=10),)
        before = self.minutes()
        self.may_be_refused(dispatch.probed(grant.ref, grant.node_id, found, self.now))
        assert all(used <= max(most, then) for (used, most), (then, _) in zip(self.minutes(), before, strict=True))

    @rule(grant=grants, stale_boot=st.booleans())
    def beat(self, grant: Grant, stale_boot: bool) -> None:
        boot_id = BootId("before") if stale_boot else self.boot_of(grant.node_id)
        said = (AttemptProgress(ref=grant.ref, progress=some_progress()),)
        self.may_be_refused(dispatch.beat(grant.node_id, boot_id, "{}", said, now=self.now, lease=60_000))

    @rule(grant=grants, outcome=st.sampled_from(sorted(OUTCOMES)))
    def report(self, grant: Grant, outcome: str) -> None:
        request = ReportRequest(ref=grant.ref, outcome=OUTCOMES[outcome])
        self.may_be_refused(ending.report(request, grant.node_id, self.now))

    @rule(grant=grants)
    def publish(self, grant: Grant) -> None:
        task = self.do(ending.task(grant.ref.task_id))
        self.do(alone(results.published, results.Published(task, finished(), self.now)))

    @rule(grant=grants)
    def give_up_publishing(self, grant: Grant) -> None:
        self.do(ending.unpublished(grant.ref.task_id, a_failure(), self.now))

    @rule(
        name=st.sampled_from(NODES),
        unreported=st.lists(grants, max_size=2),
        cut_off=st.lists(st.tuples(grants, st.sampled_from(["kill", "reboot"]), st.sampled_from(Phase)), max_size=3),
        same_boot=st.booleans(),
    )
    def hello(
        self, name: str, unreported: list[Grant], cut_off: list[tuple[Grant, Any, Phase]], same_boot: bool
    ) -> None:
        self.boots[name] += not same_boot
        facts = some_facts().model_dump_json()
        start = dispatch.Start(
            self.boot_of(name),
            before=tuple(self.boot_of(name, number) for number in range(1, self.boots[name])),
            unreported=tuple(grant.ref for grant in unreported),
            interrupted=tuple(Interruption(ref=grant.ref, by=by, phase=phase) for grant, by, phase in cut_off),
        )
        self.do(dispatch.hello(NodeId(name), start, facts, now=self.now, lease=60_000))

    @rule(braked=st.booleans(), spare_older=st.booleans())
    def reap(self, braked: bool, spare_older: bool) -> None:
        floor = self.now if spare_older else 0
        clusters = frozenset({CLUSTER} if braked else ())
        self.do(dispatch.reap(now=self.now, floor=floor, braked=clusters, size=100))

    @rule(seconds=st.integers(1, 90))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * 1000

    @invariant()
    def what_is_told_is_what_became_of_each_job(self) -> None:
        """Once each, warnings aside; a job that begins twice within one millisecond is told of as begun twice."""
        told: dict[str, list[str]] = defaultdict(list)
        for job_id, type_ in self.rows("SELECT job_id, type FROM deliveries ORDER BY number"):
            if type_ != "job.warning" and type_ not in told[job_id][-1:]:
                told[job_id].append(type_)
        for job_id, status, started_at in self.rows("SELECT id, status, started_at FROM jobs"):
            began = ["job.progressing"] if started_at is not None else []
            ended = [TOLD_AT_THE_END[status]] if status in TOLD_AT_THE_END else []
            assert told[job_id] == ["job.submitted", *began, *ended]

    @invariant()
    def what_has_ended_stays_as_it_is(self) -> None:
        terminal = ", ".join(f"'{status}'" for status in sorted(TERMINAL_JOBS))
        now = {row[0]: row for row in self.rows(f"SELECT * FROM jobs WHERE status IN ({terminal})")}
        assert {job_id: now[job_id] for job_id in self.ended} == self.ended
        self.ended = now

    @invariant()
    def jobs_end_with_their_tasks(self) -> None:
        for status, state in self.rows("SELECT j.status, t.state FROM jobs j JOIN tasks t ON t.job_id = j.id"):
            assert (status in TERMINAL_JOBS) == (state in TERMINAL_TASKS)

    @invariant()
    def a_lease_has_one_holder_and_its_slots_fit(self) -> None:
        held = self.rows(
            """SELECT node_id, boot_id, lease_id, granted FROM tasks
                WHERE state IN ('Leased', 'Running', 'Stopping')"""
        )
        assert len({lease_id for *_, lease_id, _ in held}) == len(held)
        for name in NODES:
            mine = [Demand.model_validate_json(granted) for node_id, *_, granted in held if node_id == name]
            assert sum(demand.cpu_threads for demand in mine) <= 4
        free = self.rows("SELECT node_id FROM tasks WHERE state IN ('Held', 'Waiting') AND node_id IS NOT NULL")
        assert free == []

    @invariant()
    def counters_equal_a_recount(self) -> None:
        counted = self.rows("SELECT id, queued, running FROM tenants ORDER BY id")
        assert counted == self.rows(
            """SELECT n.id, COUNT(CASE WHEN t.state IN ('Held', 'Waiting') THEN 1 END),
                      COUNT(CASE WHEN t.state IN ('Leased', 'Running', 'Stopping', 'Publishing') THEN 1 END)
                 FROM tenants n LEFT JOIN tasks t ON t.tenant_id = n.id GROUP BY n.id ORDER BY n.id"""
        )
        lanes = self.rows("SELECT pipeline_id, need, user_id, waiting FROM lanes WHERE waiting > 0 ORDER BY 1, 2, 3")
        assert lanes == self.rows(
            "SELECT pipeline_id, need, user_id, COUNT(*) FROM tasks WHERE state = 'Waiting' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        )

    @invariant()
    def the_ledger_equals_a_recount(self) -> None:
        for tenant_id in TENANTS:
            assert self.do(quotas.drift(tenant_id)) == []

    @invariant()
    def no_quota_is_exceeded(self) -> None:
        assert self.rows("SELECT running FROM tenants WHERE running > max_running") == []
        assert self.rows("SELECT * FROM quotas WHERE used > most AND quota <> 'output_minutes'") == []

    @invariant()
    def usage_tells_of_every_job_that_ended(self) -> None:
        told = self.rows("SELECT SUM(complete), SUM(error), SUM(canceled) FROM usage")
        assert [tuple(count or 0 for count in told[0])] == self.rows(
            """SELECT COUNT(CASE status WHEN 'Complete' THEN 1 END), COUNT(CASE status WHEN 'Error' THEN 1 END),
                      COUNT(CASE status WHEN 'Canceled' THEN 1 END) FROM jobs"""
        )

    @invariant()
    def events_tell_the_status_and_nothing_comes_after_the_end(self) -> None:
        told: dict[str, list[str]] = defaultdict(list)
        for job_id, kind in self.rows("SELECT job_id, type FROM events ORDER BY id"):
            told[job_id].append(kind)
        for job_id, status in self.rows("SELECT id, status FROM jobs"):
            kinds = [kind for kind in told[job_id] if kind != "requeued"]
            replayed = JobStatus.SUBMITTED
            for kind in kinds:
                assert replayed not in TERMINAL_JOBS, "nothing comes after the end"
                if not (replayed is JobStatus.PROGRESSING and STATUS_OF_EVENT[kind] is JobStatus.SUBMITTED):
                    replayed = STATUS_OF_EVENT[kind]
            assert replayed == status

    @invariant()
    def a_job_that_was_cancelled_never_ran(self) -> None:
        for (kinds,) in self.rows("SELECT GROUP_CONCAT(type) FROM (SELECT * FROM events ORDER BY id) GROUP BY job_id"):
            history = kinds.split(",")
            if history[-1] == "canceled" and "progressing" not in history:
                assert set(history) <= {"submitted", "started", "requeued", "canceled"}

    @invariant()
    def no_more_attempts_are_spent_than_allowed(self) -> None:
        assert self.rows("SELECT id FROM tasks WHERE spent > max_attempts OR spent < 0") == []

    def minutes(self) -> list[tuple[int, ...]]:
        return self.rows("SELECT used, most FROM quotas WHERE quota = 'output_minutes' ORDER BY tenant_id")

    @invariant()
    def what_killed_an_agent_runs_alone_and_never_kills_two(self) -> None:
        leased = self.rows("SELECT node_id, killed_on FROM tasks WHERE state IN ('Leased', 'Running', 'Stopping')")
        for node_id, killed_on in leased:
            assert killed_on == "[]" or [other for other, _ in leased].count(node_id) == 1
        assert self.rows("SELECT id FROM tasks WHERE state = 'Waiting' AND json_array_length(killed_on) > 1") == []

    @invariant()
    def nodes_that_start_again_are_no_clones(self) -> None:
        assert self.rows("SELECT id FROM nodes WHERE trust = 'Cloned'") == []

    def boot_of(self, name: str, number: int | None = None) -> BootId:
        return BootId(f"boot-{number or self.boots[name]}-of-{name}")


def users_of(tenant_id: TenantId) -> tuple[UserId, UserId]:
    return UserId(f"us_{tenant_id}"), UserId(f"us_{tenant_id}_second")


def pipeline_of(tenant_id: TenantId) -> Pipeline:
    return Pipeline(
        PipelineId(f"{tenant_id:>013}-000000"), tenant_id, "p", "b", "b", "b", PipelineStatus.ACTIVE, 1, NOW_MS
    )


Dispatching.TestCase.settings = settings(
    max_examples=times(150, 3000),
    stateful_step_count=times(50, 80),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestDispatching = Dispatching.TestCase
