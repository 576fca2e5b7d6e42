"""How much a coroutine works, as opposed to how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, Generic, TypeVar

from controlplane.http.shares import Share

T = TypeVar("T")


class Metered(Generic[T]):
    """What runs a coroutine step by step, each in its turn, and knows how long it worked: what others do while it waits is
    not counted."""

    def __init__(self, work: Coroutine[Any, Any, T], worked: Callable[[], float], share: Share) -> None:
        self.seconds = 0.0
        self._work = work
        self._worked = worked
        self._share = share

    def __await__(self) -> Generator[Any, None, T]:
        awaited: Sequence[Any] = ()
        while True:
            thrown = yield from self._wait(awaited)
            try:
                awaited = [self._step(thrown)]
            except StopIteration as stop:
                result: T = stop.value
                return result

    def _wait(self, awaited: Sequence[Any]) -> Generator[Any, None, BaseException | None]:
        """For what the work waits for, and then for its turn; or until something is thrown at it."""
        try:
            yield from awaited
            yield from self._share.turn(is_first=not awaited).__await__()
        except GeneratorExit:
            self._work.close()
            raise
        except BaseException as error:  # its own to deal with, and at once: it may be canceled
            return error
        return None

    def _step(self, thrown: BaseException | None) -> Any:
        """What it waits for next. Raises StopIteration at its end."""
        began = self._worked()
        try:
            return self._work.send(None) if thrown is None else self._work.throw(thrown)
        finally:
            seconds = self._worked() - began
            self.seconds += seconds
            if thrown is None:
                self._share.done(seconds)
