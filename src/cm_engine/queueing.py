"""Group commit: while one writer writes, the others wait together and are written in one transaction."""

from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from threading import Lock
from time import sleep

from cm_engine.errors import StorageError
from cm_engine.recording import Act, Done

INTERRUPTED = "who wrote was interrupted; report the same again with the same key, it is recorded once"
TOGETHER = 256
"""As many acts are written in one transaction."""
BREATH = 2e-5
"""Seconds that are left to the threads just answered, to come with their next acts."""


def _taken() -> Lock:
    lock = Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Waiting:
    """An act in the queue, and what it led to; its thread is woken when that is known, or when it is to write."""

    act: Act
    done: Done | None = None
    error: BaseException | None = None
    writes: bool = False
    asleep: Lock = field(default_factory=_taken)

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
    """Write acts of many threads: who comes first writes for all who wait by then, and the next of them goes on.

    An act that is refused is refused alone: the others of its transaction are then written one by one. Where the
    storage fails, it fails for all of them.
    """

    def __init__(self, write: Callable[[Sequence[Act]], list[Done]]) -> None:
        self._write = write
        self._queue: deque[_Waiting] = deque()
        self._is_writing = False
        self._alone: Act | None = None
        self._together = self._expected = 1
        self._door = Lock()

    def take(self, act: Act) -> Done:
        """Return what an act led to, once it is written."""
        try:
            if self._is_alone(act):
                return self._write([act])[0]
        finally:
            if self._alone is act:
                with self._door:
                    self._let_next_write()
        return self._in_turn(act)

    def _in_turn(self, act: Act) -> Done:
        """Return what an act led to, which was written with others, or once they were."""
        mine = _Waiting(act)
        try:
            if not self._is_first(mine):
                mine.asleep.acquire()
            if not mine.is_over:
                self._write_all(self._next())
        finally:
            self._leave(mine)
        return mine.result()

    def _is_alone(self, act: Act) -> bool:
        """Tell whether nobody writes, and nobody is on their way, so that an act is written at once."""
        with self._door:
            if self._is_writing or self._together > 1:
                return False
            self._is_writing, self._alone = True, act
        return True

    def _is_first(self, mine: _Waiting) -> bool:
        """Stand in the queue, and tell whether nobody writes, so that it is one's own turn."""
        with self._door:
            self._queue.append(mine)
            mine.writes, self._is_writing = not self._is_writing, True
        return mine.writes

    def _leave(self, mine: _Waiting) -> None:
        """Leave the queue, however the wait ended; let the next who waits write, if it was one's own turn."""
        with self._door:
            if mine in self._queue:
                self._queue.remove(mine)
            if mine.writes:
                self._let_next_write()

    def _let_next_write(self) -> None:
        """Let the first of those who wait write, if there are any; the door is closed meanwhile."""
        self._is_writing, self._alone = bool(self._queue), None
        self._expected = self._together + len(self._queue)
        if self._queue:
            self._queue[0].writes = True
            self._queue[0].asleep.release()

    def _next(self) -> list[_Waiting]:
        """Return those who are written together: all who come in a breath, until those just answered are back."""
        came = 0
        while came < len(self._queue) < self._expected:
            came = len(self._queue)
            sleep(BREATH)
        with self._door:
            self._together = min(TOGETHER, len(self._queue))
            return [self._queue.popleft() for _ in range(self._together)]

    def _write_all(self, together: list[_Waiting]) -> None:
        """Write acts; each thread is woken as soon as what its act led to is known."""
        try:
            self._write_or_end(together)
        finally:
            for waiting in together:
                if not waiting.is_over:
                    _end(waiting, error=StorageError(INTERRUPTED))

    def _write_or_end(self, together: list[_Waiting]) -> None:
        try:
            found = self._write([each.act for each in together])
        except StorageError as error:
            for waiting in together:
                _end(waiting, error=copy(error))
        except Exception as error:  # noqa: BLE001 - it is the one act's own, and is raised in its thread
            if len(together) == 1:
                _end(together[0], error=error)
            else:
                for waiting in together:
                    self._write_or_end([waiting])
        else:
            for waiting, done in zip(together, found, strict=True):
                _end(waiting, done)


def _end(waiting: _Waiting, done: Done | None = None, error: BaseException | None = None) -> None:
    """Tell a thread what its act led to."""
    waiting.done, waiting.error = done, error
    waiting.asleep.release()
