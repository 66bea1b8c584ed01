"""Group commit: while one writer writes, the others wait together and are written in one transaction."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from threading import Lock
from time import sleep
from typing import Protocol

from cm_engine.acts.recording import Act, Done
from cm_engine.errors import StorageBusyError, StorageError, StorageFullError

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
        behind: whose thread its own one wakes; one after the other, as woken at once they would only wait for one another.
    """

    act: Act
    done: Done | None = None
    error: BaseException | None = None
    is_apart: bool = False
    behind: "_Waiting | None" = None
    asleep: Lock = field(default_factory=_taken)

    @property
    def is_over(self) -> bool:
        return self.is_apart or self.done is not None or self.error is not None

    def result(self) -> Done:
        """Return what the act led to, or raise what stood in its way: if it is not known, who wrote it was interrupted."""
        if self.error is not None:
            raise self.error
        if self.done is None:
            raise StorageError(INTERRUPTED)
        return self.done

    def wake(self) -> None:
        """Wake its thread, if it is asleep."""
        if self.asleep.locked():
            self.asleep.release()


class Queue:
    """Write acts of many threads: who comes first writes for all who wait by then, and the next of them goes on.

    Several are written together only if no other writer holds what they need, and none of them is refused; else each
    thread writes its own, waits for whom it must, and meets its own error. A storage that is full or busy is so for all.
    So only who writes alone may be held up for long, and those behind do not wait for that. Nor do they for one whose
    thread was interrupted, wherever it was: who sleeps looks up after each moment of patience.

    Args:
        write: writes acts in one transaction; without `wait`, it raises a StorageConflictError instead of waiting.
        patience: seconds after which those who wait go on without who writes alone, or never gave the turn back.
    """

    def __init__(self, write: Writing, patience: float = PATIENCE) -> None:
        self._write = write
        self._patience = patience
        self._queue: deque[_Waiting] = deque()
        self._writer: Act | None = None
        self._may_be_taken_over = False
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
            if self._is_first(mine) or self._is_woken_to_write(mine):
                self._write_all()
        finally:
            self._leave(mine)
        return self._write([act])[0] if mine.is_apart else mine.result()

    def _may_begin(self, act: Act) -> bool:
        """Tell whether nobody writes, and nobody is on their way, so that an act is written at once."""
        with self._door:
            if self._writer is not None or self._together > 1:
                return False
            self._writer, self._may_be_taken_over = act, True
        return True

    def _is_first(self, mine: _Waiting) -> bool:
        """Stand in the queue, and tell whether nobody writes, so that it is one's own turn."""
        with self._door:
            self._queue.append(mine)
            if self._writer is not None:
                return False
            self._writer = mine.act
        return True

    def _is_woken_to_write(self, mine: _Waiting) -> bool:
        """Sleep until one's act is written, or it is one's turn, and tell whether it is."""
        while not mine.asleep.acquire(timeout=self._patience):
            with self._door:
                if self._may_be_taken_over and self._queue and self._queue[0] is mine:
                    self._writer, self._may_be_taken_over = mine.act, False
                if mine.is_over or self._writer is mine.act:
                    break
        return self._writer is mine.act

    def _leave(self, mine: _Waiting) -> None:
        """Leave the queue, however the wait ended, and wake who was written behind."""
        if mine.behind:
            mine.behind.wake()
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
            self._writer, self._may_be_taken_over = first.act if first else None, False
            self._expected = self._together + len(self._queue)
            if first:
                first.wake()

    def _write_all(self) -> None:
        """Write the acts of all who came; have them woken when what each led to is known, or that each writes its own."""
        together: list[_Waiting] = []
        try:
            self._gather(together)
            self._write_or_part(together)
            if len(together) > 1:
                self._may_be_taken_over = True
        finally:
            for waiting, behind in pairwise(together):
                waiting.behind = behind
            if together:
                together[0].wake()

    def _gather(self, together: list[_Waiting]) -> None:
        """Have those leave the queue who are written together: all who come in a breath, until those answered are back."""
        came = 0
        while came < len(self._queue) < self._expected:
            came = len(self._queue)
            sleep(BREATH)
        with self._door:
            self._together = min(TOGETHER, len(self._queue))
            self._may_be_taken_over = self._together == 1
            together.extend(islice(self._queue, self._together))
            for _ in together:
                self._queue.popleft()

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
                    waiting.error = _another(error)
        else:
            for waiting, done in zip(together, found, strict=True):
                waiting.done = done


def _may_be_of_one(error: Exception) -> bool:
    """Tell whether an error may be that of one act alone, as all are but that the storage has no room or no time."""
    return not isinstance(error, StorageBusyError | StorageFullError)


def _another(error: Exception) -> Exception:
    """Return the same error for another thread, however errors of its kind are made."""
    other = type(error).__new__(type(error), *error.args)
    vars(other).update(vars(error))
    return other
