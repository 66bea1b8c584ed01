"""A bar that shows how far long work has come, to a person who watches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress


@contextmanager
def watched(says: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr where that is a terminal, and yield what is told how much is done.

    Args:
        says: what is being done.
        total: how much there is to do.
    """
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(says, total=total)
        yield lambda done: progress.update(task, completed=done)
