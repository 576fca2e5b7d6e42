"""Work on disks that may hang."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from controlplane.storage.hands import Hands
from shared.errors import Unavailable


@pytest.fixture
def hung() -> Iterator[threading.Event]:
    """What hangs until it is set."""
    event = threading.Event()
    yield event
    event.set()


async def test_the_result_is_that_of_the_work() -> None:
    assert await Hands().do("/a", lambda: 42, within=5) == 42


async def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(OSError, match="broken"):
        await Hands().do("/a", lambda: (_ for _ in ()).throw(OSError("broken")), within=5)


async def test_a_root_that_hangs_keeps_its_own_threads_and_nobody_else_s(hung: threading.Event) -> None:
    hands = Hands(per_root=2, threads=3)
    for _ in range(4):
        with pytest.raises(Unavailable):
            await hands.do("/hung", hung.wait, within=0.02)
    assert await hands.do("/well", lambda: 42, within=5) == 42


async def test_a_root_that_comes_back_is_served_again(hung: threading.Event) -> None:
    hands = Hands(per_root=1)
    with pytest.raises(Unavailable):
        await hands.do("/a", hung.wait, within=0.02)
    hung.set()
    assert await hands.do("/a", lambda: 42, within=5) == 42


async def test_no_more_run_on_one_root_than_are_meant_to() -> None:
    hands, running, most, lock = Hands(per_root=2), 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.005)
        with lock:
            running -= 1

    await asyncio.gather(*(hands.do("/a", work, within=5) for _ in range(10)))
    assert most == 2


async def test_a_caller_that_is_cancelled_is_cancelled_at_every_moment() -> None:
    for moment in range(6):
        task = asyncio.create_task(Hands().do("/a", lambda: 42, within=5))
        for _ in range(moment):
            await asyncio.sleep(0)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_what_is_asked_at_the_same_time_is_done_by_one_hand() -> None:
    hands = Hands()
    threads = await asyncio.gather(*(hands.do_together("/a", threading.get_ident, within=5) for _ in range(8)))
    assert len(set(threads)) == 1


async def test_what_fails_beside_others_fails_alone() -> None:
    def broken() -> int:
        raise OSError("broken")

    hands = Hands()
    found = await asyncio.gather(
        *(hands.do_together("/a", work, within=5) for work in (lambda: 1, broken, lambda: 3)), return_exceptions=True
    )
    assert [found[0], found[2]] == [1, 3]
    assert isinstance(found[1], OSError)


async def test_who_asks_a_root_that_hangs_is_told_so_together() -> None:
    hands, released = Hands(per_root=1), threading.Event()
    try:
        found = await asyncio.gather(
            *(hands.do_together("/a", released.wait, within=0.05) for _ in range(3)), return_exceptions=True
        )
    finally:
        released.set()
    assert all(isinstance(error, Unavailable) for error in found)
