"""From an observation to what it leads to: stepped, its prizes drawn, and nothing posted yet. Pure, as the rules are."""

from collections.abc import Mapping
from typing import NamedTuple

from cm_engine.errors import SecretError
from cm_engine.log.chain import hash_of
from cm_engine.log.encoding import awards_text, prizes_text, reasons_text, said
from cm_engine.log.history import Seen
from cm_engine.log.rows import DecisionRow
from cm_engine.log.stand import Enrolled, Stand
from cm_engine.rules import RULES_VERSION
from cm_engine.rules.prizes import Bowls, Prizes, award_prizes
from cm_engine.rules.shared import Pool, Windows, pools, with_pools
from cm_engine.rules.state import Decision, Observation
from cm_engine.rules.step import step
from cm_engine.rules.windows import Calendar

Others = Mapping[Pool, Windows]
"""What shared pools have received from other enrollments."""


class Finding(NamedTuple):
    """What an observation leads to, before anything is posted.

    Attributes:
        shown_by: the act of the log that it was decided at; that of the observation, or one that showed a miss.
    """

    seen: Seen
    decision: Decision
    prizes: Prizes | None
    shown_by: int

    def row(self, enrollment: str, number: int, record: int, head: str, note: str = "") -> DecisionRow:
        """Return it as a row of the log that comes after a head, with a note for the participant."""
        target, visit, week, on, outcome, paid, reasons, words = self.decision
        fields = (
            enrollment,
            number,
            record,
            self.seen.record,
            target,
            visit,
            week,
            on.isoformat() if on else "",
            outcome,
            awards_text(paid),
            reasons_text(reasons),
            f"{said(reasons, words)}{note}",
            prizes_text(self.prizes) if self.prizes else "",
            RULES_VERSION,
        )
        return DecisionRow(*fields, hash_of(fields, head))


def decided(enrolled: Enrolled, stand: Stand, seen: Seen, others: Others) -> tuple[Stand, Finding]:
    """Return what an observation leads to, and where the enrollment stands then; its books are left as they are."""
    rules = enrolled.rules
    state = with_pools(rules, stand.state, summed(others, stand.own)) if rules.shares else stand.state
    about = seen.observation if seen.visit else expected_of(stand.calendar, seen.observation)
    state, decision = step(rules, state, about)
    prizes, slips = None, stand.slips
    if slips and any(unit.name in slips and amount for unit, amount in decision.paid):
        if not enrolled.seed:
            msg = "the engine has no secret to draw prizes with; open it with Engine.open(url, secret=...)"
            raise SecretError(msg)
        bowls = Bowls(slips, enrolled.seed)
        state, bowls, prizes = award_prizes(rules, state, decision, bowls, f"{enrolled.row.id}/{seen.named}")
        slips = bowls.slips
    own = {**stand.own, **_own(pools(rules, state), others)} if rules.shares else stand.own
    after = Stand(state, seen.place, slips, own, *stand[4:])
    return after, Finding(seen, decision, prizes, seen.record)


def _own(received: Others, others: Others) -> dict[Pool, Windows]:
    """Return what pools have received without others; those of another version of the program are not among them."""
    return summed(received, {pool: others.get(pool, ()) for pool in received}, sign=-1)


def expected_of(calendar: Calendar, observation: Observation) -> Observation:
    """Return what was observed, as the rules look at it: nobody is expected on a day on which the site is closed."""
    if observation.outcome in {"o", "e"} and observation.on and calendar.is_closed(observation.on):
        return observation._replace(outcome="_", evidence=None)
    return observation


def summed(first: Others, second: Others, sign: int = 1) -> dict[Pool, Windows]:
    """Return what pools have received together, or with a sign of -1 what of the first is not of the second."""
    found = {}
    for pool in {**first, **second}:
        windows = dict(first.get(pool, ()))
        for number, amount in second.get(pool, ()):
            windows[number] = windows.get(number, 0) + sign * amount
        found[pool] = tuple(sorted((number, amount) for number, amount in windows.items() if amount))
    return found
