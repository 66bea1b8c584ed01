"""Participants who move: an enrollment leaves as a bundle, and goes on in another database."""

from os import PathLike

from cm_engine.acts.recorded import Enrollment, as_they_stand
from cm_engine.acts.register import MISSING
from cm_engine.bundles.arriving import Arriving, arrive, asked_to_arrive
from cm_engine.bundles.bundle import Bundle
from cm_engine.bundles.checking import bundle_from, bundle_text, checked_key, seed_in, stood
from cm_engine.bundles.leaving import Leaving, asked_to_leave, leave_as_asked
from cm_engine.delivery.steps import refuse_with_gateway
from cm_engine.errors import ReportError, SecretError
from cm_engine.facade.opened import Opened
from cm_engine.log.encoding import instant
from cm_engine.ports import Transaction
from cm_engine.wrapping import KEPT, wrapped


class Moving(Opened):
    """The part of an engine that lets enrollments leave and arrive.

    Example:
        >>> from datetime import date
        >>> from cm_engine import Engine
        >>> here, there = (Engine.open("memory:", zone="America/Los_Angeles") for _ in range(2))
        >>> _ = here.add_program("california-recovery-incentives")
        >>> told = {"by": "nurse-7", "source": "front-desk"}
        >>> start = date(2026, 1, 5)
        >>> _ = here.enroll(
        ...     participant="p-104", program="california-recovery-incentives", start=start, by="nurse-7", id="e-1"
        ... )
        >>> _ = here.record(enrollment="e-1", result="-", on=start, key="udt-1", **told)
        >>> bundle = here.export(enrollment="e-1", to="harbor-clinic", why="moved to Oakland", key="x-1", **told)
        >>> there.import_bundle(bundle.text(), by="nurse-2", source="front-desk", key="in-1").participant
        'p-104'
        >>> following = there.record(enrollment="e-1", result="-", on=date(2026, 1, 8), key="udt-2", **told)
        >>> following.visit, there.verify().is_clean, here.verify().is_clean
        (2, True, True)
    """

    def export(
        self,
        *,
        enrollment: str,
        to: str,
        why: str,
        by: str,
        source: str,
        key: str,
        consent: str = "",
        leave: bool = True,
        seal_with: bytes = b"",
    ) -> Bundle:
        """Export an enrollment as a bundle, for a clinic with another database; it is over here from then on.

        The export is an act on the log. Asked for again under the same source and key, it gives the same bundle. What
        it says is under opaque ids; all results of drug tests are in it. Keeps INV-12.

        Args:
            enrollment: its id.
            to: whom it is for: an id or a name of the other clinic, for the log.
            why: the reason, for the audit.
            by: who exports it.
            source, key: what makes it the same export, however often it is asked for.
            consent: the host's reference to the participant's consent to this disclosure.
            leave: the enrollment goes on elsewhere, and nothing more is recorded on it here. Without, the bundle is a
                copy to look at, and no other database takes it.
            seal_with: a key of at least 32 bytes that only the two hosts know: it proves who sealed the bundle. A
                program that draws prizes needs it, because the seed of the draws travels wrapped with it.

        Raises:
            EnrollmentNotFoundError: there is no such enrollment.
            ReportError: something is missing, the enrollment has left already, or the transaction is the host's.
            KeyConflictError: the key was used for something else; the error shows both.
            BundleError: its log is not sound; look at `verify`.
            SecretError: prizes are drawn, and the engine has no secret, or another one.
            MissingDependencyError: prizes are drawn, and the package `cryptography` is not installed.
        """
        if leave and self._storage.joined:
            msg = "export in a transaction of its own: one that is undone would leave the enrollment in two places"
            raise ReportError(msg)
        asked = asked_to_leave(Leaving(enrollment, to, why, consent, leave, source, key, by))
        shared = checked_key(seal_with)

        def left(tx: Transaction, now: str, _: object) -> Bundle:
            bundle = leave_as_asked(tx, self._register, now, asked, shared)
            if leave:  # its rows are locked by now; what is refused is undone
                refuse_with_gateway(tx, enrollment)
            return bundle

        return self._written(left, lock=True)

    def import_bundle(
        self,
        text_or_path: str | PathLike[str],
        *,
        by: str,
        source: str,
        key: str,
        zone: str = "",
        id: str = "",  # noqa: A002 - what it is
        same_participant: bool = False,
        seal_with: bytes = b"",
    ) -> Enrollment:
        """Take an enrollment that left another database, and go on with it where it stands.

        The whole bundle is looked at before anything is written: its seals, its hashes, and its log, which is decided
        again. Then all rows are written as they are, with the act that imports them, in one transaction. The same
        bundle again is the same enrollment. Keeps INV-12.

        Args:
            text_or_path: the text of a bundle, or the path of a file.
            by: who imports it.
            source, key: of the import.
            zone: that the enrollment is expected to have; it keeps the one that it has.
            id: that it is expected to have; it keeps the one that it has.
            same_participant: whoever is known here under the participant's id is the same person.
            seal_with: the key that the two hosts share; where the bundle was sealed with one, it is needed.

        Raises:
            BundleError: the bundle is not as it should be, or its ids stand for something else here.
            KeyConflictError: the key was used for something else.
            ReportError: something is missing; the id or the zone is another one; or a program is registered under the
                id and the version of one in the bundle.
            SecretError: prizes are drawn, and the engine has no secret.
            MissingDependencyError: prizes are drawn, and the package `cryptography` is not installed.
        """
        shared = checked_key(seal_with)
        bundle = bundle_from(bundle_text(text_or_path), shared)
        seed = seed_in(bundle.document, bundle.rows, shared)
        enrolled, stand = stood(bundle.rows, seed)
        asked = Arriving(
            bundle, enrolled, stand, self._kept(seed, bundle.enrollment), same_participant, source, key, by
        )
        checked = asked_to_arrive(asked, id, zone)
        row = self._written(lambda tx, now, _: arrive(tx, self._register, now, checked), lock=True)
        with self._storage.reading() as tx:
            return as_they_stand(tx, self._register, [row], instant(self._now()))[0]

    def _kept(self, seed: bytes, enrollment: str) -> str:
        """Return a seed as this host keeps it, empty for none.

        Raises:
            SecretError: the engine has no secret to keep it with.
        """
        if seed and not self._secret:
            raise SecretError(MISSING)
        return wrapped(seed, self._secret, KEPT, enrollment) if seed else ""
