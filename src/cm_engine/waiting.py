"""How long somebody waits who asked in vain: the same for payouts, messages and tasks."""

from datetime import timedelta

CALLS_MAX = 12
"""As often is somebody asked in vain before a person has to look."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(hours=1)


def wait_after(calls: int, chance: float) -> timedelta:
    """Return how long to wait after so many calls in vain: twice as long each time, by chance half of it less.

    Args:
        calls: from 1.
        chance: from 0 to 1; it spreads those who wait.

    Example:
        >>> [wait_after(calls, 1.0).seconds for calls in (1, 2, 3, 12)]
        [2, 4, 8, 3600]
    """
    longest: timedelta = min(FIRST_WAIT * 2 ** (calls - 1), LONGEST_WAIT)
    return longest * (1 + chance) / 2
