"""The seal of a bundle: SHA-256 over each of its parts and over all of it, and HMAC with a key that two hosts share. Pure."""

import hashlib
import hmac
from typing import Any

from cm_engine.bundles.layout import HELD, Document, canonical_form
from cm_engine.errors import BundleError

SEAL = b"cm-engine/bundle/seal\n"
"""What the shared key is used for here; a seed is wrapped with another key derived from it."""


def sealed(document: Document, key: bytes) -> dict[str, Any]:
    """Return a document with its seals.

    Args:
        document: everything else.
        key: that the two hosts share; without one the HMAC is left empty.
    """
    parts = {name: _sha256(document[name]) for name in HELD}
    within = {**document, "parts": parts}
    whole = {**within, "hmac": _hmac(within, key) if key else ""}
    return {**whole, "seal": _sha256(whole)}


def refuse_broken(document: Document, key: bytes) -> None:
    """Refuse a document whose seals are not those of what it says.

    Args:
        document: with its seals.
        key: that the two hosts share, if they do.

    Raises:
        BundleError: it says which part was changed.
    """
    for name in HELD:
        told = document["parts"].get(name) if isinstance(document["parts"], dict) else None
        if told != _sha256(document[name]):
            raise BundleError(name, "it is not what was sealed")
    whole = {name: value for name, value in document.items() if name != "seal"}
    if document["seal"] != _sha256(whole):
        raise BundleError("seal", f"it is {document['seal']!r}, and that of the bundle {_sha256(whole)!r}")
    _refuse_forged({name: value for name, value in whole.items() if name != "hmac"}, document["hmac"], key)


def _refuse_forged(within: Document, told: object, key: bytes) -> None:
    if key and not (
        isinstance(told, str) and hmac.compare_digest(told.encode(), _hmac(within, key).encode())
    ):
        what = "it was not sealed with the key that is given here"
        raise BundleError("hmac", what if told else f"it has none: {what}")


def _sha256(value: object) -> str:
    return hashlib.sha256(canonical_form(value).encode()).hexdigest()


def _hmac(within: Document, key: bytes) -> str:
    return hmac.digest(key, SEAL + canonical_form(within).encode(), "sha256").hex()
