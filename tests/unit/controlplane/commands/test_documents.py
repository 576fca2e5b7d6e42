"""Documents that commands make of files and of what is told of them."""

from __future__ import annotations

from controlplane.commands.documents import inputs


def test_every_file_is_an_input_and_keeps_what_is_told_of_it() -> None:
    told = [{"key": "old.mp4", "clip": {"start": 3}}, {"interlaced": True}]
    assert inputs(["a.mp4", "b.mp4", "c.mp4"], told) == [
        {"key": "a.mp4", "clip": {"start": 3}},
        {"key": "b.mp4", "interlaced": True},
        {"key": "c.mp4"},
    ]


def test_without_a_document_inputs_are_their_keys() -> None:
    assert inputs(["a.mp4"], None) == [{"key": "a.mp4"}]
