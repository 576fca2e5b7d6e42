"""Reports outlive the agent, but not a day."""

from pathlib import Path

import pytest

from agent.jobs.outbox import Outbox
from shared.ids import LeaseId
from tests.unit.agent.builders import StillClock, a_ref, a_report


async def test_a_report_is_there_again_after_a_restart(tmp_path: Path) -> None:
    await Outbox(tmp_path, StillClock()).put(a_report())
    again = Outbox(tmp_path, StillClock())
    assert again.reports() == (a_report(),)
    assert again.filled.is_set()
    assert not again.emptied.is_set()


async def test_an_answered_report_never_comes_back(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, StillClock())
    await outbox.put(a_report())
    await outbox.discard(a_ref())
    assert outbox.emptied.is_set()
    assert Outbox(tmp_path, StillClock()).refs() == ()


async def test_a_report_takes_the_place_of_one_whose_lease_came_to_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, StillClock())
    never = a_ref().model_copy(update={"lease_id": LeaseId("never kept")})
    await outbox.put(a_report().model_copy(update={"ref": never}))
    await outbox.put(a_report())
    assert outbox.reports() == (a_report(),)
    await outbox.discard(never)
    assert Outbox(tmp_path, StillClock()).reports() == (a_report(),)


async def test_after_a_day_it_is_given_up(tmp_path: Path) -> None:
    clock = StillClock()
    outbox = Outbox(tmp_path, clock)
    await outbox.put(a_report())
    clock.seconds += 24 * 3600 - 1
    assert await outbox.discard_expired() == ()
    clock.seconds += 2
    assert await outbox.discard_expired() == (a_ref(),)
    assert outbox.refs() == ()


async def test_a_full_disk_does_not_lose_a_report_while_the_agent_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.jobs.outbox.write_durably", full)
    outbox = Outbox(tmp_path, StillClock())
    await outbox.put(a_report())
    assert outbox.refs() == (a_ref(),)


async def test_what_cannot_be_read_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "tk_1.1.json").write_text('{"report": ')
    assert Outbox(tmp_path, StillClock()).refs() == ()
    assert [path.name for path in tmp_path.iterdir()] == ["tk_1.1.unreadable"]


async def test_a_draft_that_a_crash_left_is_no_report(tmp_path: Path) -> None:
    (tmp_path / ".tk_1.1.json.draft").write_text("{")
    assert Outbox(tmp_path, StillClock()).refs() == ()
