"""A message on its way out: with the address and the words, which are nowhere kept."""

from typing import Any, NamedTuple

from cm_engine.messages.sending import Ready
from cm_engine.ports import Envelope


class Outgoing(NamedTuple):
    """A message that may be sent now: what a notifier sends, and what is logged of it."""

    envelope: Envelope
    ready: Ready

    def __repr__(self) -> str:
        """Return which message it is, and nothing of whom it goes to."""
        return f"<outgoing {self.envelope!r}>"

    def leaves(self) -> dict[str, Any]:
        """Return what is logged of it if it leaves, or may have left: whom it is about, and what `disclosed` tells."""
        ready, draft = self.ready, self.ready.draft
        return {
            "participant": draft.participant,
            "message": draft.id,
            "recipient": draft.recipient,
            "channel": ready.channel,
            "kind": draft.kind,
            "template": ready.message.template,
            "scope": ready.message.scope,
            "consent": ready.consent,
            "with_notice": ready.with_notice,
            "handle": ready.handle.record if ready.handle else 0,
        }
