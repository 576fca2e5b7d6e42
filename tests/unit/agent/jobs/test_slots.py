"""The ledger of what is given to whom."""

import pytest

from agent.jobs.slots import NoRoom, Slots
from shared.capacity import Capacity, Gpu
from tests.unit.agent.builders import GIB, a_capacity, a_start


def slots(capacity: Capacity | None = None, *, scratch_left: int = 1000 * GIB) -> Slots:
    return Slots(capacity or a_capacity(), scratch_left=lambda: scratch_left)


def a_gpu(sessions: int) -> Gpu:
    return Gpu(index=0, uuid="u", name="L4", memory=GIB, driver="550", encoders=("h264_nvenc",), sessions=sessions)


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
    capacity = a_capacity().model_copy(update={"gpus": (a_gpu(3),)})
    ledger = slots(capacity)
    ledger.take(a_start("tk_1", nvenc_sessions=2))
    with pytest.raises(NoRoom):
        ledger.take(a_start("tk_2", nvenc_sessions=2))


def test_only_the_first_card_that_encodes_is_counted() -> None:
    broken = a_gpu(9).model_copy(update={"encoders": ()})
    assert a_capacity().model_copy(update={"gpus": (broken, a_gpu(3), a_gpu(5))}).nvenc_sessions == 3


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
