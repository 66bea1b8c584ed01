"""What somebody writes back: whether it ends messages, begins them again, confirms a visit, or needs a person.

The words are those of 47 CFR 64.1200(a)(10) (stop, quit, end, revoke, opt out, cancel, unsubscribe) and their Spanish
counterparts. Consent may be revoked in any reasonable way: what is none of these words goes to a person.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Literal

Reply = Literal["stop", "start", "confirm", "help", "other"]

WORDS: Mapping[Reply, str] = {
    "stop": "stop|stopall|quit|end|revoke|opt out|optout|cancel|unsubscribe|remove|no more"
    "|alto|parar|pare|para|detener|detenga|cancelar|cancele|baja|darme de baja|terminar|termine|fin|no más|revocar",
    "start": "start|unstop|opt in|optin|subscribe|comenzar|empezar|iniciar|alta",
    "confirm": "yes|y|confirm|ok|okay|sí|s|confirmo|confirmar|vale",
    "help": "help|info|ayuda",
}
POLITE = frozenset(
    {
        "please",
        "pls",
        "thanks",
        "thank",
        "you",
        "por",
        "favor",
        "gracias",
        "all",
        "texts",
        "messages",
        "mensajes",
    }
)
"""Words that change nothing about a request."""


def reply_of(text: str) -> Reply:
    """Return what somebody wrote, if it is one of the words that mean one thing, in whatever case.

    Example:
        >>> reply_of("STOP!"), reply_of("Please stop"), reply_of("Por favor, cancele"), reply_of("opt-out")
        ('stop', 'stop', 'stop', 'stop')
        >>> reply_of("don't stop"), reply_of("I cannot come on Friday")
        ('other', 'other')
    """
    words = _words(text)
    for asked in (words, [word for word in words if word not in POLITE]):
        if asked and (found := _MEANS.get(" ".join(asked))):
            return found
    return "other"


def _words(text: str) -> list[str]:
    apart = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(letter for letter in apart if unicodedata.category(letter) not in {"Mn", "Cf"})
    return re.sub(r"[^\w\s]", " ", bare.replace("'", "").replace("\u2019", "")).split()


_MEANS: Mapping[str, Reply] = {
    " ".join(_words(word)): reply for reply, words in WORDS.items() for word in words.split("|")
}
