"""Group commit: while one writer writes, the others wait together and are written in one transaction."""

from collections import deque
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from threading import Lock
from time import sleep
from typing import Protocol

from cm_engine.errors import StorageConflictError, StorageError
from cm_engine.recording import Act, Done

INTERRUPTED = "who wrote was interrupted; report the same again with the same key, it is recorded once"
TOGETHER = 256
"""As many acts are written in one transaction."""
BREATH = 2e-5
"""Seconds that are left to the threads just answered, to come with their next acts."""
PATIENCE = 0.02
"""Seconds that are left to who writes alone, and may be held up by another writer."""


class Writing(Protocol):
    """Write acts in one transaction, waiting for other writers or not."""

    def __call__(self, acts: Sequence[Act], *, wait: bool = True) -> list[Done]:
        """Return what acts led to, in their order."""


def _taken() -> Lock:
    lock = Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Waiting:
    """An act in the queue, and what it led to; its thread is woken when that is known, or when it is to write.

    Attributes:
        is_apart: it could not be written with others; its thread writes it alone.
    """

    act: Act
    done: Done | None = None
    error: BaseException | None = None
    is_apart: bool = False
    asleep: Lock = field(default_factory=_taken)

    @property
    def is_over(self) -> bool:
        return self.is_apart or self.done is not None or self.error is not None

    def result(self) -> Done:
        """Return what the act led to, or raise what stood in its way."""
        if self.error is not None:
            raise self.error
        assert self.done is not None
        return self.done


class Queue:
    """Write acts of many threads: who comes first writes for all who wait by then, and the next of them goes on.

    Several are written together only if no other writer holds what they need, and none of them is refused; else each
    thread writes its own, waits for whom it must, and meets its own error. Where the storage fails, it fails for all.
    So only who writes alone may be held up for long, and those behind do not wait for that.

    Args:
        write: writes acts in one transaction; without `wait`, it raises a StorageConflictError instead of waiting.
        patience: seconds after which those who wait go on without who writes alone.
    """

    def __init__(self, write: Writing, patience: float = PATIENCE) -> None:
        self._write = write
        self._patience = patience
        self._queue: deque[_Waiting] = deque()
        self._writer: Act | None = None
        self._is_alone = False
        self._together = self._expected = 1
        self._door = Lock()

    def take(self, act: Act) -> Done:
        """Return what an act led to, once it is written."""
        try:
            if self._may_begin(act):
                return self._write([act])[0]
        finally:
            if self._writer is act:
                self._end(act)
        return self._in_turn(act)

    def _in_turn(self, act: Act) -> Done:
        """Return what an act led to, which was written with others, or once they were."""
        mine = _Waiting(act)
        try:
            if not self._is_first(mine):
                self._sleep(mine)
            if not mine.is_over:
                self._write_all(self._next())
        finally:
            self._leave(mine)
        return self._write([act])[0] if mine.is_apart else mine.result()

    def _may_begin(self, act: Act) -> bool:
        """Tell whether nobody writes, and nobody is on their way, so that an act is written at once."""
        with self._door:
            if self._writer is not None or self._together > 1:
                return False
            self._writer, self._is_alone = act, True
        return True

    def _is_first(self, mine: _Waiting) -> bool:
        """Stand in the queue, and tell whether nobody writes, so that it is one's own turn."""
        with self._door:
            self._queue.append(mine)
            if self._writer is not None:
                return False
            self._writer = mine.act
        return True

    def _sleep(self, mine: _Waiting) -> None:
        """Sleep until one's act is written, or it is one's turn: at the latest if who writes alone takes too long."""
        while not mine.asleep.acquire(timeout=self._patience):
            with self._door:
                if self._is_alone and self._queue and self._queue[0] is mine:
                    self._writer, self._is_alone = mine.act, False
                    return

    def _leave(self, mine: _Waiting) -> None:
        """Leave the queue, however the wait ended."""
        with self._door:
            if mine in self._queue:
                self._queue.remove(mine)
        self._end(mine.act)

    def _end(self, act: Act) -> None:
        """Let the first of those who wait write, if there are any, and if the turn was still that of an act."""
        with self._door:
            if self._writer is not act:
                return
            first = self._queue[0] if self._queue else None
            self._writer, self._is_alone = first.act if first else None, False
            self._expected = self._together + len(self._queue)
            if first:
                first.asleep.release()

    def _next(self) -> list[_Waiting]:
        """Return those who are written together: all who come in a breath, until those just answered are back."""
        came = 0
        while came < len(self._queue) < self._expected:
            came = len(self._queue)
            sleep(BREATH)
        with self._door:
            self._together = min(TOGETHER, len(self._queue))
            self._is_alone = self._together == 1
            return [self._queue.popleft() for _ in range(self._together)]

    def _write_all(self, together: list[_Waiting]) -> None:
        """Write acts; wake all threads when what each led to is known, or that each is to write its own."""
        try:
            self._write_or_part(together)
        finally:
            for waiting in together:
                if not waiting.is_over:
                    waiting.error = StorageError(INTERRUPTED)
                waiting.asleep.release()

    def _write_or_part(self, together: list[_Waiting]) -> None:
        first, *others = together
        try:
            found = self._write([each.act for each in together], wait=not others)
        except Exception as error:  # noqa: BLE001 - it is raised in the threads that it concerns
            if others and _may_be_of_one(error):
                for waiting in together:
                    waiting.is_apart = True
            else:
                first.error = error
                for waiting in others:
                    waiting.error = copy(error)
        else:
            for waiting, done in zip(together, found, strict=True):
                waiting.done = done


def _may_be_of_one(error: Exception) -> bool:
    """Tell whether an error may be that of one act alone: it is refused, or another writer holds what it needs."""
    return isinstance(error, StorageConflictError) or not isinstance(error, StorageError)
