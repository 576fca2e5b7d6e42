"""Who may do what, by role and by statement: nothing that is not granted is allowed."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.permissions import (
    GRANTS,
    NARROWED,
    READING,
    Action,
    Role,
    Statement,
    allowed,
    matches,
    reach,
)

NAMES = st.text("ab/:*.-", max_size=8)
RESOURCES = ("job/1", "pipeline/p", "cluster/paris-1")


def test_every_action_is_a_noun_and_a_verb_that_some_role_holds() -> None:
    for action in Action:
        assert action == f"{action.noun}:{action.verb}"
        assert any(action in granted for granted in GRANTS.values())


def test_tenants_roles_hold_less_and_less() -> None:
    assert GRANTS[Role.READ_ONLY] < GRANTS[Role.TENANT_USER] < GRANTS[Role.TENANT_ADMIN]
    assert {action.verb for action in GRANTS[Role.READ_ONLY]} <= READING


def test_whoever_may_make_users_and_keys_cannot_be_narrowed() -> None:
    """They could give themselves what they lack."""
    for role in Role:
        grants_more = {Action.USERS_CREATE, Action.USERS_UPDATE, Action.KEYS_CREATE} & GRANTS[role]
        assert (role in NARROWED) is not bool(grants_more)


def test_operators_hold_nothing_of_tenants_work() -> None:
    shared = GRANTS[Role.OPERATOR] & GRANTS[Role.TENANT_USER]
    assert shared <= {Action.PRESETS_READ}


@pytest.mark.parametrize(
    ("pattern", "name", "does_match"),
    [
        ("*", "anything/at:all", True),
        ("jobs:*", "jobs:start", True),
        ("jobs:*", "myjobs:start", False),
        ("jobs:st*", "jobs:stop", True),
        ("*:read", "jobs:read", True),
        ("*:read", "jobs:reader", False),
        ("cluster/paris-1", "cluster/paris-10", False),
        ("cluster/paris.1", "cluster/paris-1", False),
        ("cluster/paris-*", "cluster/paris-", True),
        ("", "", True),
        ("", "x", False),
        ("a*b*c", "aXbYc", True),
        ("a*b*c", "acb", False),
        ("job/[0-9]+", "job/1", False),
    ],
)
def test_only_the_star_is_special(pattern: str, name: str, does_match: bool) -> None:
    assert matches(pattern, name) is does_match


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_star_stands_for_anything(pattern: str, name: str) -> None:
    assert matches(pattern, name) is fnmatchcase(name, pattern)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("end", ["", "b"])
def test_many_stars_and_a_long_name_are_soon_compared(end: str) -> None:
    """Tenants choose both, and everybody waits while they are compared."""
    assert matches("bucket/" + "*a" * 60 + end, "bucket/" + "a" * 248) is (not end)


@given(NAMES)
def test_a_name_without_stars_matches_itself_and_nothing_else(name: str) -> None:
    plain = name.replace("*", "")
    assert matches(plain, plain)
    assert not matches(plain, plain + "x")
    assert not matches(plain, "x" + plain)


@given(st.sampled_from(sorted(NARROWED)), st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=4))
def test_statements_never_give_what_the_role_lacks(role: Role, patterns: list[tuple[str, str]]) -> None:
    statements = [Statement((action, "*:read"), (resource,)) for action, resource in patterns]
    assert allowed(role, statements) <= GRANTS[role]


def test_without_statements_a_role_is_held_whole_and_with_one_only_what_it_says() -> None:
    assert allowed(Role.TENANT_USER, ()) == GRANTS[Role.TENANT_USER]
    assert allowed(Role.TENANT_USER, (Statement(("jobs:start",), ("*",)),)) == {Action.JOBS_START}
    assert allowed(Role.READ_ONLY, (Statement(("jobs:start",), ("*",)),)) == frozenset()


@pytest.mark.parametrize(
    ("resources", "names", "is_covered"),
    [
        (("cluster/paris-1",), RESOURCES, True),
        (("cluster/london-1",), RESOURCES, False),
        (("cluster/london-1", "pipeline/*"), RESOURCES, True),
        (("cluster/*",), ("job/1", "pipeline/p"), False),
        (("*",), (), True),
        (("job/*",), (), False),
    ],
)
def test_one_name_that_is_covered_is_enough(
    resources: tuple[str, ...], names: tuple[str, ...], is_covered: bool
) -> None:
    statement = Statement(("jobs:start",), resources)
    assert reach((statement,), Action.JOBS_START).covers(names) is is_covered
    assert not reach((statement,), Action.JOBS_STOP).covers(names)


def test_action_and_resource_must_be_of_the_same_statement() -> None:
    statements = (Statement(("jobs:start",), ("cluster/a",)), Statement(("jobs:stop",), ("cluster/b",)))
    assert not reach(statements, Action.JOBS_START).covers(("cluster/b",))
