"""The ledger of what is given to whom."""

import pytest

from agent.capacity import Space
from agent.jobs.slots import NoRoom, Slots
from shared.capacity import Capacity, Gpu
from shared.failures import FailureReason
from tests.unit.agent.builders import GIB, a_capacity, a_start


def slots(capacity: Capacity | None = None, *, scratch_left: int = 1000 * GIB) -> Slots:
    return Slots(capacity or a_capacity(), disk=lambda: Space(free=scratch_left, reserve=0))


def a_gpu(sessions: int, index: int = 0, *, encodes: bool = True, shares_cap: bool = False) -> Gpu:
    return Gpu(
        index=index,
        uuid=f"u{index}",
        name="L4",
        memory=GIB,
        driver="550",
        encoders=("h264_nvenc",) if encodes else (),
        sessions=sessions,
        shares_cap=shares_cap,
    )


def cards(*gpus: Gpu, cap: int | None = None) -> Capacity:
    return a_capacity().model_copy(update={"gpus": gpus, "shared_nvenc_sessions": cap})


def test_what_is_taken_is_not_free_until_it_is_given_back() -> None:
    ledger = slots()
    order = a_start(threads=3, scratch=10 * GIB, memory=2 * GIB)
    ledger.take(order)
    free = ledger.free()
    assert (free.cpu_threads, free.memory, free.scratch) == (1, 6 * GIB, 90 * GIB)
    ledger.give_back(order.ref)
    assert ledger.free().cpu_threads == 4


def test_the_same_thread_is_not_given_twice() -> None:
    ledger = slots()
    ledger.take(a_start("tk_1", threads=3))
    with pytest.raises(NoRoom):
        ledger.take(a_start("tk_2", threads=2))


def test_an_order_for_more_threads_than_there_are_takes_the_whole_node() -> None:
    ledger = slots()
    ledger.take(a_start(threads=64))
    assert ledger.free().cpu_threads == 0


def test_a_session_is_counted_for_every_hardware_rendition() -> None:
    ledger = slots(cards(a_gpu(3)))
    ledger.take(a_start("tk_1", nvenc_sessions=2))
    with pytest.raises(NoRoom):
        ledger.take(a_start("tk_2", nvenc_sessions=2))


def test_work_goes_to_the_card_with_most_sessions_left() -> None:
    ledger = slots(cards(a_gpu(3), a_gpu(5, 1)))
    chosen = [ledger.take(a_start(f"tk_{number}", nvenc_sessions=2)).gpu for number in range(3)]
    assert chosen == [1, 0, 1]
    assert [card.nvenc_sessions for card in ledger.free().cards] == [1, 1]


def test_a_session_that_ended_is_free_on_its_own_card() -> None:
    ledger = slots(cards(a_gpu(2), a_gpu(2, 1)))
    first = a_start("tk_1", nvenc_sessions=2)
    ledger.take(first)
    ledger.take(a_start("tk_2", nvenc_sessions=2))
    ledger.give_back(first.ref)
    assert [card.nvenc_sessions for card in ledger.free().cards] == [2, 0]


def test_one_task_never_spans_two_cards() -> None:
    ledger = slots(cards(a_gpu(2), a_gpu(2, 1)))
    assert ledger.free().nvenc_sessions == 2
    with pytest.raises(NoRoom):
        ledger.take(a_start(nvenc_sessions=3))


def test_cards_that_share_a_cap_never_open_more_than_it_together() -> None:
    ledger = slots(cards(a_gpu(5, shares_cap=True), a_gpu(5, 1, shares_cap=True), a_gpu(4, 2), cap=5))
    ledger.take(a_start("tk_1", nvenc_sessions=3))
    free = ledger.free()
    assert [card.nvenc_sessions for card in free.cards] == [2, 2, 4]
    assert free.shared_nvenc_sessions == 2


def test_a_card_that_does_not_encode_is_not_offered() -> None:
    capacity = cards(a_gpu(9, encodes=False), a_gpu(3, 1))
    assert capacity.nvenc_sessions == 3
    assert slots(capacity).take(a_start(nvenc_sessions=3)).gpu == 1


def test_work_in_software_has_no_card() -> None:
    assert slots(cards(a_gpu(3))).take(a_start()).gpu is None


def test_a_disk_that_others_fill_is_told_as_it_is() -> None:
    assert slots(scratch_left=5 * GIB).free().scratch == 5 * GIB


def test_more_room_is_announced_and_what_was_never_taken_is_not() -> None:
    ledger = slots()
    order = a_start()
    ledger.give_back(order.ref)
    assert not ledger.changed.is_set()
    ledger.take(order)
    assert not ledger.changed.is_set()
    ledger.give_back(order.ref)
    assert ledger.changed.is_set()


def test_a_node_that_shrank_under_its_work_has_nothing_free_rather_than_less() -> None:
    ledger = slots()
    ledger.take(a_start(threads=4))
    ledger.resize(a_capacity(threads=2))
    assert ledger.free().cpu_threads == 0


def on_disk(free: int, reserve: int, *running: int) -> int:
    """What is offered of a disk while attempts of these estimates run."""
    space = Space(free=1000 * GIB, reserve=reserve)
    ledger = Slots(a_capacity(scratch=1000 * GIB), disk=lambda: space)
    for number, scratch in enumerate(running):
        ledger.take(a_start(f"tk_{number}", threads=0, scratch=scratch))
    space = Space(free=free, reserve=reserve)
    return ledger.free().scratch


def test_the_reserve_is_never_offered() -> None:
    assert on_disk(20 * GIB, 5 * GIB) == 15 * GIB
    assert on_disk(4 * GIB, 5 * GIB) == 0


def test_nothing_is_taken_while_less_is_free_than_twice_the_largest_estimate() -> None:
    assert on_disk(30 * GIB, 5 * GIB, 3 * GIB, 16 * GIB) == 0
    assert on_disk(32 * GIB, 5 * GIB, 3 * GIB, 16 * GIB) == 27 * GIB


def test_a_busy_card_has_one_session_less_than_were_asked_of_it() -> None:
    ledger = slots(cards(a_gpu(8)))
    ledger.take(a_start("tk_1", nvenc_sessions=3))
    ledger.take(a_start("tk_2", nvenc_sessions=2))
    ledger.learn(a_start("tk_2").ref, FailureReason.HARDWARE_BUSY)
    assert ledger.free().nvenc_sessions == 0
    ledger.give_back(a_start("tk_1").ref)
    ledger.give_back(a_start("tk_2").ref)
    assert ledger.free().nvenc_sessions == 4
    assert ledger.doubted.is_set()
    ledger.trust_again()
    assert ledger.free().nvenc_sessions == 8


def test_consumer_cards_learn_of_the_cap_that_they_share() -> None:
    ledger = slots(cards(a_gpu(8, 0, shares_cap=True), a_gpu(8, 1, shares_cap=True), cap=8))
    ledger.take(a_start("tk_1", nvenc_sessions=2))
    ledger.take(a_start("tk_2", nvenc_sessions=2))
    ledger.learn(a_start("tk_2").ref, FailureReason.HARDWARE_BUSY)
    ledger.give_back(a_start("tk_1").ref)
    assert ledger.free().shared_nvenc_sessions == 1


def test_only_the_card_that_failed_is_doubted() -> None:
    ledger = slots(cards(a_gpu(2, 0), a_gpu(2, 1)))
    ledger.take(a_start("tk_1", nvenc_sessions=1))
    ledger.learn(a_start("tk_1").ref, FailureReason.HARDWARE_FAILED)
    assert [card.nvenc_sessions for card in ledger.free().cards] == [0, 2]


def test_a_driver_that_is_too_old_is_not_trusted_again_until_the_next_probe() -> None:
    ledger = slots(cards(a_gpu(2)))
    ledger.take(a_start("tk_1", nvenc_sessions=1))
    ledger.learn(a_start("tk_1").ref, FailureReason.DRIVER_TOO_OLD)
    assert not ledger.doubted.is_set()
    ledger.give_back(a_start("tk_1").ref)
    ledger.trust_again()
    assert ledger.free().nvenc_sessions == 0
    ledger.resize(cards(a_gpu(2)))
    assert ledger.free().nvenc_sessions == 2


def test_a_picture_that_a_card_cannot_make_says_nothing_of_the_card() -> None:
    ledger = slots(cards(a_gpu(2)))
    ledger.take(a_start("tk_1", nvenc_sessions=1))
    ledger.learn(a_start("tk_1").ref, FailureReason.PICTURE_UNSUPPORTED)
    ledger.give_back(a_start("tk_1").ref)
    assert ledger.free().nvenc_sessions == 2


def test_software_that_stands_in_for_a_card_gets_the_threads_that_are_idle() -> None:
    ledger = slots(cards(a_gpu(2)))
    ledger.take(a_start("tk_1", nvenc_sessions=1, threads=1))
    ledger.take(a_start("tk_2", threads=2))
    assert ledger.widen(a_start("tk_1").ref, 4) == 2
    assert ledger.free().cpu_threads == 0
