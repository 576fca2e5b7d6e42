"""Watermarks and turns over HTTP: what a node is told of them, and what a job answers."""

from __future__ import annotations

import asyncio
from typing import Any

from shared.protocol import InputSpec
from tests.builders import finished
from tests.contract.api.service import OUT, Caller, Node, a_document
from tests.fields import shows

PRESET = "1351620000001-000010"
SLOT = {
    "id": "Corner", "max_width": "20%", "max_height": "64px", "sizing_policy": "Fit", "horizontal_align": "Left",
    "horizontal_offset": "5%", "vertical_align": "Bottom", "vertical_offset": "8px", "opacity": 60.0, "target": "Frame",
}  # fmt: skip


def output(key: str, *marks: tuple[str, str], **fields: Any) -> dict[str, Any]:
    watermarks = [{"preset_watermark_id": slot, "input_key": picture} for slot, picture in marks]
    return {"key": key, "preset_id": PRESET, "watermarks": watermarks} | fields


async def test_a_node_is_told_each_picture_once_and_what_is_no_input(tenant: Caller, pipeline: str, node: Node) -> None:
    outputs = [
        output("a.mp4", ("TopLeft", "logo.png"), ("BottomRight", "bug.jpg"), rotate=90),
        output("b.mp4", ("BottomRight", "logo.png"), preset_id="1351620000001-000030"),
        output("c.mp4"),
    ]
    await tenant.upload("logo.png", b"picture")
    submitted = await tenant.post("/v1/jobs", a_document(pipeline, outputs=outputs))
    assert submitted.status == 201, submitted.content
    assert [one["watermarks"] for one in submitted.json["outputs"]] == [
        [one | {"encryption": None} for one in wanted["watermarks"]] for wanted in outputs
    ]
    order = await node.start()
    assert [told(one) for one in order.inputs] == [(True, 0), (False, 7), (False, 0)]
    first, second, third = order.payload.outputs
    assert [(mark.input, mark.slot.id) for mark in first.watermarks] == [(1, "TopLeft"), (2, "BottomRight")]
    assert [(mark.input, mark.slot.id) for mark in second.watermarks] == [(1, "BottomRight")]
    assert (first.rotate, second.rotate, third.watermarks) == (90, "auto", ())
    assert first.watermarks[0].slot.max_width == "10%"
    assert all(one.settings.video is not None and one.settings.video.watermarks == () for one in order.payload.outputs)


def told(one: InputSpec) -> tuple[bool, int]:
    return one.is_input, one.size


@shows("settings.video.watermarks[].id")
async def test_slots_of_a_preset_are_kept_when_it_is_deleted(tenant: Caller, pipeline: str, node: Node) -> None:
    settings = {"container": "mp4", "video": {"codec": "h264", "watermarks": [SLOT]}}
    preset = (await tenant.post("/v1/presets", {"name": "marked", "settings": settings})).json["id"]
    marked = output("out.mp4", ("Corner", "logo.png"), preset_id=preset)
    assert (await tenant.post("/v1/jobs", a_document(pipeline, outputs=[marked]))).status == 201
    assert (await tenant.call("DELETE", f"/v1/presets/{preset}")).status == 204
    [only] = (await node.start()).payload.outputs
    assert only.watermarks[0].slot.model_dump() == SLOT


async def test_slots_of_inline_settings_are_named_alike(tenant: Caller, pipeline: str, node: Node) -> None:
    settings = {"container": "mp4", "video": {"codec": "h264", "watermarks": [SLOT]}}
    marks = [{"preset_watermark_id": "Corner", "input_key": "logo.png"}]
    document = a_document(pipeline, outputs=[{"key": "out.mp4", "settings": settings, "watermarks": marks}])
    assert (await tenant.post("/v1/jobs", document)).status == 201
    [only] = (await node.start()).payload.outputs
    assert only.watermarks[0].slot.id == "Corner"


async def test_a_job_answers_with_the_conversion_that_was_made(tenant: Caller, pipeline: str, node: Node) -> None:
    job = (await tenant.post("/v1/jobs", a_document(pipeline))).json
    assert job["outputs"][0]["applied_color_space_conversion"] is None
    order = await node.take()
    await node.stage(order.ref, OUT)
    report = finished()
    made = report.outputs[0].model_copy(update={"applied_color_space_conversion": "Bt709ToBt601"})
    await node.report(order.ref, report.model_copy(update={"outputs": (made,)}))
    async with asyncio.timeout(10):
        while await tenant.status(job["id"]) != "Complete":  # noqa: ASYNC110 (the publisher works on its own)
            await asyncio.sleep(0.01)
    ended = (await tenant.get(f"/v1/jobs/{job['id']}")).json
    assert ended["outputs"][0]["applied_color_space_conversion"] == "Bt709ToBt601"
