"""What is wrong with text that is not YAML, in the words of whoever wrote it, and where they have to look."""

import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from cm_engine.errors import Problem

_WORD_PROCESSED = (
    (r"[\u200b\u2060\ufeff]", "an invisible character"),
    (r"(?m)(?<=[:\-,\[{])\u00a0|^[ \u00a0]*?\u00a0", "a non-breaking space"),
    (r"(?<=[:,\[{] )[\u201c\u201d\u2018\u2019]", "a curly quotation mark"),
)
_SYNTAX = {
    "mapping values are not allowed": "a colon where none can stand; check the blanks at the beginning of this line and of the one "
    "above, or put the text in quotation marks",
    "could not find expected ':'": "a key without a colon, here or on the line above",
    "expected alphabetic or numeric character": "text that begins with * or & has to stand in quotation marks",
    "undefined alias": "text that begins with * has to stand in quotation marks",
    "cannot start any token": "text that begins with this character has to stand in quotation marks",
    "but found another document": "a second document begins here; one file is one program",
    "expected <block end>": "this does not fit the lines above; check the blanks at the beginning of the line, "
    "and the quotation marks",
    "expected ',' or": "a list or a set of keys is not closed, or a comma is missing",
    "expected the node content": "a value is missing here",
}
_STRAY = {
    "\t": "a tab; what stands at the beginning of a line is blanks, never tabs",
    "`": "a mark of a text that has been copied with what is around it; keep what stands between the two lines of ```",
}
_JOINED = re.compile(r"\s*(?:- )?([\w-]+:)[^\s:/]")
"""A key whose value follows its colon without a blank, so that both are one word to YAML."""


def word_processed(text: str, name: str) -> Iterator[Problem]:
    """Yield what a word processor leaves where YAML needs the plain character, and takes it for text."""
    for pattern, what in _WORD_PROCESSED:
        if found := re.search(pattern, text):
            place = _position(text, found.end() - 1)
            yield Problem(name, *place, "", f"{what}, as word processors write it; type a plain one")


def syntax_problem(error: YAMLError, text: str, name: str) -> Problem:
    """Return what is wrong with text that could not be read, and where."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if isinstance(error, MarkedYAMLError) and mark is not None:
        index, words = _marked(error, mark, text)
    else:
        index, words = getattr(error, "position", 0), "this is not YAML: a character that no text file holds"
    return Problem(name, *_position(text, index), "", words)


def _position(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


def _marked(error: MarkedYAMLError, mark: Any, text: str) -> tuple[int, str]:
    """Return where to look, and what is wrong there."""
    opened, found = error.context_mark, " ".join(str(error.problem or error.context).split())
    is_before = opened is not None and opened.line != mark.line
    if is_before and "quoted scalar" in str(error.context):
        return opened.index, "the quotation mark opened here is not closed"
    if stray := _STRAY.get(text[mark.index : mark.index + 1]):
        return mark.index, f"this is not YAML: {stray}"
    if "mapping values" in found and (joined := _joined_above(text, mark.index - mark.column)):
        return joined.end(1), f"this is not YAML: a blank is missing after {joined[1]!r}"
    words = next((words for key, words in _SYNTAX.items() if key in found), found)
    if is_before and "expected ',' or" in found:
        words = words.replace("keys is", f"keys, opened on line {opened.line + 1}, is")
    return (
        mark.index,
        f"this is not YAML: {words}{_unclosed(text[: mark.index]) if '<block' in found else ''}",
    )


def _joined_above(text: str, index: int) -> re.Match[str] | None:
    """Return the key on the line above whose value has no blank before it."""
    above = text[:index].rstrip()
    return _JOINED.match(above, above.rfind("\n") + 1)


def _unclosed(text: str) -> str:
    """Return a hint at the first line with a quotation mark that no other one closes there."""
    odd = (number for number, line in enumerate(text.splitlines(), 1) if line.count('"') % 2)
    line = next(odd, 0)
    return f"; the quotation mark on line {line} may not be closed" if line else ""
