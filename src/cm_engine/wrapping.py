"""Seeds of prize draws that leave the database, or that came from another one: wrapped with a key, never in the clear.

A seed is wrapped by AES Key Wrap (RFC 3394, NIST SP 800-38F) with a key of 256 bits that HKDF-SHA256 (RFC 5869) derives from
what a host knows, for this purpose and this enrollment alone. Both are those of the package `cryptography`. A key wraps one
seed only, so that the same is wrapped the same; whoever unwraps it compares its SHA-256 with the commitment.
"""

from collections.abc import Sequence

from cm_engine.errors import MissingDependencyError, SecretError

TRAVELS, KEPT = "cm-engine/bundle/seed", "cm-engine/kept/seed"
"""What a seed is wrapped for: to travel in a bundle, or to be kept where it arrived."""
KEY_BYTES = 32


def wrapped(seed: bytes, key: bytes, purpose: str, enrollment: str) -> str:
    """Return a seed as nobody without the key reads it, in hexadecimal digits.

    Args:
        seed: 32 bytes.
        key: at least 32 bytes that only those know who may read it.
        purpose: what it is wrapped for; another purpose has another key.
        enrollment: whose draws it is for.

    Raises:
        MissingDependencyError: the package `cryptography` is not installed.

    Example:
        >>> text = wrapped(bytes(32), bytes(range(32)), TRAVELS, "e-1")
        >>> unwrapped(text, bytes(range(32)), TRAVELS, "e-1") == bytes(32), len(text)
        (True, 80)
    """
    try:
        from cryptography.hazmat.primitives.keywrap import aes_key_wrap  # noqa: PLC0415 - comes with an extra
    except ModuleNotFoundError as error:
        raise MissingDependencyError("cryptography", "moving") from error
    return aes_key_wrap(_derived(key, purpose, enrollment), seed).hex()


def unwrapped(text: str, key: bytes, purpose: str, enrollment: str) -> bytes:
    """Return the seed that `wrapped` made unreadable.

    Args:
        text: what `wrapped` returned.
        key: as it was given to it.
        purpose: likewise.
        enrollment: likewise.

    Raises:
        SecretError: it was wrapped with another key.
        MissingDependencyError: the package `cryptography` is not installed.
    """
    try:
        from cryptography.hazmat.primitives.keywrap import (  # noqa: PLC0415 - comes with an extra
            InvalidUnwrap,
            aes_key_unwrap,
        )
    except ModuleNotFoundError as error:
        raise MissingDependencyError("cryptography", "moving") from error
    try:
        return aes_key_unwrap(_derived(key, purpose, enrollment), bytes.fromhex(text))
    except (InvalidUnwrap, ValueError) as error:
        msg = f"the seed of {enrollment!r} was wrapped with another key"
        raise SecretError(msg) from error


def _derived(key: bytes, purpose: str, enrollment: str) -> bytes:
    """Return the key that wraps one seed."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - comes with an extra
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    return HKDF(SHA256(), KEY_BYTES, None, f"{purpose}/{enrollment}".encode()).derive(key)


def kept_seed(wraps: Sequence[str], secret: bytes, enrollment: str) -> bytes:
    """Return the seed that arrived with an enrollment; nothing if none did, or if another secret keeps it.

    Args:
        wraps: the seeds of the acts that brought the enrollment here or elsewhere, each wrapped by its host.
        secret: of this host.
        enrollment: its id.
    """
    for text in reversed(wraps):
        try:
            return unwrapped(text, secret, KEPT, enrollment)
        except SecretError:
            continue
    return b""
