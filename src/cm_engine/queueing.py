"""Group commit: while one writer writes, the others wait together and are written in one transaction."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from cm_engine.errors import CmEngineError
from cm_engine.recording import Act, Done

TOGETHER = 256
"""As many acts are written in one transaction."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """An act in the queue, and what it led to."""

    act: Act
    done: Done | None = None
    error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        return self.done is not None or self.error is not None

    def result(self) -> Done:
        """Return what the act led to, or raise what stood in its way."""
        if self.error is not None:
            raise self.error
        assert self.done is not None
        return self.done


class Queue:
    """Write acts of many threads; whoever comes first writes for all who wait by then.

    An act that is refused is refused alone: the others of its transaction are then written one by one.
    """

    def __init__(self, write: Callable[[Sequence[Act]], list[Done]]) -> None:
        self._write = write
        self._queue: deque[_Waiting] = deque()
        self._writing = Lock()

    def take(self, act: Act) -> Done:
        """Return what an act led to, once it is written."""
        mine = _Waiting(act)
        self._queue.append(mine)
        while not mine.is_over:
            with self._writing:
                if not mine.is_over:
                    self._write_all(self._next())
        return mine.result()

    def _next(self) -> list[_Waiting]:
        found: list[_Waiting] = []
        while self._queue and len(found) < TOGETHER:
            found.append(self._queue.popleft())
        return found

    def _write_all(self, together: list[_Waiting]) -> None:
        try:
            for waiting, done in zip(together, self._write([each.act for each in together]), strict=True):
                waiting.done = done
        except CmEngineError as error:
            if len(together) == 1:
                together[0].error = error
                return
            for waiting in together:
                self._write_all([waiting])
        except BaseException as error:
            for waiting in together:
                waiting.error = waiting.error or (None if waiting.done else error)
            raise
