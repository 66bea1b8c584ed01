"""What an act of a site on an enrollment leads to: nothing where it moves no decision, and else what a correction does."""

from collections.abc import Sequence
from itertools import zip_longest

from cm_engine.log.correction import Log, history_of, latest, redecide, shared_then
from cm_engine.log.deciding import Finding, Others
from cm_engine.log.encoding import pools_from
from cm_engine.log.fold import History, Turn, Written, folded
from cm_engine.log.history import Seen
from cm_engine.log.rows import RecordRow, Subject


def followed(turn: Turn, record: RecordRow, log: Log) -> Written:
    """Return what an act of a site writes.

    Where a closure or a transfer moves no decision, all decisions stand as they were made, by whatever rules and with
    whatever was left of shared pools. Else those from the first one on that it moves are decided anew.

    Args:
        turn: the enrollment as the act meets it.
        record: the act, with its hash.
        log: all rows before it.

    Raises:
        CorrectionError: with the act, an observation cannot be decided any more.
        RulesChangedError: today's rules decide something otherwise that the act has nothing to do with.
    """
    before, after = (history_of(turn.enrolled, acts) for acts in (log.records, (*log.records, record)))
    old, new = (_findings(turn, record, log, history) for history in (before, after))
    moved = [pair for pair in zip_longest(old, new) if pair[0] != pair[1]]
    if not moved:
        calm = turn.stand._replace(calendar=after.calendar)
        return Written((), (), (), calm)
    first = _first_place(after.seen, [each.shown_by for each in moved[0] if each])
    return redecide(turn.enrolled, log, record, record.seq, untouched=first)


def _findings(turn: Turn, record: RecordRow, log: Log, history: History) -> list[Finding]:
    """Return what a history leads to, with what shared pools had received when each thing was decided last."""
    former, by_now = latest(log.decisions), pools_from(record.shared)

    def shared(_: Seen, subject: Subject) -> Others:
        return shared_then(log, former, subject) if subject in former else by_now

    return folded(turn.enrolled, history, shared)[1]


def _first_place(seen: Sequence[Seen], records: Sequence[int]) -> int:
    """Return how many observations come before the first of some acts."""
    return next((place for place, each in enumerate(seen) if each.record in records), len(seen))
