"""The duties of a notifier, a test each; they are worded in `cm_engine.ports`. And a notifier that fails as it is told."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Lock
from typing import Literal, NamedTuple, Protocol

import pytest

from cm_engine.ports import Delivery, Envelope, Notifier
from cm_engine.testing.suites import refuse_replaced

WORDS = {
    "plain": "You have an update. Sign in to see it. Reply STOP to end.",
    "Spanish": "Le esperamos el miércoles 7 de enero. Responda SÍ para confirmar, ALTO para no recibir más. ¡Ánimo!",
    "two lines": "A visit is on Monday.\n\n42 CFR part 2 prohibits unauthorized use or disclosure of these records.",
    "signs of markup": "5 < 7 & 7 > 5, {braces} %s *stars* _lines_ 100 %",
    "a line that is a dot": "One.\n.\nTwo.",
}
"""Texts by what a technology could do to them."""
MANY = 8

Behavior = Literal["takes", "refuses", "is busy", "breaks off", "is gone"]
"""How the other side behaves: it breaks off after it got the message and before it answers."""


class Arrived(NamedTuple):
    """What the other side got; `id` is empty where a technology has no place for it."""

    to: str
    text: str
    id: str = ""
    subject: str = ""


class Receiver(Protocol):
    """The other side, as a test of an adapter has it: a real server."""

    def behave(self, behavior: Behavior) -> None:
        """Behave so from now on."""

    def arrived(self) -> list[Arrived]:
        """Return what arrived and was taken, in order."""


class NotifierConformance:
    """Every duty of a notifier: let a class of tests inherit it, and give it fixtures `notifier` and `receiver`.

    A test that a subclass replaces is refused: a notifier that needs another test keeps another contract.

    Attributes:
        message: one that the receiver takes, as a subclass sends it.
        no_addresses: addresses of the channel that are none.
        tells: of what the technology can tell apart: whether it was refused, whether it is busy, whether it is gone. What
            it cannot tell is unknown.
    """

    message: Envelope = Envelope(
        "m-bcdfghjk", "email", "ann@example.org", "You have an update", WORDS["plain"], "en"
    )
    no_addresses: tuple[str, ...] = ("", "ann@example.org\r\nBcc: all@example.org")
    tells: frozenset[str] = frozenset({"refuses", "is busy", "is gone"})

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        refuse_replaced(NotifierConformance, cls)

    @pytest.fixture
    def receiver(self) -> Receiver | Iterator[Receiver]:
        """Return the other side, a real server: a subclass says how."""
        msg = "give your class a fixture `receiver` that yields the other side"
        raise NotImplementedError(msg)

    @pytest.fixture
    def notifier(self, receiver: Receiver) -> Notifier | Iterator[Notifier]:
        """Return a notifier that sends to the receiver: a subclass says how."""
        msg = f"give your class a fixture `notifier` that sends to {receiver!r}"
        raise NotImplementedError(msg)

    @pytest.mark.parametrize("words", WORDS)
    def test_the_words_arrive_to_the_letter_at_one_address_and_once(
        self, notifier: Notifier, receiver: Receiver, words: str
    ) -> None:
        """`send`: the words arrive as they are given, in one message to one address."""
        sent = notifier.send(self.message._replace(text=WORDS[words]))
        assert sent.outcome == "sent"
        assert [(each.to, each.text) for each in receiver.arrived()] == [(self.message.to, WORDS[words])]

    def test_the_same_message_sent_again_bears_the_same_id(
        self, notifier: Notifier, receiver: Receiver
    ) -> None:
        """`send` and `has_ids`: the same message bears the same id, and another one another."""
        notifier.send(self.message)
        notifier.send(self.message)
        notifier.send(self.message._replace(id="m-zzzzzzzz"))
        first, again, other = (each.id for each in receiver.arrived())
        assert first == again
        assert (self.message.id in first) == notifier.has_ids
        assert (first != other) == notifier.has_ids

    def test_it_says_which_channels_it_sends_to_and_rejects_others(
        self, notifier: Notifier, receiver: Receiver
    ) -> None:
        """`channels`: what is of another channel is rejected."""
        assert self.message.channel in notifier.channels
        assert notifier.send(self.message._replace(channel="pigeon")).outcome == "rejected"
        assert receiver.arrived() == []

    def test_what_is_refused_for_good_is_rejected(self, notifier: Notifier, receiver: Receiver) -> None:
        """`send`: what the other side refuses for good is rejected, or unknown where nobody can tell."""
        receiver.behave("refuses")
        assert notifier.send(self.message).outcome == self._told("refuses", "rejected")
        assert receiver.arrived() == []

    def test_what_cannot_be_taken_now_is_to_be_tried_again_and_then_arrives(
        self, notifier: Notifier, receiver: Receiver
    ) -> None:
        """`send`: what the other side cannot take now is to be tried again."""
        receiver.behave("is busy")
        assert notifier.send(self.message).outcome == self._told("is busy", "retry")
        assert receiver.arrived() == []
        receiver.behave("takes")
        assert notifier.send(self.message).outcome == "sent"

    def test_a_connection_that_breaks_before_the_answer_leaves_it_unknown(
        self, notifier: Notifier, receiver: Receiver
    ) -> None:
        """`send`: it is not known whether the other side took it, and never said to be."""
        receiver.behave("breaks off")
        assert notifier.send(self.message).outcome == "unknown"

    def test_a_receiver_that_is_gone_is_tried_again(self, notifier: Notifier, receiver: Receiver) -> None:
        """`send`: nothing is raised, and nothing was sent."""
        receiver.behave("is gone")
        assert notifier.send(self.message).outcome == self._told("is gone", "retry")

    def test_an_address_that_is_none_is_rejected(self, notifier: Notifier, receiver: Receiver) -> None:
        """`send`: an address that is none is rejected; a line break in it begins no header."""
        for address in self.no_addresses:
            assert notifier.send(self.message._replace(to=address)).outcome == "rejected"
        assert receiver.arrived() == []

    def test_a_subject_of_several_lines_adds_nothing_to_a_message(
        self, notifier: Notifier, receiver: Receiver
    ) -> None:
        """`send`: a line break in a subject begins no header and no body."""
        notifier.send(
            self.message._replace(subject="An update\r\nBcc: all@example.org\r\n\r\nSomething else")
        )
        assert [each.to for each in receiver.arrived()] in ([], [self.message.to])
        assert all(each.text == self.message.text for each in receiver.arrived())

    @pytest.mark.parametrize("behavior", ["takes", "refuses", "is busy", "breaks off", "is gone"])
    def test_neither_the_outcome_nor_a_log_repeats_the_address_or_the_words(
        self, notifier: Notifier, receiver: Receiver, behavior: Behavior, caplog: pytest.LogCaptureFixture
    ) -> None:
        """`send`: nothing that is kept repeats the address or the words."""
        receiver.behave(behavior)
        with caplog.at_level(logging.DEBUG):
            outcome = notifier.send(self.message)
        said = f"{outcome} {caplog.text} {[record.getMessage() for record in caplog.records]}"
        for secret in (self.message.to, self.message.text):
            assert secret not in said

    def test_it_may_be_called_from_several_threads(self, notifier: Notifier, receiver: Receiver) -> None:
        """`send`: each of several threads sends its own."""
        messages = [self.message._replace(text=f"Update {'abcdefgh'[number]}.") for number in range(MANY)]
        with ThreadPoolExecutor(MANY) as pool:
            sent = list(pool.map(notifier.send, messages))
        assert {each.outcome for each in sent} == {"sent"}
        assert sorted(each.text for each in receiver.arrived()) == sorted(each.text for each in messages)

    def test_it_may_be_closed_twice(self, notifier: Notifier, receiver: Receiver) -> None:
        """`close`: it may be called again."""
        notifier.close()
        notifier.close()
        assert receiver.arrived() == []

    def _told(self, behavior: Behavior, outcome: str) -> str:
        return outcome if behavior in self.tells else "unknown"


Fault = Literal["rejected", "retry", "lost", "arrived", "crash"]
"""What goes wrong: `lost` and `arrived` are both unknown, and only the second one arrives; `crash` raises."""
FAULTS: tuple[Fault, ...] = ("rejected", "retry", "lost", "arrived", "crash")


class FakeNotifier:
    """Stand for a notifier in tests: it keeps what it sends, and fails as it is told.

    Args:
        faults: what goes wrong, one for each call, None for nothing; after the last one nothing does.
        channels: the kinds of address that it takes.
        has_ids: as for every notifier.

    Example:
        >>> notifier = FakeNotifier(["retry", "arrived"])
        >>> message = Envelope("m-bcdfghjk", "sms", "+15551230100", "You have an update", "You have an update.", "en")
        >>> [notifier.send(message).outcome for _ in range(3)], [each.id for each in notifier.sent]
        (['retry', 'unknown', 'sent'], ['m-bcdfghjk', 'm-bcdfghjk'])
    """

    def __init__(
        self,
        faults: Iterable[Fault | None] = (),
        channels: frozenset[str] = frozenset({"sms", "email", "push", "webhook"}),
        *,
        has_ids: bool = True,
    ) -> None:
        self.channels = channels
        self.has_ids = has_ids
        self.sent: list[Envelope] = []
        self._faults = iter(faults)
        self._lock = Lock()

    @classmethod
    def failing(cls, seed: int, share: float = 0.5) -> "FakeNotifier":
        """Return one that fails by chance for ever, the same for the same seed.

        Args:
            seed: of the chance.
            share: of the calls that fail, from 0 to 1.
        """
        return cls(_by_chance(Random(seed), share))  # noqa: S311 - the same in every run

    def send(self, message: Envelope) -> Delivery:
        """Send a message, or fail.

        Raises:
            RuntimeError: the fault is a crash.
        """
        with self._lock:
            fault = next(self._faults, None)
            if message.channel not in self.channels:
                return Delivery("rejected", "no such channel")
            if fault in {None, "arrived"}:
                self.sent.append(message)
        if fault == "crash":
            msg = "the notifier broke"
            raise RuntimeError(msg)
        return _DELIVERIES[fault](message)

    def close(self) -> None:
        """Do nothing."""


def _by_chance(chance: Random, share: float) -> Iterator[Fault | None]:
    while True:
        yield chance.choice(FAULTS) if chance.random() < share else None


_DELIVERIES: dict[Fault | None, Callable[[Envelope], Delivery]] = {
    None: lambda message: Delivery("sent", reference=f"r-{message.id}"),
    "rejected": lambda _: Delivery("rejected", "it was refused"),
    "retry": lambda _: Delivery("retry", "it was busy", retry_after=1.0),
    "lost": lambda _: Delivery("unknown", "nobody answered"),
    "arrived": lambda _: Delivery("unknown", "nobody answered"),
}
