"""Looks of one tenant are worked at in turns, with others between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from controlplane.auth.principal import Principal
from controlplane.domain.permissions import Role
from controlplane.domain.throttle import Operation, paces
from controlplane.http.metering import Metered
from controlplane.http.shares import REST, SHORT, Share, Shares
from shared.errors import Throttled
from shared.ids import TenantId, UserId
from tests.builders import eventually

LONG = 10 * SHORT


async def of(metered: Metered[None]) -> None:
    await metered


class Rests:
    """Timers that go off when told."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._ends: list[Callable[[], None]] = []

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        if not seconds:
            asyncio.get_running_loop().call_soon(then)
            return
        self.seconds.append(seconds)
        self._ends.append(then)

    def end(self) -> None:
        self._ends.pop()()


class Looks:
    """Steps of so much work each, and the order in which they were done."""

    def __init__(self, share: Share, each: float) -> None:
        self.done: list[str] = []
        self._share = share
        self._each = each
        self._worked = 0.0

    def begin(self, name: str, steps: int = 1) -> asyncio.Task[None]:
        return asyncio.create_task(of(Metered(self._look(name, steps), lambda: self._worked, self._share)))

    async def _look(self, name: str, steps: int) -> None:
        for step in range(steps):
            if step:
                await asyncio.sleep(0)
            self._worked += self._each
            self.done.append(name)


@pytest.fixture
def rests() -> Rests:
    return Rests()


@pytest.fixture
def share(rests: Rests) -> Share:
    return Share(rests.later)


def principal(tenant: str, per_minute: int) -> Principal:
    return Principal(
        UserId(f"of {tenant}"),
        Role.TENANT_ADMIN,
        TenantId(tenant),
        paces(dict.fromkeys(Operation, per_minute)),
    )


async def test_short_looks_follow_each_other_with_others_in_between(share: Share, rests: Rests) -> None:
    looks = Looks(share, SHORT / 2)
    tasks = [looks.begin(str(number)) for number in range(5)]
    seen = []
    while not all(task.done() for task in tasks):
        seen.append(len(looks.done))
        await asyncio.sleep(0)
    assert looks.done == ["0", "1", "2", "3", "4"]
    assert {1, 2, 3, 4} <= set(seen)
    assert rests.seconds == []


async def test_after_a_long_look_the_others_of_its_tenant_wait(share: Share, rests: Rests) -> None:
    looks = Looks(share, LONG)
    first, _ = tasks = [looks.begin("first"), looks.begin("second")]
    await first
    for _ in range(10):
        await asyncio.sleep(0)
    assert looks.done == ["first"]
    assert rests.seconds == [pytest.approx(REST * LONG)]
    rests.end()
    await asyncio.gather(*tasks)
    assert looks.done == ["first", "second"]


async def test_a_look_of_many_steps_lets_those_that_came_after_it_have_their_turn(share: Share) -> None:
    looks = Looks(share, SHORT / 2)
    await asyncio.gather(looks.begin("long", 3), looks.begin("other", 2))
    assert looks.done == ["long", "other", "long", "other", "long"]


async def test_a_caller_that_goes_away_leaves_the_line(share: Share, rests: Rests) -> None:
    looks = Looks(share, LONG)
    first, gone, last = (looks.begin(name) for name in ("first", "gone", "last"))
    await first
    await eventually(lambda: share.waiting == 2)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert share.waiting == 1
    rests.end()
    await last
    assert looks.done == ["first", "last"]


async def test_a_look_that_is_broken_off_while_it_waits_for_something_holds_nobody_up(share: Share) -> None:
    async def waiting() -> None:
        await asyncio.Event().wait()

    stuck = asyncio.create_task(of(Metered(waiting(), lambda: 0.0, share)))
    await asyncio.sleep(0)
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    looks = Looks(share, 0)
    await looks.begin("next")
    assert looks.done == ["next"]


async def test_looks_that_go_on_are_not_counted_among_those_that_wait_to_begin(share: Share, rests: Rests) -> None:
    looks = Looks(share, LONG)
    open_stream, first = looks.begin("stream", 2), looks.begin("first")
    await eventually(lambda: looks.done == ["stream"])
    assert share.waiting == 1
    rests.end()
    await first
    assert share.waiting == 0
    assert not open_stream.done()
    rests.end()
    await open_stream
    assert looks.done == ["stream", "first", "stream"]


async def test_tenants_have_shares_of_their_own_and_only_so_many_wait_for_one(rests: Rests) -> None:
    shares, many, others = Shares(rests.later), principal("1", 120), principal("2", 120)
    share = shares.of(many)
    looks = Looks(share, LONG)
    await looks.begin("first")
    burst = many.pace_of_tenant.burst
    waiting = [looks.begin(str(number)) for number in range(burst)]
    await eventually(lambda: share.waiting == burst)
    with pytest.raises(Throttled) as refused:
        shares.of(many)
    assert refused.value.retry_after == 1
    assert shares.of(others) is not share
    waiting[0].cancel()
    await eventually(lambda: share.waiting == burst - 1)
    assert shares.of(many) is share
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
