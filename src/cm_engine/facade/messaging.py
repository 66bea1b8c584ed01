"""Messages of an engine: what an act gives reason to say is kept with the act, and sent when it may be."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Self

from cm_engine.acts.noting import Noting
from cm_engine.acts.recording import Recording, whole_log
from cm_engine.delivery.tasks import Noted, Task
from cm_engine.errors import ReportError
from cm_engine.facade.contacting import Contacting
from cm_engine.facade.delivering import Delivering
from cm_engine.facade.opened import Made, Work
from cm_engine.facade.timing import Timing
from cm_engine.journal import Journal
from cm_engine.log.bank import Bank
from cm_engine.log.encoding import instant
from cm_engine.log.rows import Batch, WorkRow
from cm_engine.messages.alerting import alert_drafts, tell_new
from cm_engine.messages.arising import decided_in, messages_in
from cm_engine.messages.composing import is_of_decision, is_still_decided, is_still_due
from cm_engine.messages.draft import Draft
from cm_engine.messages.expiring import expiring_drafts, is_still_kept
from cm_engine.messages.kinds import EXPIRING, PARTICIPANT, REMINDER
from cm_engine.messages.messenger import LEASE, Messenger
from cm_engine.messages.outgoing import Outgoing
from cm_engine.messages.policy import MessagePolicy
from cm_engine.messages.queued import MESSAGE, STATES, Message, message_of, queue
from cm_engine.messages.sending import Never, NotYet
from cm_engine.messages.standing import contact_in
from cm_engine.plain import named
from cm_engine.ports import Claim, Notifier, Transaction, WorkQuery
from cm_engine.sites.spending import Alert
from cm_engine.stock.kind import STOCK
from cm_engine.stock.room import stocks_in
from cm_engine.stock.standing import StockAlert, alerts_of

REMINDS = timedelta(hours=1)
PAGE = 500
"""As many enrollments are looked at in one transaction."""


class Messaging(Contacting, Delivering, Timing):
    """The part of an engine that says what there is to say.

    Example:
        >>> from datetime import UTC, date
        >>> from cm_engine import Engine
        >>> from cm_engine.keyring import MemoryKeyring
        >>> from cm_engine.testing import FakeNotifier
        >>> noon = datetime(2026, 1, 5, 20, tzinfo=UTC)
        >>> engine = Engine.open("memory:", zone="America/Los_Angeles", clock=lambda: noon)
        >>> engine = engine.with_keys(MemoryKeyring()).with_messages(MessagePolicy())
        >>> _ = engine.add_program("california-recovery-incentives")
        >>> told = {"source": "desk", "by": "nurse-7"}
        >>> _ = engine.add_handle(participant="p-1", channel="sms", address="+1 555 123 0100", key="h", **told)
        >>> _ = engine.consent(
        ...     participant="p-1", consent="c-1", discloser="North", channels=["sms"], scopes=["updates"],
        ...     signed_on=date(2026, 1, 5), key="c", **told,
        ... )
        >>> ann = engine.enroll(
        ...     participant="p-1", program="california-recovery-incentives", start=date(2026, 1, 5), by="nurse-7"
        ... )
        >>> _ = engine.record(enrollment=ann.id, result="-", on=date(2026, 1, 5), key="udt-1", **told)
        >>> phone = FakeNotifier(channels=frozenset({"sms"}))
        >>> [(each.kind, each.status, each.note) for each in engine.messenger([phone]).deliver()]
        [('reward earned', 'over', 'sent')]
        >>> [each.text for each in phone.sent]
        ['You have an update. Sign in to see it. Reply STOP to end.']
    """

    _messages: MessagePolicy | None = None

    def with_messages(self, policy: MessagePolicy) -> Self:
        """Return this engine; from now on it keeps what its acts give reason to say, in the transaction of each act.

        Nothing is said of what is reported of days longer ago than a week, so that an imported history is told to nobody.
        Reminders of visits, and of rewards that expire, are kept by the task `remind` of `run_due`; alerts of sites by
        `alerts`, and those of stocks by `stock`, for the roles that the policy names.

        Args:
            policy: what the host asks of messages: the same in all processes.
        """
        self._messages = policy
        self.add_task("remind", every=REMINDS, do=self.remind)
        if "stock" in policy.alerts:
            task = Task("stock", REMINDS, self._tell_stock_alerts)
            self._added = {**self._added, task.name: task}
        return self

    def joining(self, bind: Any) -> Self:  # noqa: ANN401 - of SQLAlchemy, which the core does not import
        """Return an engine that writes in the host's own transaction, with the same messages.

        Args:
            bind: as for every engine.
        """
        joined = super().joining(bind)
        joined._messages = self._messages  # noqa: SLF001 - its own kind
        return joined

    def messenger(
        self, notifiers: Iterable[Notifier], *, worker: str = "", lease: timedelta = LEASE
    ) -> Messenger:
        """Return what sends messages; any number of them may work at once.

        Args:
            notifiers: each for its channels; of two for one channel the first is taken.
            worker: what this one is called, in its work; made up if left out.
            lease: longer than a notifier takes: what a dead worker had is taken over after it.

        Raises:
            ReportError: the engine has no policy: begin with `with_messages`.
        """
        _ = self._policy_of_messages()
        return Messenger(self, notifiers, worker=worker, lease=lease)

    def messages(
        self, *, enrollment: str = "", status: str = "", after: Message | None = None, limit: int = 1000
    ) -> list[Message]:
        """Return what has become of messages, in the order of enrollments.

        Args:
            enrollment: of which episode; left out, of all.
            status: waiting, stuck or over; left out, all.
            after: the last one of the page before.
            limit: at most so many.

        Raises:
            ReportError: there is no such status.
        """
        if status and status not in STATES:
            msg = f"status: expected {', '.join(STATES)}, got {status!r}"
            raise ReportError(msg)
        place = (after.enrollment, after.id) if after else ("", "")
        query = WorkQuery(MESSAGE, enrollment, state=status, after=place, limit=limit)
        return self._looked_into(lambda tx: list(map(message_of, tx.work(query))))

    def remind(self) -> int:
        """Keep the reminders of visits that are planned, and of rewards that expire soon; return how many are new.

        Safe to call as often as one likes, by any number of processes: a reminder of a visit on its day is kept once.
        """
        policy = self._policy_of_messages()
        kept = 0
        for ids in self._enrollment_pages():
            visits = [visit for each in ids for visit in self.visits(enrollment=each)]
            kept += self._keep(self.reminders_of(visits, policy))
            kept += self._keep([draft for each in ids for draft in self._expiring(each, policy)])
        return kept

    def _expiring(self, enrollment: str, policy: MessagePolicy) -> list[Draft]:
        """Return what is said of awards of an enrollment that expire soon, as they are owed now."""

        def look(tx: Transaction) -> list[Draft]:
            bank = self._bank_that_expires(tx, enrollment)
            if bank is None:
                return []
            participant, today = bank.enrolled.row.participant, bank.day_of(instant(self._now()))
            recipients = (PARTICIPANT, *contact_in(tx, participant).supporters)
            return list(expiring_drafts(bank, today, recipients, policy))

        return self._looked_into(look)

    def _bank_that_expires(self, tx: Transaction, enrollment: str) -> Bank | None:
        """Return the bank of an enrollment if something of it expires, frozen or not; None for all others."""
        enrolled, stand, _ = Recording(tx, self._register, "", locked=False).standing(enrollment)
        if not enrolled.rules.payout.expires_after or stand.calendar.away:
            return None
        return Bank.of(enrolled, whole_log(tx, enrollment))

    def _tell_alert(self, alert: Alert) -> None:
        """Keep what is said of an alert of a site, and tell it."""
        if self._messages:
            about = ", ".join(filter(None, (alert.site, alert.what, alert.fund)))
            self._keep(
                list(alert_drafts(alert.what, about, alert.since or self._day_begun(), self._messages))
            )
        super()._tell_alert(alert)

    def _tell_stock_alerts(self, noted: Noted) -> None:
        """Keep what is said of alerts of stocks that are new."""
        policy, today = self._policy_of_messages(), self._day_begun()

        def look(tx: Transaction) -> list[StockAlert]:
            states = (Journal(STOCK, each, tx).state() for each in stocks_in(tx))
            return [alert for state in states for alert in alerts_of(state, today.date())]

        def keep(alert: StockAlert) -> None:
            about = f"{alert.stock}, {alert.what}, {alert.product}"
            self._keep(list(alert_drafts(alert.what, about, today, policy)))

        found = {f"{each.stock}/{each.what}/{each.product}": each for each in self._looked_into(look)}
        tell_new(noted, found, keep)

    def _day_begun(self) -> datetime:
        """Return the day as the moment it began, so that what is told again after a failure is the same."""
        return self._now().replace(hour=0, minute=0, second=0, microsecond=0)

    def _keep(self, drafts: Sequence[Draft]) -> int:
        """Keep drafts in a transaction of their own; return how many are new."""
        return self._written(lambda tx, *_: self._kept_messages(tx, drafts), lock=True) if drafts else 0

    def _enrollment_pages(self) -> Iterator[list[str]]:
        """Yield the ids of all enrollments, page by page."""
        after = ""
        while True:
            with self._storage.reading() as tx:
                rows = tx.enrollments(after=after, limit=PAGE)
            if not rows:
                return
            yield [row.id for row in rows]
            after = rows[-1].id

    def _written(self, work: Work[Made], *, lock: bool = False, wait: bool = True) -> Made:
        """Do work in a transaction, and keep in it what the acts that it writes give reason to say."""
        policy = self._messages
        if policy is None:
            return super()._written(work, lock=lock, wait=wait)

        def told(tx: Transaction, now: str, locked: bool) -> Made:  # noqa: FBT001 - as all work is called
            noting = Noting(tx)
            made = work(noting.as_transaction(), now, locked)
            acts = (act for batch in noting.batches for act in decided_in(tx, batch, self._register))
            self._kept_messages(tx, [draft for act in acts for draft in messages_in(tx, act, policy)])
            return made

        return super()._written(told, lock=lock, wait=wait)

    def _kept_messages(self, tx: Transaction, drafts: Iterable[Draft]) -> int:
        """Keep drafts that are not kept yet."""
        new = {row.name: row for row in queue(drafts, self._now())}
        rows = [row for row in new.values() if not tx.work(WorkQuery(MESSAGE, row.enrollment, row.name))]
        if rows:
            tx.append(Batch(work=tuple(rows)))
        return len(rows)

    def _policy_of_messages(self) -> MessagePolicy:
        if self._messages is None:
            msg = "this engine keeps no messages; begin with engine.with_messages(MessagePolicy())"
            raise ReportError(msg)
        return self._messages

    def claimed_messages(self, worker: str, lease: timedelta, limit: int) -> list[WorkRow]:
        """Give messages that are due to a worker."""
        now = self._now()
        claim = Claim(MESSAGE, named("worker", worker), instant(now), instant(now + lease), limit)
        return self._written(lambda tx, *_: tx.claim(claim))

    def kept_message(self, was: WorkRow, row: WorkRow) -> WorkRow | None:
        """Write what has become of a message; None if another worker has it by now."""

        def work(tx: Transaction, *_: object) -> WorkRow | None:
            if tx.work(WorkQuery(MESSAGE, was.enrollment, was.name)) != [was]:
                return None
            tx.settle(was, row)
            return row

        return self._written(work, lock=True)

    def is_still_said(self, draft: Draft) -> bool:
        """Tell whether what a message says is still true.

        The visit may be planned otherwise, the reward have been collected, the decision have been corrected.
        """
        if draft.kind == EXPIRING:
            bank = self._looked_into(lambda tx: self._bank_that_expires(tx, draft.enrollment))
            day, amounts = str(draft.values.get("last_day", "")), draft.values.get("award", ())
            return bank is not None and is_still_kept(bank, day, amounts)
        if is_of_decision(draft):
            return self._looked_into(lambda tx: is_still_decided(draft, tx.decisions(draft.enrollment)))
        visits = self.visits(enrollment=draft.enrollment) if draft.kind == REMINDER else ()
        return is_still_due(draft, visits)

    def answer_for(self, draft: Draft) -> Outgoing | NotYet | Never:
        """Return a message as a notifier sends it now, a later moment, or why not."""
        return self.to_send(draft, self._policy_of_messages())

    def now(self) -> datetime:
        """Return the time by the engine's clock."""
        return self._now()
