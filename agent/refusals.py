"""What may come of asking the control plane, or an object's store, besides an answer.

Every way in which a call can go wrong is one of these:

    Unreachable       no answer, or one that says "not now"; worth asking again after `retry_after`
    Revoked           the control plane no longer knows this node's credential: nothing more to do
    ProtocolTooOld    the control plane speaks a newer protocol: nothing to do before an upgrade
    StaleLease        the attempt is no longer ours
    TranscoderError   any other refusal, with the code that the control plane gave
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import ErrorCode, StaleLease, TranscoderError

NOTHING: Final[Mapping[int, ErrorCode]] = {}
OF_OBJECTS: Final[Mapping[int, ErrorCode]] = {
    403: ErrorCode.LINK_REFUSED,
    404: ErrorCode.NOT_FOUND,
    410: ErrorCode.NOT_FOUND,
    416: ErrorCode.RANGE_NOT_SATISFIABLE,
}
"""What a bare status says when an object was asked for."""
_NOT_NOW: Final = frozenset({408, 425, 429})


class Unreachable(Exception):
    """No answer, or one that says "not now": then `was_heard`, and another call may fare better."""

    def __init__(self, detail: str, retry_after: float | None = None, *, was_heard: bool = False) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.was_heard = was_heard


class Revoked(Exception):
    """The control plane refuses this node's credential."""


class ProtocolTooOld(Exception):
    """This agent must be upgraded before the control plane talks to it."""


class Problem(BaseModel):
    """The body of a refusal, as far as an agent reads it (RFC 9457)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: ErrorCode
    detail: str = ""
    pointer: str | None = None
    retry_after: float | None = None


async def raise_refusal(response: aiohttp.ClientResponse, bare: Mapping[int, ErrorCode] = NOTHING) -> None:
    """`bare` says what a status means by itself: what stores objects need not speak our language."""
    if response.status < 300:
        return
    retry_after = _seconds(response.headers.get("Retry-After"))
    try:
        problem = Problem.model_validate_json(await response.read())
    except ValidationError:
        if response.status in bare:
            raise TranscoderError.of(bare[response.status], f"The answer was {response.status}.") from None
        raise Unreachable(f"The answer was {response.status}.", retry_after, was_heard=True) from None
    raise refusal_of(response.status, problem, retry_after)


def refusal_of(status: int, problem: Problem, retry_after: float | None) -> Exception:
    """Only the control plane's own words end anything; a bare status may come from any box in between."""
    match problem.code:
        case ErrorCode.STALE_LEASE:
            return StaleLease(problem.detail)
        case ErrorCode.UNAUTHENTICATED:
            return Revoked(problem.detail)
        case ErrorCode.PROTOCOL_TOO_OLD:
            return ProtocolTooOld(problem.detail)
    if status in _NOT_NOW or status >= 500:
        return Unreachable(problem.detail or problem.code, problem.retry_after or retry_after, was_heard=True)
    return TranscoderError.of(problem.code, problem.detail, pointer=problem.pointer)


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None


@contextmanager
def as_unreachable() -> Iterator[None]:
    """What goes wrong on the way."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        raise Unreachable(str(error) or type(error).__name__) from error
