"""Whether a node is trusted, whose start is whose, and whether silence is believed."""

from __future__ import annotations

import pytest

from controlplane.domain.lineage import Kinship, kinship
from controlplane.domain.silence import forgiven_before, is_probably_ours
from controlplane.domain.trust import Admits, Breaker, admits, after_fault, after_success
from shared.ids import BootId
from shared.statuses import NodeTrust as S

BREAKER = Breaker(faults=3, window_ms=600_000, pause_ms=300_000)
A, B, C, D = map(BootId, "abcd")


class TestBreaker:
    @pytest.mark.parametrize(("faults", "trust"), [(1, S.GOOD), (2, S.GOOD), (3, S.SET_ASIDE), (4, S.SET_ASIDE)])
    def test_the_third_fault_sets_a_node_aside(self, faults: int, trust: S) -> None:
        assert after_fault(S.GOOD, faults=faults, breaker=BREAKER) is trust

    def test_one_fault_on_trial_is_enough(self) -> None:
        assert after_fault(S.ON_TRIAL, faults=1, breaker=BREAKER) is S.SET_ASIDE

    def test_success_counts_only_on_trial(self) -> None:
        after = {trust: after_success(trust) for trust in S}
        assert after == {S.GOOD: S.GOOD, S.SET_ASIDE: S.SET_ASIDE, S.ON_TRIAL: S.GOOD, S.CLONED: S.CLONED}

    @pytest.mark.parametrize(
        ("trust", "age", "holds", "allowed"),
        [
            (S.GOOD, 0, 5, Admits.ANYTHING),
            (S.SET_ASIDE, 299_999, 0, Admits.NOTHING),
            (S.SET_ASIDE, 300_000, 0, Admits.ONE),
            (S.SET_ASIDE, 300_000, 1, Admits.NOTHING),
            (S.ON_TRIAL, 0, 0, Admits.ONE),
            (S.ON_TRIAL, 0, 1, Admits.NOTHING),
            (S.CLONED, 10**9, 0, Admits.NOTHING),
        ],
    )
    def test_what_a_node_may_take(self, trust: S, age: int, holds: int, allowed: Admits) -> None:
        found = admits(trust, since=1_000, now=1_000 + age, holds=holds, holds_suspect=False, breaker=BREAKER)
        assert found is allowed

    def test_beside_a_suspect_nothing_runs(self) -> None:
        assert admits(S.GOOD, since=0, now=0, holds=1, holds_suspect=True, breaker=BREAKER) is Admits.NOTHING


class TestLineage:
    @pytest.mark.parametrize(
        ("boot_id", "before", "present", "ancestors", "kin"),
        [
            (A, [], None, [], Kinship.SUCCESSOR),
            (A, [], A, [], Kinship.SAME),
            (B, [A], A, [], Kinship.SUCCESSOR),
            (C, [A, B], A, [], Kinship.SUCCESSOR),  # the hello of B was never heard
            (C, [A, B], B, [A], Kinship.SUCCESSOR),  # or its answer was not
            (B, [A], C, [A, B], Kinship.LATE),
            (A, [], B, [A], Kinship.LATE),
            (C, [A], B, [A], Kinship.STRANGER),  # both machines come from A
            (B, [], A, [], Kinship.STRANGER),
            (D, [A], C, [B], Kinship.STRANGER),
            (C, None, B, [A], Kinship.SUCCESSOR),
            (A, None, B, [A], Kinship.LATE),
        ],
    )
    def test_starts_are_told_apart(
        self,
        boot_id: BootId,
        before: list[BootId] | None,
        present: BootId | None,
        ancestors: list[BootId],
        kin: Kinship,
    ) -> None:
        assert kinship(boot_id, before, present=present, ancestors=ancestors) is kin


class TestSilence:
    @pytest.mark.parametrize(
        ("nodes", "silent", "is_ours"),
        [(3, 3, False), (4, 2, False), (4, 3, True), (20, 10, False), (20, 11, True), (40, 22, True), (5, 3, True)],
    )
    def test_55_percent_of_four_or_more_is_probably_us(self, nodes: int, silent: int, is_ours: bool) -> None:
        assert is_probably_ours(nodes=nodes, silent=silent, share=0.55) is is_ours

    @pytest.mark.parametrize(("now", "floor"), [(1_000, 1_060), (1_299, 1_060), (1_300, 0)])
    def test_what_was_renewed_before_a_start_is_forgiven_for_the_amnesty(self, now: int, floor: int) -> None:
        assert forgiven_before(started_at=1_000, now=now, amnesty=300, lease=60) == floor
