"""A whole program file, as frozen models; each field says what it means and in which unit."""

from typing import Annotated, Literal

from pydantic import Field

from cm_engine.program.evidence import Quota, Reads, Retest, TargetEvidence
from cm_engine.program.ladders import Phase
from cm_engine.program.parts import Currency, Mark, Name, Part, Text, Weekday
from cm_engine.program.people import PeopleRules
from cm_engine.program.plan import Closure, VisitBlock, visit_count
from cm_engine.program.prizes import Bowl, Hat
from cm_engine.program.rewards import Deposit, Limit, Milestone, Payout
from cm_engine.program.units import Unit, unit_named
from cm_engine.program.windows import Windows
from cm_engine.program.words import Message, Signal
from cm_engine.program.worked import Case

IN_ORDER = frozenset({"targets", "milestones", "choice", "slips", "odds"})
"""The keys whose names stand in an order that decides: who is first on one day, what is chosen, what is drawn."""


class Source(Part):
    """A text that states a fact the program rests on."""

    cite: Annotated[Text, Field(description="the reference, as a reader would look it up")]
    url: Annotated[Text | None, Field(description="where it can be read")] = None
    doi: Annotated[Text | None, Field(description="its digital object identifier, without a prefix")] = None


class Evidence(Part):
    """How well a value of this file is known, and from where."""

    of: Annotated[Text, Field(description="the path of a value or of a part: targets.stimulants.schedule.0")]
    mark: Annotated[
        Mark,
        Field(description="stated in a source, derived from stated values, or unverified: confirmed by none"),
    ]
    sources: Annotated[
        tuple[Name, ...], Field(description="the names of sources listed under `sources`")
    ] = ()
    note: Annotated[Text | None, Field(description="what to know about it")] = None


class Called(Part):
    """The noun of a target, as a participant reads it."""

    one: Annotated[Text, Field(description="a report, a session, a call, without its article: report")]
    many: Annotated[Text, Field(description="the plural: reports")]


class Target(Part):
    """A behavior that is rewarded, with its evidence and its schedule."""

    behavior: Annotated[
        Literal["abstinence", "attendance", "medication", "task"],
        Field(description="it chooses the words that a participant reads"),
    ]
    called: Annotated[
        Called | None, Field(description="what a visit of it is called; if left out, by the behavior")
    ] = None
    visits: Annotated[
        tuple[VisitBlock, ...],
        Field(min_length=1, description="a visit plan of its own; if left out, the program's"),
    ] = ()
    windows: Annotated[
        Windows | None, Field(description="which days belong to a visit; if left out, the program's")
    ] = None
    evidence: Annotated[TargetEvidence | None, Field(description="what shows that it was met")] = None
    reads: Annotated[Reads, Field(description="how flawed or late specimens and visits are read")] = (
        Reads.model_construct()  # Reads() would build its schema at import
    )
    excuses: Annotated[
        tuple[Text, ...],
        Field(
            min_length=1, description="the reasons that excuse an absence; if left out, all that are given"
        ),
    ] = ()
    quotas: Annotated[
        tuple[Quota, ...], Field(description="how many excuses or reschedules are allowed")
    ] = ()
    retest: Annotated[Retest | None, Field(description="when a visit stays open for another specimen")] = None
    schedule: Annotated[tuple[Phase, ...], Field(min_length=1, description="phases that cover all weeks")]


class Program(Part):
    """A whole program file: who is expected when, what is rewarded, how, and how well that is known.

    Get one from `load_program`, `parse_program` or the catalogue: they check what has to hold between its values,
    the model alone only their form.
    """

    program: Annotated[Name, Field(description="the id: small letters, digits and hyphens")]
    version: Annotated[Text, Field(description='the version of the program, in quotation marks: "1"')]
    title: Annotated[Text, Field(description="the name people use")]
    summary: Annotated[Text | None, Field(description="what it is for, in a few sentences")] = None
    currency: Annotated[Currency | None, Field(description="the ISO 4217 code of the money")] = None
    units: Annotated[
        dict[Text, Text],
        Field(description="further things awarded, singular to plural: {bus pass: bus passes}"),
    ] = {}
    framing: Annotated[
        Literal["gain", "loss"],
        Field(description="whether a participant reads of what is earned, or of what is kept and taken off"),
    ] = "gain"
    readings: Annotated[
        tuple[Text, ...], Field(description="how the program reads what its sources leave open")
    ] = ()
    sources: Annotated[dict[Name, Source], Field(description="texts, each under a short name")] = {}
    evidence: Annotated[tuple[Evidence, ...], Field(description="how well each value is known")] = ()
    visits: Annotated[tuple[VisitBlock, ...], Field(min_length=1, description="the visit plan")] = ()
    windows: Annotated[
        Windows | None,
        Field(description="which days belong to a visit; if left out, the nth result is of the nth visit"),
    ] = None
    pauses: Annotated[
        Literal["not required", "later"],
        Field(
            description="what becomes of the visits of a pause: nothing is due, or all that follows comes later"
        ),
    ] = "not required"
    closures: Annotated[tuple[Closure, ...], Field(description="days on which the clinic is closed")] = ()
    open_on: Annotated[
        tuple[Weekday, ...],
        Field(
            min_length=1,
            description="the weekdays that a visit may move to from a closed day; if left out, all",
        ),
    ] = ()
    targets: Annotated[dict[Name, Target], Field(min_length=1, description="the behaviors rewarded")]
    milestones: Annotated[dict[Name, Milestone], Field(description="rewards on conditions of their own")] = {}
    deposit: Annotated[Deposit | None, Field(description="a stake of the participant's own")] = None
    bowls: Annotated[
        dict[Text, Bowl],
        Field(description="what draws are taken from, by the unit that draws: draw, or one of units"),
    ] = {}
    hat: Annotated[Hat | None, Field(description="names drawn from those of a group")] = None
    limits: Annotated[tuple[Limit, ...], Field(description="all apply at once")] = ()
    payout: Annotated[Payout, Field(description="when an award is handed over")] = Payout.model_construct()
    people: Annotated[PeopleRules | None, Field(description="what is asked of the people who run it")] = None
    messages: Annotated[tuple[Message, ...], Field(description="reviewed texts that may be sent")] = ()
    signals: Annotated[tuple[Signal, ...], Field(description="what the care team is told")] = ()
    cases: Annotated[tuple[Case, ...], Field(description="worked examples, run by cm-engine check")] = ()

    def __eq__(self, other: object) -> bool:
        """Compare by what is written, the order of names included where it decides."""
        return super().__eq__(other) and isinstance(other, Program) and self._order() == other._order()

    def _order(self) -> list[list[str]]:
        """Return the names whose order decides."""
        phases = [phase for target in self.targets.values() for phase in target.schedule]
        drawn = [
            kinds for _, bowl in sorted(self.bowls.items()) for kinds in (list(bowl.slips), list(bowl.odds))
        ]
        return [list(self.targets), list(self.milestones), *(list(phase.choice) for phase in phases), *drawn]

    def __hash__(self) -> int:
        """Hash by id and version: cheap, and equal programs agree on it."""
        return hash((self.program, self.version))

    @property
    def visit_count(self) -> int:
        """Return the number of visits that the plans of all targets expect."""
        return sum(visit_count(self.plan(target)) for target in self.targets.values())

    @property
    def dated_rules(self) -> tuple[str, ...]:
        """Return which rules of the program mean nothing in a timeline without dates."""
        quotas = [quota for target in self.targets.values() for quota in target.quotas]
        criteria = [milestone.when.criterion for milestone in self.milestones.values()]
        found = {
            "a limit": any(limit.needs_start for limit in self.limits),
            "a quota per month": any(quota.per == "month" for quota in quotas),
            "a daily fall of an event": any(each and each.fall and each.fall.daily for each in criteria),
        }
        return tuple(rule for rule, is_there in found.items() if is_there)

    def plan(self, target: Target) -> tuple[VisitBlock, ...]:
        """Return the visit plan of a target: its own, or that of the program."""
        return target.visits or self.visits

    def windows_of(self, target: Target) -> Windows | None:
        """Return the windows around the visits of a target: its own, or those of the program."""
        return target.windows or self.windows

    def unit(self, name: str | None) -> Unit:
        """Return the unit called `name`, or the currency if it is None.

        Raises:
            KeyError: nothing is called so, or the program has no currency.
        """
        return unit_named(self.currency if name is None else name, self.units)
