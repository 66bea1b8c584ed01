"""Look at a bundle before anything is written: its form, its seals, its hashes, and its whole log folded again."""

import json
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from cm_engine.acts.register import program_in, refolded
from cm_engine.audit.auditing import program_difference, verified_alone
from cm_engine.bundles.bundle import Bundle, derived, told_by
from cm_engine.bundles.held import NO_KEY, Held, SeedRegister
from cm_engine.bundles.layout import Document, Rows, canonical_form, digests_of, document_of, rows_from
from cm_engine.bundles.sealing import refuse_broken
from cm_engine.errors import UNREADABLE, BundleError, CmEngineError, ReportError, SecretError
from cm_engine.log.correction import Log
from cm_engine.log.moves import EXPORTED
from cm_engine.log.rows import RESERVED
from cm_engine.log.stand import Enrolled, Stand, stand_from, stand_text
from cm_engine.rules.shared import Pool, shared_pools
from cm_engine.wrapping import TRAVELS, unwrapped

KEY_BYTES = 32
MOST = 2**63
"""No database keeps an amount as large, in minor units."""


def read_bundle(text_or_path: str | PathLike[str], *, seal_with: bytes = b"") -> Bundle:
    """Return a bundle, once everything in it is found to be as it should be; no database is needed.

    Its layout and its seals are looked at, every hash is followed, and the whole log is decided again with the program
    in it, by the rules of this release.

    Args:
        text_or_path: the text of a bundle, or the path of a file.
        seal_with: the key that the two hosts share, at least 32 bytes; where it was sealed with one, it is needed.

    Raises:
        BundleError: it says where the bundle is first not as it should be, and how.
        ReportError: the key is too short.
        MissingDependencyError: it has a seed to unwrap, and the package `cryptography` is not installed.
    """
    return bundle_from(bundle_text(text_or_path), checked_key(seal_with))


def bundle_text(text_or_path: str | PathLike[str]) -> str:
    """Return the text of a bundle: what is given, or what the file says.

    Raises:
        BundleError: there is no such file, or it is no text.
    """
    if isinstance(text_or_path, str) and text_or_path.lstrip().startswith("{"):
        return text_or_path
    try:
        return Path(text_or_path).read_bytes().decode()
    except (OSError, ValueError) as error:
        raise BundleError(str(text_or_path)[:200], f"it cannot be read: {error}") from error


def checked_key(key: object) -> bytes:
    """Return a key that two hosts share; empty for none.

    Raises:
        ReportError: it is too short to be one.
    """
    if isinstance(key, bytes) and (not key or len(key) >= KEY_BYTES):
        return key
    msg = f"seal_with: expected at least {KEY_BYTES} bytes that only the two hosts know"
    raise ReportError(msg)


def bundle_from(text: str, key: bytes) -> Bundle:
    """Return the bundle of a text, looked at from end to end.

    Raises:
        BundleError: it is not as it should be.
    """
    document = document_of(text)
    try:
        refuse_broken(document, key)
    except BundleError as error:
        raise BundleError(error.where, f"{error.what}{_nearer(document)}") from None
    if document["hmac"] and not key:
        raise BundleError("hmac", "it is sealed with a key that two hosts share; give it: seal_with")
    rows = rows_from(document)
    seed = seed_in(document, rows, key)
    rows = with_state(rows, seed)
    refuse_unsound(rows, seed)
    _refuse_other_summary(document, rows, seed)
    return Bundle(document, rows)


def seed_in(document: Document, rows: Rows, key: bytes) -> bytes:
    """Return the seed that travels in a bundle, empty for a program that draws nothing.

    Raises:
        BundleError: it is not there, or was wrapped with another key.
    """
    draws, commitment = document["draws"], rows.enrollment.commitment
    if (
        not isinstance(draws, dict)
        or set(draws) != {"commitment", "seed"}
        or draws["commitment"] != commitment
    ):
        raise BundleError("draws", f"expected the commitment {commitment!r} and a seed")
    if not commitment:
        return b""
    if not key:
        raise BundleError("draws.seed", NO_KEY)
    try:
        return unwrapped(str(draws["seed"]), key, TRAVELS, rows.enrollment.id)
    except SecretError as error:
        raise BundleError("draws.seed", str(error)) from error


def refuse_unsound(rows: Rows, seed: bytes) -> None:
    """Refuse rows that do not follow from their acts, or whose last act does not export them.

    Raises:
        BundleError: the first difference.
    """
    try:
        found = next(_differences(rows, seed), None)
    except UNREADABLE as error:
        raise BundleError("log", f"it cannot be read: {error!r}") from error
    if found:
        raise BundleError(*found)
    if not told_by(rows.records[-1]):
        where = f"record {len(rows.records) - 1}"
        raise BundleError(where, "the last act of a bundle exports it; this one does not")


def _refuse_other_summary(document: Document, rows: Rows, seed: bytes) -> None:
    """Refuse a bundle that says of its rows what they do not come to."""
    again = derived(rows, *stood(rows, seed))
    for path, told, found in _apart({name: document[name] for name in again}, again):
        raise BundleError(path, f"it says {told}, and its log comes to {found}")


def _differences(rows: Rows, seed: bytes) -> Iterator[tuple[str, str]]:
    """Yield where rows first differ from what their acts come to, by this release's rules, and how."""
    if foreign := Held(rows).foreign:
        yield foreign, f"it is of another enrollment than {rows.enrollment.id!r}"
    if rows.enrollment.id.startswith(RESERVED):
        yield "enrollment.id", f"what begins with {RESERVED} is kept for journals"
    yield from (
        (f"programs[{place}]", what)
        for place, row in enumerate(rows.programs)
        if (what := program_difference(row))
    )
    if [row.digest for row in rows.programs] != digests_of(rows.enrollment, rows.records):
        yield "programs", "they are not those that the enrollment began with and changed to"
    yield from _told_elsewhere(rows, seed)
    found = verified_alone(Held(rows), SeedRegister(seed), rows.enrollment.id)
    yield from ((each.where, each.what) for each in found.differences)
    yield from ((each.where, f"this release decides it otherwise: {each.what}") for each in found.other_rules)


def _told_elsewhere(rows: Rows, seed: bytes) -> Iterator[tuple[str, str]]:
    """Yield where a bundle tells of what others received that it cannot know of: only payers of its own programs count."""
    held, register = Held(rows), SeedRegister(seed)
    enrolled = register.with_versions(held, register.opened(held, rows.enrollment), rows.records)
    known = {pool for rules in enrolled.all_rules for pool in shared_pools(rules) if pool.scope == "payer"}
    for record in rows.records:
        told = json.loads(record.body).get("elsewhere", {}) if record.kind == EXPORTED else {}
        for name, pools in told.items():
            found = [(Pool(*pool) in known, *pair) for pool, windows in pools for pair in windows]
            if not name.isprintable() or not all(_can_be(*each) for each in found):
                yield (
                    f"record {record.seq}",
                    "what it says that others received is of no payer of its programs",
                )


def _can_be(is_known: object, number: object, amount: object) -> bool:
    """Tell whether a window of a pool can have received an amount, in minor units."""
    return bool(is_known) and type(number) is int and type(amount) is int and 0 < amount < MOST


def with_state(rows: Rows, seed: bytes) -> Rows:
    """Return rows with the state that they come to; without, if they cannot be folded, which the audit says better."""
    held, register = Held(rows), SeedRegister(seed)
    try:
        enrolled = register.with_versions(held, register.opened(held, rows.enrollment), rows.records)
        state = stand_text(refolded(enrolled, Log(rows.records, rows.decisions, rows.entries))[0])
    except (CmEngineError, *UNREADABLE):
        return rows
    return rows._replace(standing=rows.standing._replace(state=state))


def stood(rows: Rows, seed: bytes) -> tuple[Enrolled, Stand]:
    """Return the enrollment of a bundle that is sound, and where it stands."""
    held, register = Held(rows), SeedRegister(seed)
    enrolled = register.with_versions(held, register.opened(held, rows.enrollment), rows.records)
    enrolled = enrolled.under(program_in(rows.standing.state))
    return enrolled, stand_from(enrolled.rules, rows.standing.state)


def _nearer(document: Document) -> str:
    """Say which row it was, if that can be told from the rows themselves."""
    try:
        found = next(_differences(with_state(rows_from(document), b""), b""), None)
    except (CmEngineError, *UNREADABLE):
        return ""
    return f"; {found[0]}: {found[1]}" if found and found[0] != "prizes" else ""


def _apart(told: Any, again: Any, path: str = "") -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 - what a file may say
    """Yield where two values differ, and both of them there."""
    if isinstance(told, dict) and isinstance(again, dict) and set(told) == set(again):
        for name in again:
            yield from _apart(told[name], again[name], f"{path}.{name}" if path else name)
    elif canonical_form(told) != canonical_form(again):
        yield path, canonical_form(told), canonical_form(again)
