"""The duties of an intake adapter, a test each; they are worded in `cm_engine.ports`."""

import builtins
import socket
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, NoReturn

import pytest

from cm_engine.arrivals import Arrival, Code, Status, Unread
from cm_engine.errors import IntakeError
from cm_engine.ports import Intake
from cm_engine.testing.suites import refuse_replaced

ZONE = "America/Los_Angeles"


class Samples(NamedTuple):
    """Documents of a format, small ones.

    Attributes:
        whole: one that can be read as a whole, and has an arrival at least.
        versions: the versions of one thing, the oldest first: one held, one final, and at least one after it.
        partly: one with a part that cannot be used, beside one that can.
        content: a text that stands in the part that cannot be used.
        named: one in which a person's name stands where the format has it; empty if it has no place for one.
        name: that name.
        local: one whose only time has no offset; empty if the format has no such times.
        nonsense: what is no document of the format at all.
    """

    whole: bytes
    versions: Sequence[bytes]
    partly: bytes
    content: str
    named: bytes = b""
    name: str = ""
    local: bytes = b""
    nonsense: bytes = b"\x00\xff\xfe no document of any format"


class IntakeConformance:
    """Every duty of an intake adapter: let a class of tests inherit it, and give it fixtures `intake` and `samples`.

    A test that a subclass replaces is refused: an adapter that needs another test keeps another contract.
    """

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        refuse_replaced(IntakeConformance, cls)

    @pytest.fixture
    def intake(self) -> Intake:
        """Return the adapter: a subclass says which."""
        msg = "give your class a fixture `intake` that returns the adapter"
        raise NotImplementedError(msg)

    @pytest.fixture
    def samples(self) -> Samples:
        """Return documents of its format: a subclass says which."""
        msg = "give your class a fixture `samples` that returns documents of the format"
        raise NotImplementedError(msg)

    def test_it_yields_an_arrival_for_each_thing(self, intake: Intake, samples: Samples) -> None:
        """Yield what a document says: an `Arrival` for each thing."""
        found = list(intake.read(samples.whole))
        assert found
        assert all(isinstance(each, Arrival) for each in found)

    def test_every_arrival_is_made_of_plain_values(self, intake: Intake, samples: Samples) -> None:
        """Say what was found, in codes, texts and exact numbers, with aware times."""
        for arrival in arrivals(intake, samples.whole, *samples.versions):
            assert arrival.key
            assert arrival.key.isprintable()
            assert isinstance(arrival.status, Status)
            assert all(isinstance(code, Code) for finding in arrival.findings for code in finding.codes)
            times = (arrival.collected_at, arrival.resulted_at)
            assert all(time is None or time.utcoffset() is not None for time in times)

    def test_the_same_document_says_the_same_again(self, intake: Intake, samples: Samples) -> None:
        """Read the same each time."""
        assert list(intake.read(samples.whole)) == list(intake.read(samples.whole))

    def test_it_reads_nothing_but_the_document(
        self, intake: Intake, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Read no network and no disk."""
        expected = list(intake.read(samples.whole))

        def refused(*_: object, **__: object) -> NoReturn:
            msg = "an intake adapter reads nothing but the document"
            raise AssertionError(msg)

        with monkeypatch.context() as patched:
            patched.setattr(builtins, "open", refused)
            patched.setattr(socket, "socket", refused)
            assert list(intake.read(samples.whole)) == expected

    def test_all_versions_of_a_thing_have_one_key(self, intake: Intake, samples: Samples) -> None:
        """Give a thing one key in all its versions."""
        keys = {arrival.key for arrival in arrivals(intake, *samples.versions)}
        assert len(keys) == 1

    def test_each_version_ranks_after_the_ones_before_it(self, intake: Intake, samples: Samples) -> None:
        """Rank versions as they followed one another."""
        found = arrivals(intake, *samples.versions)
        assert {each.status for each in found} >= {Status.HELD, Status.FINAL}
        assert all(one.rank < other.rank for one, other in pairwise(found))

    def test_what_cannot_be_used_stands_for_itself_and_the_rest_goes_on(
        self, intake: Intake, samples: Samples
    ) -> None:
        """Yield an `Unread` for what is unusable, so that the rest goes on."""
        kinds = {type(each) for each in intake.read(samples.partly)}
        assert kinds == {Arrival, Unread}

    def test_the_reason_has_nothing_of_the_content(self, intake: Intake, samples: Samples) -> None:
        """Say why something is unusable, and nothing of what it says."""
        assert samples.content.encode() in samples.partly
        told = [each for each in intake.read(samples.partly) if isinstance(each, Unread)]
        assert all(each.where and each.why for each in told)
        assert samples.content not in repr(told)

    def test_a_name_of_a_person_is_not_read(self, intake: Intake, samples: Samples) -> None:
        """Read no names."""
        if samples.named:
            assert samples.name.encode() in samples.named
            assert samples.name not in repr(list(intake.read(samples.named)))

    def test_a_local_time_is_of_the_zone_and_else_left_out(self, intake: Intake, samples: Samples) -> None:
        """Read a time without its offset in the zone, and leave it out if there is none."""
        if samples.local:
            [without] = arrivals(intake, samples.local)
            [there] = [each for each in intake.read(samples.local, zone=ZONE) if isinstance(each, Arrival)]
            assert without.collected_at is None
            assert there.collected_at is not None
            assert str(there.collected_at.tzinfo) == ZONE

    def test_what_is_no_document_of_the_format_is_refused(self, intake: Intake, samples: Samples) -> None:
        """Refuse what is no document of the format."""
        with pytest.raises(IntakeError) as refused:
            list(intake.read(samples.nonsense))
        assert refused.value.format == intake.format


def arrivals(intake: Intake, *documents: bytes) -> list[Arrival]:
    """Return the arrivals of documents, in their order."""
    found = (each for document in documents for each in intake.read(document))
    return [each for each in found if isinstance(each, Arrival)]
