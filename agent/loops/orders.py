"""Asks for orders and obeys them. A poll is held by the control plane, and broken off when what it said is no longer true."""

from __future__ import annotations

from typing import Final, assert_never

import structlog

from agent.backoff import CAP, wait_after
from agent.client import ControlPlane
from agent.jobs.workload import Workload
from agent.loops.reprobing import Reprobing
from agent.loops.timing import Timing
from agent.racing import Interrupted, unless
from agent.refusals import Unreachable
from shared.errors import StaleLease, TranscoderError
from shared.ids import BootId
from shared.protocol import Drain, Order, PollAnswer, PollRequest, Reprobe, Resume, StartTask, StopTask

TOO_SOON: Final = 0.05
"""Seconds; an empty answer that comes sooner was not held, and to ask again at once would be a storm."""


class Superseded(Exception):
    """The control plane no longer knows this start of the agent: another has said hello since, or it forgot us."""


log = structlog.get_logger()


class Orders:
    def __init__(
        self,
        client: ControlPlane,
        workload: Workload,
        boot_id: BootId,
        *,
        reprobing: Reprobing,
        timing: Timing,
    ) -> None:
        self._client = client
        self._workload = workload
        self._boot_id = boot_id
        self._reprobing = reprobing
        self._timing = timing
        self._pulse = timing.pulse

    async def run(self) -> None:
        """Raises Superseded, Revoked or ProtocolTooOld; everything else passes."""
        fruitless = 0
        while True:
            retry_after: float | None = None
            asked = self._timing.clock.monotonic()
            try:
                orders = (await self._poll()).orders
                is_fruitless = not orders and self._timing.clock.monotonic() - asked < TOO_SOON
            except Interrupted:
                continue
            except StaleLease as error:
                raise Superseded(error.detail) from error
            except (Unreachable, TranscoderError) as error:
                orders, is_fruitless, retry_after = (), True, getattr(error, "retry_after", None)
                log.log(_level(fruitless), "poll.unanswered", reason=str(error))
            for order in orders:
                self._obey(order)
            fruitless = fruitless + 1 if is_fruitless else 0
            if fruitless:
                await self._rest(wait_after(fruitless - 1, self._timing.randomly, retry_after))

    async def _poll(self) -> PollAnswer:
        wait = self._client.timings.poll_wait
        self._pulse.promise("orders", wait + CAP)
        self._workload.changed.clear()
        request = PollRequest(
            boot_id=self._boot_id,
            free=self._workload.free(),
            wait=wait,
            draining=self._workload.is_paused,
            reprobing=self._reprobing.is_asked,
        )
        return await unless(self._workload.changed.wait(), self._client.poll(request))

    def _obey(self, order: Order) -> None:
        match order:
            case StartTask():
                self._workload.start(order)
            case StopTask():
                self._workload.stop(order.ref)
            case Drain():
                self._workload.pause(True)
            case Resume():
                self._workload.pause(False)
            case Reprobe():
                self._reprobing.ask()
            case unknown:
                assert_never(unknown)

    async def _rest(self, seconds: float) -> None:
        self._pulse.promise("orders", seconds)
        await self._timing.sleep(seconds)


def _level(fruitless: int) -> int:
    """Said aloud once per outage, not once per try."""
    return 30 if fruitless == 0 else 10
