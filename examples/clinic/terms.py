"""The nouns of behaviors, in the languages of the pages: what a result is called, and what is awarded."""

from collections.abc import Mapping
from dataclasses import dataclass

from examples.clinic.view import Amounts

from cm_engine import Program, Unit

SYMBOLS = ("-", "+", "o", "e", "r", "*", "_")

KINDS = {
    "enrolled": "Enrollment",
    "observed": "Entry",
    "amended": "Correction",
    "voided": "Withdrawal",
    "asserted": "Assertion of a balance",
    "swept": "Days closed",
    "moved": "Visit moved",
    "paused": "Pause",
    "resumed": "End of the pause",
    "handed over": "Handed over",
    "entered": "First entry",
    "withdrawn": "First entry withdrawn",
    "declined": "Not handed over",
    "redeemed": "Put on its way",
    "refunded": "Came back",
}
"""What staff call the kinds of acts; one that is new keeps the engine's word."""
DECIDES = frozenset({"observed", "amended", "voided", "swept"})
"""The kinds of acts whose decisions are on visits, and not on payouts."""
STATUSES = {
    "decided": "Decided",
    "open": "Open now",
    "overdue": "Overdue",
    "planned": "Planned",
    "paused": "Paused",
}
"""What staff call how a planned visit stands."""


@dataclass(frozen=True)
class Terms:
    """How a behavior is spoken of: one success, several, the next one, and every result."""

    met: str
    mets: str
    next_met: str
    results: Mapping[str, str]


def _english(one: str, met: str, not_met: str) -> Terms:
    named = (f"{one} {met}", f"{one} {not_met}", f"Missed {one}", f"Excused {one}", f"Refused {one}")
    results = [*named, f"{one} not clear", f"No {one} was due"]
    return Terms(f"{one} {met}", f"{one}s {met}", f"Next {one} {met}", _by_symbol(results))


def _by_symbol(results: list[str]) -> dict[str, str]:
    return {symbol: text[:1].upper() + text[1:] for symbol, text in zip(SYMBOLS, results, strict=True)}


def _spanish(met: str, mets: str, next_met: str, results: list[str]) -> Terms:
    return Terms(met, mets, next_met, _by_symbol(results))


_TEST = ["Negative test", "Positive test", "Missed visit", "Excused visit", "Refused test"]
TERMS: Mapping[str, Mapping[str, Terms]] = {
    "en": {
        "abstinence": Terms(
            "negative test",
            "negative tests",
            "Next negative",
            _by_symbol([*_TEST, "Test without a clear result", "No test was due"]),
        ),
        "attendance": _english("visit", "attended", "not attended"),
        "medication": _english("dose", "taken", "not taken"),
        "task": _english("task", "completed", "not completed"),
    },
    "es": {
        "abstinence": _spanish(
            "prueba negativa",
            "pruebas negativas",
            "Próxima negativa",
            [
                "Prueba negativa",
                "Prueba positiva",
                "Faltó a la visita",
                "Falta justificada",
                "No quiso dar la prueba",
                "Prueba sin resultado claro",
                "No tocaba prueba",
            ],
        ),
        "attendance": _spanish(
            "visita cumplida",
            "visitas cumplidas",
            "Próxima visita cumplida",
            [
                "Visita cumplida",
                "Visita no cumplida",
                "Faltó a la visita",
                "Falta justificada",
                "No quiso la visita",
                "Visita no clara",
                "No tocaba visita",
            ],
        ),
        "medication": _spanish(
            "dosis tomada",
            "dosis tomadas",
            "Próxima dosis tomada",
            [
                "Dosis tomada",
                "Dosis no tomada",
                "Faltó a la dosis",
                "Falta justificada",
                "No quiso la dosis",
                "Dosis no clara",
                "No tocaba dosis",
            ],
        ),
        "task": _spanish(
            "tarea completada",
            "tareas completadas",
            "Próxima tarea completada",
            [
                "Tarea completada",
                "Tarea no completada",
                "Faltó la tarea",
                "Falta justificada",
                "No quiso la tarea",
                "Tarea no clara",
                "No tocaba tarea",
            ],
        ),
    },
}
_UNITS = {
    "draw": ("sorteo", "sorteos"),
    "ticket": ("boleto", "boletos"),
    "take-home dose": ("dosis para llevar", "dosis para llevar"),
    "point": ("punto", "puntos"),
}
"""The things that are awarded, in Spanish; a unit that is not here keeps its name."""


def terms_of(program: Program, target: str, language: str) -> Terms:
    """Return how a target is spoken of; the noun of its own that a program gives it is English."""
    found = program.targets[target]
    if found.called and language == "en":
        done = {"attendance": ("attended", "not attended"), "medication": ("taken", "not taken")}
        return _english(found.called.one, *done.get(found.behavior, ("completed", "not completed")))
    return TERMS[language][found.behavior]


def spoken(unit: Unit, minor: int, language: str) -> str:
    """Return an amount in minor units as it is said.

    Example:
        >>> spoken(Unit("draw", 0, "draws"), 2, "es"), spoken(Unit("USD", 2), 1150, "es")
        ('2 sorteos', '$11.50')
    """
    if language == "es" and unit.name in _UNITS:
        one, many = _UNITS[unit.name]
        return f"{minor} {one if abs(minor) == 1 else many}"
    return unit.spoken(minor)


def amounts_in_words(program: Program, amounts: Amounts, language: str) -> str:
    """Return amounts by unit as they are said; nothing if there are none."""
    units = {name: program.unit(name) for name in amounts}
    said = [spoken(units[name], units[name].minor(each), language) for name, each in amounts.items() if each]
    return (" y " if language == "es" else " and ").join(said)
