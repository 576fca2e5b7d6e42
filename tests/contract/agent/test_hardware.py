"""A card that fails inside a job, played by `nvenc_stand_in`: what is made instead, what is told, what the node offers then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.capacity import nvenc
from agent.capacity.nvenc import Card
from shared.failures import FailureReason as Reason
from shared.jobspec import HardwarePreference, Settings
from shared.protocol import Failed, Fallback, Finished, OutputSpec, PartSpec, Resume, Span, StartTask
from tests.contract.agent.control_plane import ControlPlane
from tests.contract.agent.nodes import Tools, briefly, node
from tests.unit.agent.builders import GIB, a_start, an_output

STAND_IN = Path(__file__).parent / "nvenc_stand_in"
SOFTWARE = ("h264_nvenc", "libx264")
HEVC = Settings.model_validate({"container": "mp4", "video": {"codec": "hevc", "quality": 40}}, strict=False)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tools:
    """A node whose driver lists one card; it encodes until it is told to fail."""
    listed = Card(index=0, uuid="GPU-1", name="NVIDIA L4", memory=GIB, driver="550.54")
    monkeypatch.setattr(nvenc, "list_cards", lambda: (listed,))
    directory = tmp_path / "card"
    directory.mkdir()
    return Tools(directory, STAND_IN)


def fail(card: Tools, how: str) -> None:
    (card.directory / "card").write_text(how)


async def patiently(seconds: float) -> None:
    """As `briefly`, but what waits for minutes waits until the test is over."""
    await (asyncio.get_running_loop().create_future() if seconds >= 60 else briefly(seconds))


@pytest.mark.parametrize("parts", [(PartSpec(),), (PartSpec(), PartSpec(clip=Span(duration=0.2)))])
async def test_a_card_that_works_encodes_and_nothing_is_told(
    control: ControlPlane, card: Tools, state: Path, parts: tuple[PartSpec, ...]
) -> None:
    async with node(control.url, state, card):
        ref = await control.grant(nvenc_sessions=1, parts=parts)
        await control.until(lambda: ref in control.reports)
    outcome = control.reports[ref]
    assert isinstance(outcome, Finished)
    assert [output.encoder for output in outcome.outputs] == ["h264_nvenc"]
    assert control.events[ref] == ()


@pytest.mark.parametrize(
    ("how", "reason", "sessions_left"),
    [
        ("busy", Reason.HARDWARE_BUSY, 0),
        ("busy_consumer", Reason.HARDWARE_BUSY, 0),
        ("no_device", Reason.HARDWARE_UNSUPPORTED, 0),
        ("driver_too_old", Reason.DRIVER_TOO_OLD, 0),
        ("gone", Reason.HARDWARE_FAILED, 0),
        ("ten_bit", Reason.PICTURE_UNSUPPORTED, 8),
        ("crashes", Reason.ENCODER_CRASHED, 8),
    ],
)
async def test_what_a_card_fails_at_is_made_in_software_and_the_job_is_told_why(
    control: ControlPlane, card: Tools, state: Path, how: str, reason: Reason, sessions_left: int
) -> None:
    async with node(control.url, state, card, sleep=patiently):
        await control.until(lambda: control.polls)
        assert control.polls[0].free.nvenc_sessions == 8
        fail(card, how)
        ref = await control.grant(nvenc_sessions=1)
        await control.until(lambda: ref in control.reports)
        outcome = control.reports[ref]
        assert isinstance(outcome, Finished)
        assert [output.encoder for output in outcome.outputs] == ["libx264"]
        (event,) = control.events[ref]
        assert event == Fallback(outputs=(0,), encoder=SOFTWARE[0], instead=SOFTWARE[1], reason=reason)
        await control.until(lambda: control.polls[-1].free.cpu_threads == control.polls[0].free.cpu_threads)
        await control.until(lambda: control.polls[-1].free.nvenc_sessions == sessions_left)


async def test_a_card_that_hangs_is_given_up_and_software_finishes_the_job(
    control: ControlPlane, card: Tools, state: Path
) -> None:
    async with node(control.url, state, card, stall_working=0.4, stall_starting=2):
        await control.until(lambda: control.polls)
        fail(card, "hangs")
        ref = await control.grant(nvenc_sessions=1)
        await control.until(lambda: ref in control.reports)
    assert isinstance(control.reports[ref], Finished)
    (event,) = control.events[ref]
    assert event.reason is Reason.STALLED
    assert card.alive() == []


@pytest.mark.parametrize("parts", [(PartSpec(),), (PartSpec(), PartSpec(clip=Span(duration=0.2)))])
async def test_what_a_card_cannot_decode_it_may_still_encode(
    control: ControlPlane, card: Tools, state: Path, parts: tuple[PartSpec, ...]
) -> None:
    async with node(control.url, state, card):
        await control.until(lambda: control.polls)
        fail(card, "undecodable")
        ref = await control.grant(nvenc_sessions=1, parts=parts)
        await control.until(lambda: ref in control.reports)
    outcome = control.reports[ref]
    assert isinstance(outcome, Finished)
    assert [output.encoder for output in outcome.outputs] == ["h264_nvenc"]
    (event,) = control.events[ref]
    assert isinstance(event, Fallback)
    assert event.instead == "h264_nvenc after decoding in software"


async def test_what_a_card_has_no_encoder_for_is_made_in_software_beside_it(
    control: ControlPlane, card: Tools, state: Path
) -> None:
    """The stand-in is a card that makes H.264 only. Being asked for more is no fault of it."""
    async with node(control.url, state, card):
        ref = await control.grant(nvenc_sessions=2, outputs=(an_output(), an_output(1, settings=HEVC)))
        await control.until(lambda: ref in control.reports)
        await control.until(lambda: control.polls[-1].free.nvenc_sessions == 8)
    outcome = control.reports[ref]
    assert isinstance(outcome, Finished)
    assert [output.encoder for output in outcome.outputs] == ["h264_nvenc", "libx265"]
    assert control.events[ref] == ()


async def test_a_job_that_requires_an_encoder_that_a_card_lacks_is_given_back(
    control: ControlPlane, card: Tools, state: Path
) -> None:
    async with node(control.url, state, card):
        await control.until(lambda: control.polls)
        order = requiring_hardware(control, an_output(settings=HEVC))
        await control.order(Resume())
        await control.until(lambda: order.ref in control.reports)
        await control.until(lambda: control.polls[-1].free.nvenc_sessions == 8)
    outcome = control.reports[order.ref]
    assert isinstance(outcome, Failed)
    assert outcome.failure.reason is Reason.HARDWARE_UNSUPPORTED


async def test_a_job_that_requires_hardware_is_given_back_instead(
    control: ControlPlane, card: Tools, state: Path
) -> None:
    async with node(control.url, state, card):
        await control.until(lambda: control.polls)
        fail(card, "gone")
        order = requiring_hardware(control)
        await control.order(Resume())  # so that it is looked for at once
        await control.until(lambda: order.ref in control.reports)
    outcome = control.reports[order.ref]
    assert isinstance(outcome, Failed)
    assert outcome.failure.reason is Reason.HARDWARE_FAILED


async def test_a_busy_card_is_trusted_again_after_a_while(control: ControlPlane, card: Tools, state: Path) -> None:
    later = asyncio.Event()

    async def until_later(seconds: float) -> None:
        await (later.wait() if seconds >= 60 else briefly(seconds))

    async with node(control.url, state, card, sleep=until_later):
        await control.until(lambda: control.polls)
        fail(card, "busy")
        ref = await control.grant(nvenc_sessions=1)
        await control.until(lambda: ref in control.reports and control.polls[-1].free.nvenc_sessions == 0)
        fail(card, "works")
        later.set()
        await control.until(lambda: control.polls[-1].free.nvenc_sessions == 8)
        again = await control.grant("tk_2", nvenc_sessions=1)
        await control.until(lambda: again in control.reports)
    outcome = control.reports[again]
    assert isinstance(outcome, Finished)
    assert [output.encoder for output in outcome.outputs] == ["h264_nvenc"]


async def test_sessions_are_not_given_out_again_at_once(control: ControlPlane, card: Tools, state: Path) -> None:
    """The driver lets go of them a moment after the process is gone."""
    async with node(control.url, state, card):
        await control.until(lambda: control.polls)
        ref = await control.grant(nvenc_sessions=3)
        await control.until(lambda: ref in control.reports)
        reported = len(control.polls)
        await control.until(lambda: any(poll.free.nvenc_sessions == 8 for poll in control.polls[reported:]))
    after = [(poll.free.cpu_threads, poll.free.nvenc_sessions) for poll in control.polls[reported - 1 :]]
    threads = control.polls[0].free.cpu_threads
    assert (threads, 5) in after, "threads are free while sessions settle"


def requiring_hardware(control: ControlPlane, output: OutputSpec | None = None) -> StartTask:
    order = a_start("tk_hw", inputs=(control.input("tk_hw"),), outputs=(output or an_output(),), nvenc_sessions=1)
    payload = order.payload.model_copy(update={"hardware": HardwarePreference.REQUIRE})
    return control.known(order.model_copy(update={"payload": payload}))
