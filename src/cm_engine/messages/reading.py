"""How many years of school a text needs, in English and Spanish.

English: the Flesch-Kincaid grade, 0.39 words per sentence + 11.8 syllables per word - 15.59 (Kincaid, Fishburne, Rogers
and Chissom 1975, Research Branch Report 8-75). Spanish: the ease of reading of Fernández Huerta (1959, Consigna 214:29-32),
206.84 - 60 syllables per word - 1.02 words per sentence, and the grade that his table gives for it. Health information
for patients should need six years at most (Weiss 2007, Health literacy and patient safety, American Medical Association).

Both were fitted on passages of about a hundred words: of a single short message they are rough, and no judgment of its
kindness. Numbers, days and times count as words of one syllable, as they are read at a glance.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

GRADE_MAX = 6
"""As many years of school may a message need."""

EASE_OF_GRADE = ((90, 4), (80, 5), (70, 6), (60, 8), (50, 12))
"""The grade by the ease of Fernández Huerta, from the easiest on; below all of them it is university."""
UNIVERSITY = 13

STRONG, WEAK = "aeoáéíóú", "iuü"


class Counted(NamedTuple):
    """How many sentences, words and syllables a text has."""

    sentences: int
    words: int
    syllables: int


def grade(text: str, language: str) -> int:
    """Return how many years of school a text needs, rounded up; 0 at least.

    Args:
        text: without placeholders.
        language: en or es, or one of their regions.

    Raises:
        KeyError: no formula for this language is known here.

    Example:
        >>> grade("You have an update. Sign in to see it.", "en"), grade("Tiene un aviso. Entre para verlo.", "es")
        (0, 5)
        >>> grade("Comprehensive rehabilitation necessitates interdisciplinary collaboration.", "en")
        48
    """
    return LANGUAGES[language.partition("-")[0]](text)


def _english(text: str) -> int:
    found = counted(text, english_syllables)
    level = 0.39 * found.words / found.sentences + 11.8 * found.syllables / found.words - 15.59
    return max(0, -int(-level // 1))


def _spanish(text: str) -> int:
    found = counted(text, spanish_syllables)
    ease = 206.84 - 60 * found.syllables / found.words - 1.02 * found.words / found.sentences
    return next((level for least, level in EASE_OF_GRADE if ease >= least), UNIVERSITY)


LANGUAGES: Mapping[str, Callable[[str], int]] = {"en": _english, "es": _spanish}
"""The languages whose texts can be measured."""


def counted(text: str, syllables: Callable[[str], int]) -> Counted:
    """Return how many sentences, words and syllables a text has; one of each at least."""
    words = re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)*", text)
    sentences = [part for part in re.split(r"[.!?:;]+(?:\s|$)", text) if re.search(r"\w", part)]
    found = sum(syllables(word.lower()) if word.isalpha() else 1 for word in words)
    return Counted(max(1, len(sentences)), max(1, len(words)), max(1, found))


def english_syllables(word: str) -> int:
    """Return the syllables of an English word: groups of vowels, but for endings that are not spoken.

    Example:
        >>> [english_syllables(word) for word in ("update", "asked", "little", "encouragement", "visited")]
        [2, 1, 2, 4, 3]
    """
    spoken = re.sub(r"(?:[^laeiouy]e|[aeiouy]le)s?$", "", word)  # care, cares, whole; but not little
    spoken = re.sub(r"(?<![aeioutd])ed$", "", spoken)
    spoken = re.sub(r"(?<=[^aeiouyl])e(?=(?:ment|ful|ly|less)$)", "", spoken)
    return max(1, len(re.findall(r"[aeiouy]+", spoken)))


def spanish_syllables(word: str) -> int:
    """Return the syllables of a Spanish word: two strong vowels, or an accented weak one, part; others join.

    Example:
        >>> [spanish_syllables(word) for word in ("aviso", "día", "cita", "vuelto", "aéreo", "quien", "siguiente")]
        [3, 2, 2, 2, 4, 1, 3]
    """
    letters = re.sub(r"(?<=[qg])u(?=[eiéí])", "", word)
    letters = re.sub(r"y$", "i", letters)
    found = 0
    for group in re.findall(rf"[{STRONG}{WEAK}]+", letters):
        found += max(1, sum(letter in STRONG for letter in group))
    return max(1, found)
