"""What is asked of a gateway, and what it answers: all that leaves the engine for a vendor, and all that comes back."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Literal, NamedTuple, get_args
from uuid import UUID

from cm_engine.program.rewards import Channel


class Order(NamedTuple):
    """A payout as a gateway is asked for it: the least that it needs, and nothing that tells why it is paid.

    Attributes:
        id: a UUID that is this payout's for ever; an order of the same id is the same order.
        amount: exact, in its unit.
        unit: a currency by its ISO 4217 code, or a thing that the program awards.
        product: what was asked for; empty if nothing was said.
        recipient: the participant's opaque id.
        handle: where it is to be delivered, as an e-mail address; empty for what is handed over as a link or in person.
    """

    id: str
    amount: Decimal
    unit: str
    product: str = ""
    recipient: str = ""
    handle: str = ""

    def __repr__(self) -> str:
        """Return which order it is, and nothing of where it goes."""
        return f"<order {self.id}: {self.amount} {self.unit}>"


class Outcome(StrEnum):
    """What became of a call.

    Two vendors' codes for one of these may be each other's opposite: an adapter says which it was.
    """

    CREATED = "created"
    REPLAYED = "replayed"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    RETRY_LATER = "retry later"
    UNKNOWN = "unknown"


class Placed(NamedTuple):
    """An order as the vendor has it, as far as it says so: None and empty where it does not."""

    amount: Decimal | None = None
    unit: str = ""
    product: str = ""


class Answer(NamedTuple):
    """What a gateway answers.

    Attributes:
        outcome: created: the order is there now. Replayed: it was there before, under this id. Conflict: another order
            is there under this id. Rejected: it is refused for good, and nothing is there. Retry later: nothing was
            done. Unknown: it may be there or not.
        reference: the vendor's own name of the order.
        note: why, as a person reads it; no secret, no name and no address is in it.
        placed: the order as the vendor has it.
        is_given: the participant has it, or the vendor answers for it; else the gateway is asked again.
        wait: how long to wait at least, where the vendor says so.
    """

    outcome: Outcome
    reference: str = ""
    note: str = ""
    placed: Placed | None = None
    is_given: bool = True
    wait: timedelta | None = None


class Capabilities(NamedTuple):
    """What a gateway can do.

    Attributes:
        units: the currencies and things that it hands over.
        products: those that it offers, by the program's names; empty for any.
        least, most: the bounds of an amount, both included.
        denominations: the only amounts that it has; empty for any.
        needs_handle: it delivers to an address that the host has to give.
        reads_back: `find` tells what has become of an order; else the same order is sent again.
        remembers: for how long an order of the same id is known to be the same; None for ever.
        blocks: what it keeps from being bought: nothing, categories of shops, or single items.
        is_cash: it can be turned into cash.
        blocked: of what it does so, in the words of a program's `channel`: alcohol, tobacco, ...
        reaches_by: of one that needs a handle, which of a participant's it is: sms, email, push or webhook; empty if only
            the host knows.
    """

    units: frozenset[str]
    products: frozenset[str] = frozenset()
    least: Decimal = Decimal(0)
    most: Decimal | None = None
    denominations: frozenset[Decimal] = frozenset()
    needs_handle: bool = False
    reads_back: bool = True
    remembers: timedelta | None = None
    blocks: str = "nothing"
    is_cash: bool = False
    blocked: frozenset[str] = frozenset()
    reaches_by: str = ""


Blocks = Literal["nothing", "category", "item"]
FINENESS: tuple[str, ...] = get_args(Blocks)
"""What a gateway may keep from being bought, the least first."""


def order_id(decision: str, leg: int) -> str:
    """Return the id of a payout, the same for ever: made of what names its decision, and its place in it. Keeps INV-16.

    Args:
        decision: what names it in every database, and again in one that was brought back from a backup.
        leg: of the posting that put it on its way.

    Example:
        >>> order_id("c7f651382f3bc070", 1)
        '80d7c2c2-d66f-4749-bae7-b26d25f4b892'
    """
    digest = sha256(f"cm-engine/payout/{decision}/{leg}".encode()).digest()
    return str(UUID(bytes=digest[:16], version=4))


def needed(channel: Channel) -> str:
    """Return what a program asks of a gateway, in words.

    Example:
        >>> needed(Channel(blocks=("alcohol", "tobacco"), by="item", cash=False))
        'blocks alcohol and tobacco by item and gives no cash'
    """
    blocks = [f"blocks {_and(channel.blocks)} by {channel.by}"] if channel.blocks else []
    return _and([*blocks, *([] if channel.cash else ["gives no cash"])])


def declared(able: Capabilities) -> str:
    """Return what a gateway declares that a program may ask for, in words.

    Example:
        >>> declared(Capabilities(frozenset({"USD"}), blocks="category", blocked=frozenset({"alcohol"})))
        'hands over USD, blocks alcohol by category and gives no cash'
    """
    what = _and(sorted(able.blocked)) or "nothing that it names"
    blocks = f"blocks {what} by {able.blocks}" if able.blocks != "nothing" else "blocks nothing"
    cash = "can be turned into cash" if able.is_cash else "gives no cash"
    return f"hands over {_and(sorted(able.units))}, {blocks} and {cash}"


def unmet(able: Capabilities, channel: Channel | None) -> str:
    """Return how a gateway is not what a program asks for; empty if it is.

    Example:
        >>> unmet(Capabilities(frozenset({"USD"}), is_cash=True), Channel(cash=False))
        'it can be turned into cash'
    """
    if channel is None:
        return ""
    if channel.blocks and FINENESS.index(able.blocks) < FINENESS.index(channel.by):
        return f"it blocks {'nothing' if able.blocks == 'nothing' else f'by {able.blocks} only'}"
    if missing := [each for each in channel.blocks if each not in able.blocked]:
        return f"it does not block {_and(missing)}"
    return "it can be turned into cash" if able.is_cash and not channel.cash else ""


def _and(words: Sequence[str]) -> str:
    *some, last = words or ("",)
    return f"{', '.join(some)} and {last}" if some else last


def misfit(able: Capabilities, order: Order, channel: Channel | None = None) -> str:
    """Return why a gateway cannot hand an order over; empty if it can.

    Args:
        able: what it can do.
        order: what it would be asked for.
        channel: what the program asks of a gateway.

    Example:
        >>> cards = Capabilities(units=frozenset({"USD"}), least=Decimal(5))
        >>> misfit(cards, Order("1", Decimal("2.50"), "USD"))
        'it hands over 5 USD or more'
    """
    return unmet(able, channel) or next(_misfits(able, order), "")


def _misfits(able: Capabilities, order: Order) -> Iterator[str]:
    if order.unit not in able.units:
        yield f"it hands over {', '.join(sorted(able.units))}, and no {order.unit}"
    if able.products and order.product not in able.products:
        yield f"it has {', '.join(sorted(filter(None, able.products)))}, and no {order.product or 'unnamed product'}"
    if order.amount < able.least:
        yield f"it hands over {able.least} {order.unit} or more"
    if able.most is not None and order.amount > able.most:
        yield f"it hands over {able.most} {order.unit} or less"
    if able.denominations and order.amount not in able.denominations:
        amounts = ", ".join(str(each) for each in sorted(able.denominations))
        yield f"it hands over {amounts} {order.unit} only"
    if able.needs_handle and not order.handle:
        yield "it delivers to an address, and the participant has none"


def difference(order: Order, placed: Placed | None) -> str:
    """Return how an order that a vendor has differs from the one that was asked for; empty if it does not.

    A vendor may give an old order back for a new one of the same id, and say nothing.

    Example:
        >>> difference(Order("1", Decimal(20), "USD"), Placed(Decimal(25), "USD"))
        'asked for 20 USD, and the vendor has 25 USD under this id'
    """
    if placed is None:
        return ""
    wrong = (
        (placed.amount is not None and placed.amount != order.amount)
        or (placed.unit and placed.unit != order.unit)
        or (placed.product and order.product and placed.product != order.product)
    )
    if not wrong:
        return ""
    amount, unit = placed.amount if placed.amount is not None else order.amount, placed.unit or order.unit
    asked, has = (
        " ".join(filter(None, each))
        for each in ((f"{order.amount} {order.unit}", order.product), (f"{amount} {unit}", placed.product))
    )
    return f"asked for {asked}, and the vendor has {has} under this id"
