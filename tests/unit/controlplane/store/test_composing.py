"""One statement of PostgreSQL in the place of many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from controlplane.store import sql
from controlplane.store.composing import Pending, Step, composed

QUERIES = sql.queries(sql.POSTGRES)


def a_step(query: str, *each: Mapping[str, Any], types: tuple[str, ...] | None = None) -> Step:
    return Step(QUERIES[query], each, types)


def test_rows_to_insert_come_from_arrays() -> None:
    step = a_step("set_meta", {"key": "a", "value": "1"}, {"key": "b", "value": "2"}, types=("text", "text"))
    assert composed([step]) == (
        "INSERT INTO meta (key, value) SELECT each.p_key, each.p_value FROM unnest($1::text[], $2::text[])"
        " AS each (p_key, p_value) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [["a", "b"], ["1", "2"]],
    )


def test_values_may_have_parentheses() -> None:
    named = "INSERT INTO a (x, y) VALUES (COALESCE((SELECT MAX(z) FROM b), :x), :y) ON CONFLICT (x) DO NOTHING"
    statement = sql.Statement("", ("x", "y"), False, named, frozenset({"a", "b"}))
    inserted, _ = composed([Step(statement, [{"x": 1, "y": "2"}], ("int8", "text"))])
    assert inserted == (
        "INSERT INTO a (x, y) SELECT COALESCE((SELECT MAX(z) FROM b), each.p_x), each.p_y"
        " FROM unnest($1::int8[], $2::text[]) AS each (p_x, p_y) ON CONFLICT (x) DO NOTHING"
    )


def test_rows_to_change_are_looked_up_by_their_keys() -> None:
    changed, _ = composed([a_step("publish_task", {"id": "t"}, types=("text",))])
    assert changed == (
        "UPDATE tasks SET state = 'Succeeded' FROM unnest($1::text[]) AS each (p_id)"
        " WHERE id = each.p_id AND (state || '') IN ('Publishing') RETURNING id"
    )


def test_a_condition_within_parentheses_is_not_that_of_the_change() -> None:
    named = "UPDATE a SET x = (SELECT y FROM b WHERE id = :b) WHERE id = :a"
    statement = sql.Statement("", ("b", "a"), False, named, frozenset({"a", "b"}))
    changed, _ = composed([Step(statement, [{"a": 1, "b": 2}], ("int8", "text"))])
    assert changed == (
        "UPDATE a SET x = (SELECT y FROM b WHERE id = each.p_b)"
        " FROM unnest($1::int8[], $2::text[]) AS each (p_b, p_a) WHERE id = each.p_a"
    )


def test_rows_to_read_come_in_the_order_of_what_was_asked() -> None:
    read, arguments = composed([a_step("meta", {"key": "b"}, {"key": "a"}, types=("text",))])
    assert read == (
        "SELECT found.* FROM unnest($1::text[]) WITH ORDINALITY AS each (p_key, nth)"
        " CROSS JOIN LATERAL (SELECT value FROM meta WHERE key = each.p_key) AS found ORDER BY each.nth"
    )
    assert arguments == [["b", "a"]]


def test_steps_in_a_row_are_one_statement_that_answers_as_the_last() -> None:
    sent, arguments = composed(
        [
            a_step("forget_rival", {"id": "n"}),
            a_step("leave_lane", {"pipeline_id": "p", "need": "d", "user_id": "u", "tasks": 2}),
            a_step("meta", {"key": "a"}),
        ]
    )
    assert sent == (
        "WITH step0 AS (UPDATE nodes SET rival_boot = NULL WHERE id = $1), "
        "step1 AS (UPDATE lanes SET waiting = waiting - $2 WHERE pipeline_id = $3 AND need = $4 AND user_id = $5) "
        "SELECT value FROM meta WHERE key = $6"
    )
    assert arguments == ["n", 2, "p", "d", "u", "a"]


def test_only_what_names_other_tables_goes_in_one_statement() -> None:
    pending = Pending()
    pending.add(a_step("count_tenant", {}))
    assert pending.takes(a_step("count_user", {}))
    assert not pending.takes(a_step("tenant", {}))
    assert not pending.takes(a_step("heads", {}))
    assert [step.statement for step in pending.taken()] == [QUERIES["count_tenant"]]
    assert pending.takes(a_step("tenant", {}))


def test_a_statement_that_begins_with_parts_of_its_own_is_sent_alone() -> None:
    assert not Pending().takes(a_step("oldest_in_lanes", {}))


def test_what_changes_every_row_cannot_be_asked_for_many_times() -> None:
    statement = sql.Statement("UPDATE t SET a = $1", ("a",), False, "UPDATE t SET a = :a", frozenset({"t"}))
    with pytest.raises(ValueError, match="which rows"):
        composed([Step(statement, [{"a": 1}], ("int8",))])
