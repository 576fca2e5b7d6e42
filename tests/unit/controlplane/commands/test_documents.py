"""Documents that commands make of files and of what is told of them."""

from __future__ import annotations

import click
import pytest

from controlplane.commands.documents import inputs, note


def test_every_file_is_an_input_and_keeps_what_is_told_of_it() -> None:
    told = [{"key": "old.mp4", "clip": {"start": 3}}, {"interlaced": True}]
    assert inputs(["a.mp4", "b.mp4", "c.mp4"], told) == [
        {"key": "a.mp4", "clip": {"start": 3}},
        {"key": "b.mp4", "interlaced": True},
        {"key": "c.mp4"},
    ]


def test_without_a_document_inputs_are_their_keys() -> None:
    assert inputs(["a.mp4"], None) == [{"key": "a.mp4"}]


def test_an_entry_of_metadata_may_have_equals_signs_and_no_less_than_one() -> None:
    assert note("url=/a?b=c") == ("url", "/a?b=c")
    with pytest.raises(click.BadParameter):
        note("url")
