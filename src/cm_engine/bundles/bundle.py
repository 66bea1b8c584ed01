"""A bundle: one enrollment with its program, its whole log and where it stands, sealed."""

import json
import os
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cm_engine.bundles.layout import KIND, LAYOUT, Document, Rows, canonical_form, form_of
from cm_engine.bundles.sealing import sealed
from cm_engine.bundles.summary import where_it_stands
from cm_engine.errors import StorageError
from cm_engine.log.correction import Log
from cm_engine.log.moves import EXPORTED
from cm_engine.log.rows import RecordRow
from cm_engine.log.stand import Enrolled, Stand
from cm_engine.rules import RULES_VERSION

ONLY_THE_OWNER = 0o600


@dataclass(frozen=True, slots=True)
class Bundle:
    """One enrollment as a file: what another database needs to go on with it.

    It holds results of drug tests, under opaque ids: keep it and send it as a chart is sent.

    Attributes:
        document: all of it, as data.
        rows: the rows of the log, as they are stored.
    """

    document: Document = field(repr=False)
    rows: Rows = field(repr=False)

    @property
    def enrollment(self) -> str:
        """Return the id of the enrollment."""
        return self.rows.enrollment.id

    @property
    def participant(self) -> str:
        """Return the opaque id of the participant."""
        return self.rows.enrollment.participant

    @property
    def seal(self) -> str:
        """Return the SHA-256 of everything else: the name of the bundle."""
        return str(self.document["seal"])

    @property
    def head(self) -> str:
        """Return the head of the hash chain."""
        return self.rows.standing.head

    @property
    def exported(self) -> Document:
        """Return who exported it to whom, when and why, with the consent that the host named."""
        found: Document = self.document["exported"]
        return found

    @property
    def stands(self) -> Document:
        """Return where it stands: targets, limits used, balances, and what was awarded in the calendar year."""
        found: Document = self.document["stands"]
        return found

    @property
    def on(self) -> date:
        """Return the day of the export, at the clinic that it comes from."""
        return date.fromisoformat(self.exported["on"])

    @property
    def leaves(self) -> bool:
        """Tell whether the enrollment left: only then it goes on elsewhere."""
        return bool(self.exported["leaves"])

    @property
    def is_proved(self) -> bool:
        """Tell whether it is sealed with a key that two hosts share."""
        return bool(self.document["hmac"])

    def text(self) -> str:
        """Return it as text: the same for ever for the same bundle."""
        return f"{canonical_form(self.document)}\n"

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file that only its owner reads.

        Raises:
            StorageError: the file cannot be written.
        """
        try:
            with open(path, "wb", opener=_for_the_owner) as file:
                file.write(self.text().encode())
        except OSError as error:
            msg = f"{path}: {error.strerror}; export it again with the same key"
            raise StorageError(msg) from error


def _for_the_owner(path: str, flags: int) -> int:
    file = os.open(path, flags, ONLY_THE_OWNER)
    os.fchmod(file, ONLY_THE_OWNER)  # it may have been there before, for others to read
    return file


def bundle_of(rows: Rows, enrolled: Enrolled, stand: Stand, seed: str, key: bytes) -> Bundle:
    """Return the bundle of rows whose last act exports them.

    Args:
        rows: the whole log up to that act.
        enrolled: the enrollment.
        stand: what the log comes to.
        seed: of its draws, wrapped to travel; empty without draws.
        key: that the two hosts share, empty without one.
    """
    document = {
        "bundle": KIND,
        "layout": LAYOUT,
        "rules": RULES_VERSION,
        **form_of(rows),
        **derived(rows, enrolled, stand),
        "draws": {"commitment": rows.enrollment.commitment, "seed": seed},
    }
    return Bundle(sealed(document, key), rows)


def derived(rows: Rows, enrolled: Enrolled, stand: Stand) -> dict[str, Any]:
    """Return what follows from the rows: who exported them, and where the enrollment stands."""
    told = told_by(rows.records[-1])
    log = Log(rows.records, rows.decisions, rows.entries)
    return {"exported": told, "stands": where_it_stands(enrolled, log, stand, str(told.get("on", "")))}


def told_by(record: RecordRow) -> dict[str, Any]:
    """Return what an act of export says; nothing of any other act."""
    if record.kind != EXPORTED:
        return {}
    told = {name: value for name, value in json.loads(record.body).items() if name != "elsewhere"}
    return {**told, "at": record.recorded_at, "by": record.actor, "key": record.key, "source": record.source}
