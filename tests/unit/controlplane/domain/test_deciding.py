"""Small decisions: whose turn it is, where work goes, what becomes of failures, whether two requests are the same."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.fairness import Head, turn
from controlplane.domain.idempotency import fingerprint
from controlplane.domain.placement import Need, Offer, best, grant, lesser, minus, suits, whole
from controlplane.domain.retrying import BACKOFF_MS, Retry, after_failure, after_silence
from shared.capacity import Demand, Free
from shared.failures import Cause, Failure, FailureCode
from shared.ids import BootId, ClusterId, NodeId, PipelineId, TaskId, TenantId
from shared.jobspec import HardwarePreference
from tests.builders import a_capacity, a_failure

PARIS = ClusterId("paris")
numbers = st.integers(0, 100)
frees = st.builds(Free, cpu_threads=numbers, memory=numbers, scratch=numbers, nvenc_sessions=numbers)
demands = st.builds(Demand, cpu_threads=numbers, memory=numbers, scratch=numbers, nvenc_sessions=numbers)
hardware = st.sampled_from(HardwarePreference)


def an_offer(name: str = "one", *, threads: int = 8, sessions: int = 0, free: Free | None = None) -> Offer:
    capacity = a_capacity(threads=threads, sessions=sessions)
    return Offer(NodeId(name), BootId("boot"), PARIS, {"disk": "ssd"}, capacity, free or whole(capacity))


def a_need(wanted: HardwarePreference = HardwarePreference.PREFER) -> Need:
    return Need(None, {}, wanted)


class TestPlacement:
    @given(demands, frees, hardware)
    def test_no_grant_is_more_than_is_free(self, demand: Demand, free: Free, wanted: HardwarePreference) -> None:
        held = grant(a_need(wanted), demand, an_offer(free=free, sessions=100))
        if held is not None:
            assert held.cpu_threads <= free.cpu_threads
            assert held.memory <= free.memory
            assert held.scratch <= free.scratch
            assert held.nvenc_sessions <= free.nvenc_sessions

    @given(demands, frees)
    def test_hardware_that_is_required_is_granted_and_what_is_avoided_is_not(self, demand: Demand, free: Free) -> None:
        required = grant(a_need(HardwarePreference.REQUIRE), demand, an_offer(free=free, sessions=100))
        assert required is None or required.nvenc_sessions == demand.nvenc_sessions > 0
        avoided = grant(a_need(HardwarePreference.AVOID), demand, an_offer(free=free, sessions=100))
        assert avoided is None or avoided.nvenc_sessions == 0

    @given(frees, st.lists(demands, max_size=5))
    def test_what_is_left_is_never_less_than_nothing(self, free: Free, taken: list[Demand]) -> None:
        left = minus(free, taken)
        assert min(left.cpu_threads, left.memory, left.scratch, left.nvenc_sessions) >= 0
        assert lesser(left, free) == left

    def test_the_kind_of_node_is_a_matter_of_cluster_and_labels(self) -> None:
        node = {"cluster_id": PARIS, "labels": {"disk": "ssd", "site": "a"}}
        assert suits(Need(PARIS, {"disk": "ssd"}, HardwarePreference.PREFER), **node)  # type: ignore[arg-type]
        assert not suits(Need(ClusterId("x"), {}, HardwarePreference.PREFER), **node)  # type: ignore[arg-type]
        assert not suits(Need(None, {"disk": "hdd"}, HardwarePreference.PREFER), **node)  # type: ignore[arg-type]
        assert not suits(Need(None, {"gone": ""}, HardwarePreference.PREFER), **node)  # type: ignore[arg-type]

    def test_hardware_first_then_the_emptiest(self) -> None:
        demand = Demand(cpu_threads=2, memory=1, scratch=1, nvenc_sessions=1)
        plain, large, card = an_offer("plain"), an_offer("large", threads=64), an_offer("card", sessions=1)
        assert best(a_need(), demand, [plain, large, card])[0] is card  # type: ignore[index]
        assert best(a_need(HardwarePreference.AVOID), demand, [plain, large, card])[0] is large  # type: ignore[index]
        assert best(a_need(HardwarePreference.REQUIRE), demand, [plain, large]) is None


class TestTurns:
    def head(self, name: str, **changes: int) -> Head:
        facts = {"priority": 0, "running": 0, "weight": 1, "served": 0} | changes
        return Head(TaskId(name), TenantId("t"), PipelineId("p"), **facts)

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"priority": 1, "running": 9}, {}),
            ({"running": 1}, {"running": 2}),
            ({"running": 3, "weight": 2}, {"running": 2}),
            ({"served": 1}, {"served": 2}),
            ({}, {}),
        ],
    )
    def test_priority_then_running_then_served_then_age(self, first: dict[str, int], second: dict[str, int]) -> None:
        heads = [self.head("b", **second), self.head("a", **first)]
        assert [head.task_id for head in sorted(heads, key=turn)] == ["a", "b"]


class TestRetries:
    def test_an_input_s_fault_is_final(self) -> None:
        failure = a_failure(Cause.INPUT)
        assert after_failure(failure, spent=1, allowed=3) is failure

    def test_other_faults_are_tried_again_later_and_later(self) -> None:
        delays = [after_failure(a_failure(), spent=spent, allowed=99) for spent in range(1, 8)]
        assert delays == [Retry(ms) for ms in (*BACKOFF_MS[1:], BACKOFF_MS[-1], BACKOFF_MS[-1], BACKOFF_MS[-1])]

    def test_the_last_attempt_tells_how_often_it_was_tried(self) -> None:
        ended = after_failure(
            Failure(cause=Cause.NODE, code=FailureCode.NODE_FAULT, message="x" * 255), spent=3, allowed=3
        )
        assert isinstance(ended, Failure)
        assert ended.code is FailureCode.OUT_OF_ATTEMPTS
        assert ended.message.startswith("3 attempts failed")
        assert len(ended.message) == 255

    def test_an_unknown_cause_keeps_its_own_reason(self) -> None:
        failure = a_failure(Cause.UNKNOWN)
        assert after_failure(failure, spent=3, allowed=3) is failure

    def test_silence_counts_as_a_node_s_fault(self) -> None:
        assert isinstance(after_silence(spent=1, allowed=2), Retry)
        assert isinstance(after_silence(spent=2, allowed=2), Failure)


class TestFingerprints:
    values = st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
        ),
        max_leaves=10,
    )

    @given(values)
    def test_white_space_and_order_do_not_matter(self, value: object) -> None:
        plain = orjson.dumps(value)
        assert fingerprint(plain) == fingerprint(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))

    @given(values, values)
    def test_other_requests_have_other_fingerprints(self, one: object, other: object) -> None:
        same = orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)
        assert (fingerprint(orjson.dumps(one)) == fingerprint(orjson.dumps(other))) is same

    def test_a_default_that_is_written_out_makes_another_request(self) -> None:
        assert fingerprint(b'{"priority": 0}') != fingerprint(b"{}")
