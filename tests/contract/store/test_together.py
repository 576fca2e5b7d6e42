"""What many ask at the same time is carried out as one, and refused one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from controlplane.store.operations import identity
from controlplane.store.port import Calls, Op
from shared.errors import NotFound, Unavailable
from tests.contract.store.world import World


async def test_those_who_ask_the_same_share_one_operation(world: World) -> None:
    asked: list[list[str]] = []

    def noted(keys: Sequence[str]) -> Op[Sequence[str]]:
        asked.append(list(keys))
        yield Calls("set_meta", [{"key": key, "value": key.upper()} for key in keys])
        return [key.upper() for key in keys]

    answers = await asyncio.gather(*(world.store.write_together(noted, f"k{number}") for number in range(20)))
    assert answers == [f"K{number}" for number in range(20)]
    assert sorted(key for keys in asked for key in keys) == sorted(f"k{number}" for number in range(20))
    assert len(asked) < 20
    assert await world.store.read(identity.meta("k7")) == "K7"


async def test_whoever_is_refused_is_refused_alone(world: World) -> None:
    def noted(keys: Sequence[str]) -> Op[Sequence[str | Exception]]:
        good = [key for key in keys if key != "bad"]
        yield Calls("set_meta", [{"key": key, "value": "x"} for key in good])
        return [key if key in good else NotFound("key") for key in keys]

    answers = await asyncio.gather(
        *(world.store.write_together(noted, key) for key in ("a", "bad", "b")), return_exceptions=True
    )
    assert [answers[0], answers[2]] == ["a", "b"]
    assert isinstance(answers[1], NotFound)
    assert await world.store.read(identity.meta("a")) == "x"
    assert await world.store.read(identity.meta("bad")) is None


async def test_what_the_database_refuses_together_it_refuses_only_the_guilty(world: World) -> None:
    def noted(values: Sequence[str | None]) -> Op[Sequence[str | None]]:
        yield Calls("set_meta", [{"key": f"k{value}", "value": value} for value in values])
        return list(values)

    answers = await asyncio.gather(
        *(world.store.write_together(noted, value) for value in ("a", None, "b")), return_exceptions=True
    )
    assert [answers[0], answers[2]] == ["a", "b"]
    assert isinstance(answers[1], Unavailable)
    assert await world.store.read(identity.meta("kb")) == "b"
    assert await world.store.read(identity.meta("kNone")) is None


async def test_whoever_wants_to_know_early_is_told_before_it_is_kept_and_of_nothing_that_was_refused(
    world: World,
) -> None:
    told: list[str] = []

    def noted(values: Sequence[str | None]) -> Op[Sequence[str | None]]:
        yield Calls("set_meta", [{"key": "k", "value": value} for value in values])
        return list(values)

    await asyncio.gather(
        *(
            world.store.write_together(
                noted,
                value,
                then=lambda kept: told.append(f"kept {kept}"),
                foretell=lambda likely: told.append(f"likely {likely}"),
            )
            for value in ("a", None)
        ),
        return_exceptions=True,
    )
    assert told == ["likely a", "kept a"]


async def test_rows_of_all_come_in_the_order_in_which_they_were_asked_for(world: World) -> None:
    def read_back(keys: Sequence[str]) -> Op[list[str]]:
        yield Calls("set_meta", [{"key": key, "value": key * 2} for key in keys])
        rows = yield Calls("meta", [{"key": key} for key in reversed(keys)])
        return [row["value"] for row in rows]

    assert await world.store.write(read_back(["a", "b", "c"])) == ["cc", "bb", "aa"]
    assert await world.store.write(read_back([])) == []
