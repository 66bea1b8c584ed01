"""Spanish sentences from the reasons of a decision; the engine's own sentences are English."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from examples.clinic.terms import Terms, spoken

from cm_engine import Unit, reasons

ORDINALS = ("", "Primera", "Segunda", "Tercera", "Cuarta", "Quinta", "Sexta", "Séptima", "Octava", "Novena")
PERIODS = {
    "day": "por día",
    "week": "por semana",
    "month": "por mes",
    "calendar year": "por año civil",
    "episode": "en todo el programa",
}
WAITS = {
    "retest": "Esto aún no decide la visita; hace falta otra muestra.",
    "confirmation": "El resultado espera su confirmación; hasta entonces no se decide nada.",
    "reschedule": "Se aplaza; hasta entonces no se decide nada.",
}

Say = Callable[[Any, Terms], str]
"""The words of one kind of reason; nothing where this application has none."""


def spanish(found: Iterable[reasons.Reason], terms: Terms) -> str:
    """Return reasons in Spanish; nothing if one of them has no Spanish words here.

    Example:
        >>> from examples.clinic.terms import TERMS
        >>> earned = reasons.Earned(Unit("USD", 2), run=2, amount=1150, change=150, in_a_row=True)
        >>> spanish([earned], TERMS["es"]["abstinence"])
        'Segunda prueba negativa seguida: $11.50, $1.50 más.'
    """
    said = [_SAYS[each.code](each, terms) if each.code in _SAYS else "" for each in found]
    return " ".join(said) if all(said) else ""


def _money(unit: Unit, amount: int) -> str:
    return spoken(unit, amount, "es")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _run(number: int, terms: Terms, *, in_a_row: bool) -> str:
    """Return a run of successes: una prueba negativa, 2 pruebas negativas seguidas."""
    row = " seguidas" if in_a_row else ""
    return f"{number} {terms.mets}{row}" if number > 1 else f"una {terms.met}"


def _earned(reason: reasons.Earned, terms: Terms) -> str:
    row = " seguida" if reason.in_a_row else ""
    number = ORDINALS[reason.run] if reason.run < len(ORDINALS) else f"{reason.run}.ª"
    what = _capital(terms.met) if reason.run == 1 else f"{number} {terms.met}{row}"
    if not reason.amount:
        return f"{what}."
    paid = _money(reason.unit, reason.amount)
    if reason.limited:
        return f"{what}, con valor de {paid}."
    if not reason.change:
        return f"{what}: {paid}."
    way = "más" if reason.change > 0 else "menos"
    return f"{what}: {paid}, {_money(reason.unit, abs(reason.change))} {way}."


def _counted(reason: reasons.Counted, terms: Terms) -> str:
    if not reason.needed:
        return f"{_capital(terms.met)}."
    return f"{_capital(terms.met)}, número {reason.done} de {reason.needed} para la próxima recompensa."


def _week(reason: reasons.WeekPaid, terms: Terms) -> str:
    paid = _money(reason.unit, reason.amount)
    return f"{reason.met} de {reason.due} {terms.mets} esta semana: {paid}."


def _bonus(reason: reasons.BonusEarned, terms: Terms) -> str:
    run = _run(reason.every, terms, in_a_row=reason.in_a_row)
    return f"Recompensa adicional por {run}: {_money(reason.unit, reason.amount)} más."


def _recovered(reason: reasons.Recovered, terms: Terms) -> str:
    run = _capital(_run(reason.after, terms, in_a_row=reason.in_a_row))
    bring = "devuelven" if reason.after > 1 else "devuelve"
    return f"{run} {bring} su recompensa a {_money(reason.unit, reason.amount)}."


def _limited(reason: reasons.Limited, _: Terms) -> str:
    if reason.per not in PERIODS:
        return ""
    limit = f"El límite de {_money(reason.unit, reason.limit)} {PERIODS[reason.per]}"
    if not reason.left:
        return f"{limit} no deja nada más para pagar."
    return f"{limit} deja {_money(reason.unit, reason.left)}, y eso se paga."


def _reset(reason: reasons.WasReset, terms: Terms) -> str:
    what = f"{terms.results[reason.outcome]}: esta vez no hay recompensa"
    if reason.restart is None:
        return f"{what}."
    return f"{what}, y la recompensa empieza de nuevo en {_money(reason.unit, reason.restart)}."


def _recoverable(reason: reasons.Recoverable, terms: Terms) -> str:
    when = "Con" if reason.paid_nth else "Después de"
    run = _run(reason.after, terms, in_a_row=reason.in_a_row)
    return f"{when} {run} la recompensa vuelve a {_money(reason.unit, reason.amount)}."


def _held(reason: reasons.Held, terms: Terms) -> str:
    kept = ", y se conserva su lugar" if reason.kept else ""
    return f"{terms.results[reason.outcome]}: sin recompensa{kept}."


def _paid_out(reason: reasons.PaidOut, _: Terms) -> str:
    if reason.when != "on request" or reason.expires:
        return ""
    least = f", a partir de {_money(reason.unit, reason.minimum)}" if reason.minimum else ""
    return f"Esto se guarda y se entrega cuando usted lo pida{least}."


def _unplaced(reason: reasons.Unplaced, _: Terms) -> str:
    following = reason.following
    ahead = f"; la próxima está prevista para el {following:%d/%m/%Y}" if following else ""
    return f"Este día no es de ninguna visita{ahead}. No se decide nada hasta saber de qué visita es."


def _another(reason: reasons.Another, _: Terms) -> str:
    return f"La visita {reason.visit} ya tiene un resultado que cuenta; este no cuenta."


def _next(reason: reasons.Next, terms: Terms) -> str:
    if reason.by_group:
        return ""
    begins = f"Con la próxima visita empieza la fase de las semanas {reason.opens}. " if reason.opens else ""
    if not reason.amount:
        return f"{begins}La próxima visita no paga nada."
    after = f"Después de {_run(reason.after, terms, in_a_row=False)} más"
    rest = ", lo que deja un límite" if reason.limited else ""
    when = terms.next_met if reason.after == 1 else after
    return f"{begins}{when}: {_money(reason.unit, reason.amount)}{rest}."


_SAYS: Mapping[str, Say] = {
    "earned": _earned,
    "counted": _counted,
    "week": _week,
    "bonus": _bonus,
    "recovered": _recovered,
    "limited": _limited,
    "reset": _reset,
    "recoverable": _recoverable,
    "held": _held,
    "noted": lambda reason, terms: f"{terms.results[reason.outcome]}.",
    "not required": lambda _, terms: f"{terms.results['_']}.",
    "waiting": lambda reason, _: WAITS[reason.what],
    "paid out": _paid_out,
    "next": _next,
    "unplaced": _unplaced,
    "another": _another,
    "plan ended": lambda _, __: "Esa fue la última visita prevista.",
}
