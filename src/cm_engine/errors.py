"""Every error of cm-engine, each with the fields its message is built from.

```text
* CmEngineError
  x ProblemsError             a file is wrong; carries every Problem found
    + ProgramError            a program file is wrong
    + TrialError              a trial file is wrong
    + MappingError            a mapping file of an intake is wrong, or its table of participants
    + GatewaysError           a file of gateways is wrong
    + NotifiersError          a file of notifiers is wrong
    + EndpointsError          a file of endpoints is wrong
  x ProgramNotFoundError      no such program, also a LookupError
  x EndpointsNotFoundError    no such set of endpoints, or no such endpoint in it; also a LookupError
  x AmbiguousNameError        two packages offer one name
  x ResultsError              a word of results, or a file of them, cannot be read; also a ValueError
    + PlanExceededError       more results than the plan has visits
    + ResultsFileError        lines of a file of results are wrong; also a ProblemsError
  x StateError                a state belongs to another program; also a ValueError
  x TooManyStatesError        a program has more states than it may be explored for; says where
  x TableTooLargeError        the offline table of a program would be larger than is wanted; says how large
  x UndatedError              an amount depends on the date and no start date was given; also a ValueError
  x MissingDependencyError    names the extra to install
  x ProgramNotAddedError      no such program is registered, also a LookupError
  x SecretError               prizes are drawn, and the engine has no secret, or another one
  x EnrollmentNotFoundError   no such enrollment, also a LookupError
  x AlreadyEnrolledError      the participant is in the program by another enrollment, which is open
  x JournalNotFoundError      no such trial, or what else has a journal; also a LookupError
  x RecordNotFoundError       no such act, or nothing that can be corrected; also a LookupError
  x ReportError               what is reported lacks something, or says two things; also a ValueError
  x NotAllowedError           somebody may not do it: says who, what, and which right or rule refuses it
  x EntryMismatchError        two people entered one visit differently; shows both
  x AllocationError           a participant of a trial is not allocated: shows who was, or says why not
  x SiteClosedError           a site takes no new enrollments
    + FundExhaustedError      as its funds with a hard stop are exhausted; names them, the budget and what is spent
  x KeyConflictError          the key was used for something else; shows both
  x StaleReportError          something was recorded since the caller looked; look again
  x CorrectionError           a correction would leave a later observation without a decision
  x RulesChangedError         today's rules decide the past otherwise
  x BalanceError              a balance is not what was asserted
  x BundleError               a bundle of an enrollment is damaged, or cannot be taken here
  x IntakeError               a document cannot be read at all
  x SomeFailedError           something was done for all enrollments but some, each with the reason; what was done stays
  x ChannelError              the gateways of a site are not what a program asks for, or do not pay what it awards
  x DeliveryError             a payout is with a gateway, or otherwise not where it could be done
  x OutOfStockError           what an order asks for is not in stock now
  x StorageError              the storage failed; nothing was written
    + StorageConflictError    another writer came first; read again and retry
    + StorageBusyError        others held the storage too long; try again later
    + StorageFullError        there is no space left, or the storage cannot be written
    + SchemaError             the tables are missing, or of another release
```
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cm_engine.spelling import counted

UNREADABLE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
)
"""What reading may raise of what is stored, if somebody made it up or damaged it."""


class CmEngineError(Exception):
    """Stand at the root of every error that cm-engine raises on purpose.

    Attributes:
        report: which of several reports was refused, from 0; None where there was one.
    """

    report: int | None = None


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Say what is wrong at one place of a file; lines and columns count from 1.

    Example:
        >>> print(Problem("a.yaml", 7, 10, "limits.0.amount", "must be more than 0, got -5"))
        a.yaml:7:10: error: limits.0.amount: must be more than 0, got -5
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        """Return the problem in the form that editors make clickable."""
        what = f"{self.path}: {self.message}" if self.path else self.message
        return f"{self.file}:{self.line}:{self.column}: error: {what}"


class ProblemsError(CmEngineError):
    """Report every problem of one file, in the order of the file.

    Attributes:
        problems: what is wrong and where; never empty.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ProgramError(ProblemsError):
    """Report every problem of a program file."""


class TrialError(ProblemsError):
    """Report every problem of a trial file."""


class MappingError(ProblemsError):
    """Report every problem of a mapping file, or of the table of participants beside it."""


class GatewaysError(ProblemsError):
    """Report every problem of a file of gateways."""


class EndpointsError(ProblemsError):
    """Report every problem of a file of endpoints."""


class EndpointsNotFoundError(CmEngineError, LookupError):
    """Report a set of endpoints that nobody offers, or an endpoint that a set has not.

    Attributes:
        name: what was asked for.
        known: what there is; told if no hint is given at the nearest.
    """

    def __init__(self, what: str, name: str, known: Iterable[str], hint: str = "") -> None:
        self.name = name
        self.known = tuple(known)
        there = f"; there are {', '.join(self.known) or 'none'}"
        super().__init__(f"no {what} {name!r}{hint or there}")


class NotifiersError(ProblemsError):
    """Report every problem of a file of notifiers."""


class ProgramNotFoundError(CmEngineError, LookupError):
    """Report a program that neither the catalogue nor the disk holds.

    Attributes:
        name: what was asked for.
        nearest: the catalogue id that is spelled most like it, if any is close.
    """

    def __init__(self, name: str, nearest: str | None = None) -> None:
        self.name = name
        self.nearest = nearest
        hint = (
            f"; did you mean {nearest!r}?"
            if nearest
            else "; expected an id of the catalogue or a file's path"
        )
        super().__init__(f"no program {name!r} in the catalogue, and no such file{hint}")


class AmbiguousNameError(CmEngineError):
    """Report a name that two installed packages offer: the order of installation must not decide."""

    def __init__(self, name: str, packages: Iterable[str]) -> None:
        self.name = name
        self.packages = tuple(sorted(packages))
        super().__init__(f"{name!r} is offered by {' and '.join(self.packages)}; uninstall one of them")


class ResultsError(CmEngineError, ValueError):
    """Report results that cannot be read."""


class PlanExceededError(ResultsError):
    """Report more results than the program's plan has visits.

    Attributes:
        given: how many results there are.
        planned: how many visits the plan has.
    """

    def __init__(self, given: int, planned: int) -> None:
        self.given = given
        self.planned = planned
        super().__init__(
            f"{counted(given, 'result')}, but the plan has {counted(planned, 'visit')}; shorten the results, or truncate them"
        )


class ResultsFileError(ProblemsError, ResultsError):
    """Report every wrong line of a file of results."""


class StateError(CmEngineError, ValueError):
    """Report a state that belongs to another program, or to another version of it.

    Attributes:
        found: the digest that the state carries.
        expected: the digest of the program at hand.
    """

    def __init__(self, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected
        super().__init__(
            f"the state belongs to program {found[:12]}, not to {expected[:12]}; decide with the one it began with"
        )


class TooManyStatesError(CmEngineError):
    """Report that a program has too many states to be explored; simulate it instead.

    Attributes:
        program: its id.
        slot, slots: how far the plan was explored.
        states: how many states the slot had by then.
        most: how many decisions were allowed.
    """

    def __init__(self, program: str, slot: int, slots: int, states: int, most: int) -> None:
        self.program, self.slot, self.slots, self.states, self.most = program, slot, slots, states, most
        super().__init__(
            f"program {program} has too many states to look at all of them: {states} and more after {slot} of {slots} "
            f"visits, and {most} decisions were allowed; allow more, or simulate it"
        )


class TableTooLargeError(CmEngineError):
    """Report that the offline table of a program is larger than is wanted.

    Attributes:
        program: its id.
        size: how many bytes it has at least.
        most: how many it may have.
    """

    def __init__(self, program: str, size: int, most: int) -> None:
        self.program, self.size, self.most = program, size, most
        super().__init__(
            f"the table of program {program} has at least {size:,} bytes, and at most {most:,} are wanted; "
            "allow more, or ask the engine itself for each decision"
        )


class UndatedError(CmEngineError, ValueError):
    """Report an amount that depends on the date, met by a timeline without a start date."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} depends on the date of the visit: give the timeline a start date")


class MissingDependencyError(CmEngineError, ImportError):
    """Report a package that an optional part needs, naming the extra that brings it."""

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(f'this needs {package}: pip install "cm-engine[{extra}]"')


class ProgramNotAddedError(CmEngineError, LookupError):
    """Report a program that is not registered.

    Attributes:
        name: what was asked for.
        known: what is registered, by id and version.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        there = f"registered are {', '.join(self.known)}" if self.known else "none is registered"
        super().__init__(f"program {name!r} is not registered; add it first with add_program ({there})")


class SecretError(CmEngineError):
    """Report prizes that cannot be drawn: the engine has no secret, or not the one that they are drawn with."""


class EnrollmentNotFoundError(CmEngineError, LookupError):
    """Report an enrollment that the storage does not hold."""

    def __init__(self, enrollment: str) -> None:
        self.enrollment = enrollment
        super().__init__(
            f"no enrollment {enrollment!r}; enroll the participant first, or look for the id: enrollments lists them"
        )


class AlreadyEnrolledError(CmEngineError):
    """Report a participant who is in the program already, by another enrollment that is open.

    Attributes:
        participant: the host's opaque id.
        program: its id.
        enrollment: the other enrollment.
    """

    def __init__(self, participant: str, program: str, enrollment: str, since: str, status: str) -> None:
        self.participant = participant
        self.program = program
        self.enrollment = enrollment
        super().__init__(
            f"{participant} is in {program} already, by enrollment {enrollment} from {since} ({status}), and would be "
            "paid by both; go on with that one (resume it after a pause, transfer it to another site, migrate it to "
            "another version), or discharge it first; if both are meant, say so: again=True"
        )


class JournalNotFoundError(CmEngineError, LookupError):
    """Report a journal that was never opened.

    Attributes:
        kind: what it would be, such as a trial.
        id: what was asked for.
    """

    def __init__(self, kind: str, id: str) -> None:  # noqa: A002 - what it is
        self.kind = kind
        self.id = id
        todo = f"add them first, with add_{kind}" if kind == "staff" else f"open it first, with open_{kind}"
        super().__init__(f"no {kind} {id!r}; {todo}")


class RecordNotFoundError(CmEngineError, LookupError):
    """Report an act that cannot be corrected: there is none, it is no observation, or it was voided.

    Attributes:
        enrollment: the enrollment.
        record: the number of the act, or its source and key.
    """

    def __init__(self, enrollment: str, record: int | str, why: str) -> None:
        self.enrollment = enrollment
        self.record = record
        super().__init__(f"record {record} of {enrollment}: {why}")


class ReportError(CmEngineError, ValueError):
    """Report an act that lacks something, or that says what does not go together."""


class NotAllowedError(CmEngineError):
    """Report an act that somebody may not do; nothing of it was written.

    Attributes:
        by: who asked for it.
        act: what they asked for: the right that it needs, such as amend.
        on: the enrollment, or the journal.
        rule: what refuses it: a key of the program with its value, a right, or `people: known`.
    """

    def __init__(self, by: str, act: str, on: str, rule: str, why: str) -> None:
        self.by = by
        self.act = act
        self.on = on
        self.rule = rule
        super().__init__(f"{by} may not {act} on {on} ({rule}): {why}")


class EntryMismatchError(CmEngineError):
    """Report two people who entered one visit differently: nothing is recorded, and the first entry waits on.

    Attributes:
        enrollment: the enrollment.
        record: the entry that waits.
        first, second: what each entered, as JSON.
    """

    def __init__(self, enrollment: str, record: int, first: str, second: str) -> None:
        self.enrollment = enrollment
        self.record = record
        self.first = first
        self.second = second
        super().__init__(
            f"the entry that waits as record {record} of {enrollment} says {first}, and the second {second}; look at "
            f"the evidence together: enter it as the first says, or withdraw the first (withdraw_entry) and begin anew"
        )


class AllocationError(CmEngineError):
    """Report an act that a trial does not take: who is allocated already, or a trial that is closed or open.

    Attributes:
        trial: its id.
        why: what stands in the way.
        stored: what was recorded before, as JSON; empty where nothing was.
    """

    def __init__(self, trial: str, why: str, stored: str = "") -> None:
        self.trial = trial
        self.why = why
        self.stored = stored
        shown = f"\n  recorded: {stored}" if stored else ""
        super().__init__(f"trial {trial!r}: {why}; nothing is changed{shown}")


class SiteClosedError(CmEngineError):
    """Report a site that takes no new enrollments; who is enrolled there goes on, and is paid as ever.

    Attributes:
        site: its id.
        why: what stands in the way.
    """

    def __init__(self, site: str, why: str) -> None:
        self.site = site
        self.why = why
        super().__init__(f"site {site!r} takes no new enrollments: {why}; nothing is changed")


class FundExhaustedError(SiteClosedError):
    """Report a site whose funds with a hard stop are exhausted.

    Attributes:
        funds: each with its name, its budget and what is spent of it, in words.
    """

    def __init__(self, site: str, funds: Iterable[tuple[str, str, str]]) -> None:
        self.funds = tuple(funds)
        told = " and ".join(
            f"fund {name!r} had {budget}, of which {spent} are spent" for name, budget, spent in self.funds
        )
        super().__init__(site, f"{told}; add a fund with a hard stop, or enroll elsewhere")


class KeyConflictError(CmEngineError):
    """Report a key that was used before, for something else.

    Attributes:
        source, key: what was given.
        stored: what was recorded under the key, as JSON.
        given: what is reported under it now.
    """

    def __init__(
        self,
        source: str,
        key: str,
        stored: str,
        given: str,
        todo: str = "give what is new a key of its own, or amend what was recorded",
    ) -> None:
        self.source = source
        self.key = key
        self.stored = stored
        self.given = given
        super().__init__(
            f"the key {key!r} of {source!r} was used before for something else:\n"
            f"  recorded: {stored}\n  given:    {given}\n"
            f"nothing is changed; {todo}"
        )


class StaleReportError(CmEngineError):
    """Report an act that was to follow a certain record, and others came in between; nothing of it was written.

    Attributes:
        enrollment: the enrollment.
        expected: the record that was to be the last one.
        last: the one that is.
    """

    def __init__(self, enrollment: str, expected: int, last: int) -> None:
        self.enrollment = enrollment
        self.expected = expected
        self.last = last
        super().__init__(
            f"record {last} is the last one of {enrollment}, and not record {expected}, as was expected; look at its "
            f"history, and if this is still to be recorded, do it with expected_last={last}"
        )


class CorrectionError(CmEngineError):
    """Report a correction that would leave an observation without a decision.

    Attributes:
        record: the act that reported the observation.
        why: what stands in the way.
    """

    def __init__(self, record: int, why: str) -> None:
        self.record = record
        self.why = why
        super().__init__(f"with this, record {record} cannot be decided any more: {why}; nothing is changed")


class RulesChangedError(CmEngineError):
    """Report a decision that today's rules make otherwise: a correction must not decide it anew in passing.

    Attributes:
        number: of the decision; 0 if it was not made then.
    """

    def __init__(self, enrollment: str, number: int) -> None:
        self.enrollment = enrollment
        self.number = number
        which = f"decision {number}" if number else "a missed visit"
        super().__init__(
            f"{which} of {enrollment} was made by other rules than today's; "
            "verify lists them. No correction changes in passing what others decided: what it would come to is settled outside"
        )


class BalanceError(CmEngineError):
    """Report a balance that is not what was asserted.

    Attributes:
        asserted, found: exact decimals, as text.
    """

    def __init__(self, enrollment: str, unit: str, on: str, asserted: str, found: str) -> None:
        self.enrollment = enrollment
        self.asserted = asserted
        self.found = found
        super().__init__(
            f"by the decisions that stand now {enrollment} had been awarded {found} {unit} by the end of {on}, "
            f"not {asserted}; look at its history"
        )


class BundleError(CmEngineError):
    """Report a bundle that is not what was sealed, that its log does not come to, or that has no place here.

    Attributes:
        where: which part of the bundle.
        what: what is wrong with it.
    """

    def __init__(self, where: str, what: str) -> None:
        self.where = where
        self.what = what
        super().__init__(f"bundle: {where}: {what}; nothing is changed")


class IntakeError(CmEngineError):
    """Report a document that cannot be read at all: nothing of it was looked at.

    Attributes:
        format: as what it was to be read.
        why: what is wrong with it; nothing of its content.
    """

    def __init__(self, format: str, why: str) -> None:  # noqa: A002 - what it is
        self.format = format
        self.why = why
        super().__init__(f"this is no document of the format {format}: {why}; nothing is recorded")


class SomeFailedError(CmEngineError):
    """Report that something could not be done for some enrollments; for all others it was, and that stays.

    Attributes:
        failures: the enrollments, each with the reason.
        done: what was recorded of the others.
    """

    def __init__(self, what: str, failures: Iterable[tuple[str, str]], done: Iterable[object] = ()) -> None:
        self.failures = tuple(failures)
        self.done = tuple(done)
        told = "\n".join(f"{enrollment}: {why}" for enrollment, why in self.failures)
        super().__init__(
            f"{what}: {len(self.failures)} of the enrollments could not be gone on with; all others are done\n{told}"
        )


class ChannelError(CmEngineError):
    """Report programs that are paid at sites whose gateways are not what they ask for; nothing was written.

    Attributes:
        mismatches: one line for each: the program, the site, what is needed, and what each gateway declares.
    """

    def __init__(self, mismatches: Iterable[str]) -> None:
        self.mismatches = tuple(mismatches)
        told = "\n".join(self.mismatches)
        super().__init__(
            f"{told}\ngive the site a gateway that is, or the program another site; nothing is changed"
        )


class DeliveryError(CmEngineError):
    """Report a payout with which something cannot be done, as it is somewhere else; nothing was written.

    Attributes:
        enrollment, number, leg: the payout.
    """

    def __init__(self, enrollment: str, number: int, leg: int, why: str) -> None:
        self.enrollment = enrollment
        self.number = number
        self.leg = leg
        super().__init__(f"payout {number}/{leg} of {enrollment}: {why}")


class OutOfStockError(CmEngineError):
    """Report an order for which there is nothing in stock now; nothing was written.

    Attributes:
        stock: the stock.
        wanted: what was asked for.
    """

    def __init__(self, stock: str, wanted: str) -> None:
        self.stock = stock
        self.wanted = wanted
        super().__init__(f"stock {stock!r} has nothing left for {wanted}; buy more, then receive_stock(...)")


class StorageError(CmEngineError):
    """Report a storage that failed; nothing of the act was written."""


class StorageConflictError(StorageError):
    """Report that another writer came first; in a transaction of the host's own, begin that anew."""


class StorageBusyError(StorageError):
    """Report that others held the storage for too long; nothing was written, try again."""


class StorageFullError(StorageError):
    """Report a storage that cannot be written: the disk is full, or the file is read-only."""


class SchemaError(StorageError):
    """Report tables that are missing, or of another release."""
