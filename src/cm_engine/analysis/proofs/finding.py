"""What was found about a program: one sentence each, with the shortest sequence that shows it, or what it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from cm_engine.analysis.sequences import Seen
from cm_engine.program.units import Unit

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""From the gravest on: an error breaks what a program promises, a warning weakens it, a note is worth knowing."""


class CounterExample(NamedTuple):
    """The shortest sequence that shows a finding.

    Attributes:
        better: what is seen of who should get at least as much; alone, the sequence that shows the finding.
        worse: what is seen of who gets more; None if nothing is compared.
        unit: what is paid in.
        paid: what each of them gets in the end, if all visits after the sequence are missed, in minor units; no events
            but those shown happen.
    """

    better: Seen
    worse: Seen | None = None
    unit: Unit | None = None
    paid: tuple[int, int] = (0, 0)

    @property
    def length(self) -> int:
        """Return how many results there are in the sequence, or in either of two."""
        return sum(map(len, self.better.words.values()))

    def form(self) -> Mapping[str, Any]:
        """Return the sequence as plain values."""
        if self.worse is None or self.unit is None:
            return _form(self.better)
        better, worse = (str(self.unit.decimal(amount)) for amount in self.paid)
        return {
            "better": {**_form(self.better), "paid": better},
            "worse": {**_form(self.worse), "paid": worse},
            "unit": self.unit.name,
        }

    @property
    def holds(self) -> bool:
        """Tell whether the worse sequence pays more."""
        return self.paid[1] > self.paid[0]

    def __str__(self) -> str:
        """Return the sequence as a line."""
        if self.worse is None or self.unit is None:
            return _line(self.better)
        better, worse = (self.unit.spoken(amount) for amount in self.paid)
        return f"{_line(self.better)} pays {better}, {_line(self.worse)} pays {worse}"


def _form(seen: Seen) -> dict[str, Any]:
    return {"words": dict(seen.words), **({"events": list(seen.events)} if seen.events else {})}


def _line(seen: Seen) -> str:
    words = [word or "nothing" for word in seen.words.values()]
    if len(words) > 1:
        words = [f"{name} {word or 'nothing'}" for name, word in seen.words.items()]
    return ", ".join([*words, *seen.events]) or "nothing"


class Citation(NamedTuple):
    """A text that a rule rests on.

    Attributes:
        cite: the reference, as a reader would look it up.
        where: its address or digital object identifier.
        says: what it supports, in our words.
        mark: stated, derived or unverified.
    """

    cite: str
    where: str
    says: str
    mark: str

    def form(self) -> Mapping[str, str]:
        """Return the citation as plain values."""
        return self._asdict()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found about a program.

    Attributes:
        rule: the id of the rule.
        severity: error, warning or note.
        message: one or two sentences in plain words.
        counter_example: the shortest sequence that shows it.
        citation: what the rule rests on.
        silenced: why it is known and left as it is; nothing if it is not.
    """

    rule: str
    severity: Severity
    message: str
    counter_example: CounterExample | None = None
    citation: Citation | None = None
    silenced: str = ""

    def form(self) -> Mapping[str, Any]:
        """Return the finding as plain values, without what it does not have."""
        shown: dict[str, Any] = {"rule": self.rule, "severity": self.severity, "message": self.message}
        if self.counter_example:
            shown["counter_example"] = self.counter_example.form()
        if self.citation:
            shown["citation"] = self.citation.form()
        if self.silenced:
            shown["silenced"] = self.silenced
        return shown
