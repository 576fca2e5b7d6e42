"""How much a coroutine works, as opposed to how long it takes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Metered(Generic[T]):
    """What runs a coroutine, and knows how long it worked: what others do while it waits is not counted."""

    def __init__(self, work: Coroutine[Any, Any, T], worked: Callable[[], float]) -> None:
        self.seconds = 0.0
        self._work = work
        self._worked = worked

    def __await__(self) -> Generator[Any, None, T]:
        thrown: BaseException | None = None
        while True:
            began = self._worked()
            try:
                awaited = self._work.send(None) if thrown is None else self._work.throw(thrown)
            except StopIteration as stop:
                result: T = stop.value
                return result
            finally:
                self.seconds += self._worked() - began
            try:
                yield awaited
                thrown = None
            except GeneratorExit:
                self._work.close()
                raise
            except BaseException as error:  # its own to deal with: it may be canceled
                thrown = error
