"""What must hold of what a program asks of the people who run it."""

from cm_engine.program.checks.base import Found, Whole, listed_once
from cm_engine.program.people import PeopleRules


def something_asked(people: PeopleRules, _: Whole) -> Found:
    """Find a part that asks nothing."""
    if not (people.trained_within or people.second_entry or people.release):
        yield (), f"expected {', '.join(PeopleRules.model_fields)}, at least one of them; or leave people out"


def kinds_once(people: PeopleRules, _: Whole) -> Found:
    """Find a kind of result that is listed twice, or that `results` has already."""
    yield from listed_once(people.second_entry, ("second_entry",))
    if "results" in people.second_entry:
        for index, kind in enumerate(people.second_entry):
            if kind not in {"results", "events"}:
                yield ("second_entry", index), f"{kind} is among results already; remove one of them"


RULES = {PeopleRules: (something_asked, kinds_once)}
