"""Why something waits for a person: the reasons, and each in words."""

from collections.abc import Mapping
from enum import StrEnum


class Why(StrEnum):
    """Why something waits.

    `HELD` waits for the sender, and goes on by itself when the final version comes; everything else waits for a person.
    """

    HELD = "held"
    UNMAPPED = "unmapped"
    NOTHING = "nothing"
    STATUS = "status"
    VALUE = "value"
    CONTRADICTS = "contradicts"
    INCOMPLETE = "incomplete"
    TIME = "time"
    UNKNOWN_PERSON = "unknown person"
    SEVERAL_PEOPLE = "several people"
    NO_ENROLLMENT = "no enrollment"
    SEVERAL_ENROLLMENTS = "several enrollments"
    MOVED = "moved"
    CHANGED = "changed"
    ORDER = "order"
    LEFT_OUT = "left out"
    REFUSED = "refused"
    PAID = "paid"


SENTENCES: Mapping[Why, str] = {
    Why.HELD: "it is not final yet",
    Why.UNMAPPED: "the mapping does not say what these codes mean",
    Why.NOTHING: "nothing in it could be decided",
    Why.STATUS: "the sender does not say how final it is",
    Why.VALUE: "the mapping does not say what this value is read as",
    Why.CONTRADICTS: "it says two things at once",
    Why.INCOMPLETE: "the panel lacks analytes that the mapping asks for",
    Why.TIME: "it does not say when it was, to the day and with its zone",
    Why.UNKNOWN_PERSON: "the mapping does not know this person",
    Why.SEVERAL_PEOPLE: "its ids are those of several participants",
    Why.NO_ENROLLMENT: "the participant is not enrolled in the program on that day",
    Why.SEVERAL_ENROLLMENTS: "the participant has several enrollments in the program on that day",
    Why.MOVED: "an earlier version was recorded for another enrollment",
    Why.CHANGED: "it says something else than before, under the same version",
    Why.ORDER: "it cannot be told whether this version is newer than the one that was recorded",
    Why.LEFT_OUT: "an earlier version said what this one leaves out",
    Why.REFUSED: "the engine refused it",
    Why.PAID: "it was taken back, and had been paid: see what is to be done about the money",
}
"""Each reason in words."""
