"""What a node may publish: what it was told to make, once, and nothing else."""

from __future__ import annotations

import pytest

from controlplane.domain.results import in_publishing_order, misfits, objects_of, stray_keys
from shared.protocol import Finished
from shared.statuses import JobStatus
from tests.builders import finished, finished_hls, hls_document, produced, work_of

PIPELINE = "1763750000000-000000"
WORK = work_of(hls_document(PIPELINE, output_key_prefix="a.b/"))
GOOD = finished_hls(prefix="a.b/")


def with_key(key: str, role: str = "media") -> Finished:
    first, *others = GOOD.outputs
    changed = first.model_copy(update={"objects": (*first.objects, produced(key, role))})
    return GOOD.model_copy(update={"outputs": (changed, *others)})


def test_a_report_of_what_was_asked_for_fits() -> None:
    assert misfits(WORK, GOOD) == []


@pytest.mark.parametrize("key", ["a.b/low00002.ts", "a.b/low99999.ts", "a.b/low123456.ts", "a.b/low-thumb-00002.png"])
def test_more_segments_and_thumbnails_fit(key: str) -> None:
    assert misfits(WORK, with_key(key)) == []


@pytest.mark.parametrize(
    "key",
    [
        "low00002.ts",
        "aXb/low00002.ts",
        "a.b/low2.ts",
        "a.b/low00002.ts/x",
        "a.b/low00002.ts\n",
        "a.b/high00009.ts",
        "a.b/lowXm3u8",
        "a.b/low-thumb-00002.jpg",
        "a.b/low-thumb-{count}.png",
        "../low00002.ts",
        "",
    ],
)
def test_a_key_that_was_not_asked_for_does_not_fit(key: str) -> None:
    assert misfits(WORK, with_key(key)) == [key]
    assert stray_keys(WORK, with_key(key)) == [key]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("pattern", "key", "fits"),
    [
        ("{count}-{count}", "00007-00007.png", True),
        ("{count}-{count}", "00007-00008.png", False),
        ("{resolution}/{count}/{resolution}", "192x108/00001/192x108.png", True),
        ("{resolution}/{count}/{resolution}", "192x108/00001/192x109.png", False),
        ("{count}" * 30, "00001" * 30 + ".png", True),
        ("{count}" * 30, "1" * 250 + ".jpg", False),
        ("{count}" + "{resolution}" * 10, "1" * 100 + "x" + "1" * 100 + ".png", False),
    ],
)
def test_a_placeholder_stands_for_the_same_wherever_it_stands(pattern: str, key: str, fits: bool) -> None:
    """However often: whoever submits the job chooses that, and everybody waits until its report is looked through."""
    (output, *others), thumbnails = WORK.outputs, WORK.outputs[0].thumbnails
    assert thumbnails is not None
    changed = output.model_copy(update={"thumbnails": thumbnails.model_copy(update={"pattern": pattern})})
    work = WORK.model_copy(update={"outputs": (changed, *others)})
    report = with_key(key, "thumbnail")
    assert (key not in stray_keys(work, report)) is fits


def test_one_key_made_twice_does_not_fit() -> None:
    assert misfits(WORK, with_key("a.b/low00001.ts")) == ["twice: a.b/low00001.ts"]


def test_a_failed_output_has_no_objects() -> None:
    first, *others = GOOD.outputs
    failed = first.model_copy(update={"status": JobStatus.ERROR})
    assert misfits(WORK, GOOD.model_copy(update={"outputs": (failed, *others)}))
    emptied = failed.model_copy(update={"objects": ()})
    assert misfits(WORK, GOOD.model_copy(update={"outputs": (emptied, *others)})) == []


@pytest.mark.parametrize("changes", [{"outputs": ()}, {"playlists": ()}, {"outputs": GOOD.outputs[:1]}])
def test_every_output_and_playlist_is_told_of(changes: dict[str, object]) -> None:
    assert misfits(WORK, GOOD.model_copy(update=changes))
    assert misfits(WORK, finished())


def test_whatever_names_another_object_becomes_visible_after_it() -> None:
    roles = [made.role for made in in_publishing_order(reversed(objects_of(GOOD)))]
    assert roles.index("media_playlist") > max(
        place for place, role in enumerate(roles) if role in ("media", "thumbnail")
    )
    assert roles[-1] == "master_playlist"
    assert roles.index("master_playlist") == len(roles) - 1
