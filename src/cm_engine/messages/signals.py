"""What the care team is told: which signals of a program the decisions on a target give, and when. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cm_engine.messages.draft import Draft, draft
from cm_engine.messages.kinds import ROLE, SIGNAL
from cm_engine.program.words import Signal, Turn

MET, POSITIVE, MISSED = "-", "+", "o"
MOVES_NOTHING = frozenset({"e", "*", "_", ""})
"""Outcomes that neither end a run nor go on with it."""


class Seen(NamedTuple):
    """What was decided of a visit, as signals look at it."""

    visit: int
    outcome: str
    paid: bool
    was_reset: bool


class Fired(NamedTuple):
    """A signal that is given, and by which visit of which target."""

    name: str
    target: str
    visit: int
    to: tuple[str, ...]


class _Run(NamedTuple):
    """What has been seen of a target so far."""

    met: int = 0
    missed: int = 0
    visits: int = 0
    paid: bool = False
    since_reset: int = -1

    def after(self, seen: Seen) -> "_Run":
        """Return it with one more visit; `since_reset` counts successes after a reset, and is -1 without one."""
        visits, paid = self.visits + 1, self.paid or seen.paid
        if seen.outcome in MOVES_NOTHING:
            return self._replace(visits=visits, paid=paid)
        met = self.met + 1 if seen.outcome == MET else 0
        missed = self.missed + 1 if seen.outcome == MISSED else 0
        since = self.since_reset + (met > 0 and self.since_reset >= 0)
        return _Run(met, missed, visits, paid, 0 if seen.was_reset else since if met else min(since, 0))


def signals(given: Iterable[Signal], timelines: Mapping[str, Sequence[Seen]]) -> Iterator[Fired]:
    """Yield every signal that the visits of each target give, in their order.

    A signal on a run is given once a run, when it gets as long as the signal says.

    Args:
        given: the signals of a program.
        timelines: what was decided of the visits of each target, in order.

    Example:
        >>> from cm_engine import parse_program
        >>> program = parse_program('''
        ... program: p
        ... version: "1"
        ... title: P
        ... currency: USD
        ... visits: [{weeks: 1-8, per_week: 1}]
        ... targets: {visits: {behavior: attendance, schedule: [{weeks: 1-8, fixed: 10.00}]}}
        ... signals: [{name: not-seen, when: {missed: 2}, to: [counselor]}]
        ... ''')
        >>> seen = [Seen(number, symbol, symbol == "-", symbol == "o") for number, symbol in enumerate("-oeoo-oo", 1)]
        >>> [(each.name, each.visit, each.to) for each in signals(program.signals, {"visits": seen})]
        [('not-seen', 4, ('counselor',)), ('not-seen', 8, ('counselor',))]
    """
    for signal in given:
        for target, seen in timelines.items():
            if signal.target in {None, target}:
                for visit in _given_at(signal.when, seen):
                    yield Fired(signal.name, target, visit, signal.to)


def _given_at(turn: Turn, seen: Iterable[Seen]) -> Iterator[int]:
    run = _Run()
    for each in seen:
        before, run = run, run.after(each)
        if _is_given(turn, before, run, each):
            yield each.visit


def _is_given(turn: Turn, before: _Run, run: _Run, seen: Seen) -> bool:
    """Tell whether a visit gives a signal."""
    if turn.missed is not None:
        return seen.outcome == MISSED and run.missed == turn.missed
    if turn.positive_after is not None:
        return seen.outcome == POSITIVE and before.met >= turn.positive_after
    if turn.no_reward_in_first is not None:
        return run.visits == turn.no_reward_in_first and not run.paid
    return seen.outcome == MET and before.since_reset >= 0 and run.since_reset == turn.recovered_after


def drafts_of(fired: Iterable[Fired], participant: str, enrollment: str) -> Iterator[Draft]:
    """Yield what is said of signals to the roles that they name: one message for each role and signal."""
    for each in fired:
        for role in each.to:
            about = f"signal {each.name} of {each.target}, visit {each.visit}"
            yield draft(SIGNAL, participant, enrollment, about, {}, recipient=f"{ROLE}{role}")
