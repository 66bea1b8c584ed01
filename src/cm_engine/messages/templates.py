"""Templates of messages: reviewed data, each with an id, a language and a version; free text is never sent.

A template says what it tells (its scope), to whom, and which placeholders it fills in. Change a text and its version goes
up: the log of disclosures says which one somebody received.
"""

from collections.abc import Iterable, Mapping, Sequence
from string import Formatter
from typing import NamedTuple

from cm_engine.errors import Problem, ProblemsError
from cm_engine.messages.guard import told
from cm_engine.messages.kinds import ALERT, KINDS, SIGNAL, TO_TEAM, Audience, Channel, MessageKind, Scope
from cm_engine.messages.reading import GRADE_MAX, LANGUAGES, grade
from cm_engine.program.models import Program
from cm_engine.program.words import Occasion

Fill = str
"""What a placeholder takes: see `PLACEHOLDERS`."""

PLACEHOLDERS: Mapping[str, Fill] = {
    "visit_day": "day",
    "last_day": "day",
    "visit_time": "time",
    "award": "amounts",
    "next": "amounts",
    "balance": "amounts",
    "milestone": "words",
    "reference": "reference",
}
"""Every placeholder there is, and what it takes."""

SAMPLES: Mapping[Fill, str | tuple[str, ...]] = {
    "day": "2026-01-05",
    "time": "09:30",
    "amounts": ("$11.50",),
    "words": "A good week",
    "reference": "kdfmbgoa",
}
"""What a template is filled with to be looked at."""

LONG: Mapping[Fill | None, str] = {
    "day": "lunes 5 de enero",
    "time": "9:30",
    "amounts": "$11.50",
    "words": "A good week",
    "reference": "kdfm",
}
"""What stands for a placeholder where it is measured how easy a text is to read."""

CHANNELS_WITH_REPLY: frozenset[Channel] = frozenset({"sms", "email"})


class Template(NamedTuple):
    """A reviewed text.

    Attributes:
        id: with the language and the version, what the log of disclosures calls it.
        version: goes up with every change.
        language: a BCP 47 tag.
        kinds: the messages that it is a wording of.
        audience: to whom.
        scope: what it tells; a consent has to allow it.
        text: the words; {placeholders} are filled in.
    """

    id: str
    version: int
    language: str
    kinds: tuple[MessageKind, ...]
    audience: Audience
    scope: Scope
    text: str

    @property
    def fills(self) -> frozenset[str]:
        """Return the placeholders that it fills in."""
        return _names(self.text)

    @property
    def name(self) -> str:
        """Return which template it is, to the version: visit-day/es@1."""
        return f"{self.id}/{self.language}@{self.version}"


class Language(NamedTuple):
    """What every message of a language shares.

    Attributes:
        subject: of all e-mails and pushes, so that none tells by its subject what it is about.
        stop: the way out, where a message can be answered.
        confirm: the same under a reminder.
        both: what stands between the last two of several amounts.
        notice: how the consent is explained that a disclosure goes with; {scopes}, {until} and {consent} are filled in.
        scopes: what each scope is called in it.
        last_day: how the last day of a consent is said; without one, `no_end`.
    """

    subject: str
    stop: str
    confirm: str
    both: str
    notice: str
    scopes: Mapping[Scope, str]
    last_day: str
    no_end: str


SPOKEN: Mapping[str, Language] = {
    "en": Language(
        "You have an update",
        "Reply STOP to end.",
        "Reply YES to confirm, STOP to end.",
        " and ",
        "Sent with consent {consent} to tell {scopes}, {until}.",
        {
            "updates": "of updates",
            "visits": "of visits",
            "absences": "of absences",
            "progress": "of progress",
        },
        "until {day}",
        "until it is revoked",
    ),
    "es": Language(
        "Tiene un aviso",
        "Responda ALTO para no recibir más.",
        "Responda SÍ para confirmar, ALTO para no recibir más.",
        " y ",
        "Enviado con el consentimiento {consent} para informar {scopes}, {until}.",
        {"updates": "de avisos", "visits": "de citas", "absences": "de ausencias", "progress": "de avances"},
        "hasta el {day}",
        "hasta que se revoque",
    ),
}
"""The languages that messages of ours are in."""

EVERY_KIND: tuple[MessageKind, ...] = tuple(kind for kind in KINDS if kind not in TO_TEAM)


def _pair(  # noqa: PLR0913, PLR0917 - the fields of a template
    id: str,  # noqa: A002 - what it is
    kinds: tuple[MessageKind, ...],
    audience: Audience,
    scope: Scope,
    english: str,
    spanish: str,
) -> tuple[Template, Template]:
    """Return a template in both languages."""
    return (
        Template(id, 1, "en", kinds, audience, scope, english),
        Template(id, 1, "es", kinds, audience, scope, spanish),
    )


TEMPLATES: tuple[Template, ...] = (
    *_pair(
        "update", EVERY_KIND, "participant", "updates",
        "You have an update. Sign in to see it.",
        "Tiene un aviso. Entre para verlo.",
    ),
    *_pair(
        "visit-time", ("visit reminder",), "participant", "visits",
        "We will see you on {visit_day} at {visit_time}.",
        "Le esperamos el {visit_day} a las {visit_time}.",
    ),
    *_pair(
        "visit-day", ("visit reminder",), "participant", "visits",
        "We will see you on {visit_day}.",
        "Le esperamos el {visit_day}.",
    ),
    *_pair(
        "missed", ("missed visit",), "participant", "visits",
        "We did not see you on {visit_day}. You are welcome back. Call us or sign in to pick a new day.",
        "No le vimos el {visit_day}. Puede volver cuando quiera. Llame o entre para elegir otro día.",
    ),
    *_pair(
        "earned-next", ("reward earned",), "participant", "progress",
        "Well done. You earned {award}. Next time you can earn {next}.",
        "Bien hecho. Ha ganado {award}. La próxima vez puede ganar {next}.",
    ),
    *_pair(
        "earned", ("reward earned",), "participant", "progress",
        "Well done. You earned {award}.",
        "Bien hecho. Ha ganado {award}.",
    ),
    *_pair(
        "next", ("next reward",), "participant", "progress",
        "Next time you can earn {next}.",
        "La próxima vez puede ganar {next}.",
    ),
    *_pair(
        "back-next", ("recovery reached",), "participant", "progress",
        "Well done. You are back where you were. Next time you can earn {next}.",
        "Bien hecho. Ha vuelto a donde estaba. La próxima vez puede ganar {next}.",
    ),
    *_pair(
        "back", ("recovery reached",), "participant", "progress",
        "Well done. You are back where you were.",
        "Bien hecho. Ha vuelto a donde estaba.",
    ),
    *_pair(
        "expiring", ("reward expiring",), "participant", "progress",
        "{award} is here for you until {last_day}. Ask us for it by then.",
        "{award} le espera hasta el {last_day}. Pídalo antes.",
    ),
    *_pair(
        "encouragement", ("encouragement",), "participant", "progress",
        "One day does not undo your work. We are glad to see you next time.",
        "Un día no borra su esfuerzo. Nos alegra verle la próxima vez.",
    ),
    *_pair(
        "supporter-visit", ("visit reminder",), "supporter", "visits",
        "A visit you were asked to help with is on {visit_day}.",
        "La cita en la que le pidieron ayuda es el {visit_day}.",
    ),
    *_pair(
        "supporter-absence", ("missed visit",), "supporter", "absences",
        "A visit you were asked to help with did not take place on {visit_day}. A kind word helps.",
        "La cita en la que le pidieron ayuda no tuvo lugar el {visit_day}. Unas palabras ayudan.",
    ),
    *_pair(
        "supporter-progress", ("reward earned", "recovery reached"), "supporter", "progress",
        "Somebody who asked for your support has reached a goal. A kind word helps.",
        "Quien le pidió apoyo ha logrado una meta. Unas palabras ayudan.",
    ),
    *_pair(
        "signal", (SIGNAL, ALERT), "team", "updates",
        "There is an update for your team: {reference}. Sign in to see it.",
        "Hay un aviso para su equipo: {reference}. Entre para verlo.",
    ),
)  # fmt: skip
"""The messages of the package. None tells a stranger what it is about; those of the scope progress say what was earned."""

NEUTRAL: frozenset[Scope] = frozenset({"updates", "visits", "absences"})
"""The scopes whose texts tell a stranger nothing: the default of every host."""

KIND_OF: Mapping[Occasion, MessageKind] = {
    "reward": "reward earned",
    "milestone": "reward earned",
    "no reward": "next reward",
    "reset": "encouragement",
    "recovered": "recovery reached",
    "reminder": "visit reminder",
    "expiry": "reward expiring",
}
"""Which message the text of a program's occasion is a wording of."""


def names_of(program: Program) -> tuple[str, ...]:
    """Return what no message may say of a program besides: its title, and the analytes that it looks for.

    Example:
        >>> from cm_engine import catalogue
        >>> names_of(catalogue.program("california-recovery-incentives"))[1:3]
        ('cocaine', 'amphetamine')
    """
    evidence = [target.evidence for target in program.targets.values() if target.evidence]
    return tuple(dict.fromkeys([program.title, *(analyte for each in evidence for analyte in each.analytes)]))


def program_templates(program: Program) -> tuple[Template, ...]:
    """Return the texts of a program as templates, on the occasions that messages are sent on.

    What says an amount, or anything else that a stranger may not read, has the scope progress: it goes out only with a
    consent that allows it. The digest of the program is its review, so its version stands for theirs.
    """
    return tuple(
        Template(
            f"{program.program}@{program.version}:{each.on}",
            1,
            each.language,
            (KIND_OF[each.on],),
            "participant",
            _scope_of(each.text, KIND_OF[each.on], program),
            each.text,
        )
        for each in program.messages
        if each.on in KIND_OF
    )


def _scope_of(text: str, kind: MessageKind, program: Program) -> Scope:
    fills = {name for _, name, _, _ in Formatter().parse(text) if name}
    tells = told(text, also=(program.title,)) or fills - {"visit_day"}
    if tells or kind not in {"visit reminder", "missed visit"}:
        return "progress"
    return "visits"


def problems(templates: Iterable[Template], also: Sequence[str] = ()) -> list[Problem]:
    """Return everything that is wrong with templates; those of a host should be looked at so before they are used.

    Args:
        templates: what is looked at.
        also: what is denied besides: names of the clinic, of its staff, of the program.

    Example:
        >>> wrong = Template("hello", 1, "en", ("visit reminder",), "participant", "visits", "Your test is on {day}.")
        >>> for each in problems([wrong]):
        ...     print(each.path, each.message)
        hello/en@1 nothing fills in {day} (known: award, balance, last_day, milestone, next, reference, visit_day, visit_time)
        hello/en@1 it says 'test', which tells a stranger what it is about
        >>> problems(TEMPLATES)
        []
    """
    found, seen = list[Problem](), set[tuple[str, str]]()
    for number, each in enumerate(templates, 1):
        messages = [*_fill_problems(each), *_words_problems(each, also)]
        if (each.id, each.language) in seen:
            messages.append("another template has this id and language")
        seen.add((each.id, each.language))
        found += [Problem("templates", number, 1, each.name, message) for message in messages]
    return found


def checked(templates: Iterable[Template], also: Sequence[str] = ()) -> tuple[Template, ...]:
    """Return templates that may be used.

    Raises:
        ProblemsError: something is wrong with them; the error says all of it.
    """
    found = tuple(templates)
    if wrong := problems(found, also):
        raise ProblemsError(wrong)
    return found


def _fill_problems(template: Template) -> list[str]:
    known = ", ".join(sorted(PLACEHOLDERS))
    try:
        parts = list(Formatter().parse(template.text))
    except ValueError:
        return ["a brace stands alone"]
    unknown = [name for _, name, _, _ in parts if name is not None and name not in PLACEHOLDERS]
    formed = any(form or conversion for _, _, form, conversion in parts)
    return [f"nothing fills in {{{name}}} (known: {known})" for name in unknown] + (
        ["a placeholder is a name only"] if formed else []
    )


def _words_problems(template: Template, also: Sequence[str]) -> list[str]:
    progress, bare = template.scope == "progress", _literals(template.text)
    found = [
        f"it says {word!r}, which tells a stranger what it is about"
        for word in told(bare, also=also, progress=progress)
    ]
    amounts = [name for name in _names(template.text) if PLACEHOLDERS.get(name) in {"amounts", "words"}]
    if amounts and not progress:
        found.append(f"it fills in {', '.join(sorted(amounts))}: its scope has to be progress")
    if (
        template.language.partition("-")[0] in LANGUAGES
        and (level := grade(_read(template.text), template.language)) > GRADE_MAX
    ):
        found.append(f"it needs {level} years of school, and {GRADE_MAX} are the most")
    return found


def _literals(text: str) -> str:
    """Return a text without its placeholders; all of it, if its braces are wrong."""
    try:
        return "".join(literal for literal, _, _, _ in Formatter().parse(text))
    except ValueError:
        return text


def _read(text: str) -> str:
    """Return a text as it is read, each placeholder being as long as what usually stands there."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        return text
    return "".join(f"{literal}{LONG.get(PLACEHOLDERS.get(name or ''), '')}" for literal, name, _, _ in parts)


def _names(text: str) -> frozenset[str]:
    try:
        return frozenset(name for _, name, _, _ in Formatter().parse(text) if name is not None)
    except ValueError:
        return frozenset()
