"""Which cards really encode. NVML and ffmpeg are stand-ins: what hardware does, only hardware can prove."""

from __future__ import annotations

from pathlib import Path

import pynvml
import pytest

from agent.capacity import Surroundings, nvenc
from agent.capacity.nvenc import Card, NoDriver, encode_argv, list_cards, shared_cap
from agent.settings import load
from shared.capacity import Gpu
from tests.unit.agent.capacity.stand_ins import StandInNvml, StandInSandbox


def around(sandbox: StandInSandbox, work: Path) -> Surroundings:
    return Surroundings(load(None, state=work), sandbox, work)


def a_gpu(index: int, sessions: int) -> Gpu:
    return Gpu(index=index, uuid="u", name="n", memory=1, driver="550", encoders=("h264_nvenc",), sessions=sessions)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, "no NVIDIA driver: NVML library not found"),
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "no NVIDIA driver: the kernel module is not loaded"),
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "needs a restart"),
        (pynvml.NVML_ERROR_UNKNOWN, "does not answer"),
    ],
)
def test_a_node_without_a_driver_says_why_in_words(error: int, said: str) -> None:
    with pytest.raises(NoDriver, match=said):
        list_cards(StandInNvml(init_error=error))


def test_a_card_is_what_the_driver_says_it_is() -> None:
    (card,) = list_cards(StandInNvml(names=["NVIDIA L4"]))
    assert card == Card(
        index=0, uuid="GPU-0", name="NVIDIA L4", memory=24 << 30, driver="550.54.14", pci="00000000:01:00.0"
    )


@pytest.mark.parametrize(
    "mute", ["nvmlDeviceGetUUID", "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetPciInfo", "nvmlSystemGetDriverVersion"]
)
def test_a_question_that_a_card_cannot_answer_hides_nothing_else(mute: str) -> None:
    (card,) = list_cards(StandInNvml(names=["NVIDIA L4"], mute=frozenset({mute})))
    assert card.name == "NVIDIA L4"


async def test_a_machine_without_a_driver_is_a_cpu_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = StandInNvml(init_error=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    monkeypatch.setattr(nvenc, "list_cards", lambda: list_cards(absent))
    sandbox = StandInSandbox()
    found = await nvenc.probe(around(sandbox, tmp_path))
    assert found == {"gpus": (), "shared_nvenc_sessions": None, "gpu_note": "no NVIDIA driver: NVML library not found"}
    assert sandbox.ran == []


async def test_sessions_are_as_many_as_really_open_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvenc, "list_cards", lambda: list_cards(StandInNvml(names=["NVIDIA L4"])))
    found = await nvenc.probe(around(StandInSandbox(sessions=5), tmp_path))
    (gpu,) = found["gpus"]
    assert (gpu.sessions, gpu.encoders) == (5, ("h264_nvenc", "hevc_nvenc"))
    assert found["gpu_note"] == ""
    assert list(tmp_path.iterdir()) == []


async def test_no_more_sessions_are_offered_than_the_owner_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvenc, "list_cards", lambda: list_cards(StandInNvml(names=["NVIDIA L4"])))
    (gpu,) = (await nvenc.probe(around(StandInSandbox(sessions=1000), tmp_path)))["gpus"]
    assert gpu.sessions == 8


async def test_a_card_that_cannot_encode_is_listed_without_encoders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvenc, "list_cards", lambda: list_cards(StandInNvml(names=["NVIDIA H100"])))
    found = await nvenc.probe(around(StandInSandbox(sessions=0), tmp_path))
    (gpu,) = found["gpus"]
    assert (gpu.encoders, gpu.sessions) == ((), 0)
    assert found["gpu_note"] == "no encode worked on NVIDIA H100"


async def test_a_codec_that_a_card_lacks_is_not_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvenc, "list_cards", lambda: list_cards(StandInNvml(names=["NVIDIA L4"])))
    sandbox = StandInSandbox(sessions=3, codecs=frozenset({"h264_nvenc"}))
    (gpu,) = (await nvenc.probe(around(sandbox, tmp_path)))["gpus"]
    assert gpu.encoders == ("h264_nvenc",)


async def test_consumer_cards_have_their_cap_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["NVIDIA GeForce RTX 3060", "NVIDIA GeForce RTX 3060", "NVIDIA L4"]
    monkeypatch.setattr(nvenc, "list_cards", lambda: list_cards(StandInNvml(names=names)))
    found = await nvenc.probe(around(StandInSandbox(sessions=5), tmp_path))
    assert [(gpu.sessions, gpu.shares_cap) for gpu in found["gpus"]] == [(5, True), (5, True), (5, False)]
    assert found["shared_nvenc_sessions"] == 5


def test_cards_of_a_data_centre_share_no_cap() -> None:
    assert shared_cap([a_gpu(0, 8)]) is None


def test_the_trial_is_a_real_encode_on_the_card_and_no_list() -> None:
    assert encode_argv(1, "h264_nvenc", 2) == [
        *("ffmpeg", "-hide_banner", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s=256x256:d=0.2"),
        *("-map", "0:v", "-c:v", "h264_nvenc", "-gpu", "1", "-f", "null", "-"),
        *("-map", "0:v", "-c:v", "h264_nvenc", "-gpu", "1", "-f", "null", "-"),
    ]
