"""An encode on every card. Card and encoder are stand-ins; without them the real ones of this machine fail as they do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.capacity.nvenc import published_cap
from agent.doctor import Verdict
from agent.doctor.nvenc import check
from agent.sandbox import Exit, Limits, OnStdout, StopRequest
from agent.state import State
from tests.builders import a_capacity, some_facts
from tests.unit.agent.capacity.stand_ins import StandInNvml, StandInSandbox
from tests.unit.agent.doctor.subjects import a_machine, a_subject, only, verdicts


async def test_no_driver_is_a_plain_fact(tmp_path: Path) -> None:
    only(await check(a_subject(tmp_path)), Verdict.FACT, "no NVIDIA driver")


async def test_every_card_is_tried_with_every_codec(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, StandInNvml(names=["NVIDIA L4", "NVIDIA A10"]))
    sandbox = StandInSandbox(sessions=1)
    found = await check(a_subject(tmp_path, machine=machine, sandbox=sandbox))
    assert verdicts(found) == [Verdict.GOOD, Verdict.GOOD]
    assert [argv[argv.index("-gpu") + 1] for argv in sandbox.ran] == ["0", "0", "1", "1"]


async def test_a_codec_that_a_card_has_not_is_a_fact(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, StandInNvml(names=["NVIDIA L4"]))
    sandbox = StandInSandbox(sessions=1, codecs=frozenset({"h264_nvenc"}))
    works, lacks = await check(a_subject(tmp_path, machine=machine, sandbox=sandbox))
    assert (works.verdict, lacks.verdict) == (Verdict.GOOD, Verdict.FACT)
    assert lacks.said == "card 0 (NVIDIA L4) has no hevc_nvenc"


class StandInEncoder(StandInSandbox):
    """Every encode on the card ends with these words."""

    said = b""

    async def run(
        self, argv: Sequence[str], *, workspace: Path, limits: Limits, on_stdout: OnStdout, stop: StopRequest
    ) -> Exit:
        return Exit(1, stderr=self.said)


@pytest.mark.parametrize(
    ("words", "verdict", "said"),
    [
        (b"OpenEncodeSessionEx failed: out of memory (10)", Verdict.WARNING, "no session free"),
        (b"OpenEncodeSessionEx failed: incompatible client key (21)", Verdict.WARNING, "no session free"),
        (b"OpenEncodeSessionEx failed: unsupported device (2)", Verdict.FAILURE, "unsupported device"),
        (b"Driver does not support the required nvenc API version", Verdict.FAILURE, "nvenc API version"),
        (b"first\nCannot load libnvidia-encode.so.1", Verdict.FAILURE, "Cannot load libnvidia-encode.so.1"),
        (b"CUDA_ERROR_ECC_UNCORRECTABLE", Verdict.FAILURE, "ECC"),
    ],
)
async def test_a_card_that_does_not_encode_says_why(tmp_path: Path, words: bytes, verdict: Verdict, said: str) -> None:
    machine = a_machine(tmp_path, StandInNvml(names=["NVIDIA L4"]))
    sandbox = StandInEncoder()
    sandbox.said = words
    only(await check(a_subject(tmp_path, machine=machine, sandbox=sandbox)), verdict, said)


GEFORCE = StandInNvml(names=["NVIDIA GeForce RTX 3060"])


@pytest.mark.parametrize(("learned", "verdict"), [(None, Verdict.FACT), (8, Verdict.FACT), (2, Verdict.WARNING)])
async def test_a_cap_that_others_used_up_when_the_agent_started_is_warned_of(
    tmp_path: Path, learned: int | None, verdict: Verdict
) -> None:
    subject = a_subject(tmp_path, machine=a_machine(tmp_path, GEFORCE), sandbox=StandInSandbox(sessions=1))
    if learned is not None:
        facts = some_facts(a_capacity().model_copy(update={"shared_nvenc_sessions": learned}))
        State(subject.settings.state).facts.write_text(facts.model_dump_json())
    cap, card = await check(subject)
    assert (cap.verdict, card.verdict) == (verdict, Verdict.GOOD)
    assert "8 sessions together" in cap.said


@pytest.mark.parametrize(
    ("driver", "cap"), [("550.54.14", 8), ("570.1", 8), ("535.104.05", 5), ("470.57", 3), ("unknown", None)]
)
def test_a_drivers_cap_is_known_by_its_branch(driver: str, cap: int | None) -> None:
    assert published_cap(driver) == cap


async def test_a_card_that_is_said_to_be_there_and_is_not_fails_with_the_real_ffmpeg(tmp_path: Path) -> None:
    machine = a_machine(tmp_path, StandInNvml(names=["NVIDIA L4"]))
    only(await check(a_subject(tmp_path, machine=machine)), Verdict.FAILURE, "does not encode")
