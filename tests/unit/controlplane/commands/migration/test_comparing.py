from __future__ import annotations

from typing import Any

import pytest

from controlplane.commands.migration.comparing import Difference, differences


@pytest.mark.parametrize(
    ("saved", "here"),
    [
        ({"Name": "a"}, {"Name": "a", "Id": "1", "Status": "Active"}),
        ({"Permissions": []}, {"Permissions": None}),
        ({"Notifications": {"Error": ""}}, {"Notifications": {}}),
        ({"Permissions": [{"Access": ["Read"]}]}, {"Permissions": [{"Access": ["Read"], "Grantee": "x"}]}),
    ],
)
def test_what_is_told_besides_and_nothing_for_nothing_are_no_differences(
    saved: dict[str, Any], here: dict[str, Any]
) -> None:
    assert differences(saved, here) == []


def test_every_field_that_differs_is_told_by_its_path() -> None:
    saved = {
        "Video": {"CodecOptions": {"Level": "4"}, "BitRate": "600"},
        "Permissions": [{"Access": ["Read"]}],
        "A": [1],
    }
    here = {"Video": {"BitRate": "500"}, "Permissions": [{"Access": ["ReadAcp"]}], "A": []}
    assert differences(saved, here) == [
        Difference("Video.CodecOptions.Level", "4", None),
        Difference("Video.BitRate", "600", "500"),
        Difference("Permissions[0].Access[0]", "Read", "ReadAcp"),
        Difference("A", [1], []),
    ]
