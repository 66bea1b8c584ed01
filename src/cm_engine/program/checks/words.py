"""What must hold of messages and signals; what a message may never say."""

import re
import unicodedata
from string import Formatter

from cm_engine.program.checks.base import Found, Whole, awarded, known_target, listed_once
from cm_engine.program.models import Program
from cm_engine.program.rewards import Milestone
from cm_engine.program.values import either, shown
from cm_engine.program.words import PLACEHOLDERS, TURNS, Message, Signal, Turn
from cm_engine.spelling import nearest

ENGLISH = (
    "urine test specimen sample drug substance stimulant opioid opiate cocaine methamphetamine amphetamine meth "
    "fentanyl heroin cannabis marijuana alcohol drinking nicotine tobacco smoking methadone buprenorphine naltrexone "
    "positive negative abstinent abstinence clean sober sobriety relapse recovery addiction rehab treatment patient "
    "clinic diagnosis hiv viral psychiatric testing tested urinalysis screening dose medication"
)
SPANISH = (
    "orina prueba muestra análisis droga sustancia estimulante opioide opiáceo cocaína metanfetamina anfetamina "
    "fentanilo heroína cannabis marihuana alcohol beber nicotina tabaco fumar metadona buprenorfina naltrexona "
    "positivo positiva negativo negativa abstinente abstinencia limpio limpia sobrio sobria sobriedad recaída "
    "dosis medicamento recuperación adicción rehabilitación tratamiento paciente clínica diagnóstico vih viral psiquiátrico psiquiátrica"
)
NEVER_SAID = tuple(dict.fromkeys([*ENGLISH.split(), *SPANISH.split()]))
"""Words that tell a stranger who reads the message what it is about (42 CFR Part 2), in English and Spanish.

In other languages only the analytes and the title of the program are looked for: have such texts reviewed.
"""


def placeholders_known(message: Message, _: Whole) -> Found:
    """Find braces that nothing is filled into."""
    try:
        found = list(Formatter().parse(message.text))
    except ValueError:
        yield ("text",), "a brace stands alone; write {{ or }} for one that stays"
        return
    for _literal, name, form, conversion in found:
        if name is not None and name not in PLACEHOLDERS:
            hint = nearest(name, PLACEHOLDERS)
            yield ("text",), f"nothing fills in {{{name}}}{hint} (known: {', '.join(PLACEHOLDERS)})"
        elif name is not None and (form or conversion):
            yield ("text",), f"a placeholder is a name only; write {{{name}}}"
        elif name == "milestone" and message.on != "milestone":
            yield ("text",), "only a message on milestone fills in {milestone}"


def nothing_told(message: Message, whole: Whole) -> Found:
    """Find a word that tells a stranger of a substance, a result, a program or a clinic."""
    return _telling(message.text, "text", whole.program)


def nothing_told_by_unit(message: Message, whole: Whole) -> Found:
    """Find an award whose unit tells it, in a message that fills the award in."""
    if not any(f"{{{name}" in message.text for name in ("award", "next", "balance")):
        return
    for unit in awarded(whole.program).values():
        for _, told in _telling(unit.spoken(2), "text", whole.program):
            yield ("text",), f"it fills in {unit.plural or unit.name}, and {told}"


def nothing_told_by_milestone(milestone: Milestone, whole: Whole) -> Found:
    """Find such a word in the name of a milestone that a message fills in."""
    if any("{milestone" in message.text for message in whole.program.messages):
        yield from _telling(milestone.says, "says", whole.program)


def _telling(text: str, key: str, program: Program) -> Found:
    evidence = [target.evidence for target in program.targets.values() if target.evidence]
    own = [analyte for each in evidence for analyte in each.analytes]
    for word in dict.fromkeys((*NEVER_SAID, *own)):
        if _says(text, word):
            yield (key,), f"{shown(word)} tells a stranger what this is about; say it without"
    if _says(text, program.title):
        yield (key,), "it names the program; say it without"


def _says(text: str, word: str) -> bool:
    """Tell whether a text has a word, in whatever case, number and accents."""
    return bool(re.search(rf"(?<!\w){re.escape(_bare(word))}(e?s)?(?!\w)", _bare(text)))


def _bare(text: str) -> str:
    """Return a text without accents, in small letters."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()


def messages_once(program: Program, _: Whole) -> Found:
    """Find two messages for one occasion in one language, and two signals of one name."""
    for index, message in enumerate(program.messages):
        if any(
            (message.on, message.language) == (other.on, other.language) for other in program.messages[:index]
        ):
            yield ("messages", index), f"a message on {message.on} in {message.language} stands above already"
    for index, signal in enumerate(program.signals):
        if any(signal.name == other.name for other in program.signals[:index]):
            yield ("signals", index, "name"), f"{signal.name} stands above already"


def every_language(program: Program, _: Whole) -> Found:
    """Find an occasion that some language of the program has no message on."""
    languages = dict.fromkeys(message.language for message in program.messages)
    for index, message in enumerate(program.messages):
        has = {other.language for other in program.messages if other.on == message.on}
        first = not any(other.on == message.on for other in program.messages[:index])
        if first and len(has) < len(languages):
            without = [language for language in languages if language not in has]
            yield (
                ("messages", index, "on"),
                f"there is no message on {message.on} in {' and '.join(without)}; add one",
            )


def roles_once(signal: Signal, _: Whole) -> Found:
    """Find a role that is told twice."""
    yield from listed_once(signal.to, ("to",))


def one_turn(turn: Turn, _: Whole) -> Found:
    """Find a signal about nothing, or about two things."""
    if sum(getattr(turn, key) is not None for key in TURNS) != 1:
        yield (), f"expected {either(TURNS)}, one of them"


def target_of_signal(signal: Signal, whole: Whole) -> Found:
    """Find a signal about a target that is not there."""
    if signal.target is not None and (unknown := known_target(signal.target, whole.program)):
        yield ("target",), unknown


RULES = {
    Program: (messages_once, every_language),
    Message: (placeholders_known, nothing_told, nothing_told_by_unit),
    Milestone: (nothing_told_by_milestone,),
    Turn: (one_turn,),
    Signal: (target_of_signal, roles_once),
}
