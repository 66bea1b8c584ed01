"""Codes that are worth money: sealed when they come in, known again by a print, and opened for who hands them over."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from cm_engine.errors import ReportError, SecretError
from cm_engine.plain import one_line
from cm_engine.sealing import fingerprint, key_id, opened, sealed, sealed_with
from cm_engine.stock.state import CHUNK

SUBJECT = "@stock"
"""Whose key in the keyring seals codes: one for all stocks, so that a code is known again in another one."""
PURPOSE = "cm-engine/code"


def plain_codes(codes: Iterable[str]) -> tuple[str, ...]:
    """Return codes as they are kept, looked at.

    Raises:
        ReportError: one is no line of text, or stands there twice; the error does not repeat it.
    """
    found = tuple(codes)
    for place, code in enumerate(found, 1):
        try:
            one_line("code", code)
        except ReportError:
            msg = f"codes: code {place} is no text of one line"
            raise ReportError(msg) from None
    first = {code: place for place, code in reversed(tuple(enumerate(found, 1)))}
    for place, code in enumerate(found, 1):
        if first[code] != place:
            msg = f"codes: code {place} is the same as code {first[code]}"
            raise ReportError(msg)
    return found


def print_of(code: str, key: bytes) -> str:
    """Return the print of a code: the same for the same code, and telling nothing of it."""
    return fingerprint(code, key, PURPOSE, SUBJECT)


def print_of_all(prints: Sequence[str]) -> str:
    """Return what tells one delivery of codes from another."""
    return sha256("".join(prints).encode()).hexdigest()


def seal(code: str, key: bytes, stock: str) -> str:
    """Return a code as nobody reads it."""
    return sealed(code, key, PURPOSE, stock)


def unseal(text: str, key: bytes | None, stock: str) -> str:
    """Return a code that was sealed.

    Raises:
        SecretError: there is no key, or another one.
    """
    if key is None:
        msg = f"the codes of stock {stock!r} were sealed with key {sealed_with(text)}, and the keyring has none for {SUBJECT!r}"
        raise SecretError(msg)
    return opened(text, key, PURPOSE, stock)


def refuse_other_key(stock: str, found: str, key: bytes) -> None:
    """Refuse to take in codes with another key than the one before: none would be known again.

    Raises:
        SecretError: it is another one.
    """
    if found != key_id(key):
        msg = f"the codes of stock {stock!r} were sealed with key {found}, and the keyring has {key_id(key)}; give the same keyring"
        raise SecretError(msg)


def chunked(items: Sequence[str]) -> list[Sequence[str]]:
    """Return items in parts of as many as stand in one act."""
    return [items[place : place + CHUNK] for place in range(0, len(items), CHUNK)]
