"""Texts that stand in the log and that only the host may read: sealed with keys that the host supplies. Pure.

A text is sealed by Fernet (AES-128-CBC and HMAC-SHA256) of the package `cryptography`, with a key that HKDF-SHA256
(RFC 5869) derives from the host's for one purpose and one subject: what is sealed for one of them does not open for
another. A host gives one key, or several: the first one seals, all of them open, so that a key can be replaced. Which
key sealed a text stands in front of it, as a short id that says nothing of the key.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cm_engine.errors import MissingDependencyError, SecretError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

Keys = bytes | Sequence[bytes]
"""One key, or the one that seals now and those that sealed before it."""

KEY_BYTES = 32
ID_DIGITS = 8
PRINT_DIGITS = 32
MARK = "s1"
"""How a text was sealed: stands before the id of the key."""
PARTS = 3


def sealed(text: str, key: Keys, purpose: str, subject: str) -> str:
    """Return a text as nobody without the key reads it; the same text is sealed differently each time.

    Args:
        text: what is to be kept.
        key: at least 32 bytes that only the host knows; of several the first one seals.
        purpose: what it is kept for, such as cm-engine/handle; another purpose has another key.
        subject: whom or what it is of: a participant, a batch of vouchers.

    Raises:
        SecretError: a key is too short, or there is none.
        MissingDependencyError: the package `cryptography` is not installed.

    Example:
        >>> key = bytes(range(32))
        >>> text = sealed("+15551230100", key, "cm-engine/handle", "p-104")
        >>> text.split(".")[:2], opened(text, key, "cm-engine/handle", "p-104")
        (['s1', 'daa2700c'], '+15551230100')
    """
    first = _checked(key)[0]
    token = _fernet(first, purpose, subject).encrypt_at_time(text.encode(), 0)  # the log has the time already
    return f"{MARK}.{key_id(first)}.{token.decode()}"


def opened(text: str, key: Keys, purpose: str, subject: str) -> str:
    """Return the text that `sealed` made unreadable.

    Args:
        text: what `sealed` returned.
        key: the key that sealed it, alone or among others.
        purpose: as it was given to it.
        subject: likewise.

    Raises:
        SecretError: it was sealed with another key, for something else, or it was changed; the error says which.
        MissingDependencyError: the package `cryptography` is not installed.
    """
    found = {key_id(each): each for each in _checked(key)}
    sealed_by, token = _parts(text, purpose, subject)
    if sealed_by not in found:
        msg = f"{purpose} of {subject!r} was sealed with key {sealed_by}, and given is {', '.join(found)}"
        raise SecretError(msg)
    from cryptography.fernet import InvalidToken  # noqa: PLC0415 - comes with an extra

    try:
        return _fernet(found[sealed_by], purpose, subject).decrypt(token.encode()).decode()
    except InvalidToken as error:
        msg = f"{purpose} of {subject!r} does not open: it was changed, or sealed for another purpose or subject"
        raise SecretError(msg) from error


def resealed(text: str, key: Keys, purpose: str, subject: str) -> str:
    """Return a text sealed with the first key; one that is sealed so already stays as it is.

    Args:
        text: what `sealed` returned.
        key: the new key, then the one that sealed it.
        purpose: as for `sealed`.
        subject: likewise.

    Raises:
        SecretError: as `opened`.

    Example:
        >>> old, new = bytes(32), bytes(range(32))
        >>> text = sealed("A1B2", old, "cm-engine/voucher", "batch-7")
        >>> again = resealed(text, [new, old], "cm-engine/voucher", "batch-7")
        >>> opened(again, new, "cm-engine/voucher", "batch-7"), sealed_with(again) == key_id(new)
        ('A1B2', True)
    """
    if sealed_with(text) == key_id(_checked(key)[0]):
        return text
    return sealed(opened(text, key, purpose, subject), key, purpose, subject)


def sealed_with(text: str) -> str:
    """Return the id of the key that sealed a text; empty of what is not sealed."""
    parts = text.split(".")
    return parts[1] if len(parts) == PARTS and parts[0] == MARK else ""


def key_id(key: bytes) -> str:
    """Return the id of a key, from which nobody learns the key."""
    return hmac.digest(key, b"cm-engine/key id", "sha256").hex()[:ID_DIGITS]


def fingerprint(text: str, key: bytes, purpose: str, subject: str) -> str:
    """Return digits that are the same for the same text, key, purpose and subject, and that tell only that.

    Telephone numbers are few: a hash without a key would be tried out. With the key, this goes too.

    Example:
        >>> fingerprint("+15551230100", bytes(32), "cm-engine/handle", "p-104")[:12]
        'c005d3829ad0'
    """
    derived = hmac.digest(key, _info(f"print/{purpose}", subject), hashlib.sha256)
    return hmac.digest(derived, text.encode(), "sha256").hex()[:PRINT_DIGITS]


def _parts(text: str, purpose: str, subject: str) -> tuple[str, str]:
    sealed_by = sealed_with(text)
    if not sealed_by:
        msg = f"{purpose} of {subject!r} is not sealed as this release does it"
        raise SecretError(msg)
    return sealed_by, text.split(".")[2]


def _checked(key: Keys) -> Sequence[bytes]:
    keys = [key] if isinstance(key, bytes) else list(key)
    if not keys or any(not isinstance(each, bytes) or len(each) < KEY_BYTES for each in keys):
        msg = f"key: expected at least {KEY_BYTES} bytes; secrets.token_bytes(32) makes some"
        raise SecretError(msg)
    return keys


def _fernet(key: bytes, purpose: str, subject: str) -> "Fernet":
    """Return what seals for one purpose and one subject."""
    try:
        from cryptography.fernet import Fernet  # noqa: PLC0415 - comes with an extra
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingDependencyError("cryptography", "secrets") from error
    derived = HKDF(SHA256(), KEY_BYTES, None, _info(purpose, subject)).derive(key)
    return Fernet(urlsafe_b64encode(derived))


def _info(purpose: str, subject: str) -> bytes:
    """Return what a key is derived for; the length keeps a purpose and a subject from running together."""
    return f"{len(purpose)}:{purpose}:{subject}".encode()
