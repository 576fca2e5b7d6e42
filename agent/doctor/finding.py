"""What a check says: how it is, in a sentence, and what to do about it, in a line."""

from __future__ import annotations

from enum import StrEnum

from shared.models import Message


class Verdict(StrEnum):
    GOOD = "good"
    FACT = "fact"  # neither good nor bad: this node simply is so
    WARNING = "warning"  # it works, and could be better
    FAILURE = "failure"  # work will fail, or does not come


class Finding(Message):
    verdict: Verdict
    said: str
    fix: str = ""
    check: str = ""
    """The name of the check, put in by who runs it."""


def good(said: str) -> Finding:
    return Finding(verdict=Verdict.GOOD, said=said)


def fact(said: str) -> Finding:
    return Finding(verdict=Verdict.FACT, said=said)


def warning(said: str, fix: str) -> Finding:
    return Finding(verdict=Verdict.WARNING, said=said, fix=fix)


def failure(said: str, fix: str) -> Finding:
    return Finding(verdict=Verdict.FAILURE, said=said, fix=fix)
