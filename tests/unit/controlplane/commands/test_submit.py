"""Which pipeline a submission goes to when nobody says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import click
import pytest

from controlplane.commands.client import Api
from controlplane.commands.submit import find_pipeline


class Pipelines(Api):
    """A tenant's, as a service would list them."""

    def __init__(self, *names: str) -> None:
        super().__init__("http://127.0.0.1:1", "key")
        self._names = names

    async def pages(self, path: str, **params: Any) -> AsyncIterator[Any]:
        for number, name in enumerate(self._names):
            yield {"id": str(number), "name": name}


async def test_the_only_pipeline_is_meant() -> None:
    assert (await find_pipeline(Pipelines("web"), None))["name"] == "web"


@pytest.mark.parametrize(
    ("names", "said"), [((), "transcoder pipelines create"), (("web", "archive"), r"0 \(web\), 1 \(archive\)")]
)
async def test_of_none_or_several_one_is_told_what_to_do(names: tuple[str, ...], said: str) -> None:
    with pytest.raises(click.UsageError, match=said):
        await find_pipeline(Pipelines(*names), None)
