"""A message on its way out: with the address and the words, which are nowhere kept."""

from typing import NamedTuple

from cm_engine.messages.sending import Ready
from cm_engine.ports import Envelope


class Outgoing(NamedTuple):
    """A message that may be sent now: what a notifier sends, and what is logged of it."""

    envelope: Envelope
    ready: Ready

    def __repr__(self) -> str:
        """Return which message it is, and nothing of whom it goes to."""
        return f"<outgoing {self.envelope!r}>"
