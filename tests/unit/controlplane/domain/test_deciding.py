"""Small decisions: whose turn it is, where work goes, whether two requests are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain import planning
from controlplane.domain.demand import demand, rounded_up
from controlplane.domain.fairness import AGING_MS, ENCODER, LEAST_COST, Head, Standing, cost, in_turn
from controlplane.domain.idempotency import fingerprint
from controlplane.domain.placement import Need, Offer, best, check_hardware, grant, lesser, reserved, suits
from shared.capacity import Demand, Free, Gpu, remaining
from shared.errors import InvalidField
from shared.ids import BootId, ClusterId, NodeId, PipelineId, TaskId, TenantId, UserId
from shared.jobspec import HardwarePreference, JobDocument
from tests.builders import SMALL, a_capacity, free_of, hls_document

PARIS = ClusterId("paris")
numbers = st.integers(0, 100)
frees = st.builds(Free, cpu_threads=numbers, memory=numbers, scratch=numbers, nvenc_sessions=numbers)
demands = st.builds(Demand, cpu_threads=numbers, memory=numbers, scratch=numbers, nvenc_sessions=numbers)
hardware = st.sampled_from(HardwarePreference)


def an_offer(name: str = "one", *, threads: int = 8, sessions: int = 0, free: Free | None = None) -> Offer:
    capacity = a_capacity(threads=threads, sessions=sessions)
    return Offer(NodeId(name), BootId("boot"), PARIS, {"disk": "ssd"}, capacity, free or remaining(capacity, ()))


def a_need(demand: Demand, wanted: HardwarePreference = HardwarePreference.PREFER, **kind: Any) -> Need:
    return Need(**{"cluster_id": None, "labels": {}, "hardware": wanted, "demand": demand} | kind)


class TestPlacement:
    @given(demands, frees, hardware)
    def test_no_grant_is_more_than_is_free(self, demand: Demand, free: Free, wanted: HardwarePreference) -> None:
        held = grant(a_need(demand, wanted), an_offer(free=free, sessions=100))
        if held is not None:
            assert held.cpu_threads <= free.cpu_threads
            assert held.memory <= free.memory
            assert held.scratch <= free.scratch
            assert held.nvenc_sessions <= free.nvenc_sessions

    @given(demands, frees)
    def test_hardware_that_is_required_is_granted_and_what_is_avoided_is_not(self, demand: Demand, free: Free) -> None:
        required = grant(a_need(demand, HardwarePreference.REQUIRE), an_offer(free=free, sessions=100))
        assert required is None or required.nvenc_sessions == demand.nvenc_sessions > 0
        avoided = grant(a_need(demand, HardwarePreference.AVOID), an_offer(free=free, sessions=100))
        assert avoided is None or avoided.nvenc_sessions == 0

    @pytest.mark.parametrize("wanted", HardwarePreference)
    def test_a_card_is_not_required_for_what_no_card_encodes(self, wanted: HardwarePreference) -> None:
        check_hardware(a_need(Demand(cpu_threads=1, memory=1, scratch=1, nvenc_sessions=1), wanted))
        in_software = a_need(Demand(cpu_threads=1, memory=1, scratch=1), wanted)
        if wanted is not HardwarePreference.REQUIRE:
            check_hardware(in_software)
            return
        with pytest.raises(InvalidField) as refused:
            check_hardware(in_software)
        assert refused.value.pointer == "/placement/hardware"

    @given(frees, st.lists(demands, max_size=5))
    def test_what_is_left_is_never_less_than_nothing(self, free: Free, taken: list[Demand]) -> None:
        offer = an_offer(free=free)
        for held in taken:
            offer = offer.after(held)
        left = offer.free
        assert min(left.cpu_threads, left.memory, left.scratch, left.nvenc_sessions) >= 0
        assert lesser(left, free) == left

    def test_the_kind_of_node_is_a_matter_of_cluster_and_labels(self) -> None:
        def is_suited(**kind: Any) -> bool:
            return suits(a_need(SMALL, **kind), cluster_id=PARIS, labels={"disk": "ssd", "site": "a"})

        assert is_suited(cluster_id=PARIS, labels={"disk": "ssd"})
        assert not is_suited(cluster_id=ClusterId("x"))
        assert not is_suited(labels={"disk": "hdd"})
        assert not is_suited(labels={"gone": ""})

    def test_hardware_first_then_the_emptiest(self) -> None:
        demand = Demand(cpu_threads=2, memory=1, scratch=1, nvenc_sessions=1)
        plain, large, card = an_offer("plain"), an_offer("large", threads=64), an_offer("card", sessions=1)
        assert best(a_need(demand), [plain, large, card])[0] is card  # type: ignore[index]
        assert best(a_need(demand, HardwarePreference.AVOID), [plain, large, card])[0] is large  # type: ignore[index]
        assert best(a_need(demand, HardwarePreference.REQUIRE), [plain, large]) is None

    def test_work_for_the_processor_leaves_a_thread_to_a_card_that_is_free(self) -> None:
        demand = Demand(cpu_threads=60, memory=1, scratch=1, nvenc_sessions=1)
        offer = an_offer(sessions=1)
        software = grant(a_need(demand, HardwarePreference.AVOID), offer)
        assert software is not None
        assert software.cpu_threads == 7
        hardware = grant(a_need(demand, HardwarePreference.REQUIRE), offer.after(software))
        assert hardware is not None
        assert (hardware.cpu_threads, hardware.nvenc_sessions) == (1, 1)

    def test_what_no_card_encodes_takes_threads_beside_it(self) -> None:
        demand = Demand(cpu_threads=4, memory=1, scratch=1, nvenc_sessions=1, feed_threads=3)
        held = grant(a_need(demand), an_offer(sessions=1))
        assert held is not None
        assert (held.cpu_threads, held.nvenc_sessions) == (3, 1)

    def test_a_task_that_fits_nowhere_now_keeps_the_room_of_one_node(self) -> None:
        whole_node = a_need(Demand(cpu_threads=8, memory=1, scratch=1))
        busy = [replace(an_offer(name), free=free_of(a_capacity(threads=free))) for name, free in (("a", 2), ("b", 4))]
        kept = reserved(whole_node, busy)
        assert kept is not None
        assert (kept.node_id, kept.free.cpu_threads) == ("b", 0)
        assert reserved(a_need(Demand(cpu_threads=1, memory=1 << 60, scratch=1)), busy) is None


class TestCards:
    """Each with sessions of its own; those of consumers under one cap besides."""

    def gpu(self, index: int, sessions: int, *, shares_cap: bool = False) -> Gpu:
        made = {"uuid": f"GPU-{index}", "name": "card", "memory": 1, "driver": "1", "encoders": ("h264_nvenc",)}
        return Gpu(index=index, sessions=sessions, shares_cap=shares_cap, **made)

    def offer(self, *gpus: Gpu, cap: int | None = None) -> Offer:
        capacity = a_capacity().model_copy(update={"gpus": gpus, "shared_nvenc_sessions": cap})
        return Offer(NodeId("one"), BootId("boot"), PARIS, {}, capacity, remaining(capacity, ()))

    def granted(self, offer: Offer, *sessions: int) -> list[int | None]:
        """On which card each goes, one after the other; None for no room."""
        cards = []
        for count in sessions:
            demand = Demand(cpu_threads=1, memory=1, scratch=1, nvenc_sessions=count)
            held = grant(a_need(demand, HardwarePreference.REQUIRE), offer)
            offer = offer if held is None else offer.after(held)
            cards.append(held and held.gpu)
        return cards

    def test_a_task_s_renditions_share_one_card_and_go_to_the_emptiest(self) -> None:
        assert self.granted(self.offer(self.gpu(0, 3), self.gpu(1, 5)), 4, 2, 4, 1, 2) == [1, 0, None, 0, None]

    def test_a_cap_over_cards_holds_for_all_of_them_together(self) -> None:
        consumers = self.gpu(0, 8, shares_cap=True), self.gpu(1, 8, shares_cap=True)
        assert self.granted(self.offer(*consumers, cap=8), 5, 4, 3, 1) == [0, None, 0, None]

    def test_a_cap_of_consumers_is_none_of_a_data_centre_s_card(self) -> None:
        mixed = self.gpu(0, 2, shares_cap=True), self.gpu(1, 3)
        assert self.granted(self.offer(*mixed, cap=2), 3, 2, 1) == [1, 0, None]

    def test_the_lesser_view_is_taken_card_by_card(self) -> None:
        offer = self.offer(self.gpu(0, 3), self.gpu(1, 5))
        told = remaining(offer.capacity, [Demand(cpu_threads=0, memory=0, scratch=0, nvenc_sessions=4, gpu=1)])
        ours = remaining(offer.capacity, [Demand(cpu_threads=0, memory=0, scratch=0, nvenc_sessions=2, gpu=0)])
        assert [card.nvenc_sessions for card in lesser(told, ours).cards] == [1, 1]
        assert lesser(told, ours).nvenc_sessions == 1

    def test_what_an_older_agent_does_not_say_of_its_cards_is_what_it_says_of_the_best(self) -> None:
        ours = self.offer(self.gpu(0, 3), self.gpu(1, 5)).free
        told = ours.model_copy(update={"cards": (), "nvenc_sessions": 2})
        assert [card.nvenc_sessions for card in lesser(told, ours).cards] == [2, 2]

    def test_a_bound_on_pixels_holds_for_all_that_runs_and_one_task_may_have_it_whole(self) -> None:
        capacity = a_capacity().model_copy(update={"pixel_rate": 10})
        offer = Offer(NodeId("one"), BootId("boot"), PARIS, {}, capacity, remaining(capacity, ()))
        small, large = (
            a_need(Demand(cpu_threads=1, memory=1, scratch=1, pixel_rate=rate), HardwarePreference.AVOID)
            for rate in (4, 99)
        )
        held = grant(small, offer)
        assert held is not None
        assert grant(large, offer.after(held)) is None
        whole = grant(large, offer)
        assert whole is not None
        assert whole.pixel_rate == 10


class TestDemand:
    @given(st.integers(0, 1 << 50))
    def test_rounding_up_adds_at_most_a_quarter_and_makes_few_sizes(self, amount: int) -> None:
        rounded = rounded_up(amount)
        assert amount <= rounded <= amount * 5 / 4
        assert rounded_up(rounded) == rounded

    def test_a_ladder_counts_a_session_and_its_pixels_for_every_rendition(self) -> None:
        document = JobDocument.model_validate_json(orjson.dumps(hls_document("1763740000000-q7w2e1")))
        wanted = demand(planning.check(document, {}), 1, input_size=1 << 30)
        assert (wanted.nvenc_sessions, wanted.cpu_threads, wanted.feed_threads) == (2, 4, 1)
        assert 2 * ENCODER <= wanted.pixel_rate <= 2 * ENCODER * 5 / 4
        assert 2 << 30 < wanted.scratch < 3 << 30

    def test_renditions_of_av1_hold_what_the_largest_of_them_needs(self) -> None:
        def memory(*codecs_and_widths: tuple[str, int]) -> int:
            outputs = [
                {
                    "key": f"{number}.mp4",
                    "settings": {"container": "mp4", "video": {"codec": codec, "max_width": width}},
                }
                for number, (codec, width) in enumerate(codecs_and_widths)
            ]
            document = hls_document("1763740000000-q7w2e1") | {"outputs": outputs, "playlists": []}
            asked = planning.check(JobDocument.model_validate_json(orjson.dumps(document)), {})
            return demand(asked, 1, input_size=1).memory

        assert memory(("h264", 1920), ("h264", 640)) == 512 << 20
        assert 760 << 20 <= memory(("av1", 1920)) <= 1 << 30
        assert memory(("av1", 1920), ("av1", 640), ("h264", 640)) == memory(("av1", 1920)) > memory(("av1", 640))
        assert memory(*[("h264", 640)] * 9, ("av1", 640)) == memory(*[("h264", 640)] * 9)


class TestTurns:
    def head(self, name: str, priority: int = 0, waited_ms: int = 0) -> Head:
        return Head(TaskId(name), TenantId(name), UserId(name), PipelineId("p"), "", priority, waited_ms)

    def standing(self, **changes: Any) -> Standing:
        facts = {"running": 0, "most_running": None, "cost": 0, "served": 0, "weight": 1, "ceiling": 50}
        return Standing(**facts | changes)

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"priority": 1, "cost": 9}, {}),
            ({"priority": 0}, {"priority": 9, "ceiling": 0, "served": 1}),
            ({"priority": 9, "ceiling": 0}, {"priority": 0}),
            ({"priority": -1, "waited_ms": AGING_MS, "served": 0}, {"served": 1}),
            ({"cost": 1, "running": 9}, {"cost": 2}),
            ({"cost": 3, "weight": 2}, {"cost": 2}),
            ({"served": 1}, {"served": 2}),
            ({}, {}),
        ],
    )
    def test_priority_then_cost_then_served_then_age(self, first: dict[str, int], second: dict[str, int]) -> None:
        heads, standings = [], {}
        for name, facts in (("b", second), ("a", first)):
            own = {key: facts[key] for key in ("priority", "waited_ms") if key in facts}
            heads.append(self.head(name, **own))
            standings[TenantId(name)] = self.standing(**{key: facts[key] for key in facts.keys() - own.keys()})
        assert [head.task_id for head in in_turn(heads, standings)] == ["a", "b"]

    def test_a_tenant_that_runs_all_it_may_is_passed_over(self) -> None:
        standings = {TenantId("a"): self.standing(running=2, most_running=2), TenantId("b"): self.standing(cost=9)}
        assert [head.task_id for head in in_turn([self.head("a"), self.head("b")], standings)] == ["b"]

    def test_a_priority_above_the_ceiling_orders_a_tenant_s_own_work_alone(self) -> None:
        mine, tenant_id = replace(self.head("c", priority=9), tenant_id=TenantId("b")), TenantId("b")
        standings = {tenant_id: self.standing(ceiling=0), TenantId("a"): self.standing()}
        ordered = in_turn([self.head("b"), mine, self.head("a")], standings)
        assert [head.task_id for head in ordered] == ["a", "c", "b"]

    def test_what_runs_costs_by_its_pixels_and_never_nothing(self) -> None:
        assert cost(SMALL) == LEAST_COST
        assert cost(Demand(cpu_threads=1, memory=1, scratch=1, pixel_rate=4 * ENCODER)) == 4000


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
