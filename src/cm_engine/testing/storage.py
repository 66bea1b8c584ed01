"""The duties of a storage, a test each; they are worded in `cm_engine.ports`."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLongError
from threading import Barrier, Thread
from time import sleep
from typing import Any, NoReturn, TypeVar

import pytest

from cm_engine.errors import StorageConflictError, StorageError
from cm_engine.log.rows import Batch, PoolRow, ProgramRow, WorkRow
from cm_engine.ports import Claim, Storage, Transaction, WorkQuery
from cm_engine.testing import rows
from cm_engine.testing.suites import refuse_replaced

Made = TypeVar("Made")

SECONDS_MAX = 20.0
"""Nothing here takes as long; what does waits for ever."""
SECONDS_WATCHED = 0.15
"""As long is watched whether somebody waits."""
WRITERS = 4
ROUNDS = 5

TEXTS = {
    "empty": "",
    "quotes": "it's \"so\", `isn't` it? '' \"\"",
    "braces": '{"a":[{},{}],"b":"%s %(name)s :name ? $1 {0} \\" \\\\"}',
    "null by name": "NULL",
    "a number": "0012.50",
    "a number with an exponent": "1e3",
    "blanks at its ends": "  two blanks  ",
    "lines": "one\ntwo\r\nthree\ttab\n",
    "Spanish": "año, mañana, ¿qué?",
    "composed": "caf\u00e9",
    "decomposed": "cafe\u0301",
    "Chinese": "药物检测",
    "Arabic": "اختبار سلبي",
    "beyond 16 bits": "🎟️ \U0001f3c6 \U00020000",
    "separators": "a\u2028b\u2029c\u00a0d\u200be\ufefff",
    "control characters": "\x01\x1b\x7f\x85",
    "long": "0123456789abcdef" * 16_384,
}
"""Texts by what a storage could do to them."""
AMOUNTS = (0, 1, -1, 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1)

CONFLICTS: dict[str, Batch] = {
    "the id of an enrollment": rows.enrolling("e-9")._replace(enrollments=(rows.enrollment("e-1"),)),
    "the place of an act": rows.deciding(records=(rows.record(seq=0, key="new"),)),
    "the source and key of an act": rows.deciding(records=(rows.record(key="e-1/0"),)),
    "the key of an act on another enrollment": rows.deciding(
        "e-2", records=(rows.record("e-2", key="e-1/0"),)
    ),
    "a key twice": rows.deciding(
        "e-1", "e-2", records=(rows.record("e-1", key="k"), rows.record("e-2", key="k"))
    ),
    "a head that was moved": rows.deciding(heads=("another head",)),
    "a head where there was none": rows.deciding(heads=("",)),
    "no head where there was one": rows.deciding("e-8"),
    "a head of two": rows.deciding("e-1", "e-2", heads=(rows.head("e-1", 0), "another head")),
    "a pool that was filled": rows.deciding(pools=(("[[1,1]]", rows.pool("[[1,2]]")),)),
    "a pool where there was none": rows.deciding(pools=(("", rows.pool("[[1,2]]")),)),
    "no pool where there was one": rows.deciding(pools=(("[]", rows.pool(name="another")),)),
    "a pool of two": rows.deciding(
        pools=(("[[1,1000]]", rows.pool("[[1,2]]")), ("[[1,1]]", rows.pool("[[2,1]]", scope="state")))
    ),
    "an enrollment of two": rows.enrolling("e-9", "e-1"),
    "work that was there": rows.deciding(work=(rows.work("e-2", "there"),)),
    "work twice": rows.deciding(work=(rows.work(name="a"), rows.work(name="a", state="over"))),
}
"""Batches that another writer came before, once `filled` has been written."""


class UnfinishedError(BaseException):
    """Stand for whatever ends a block before its end, a keyboard too."""


class StorageConformance:
    """Every duty of a storage: let a class of tests inherit it, and give it a fixture `storage`.

    A test that a subclass replaces is refused: a storage that needs another test keeps another contract.

    Example:
        >>> class TestMine(StorageConformance):
        ...     def test_close_gives_up_all_resources(self) -> None: ...
        Traceback (most recent call last):
        ...
        TypeError: TestMine replaces test_close_gives_up_all_resources; add tests of other names
    """

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        refuse_replaced(StorageConformance, cls)

    @pytest.fixture
    def storage(self) -> Storage | Iterator[Storage]:
        """Return an empty storage: a subclass says how."""
        msg = "give your class a fixture `storage` that yields an empty storage"
        raise NotImplementedError(msg)

    @pytest.fixture
    def another(self) -> Storage | Iterator[Storage] | None:
        """Return the same storage opened once more, as another process has it, or None where that cannot be."""
        return None

    # Transaction.look_up

    def test_look_up_returns_where_enrollments_stand(self, storage: Storage) -> None:
        """Return where enrollments stand."""
        write(storage, rows.enrolling("e-1", "e-2", "e-3"), rows.deciding("e-3"))
        with storage.reading() as tx:
            found = tx.look_up(["e-3", "e-1"], [])
        assert found.standings == {"e-1": rows.standing("e-1", 0), "e-3": rows.standing("e-3", 1)}
        assert found.records == {}

    def test_look_up_returns_what_was_recorded_under_pairs_of_a_source_and_a_key(
        self, storage: Storage
    ) -> None:
        """Return what was recorded under pairs of a source and a key."""
        write(storage, rows.enrolling("e-1", "e-2"), rows.deciding("e-1"))
        with storage.reading() as tx:
            found = tx.look_up([], [("desk", "e-1/1"), ("desk", "e-2/0")])
        assert found.records == {
            ("desk", "e-1/1"): rows.record("e-1", 1),
            ("desk", "e-2/0"): rows.record("e-2", 0),
        }
        assert found.standings == {}

    def test_look_up_leaves_out_what_is_absent(self, storage: Storage) -> None:
        """What is absent is left out."""
        write(storage, rows.enrolling())
        with storage.reading() as tx:
            found = tx.look_up(["e-0", "e-1"], [("desk", "e-1/9"), ("lab", "e-1/0"), ("desk", "e-1/0")])
            nothing = tx.look_up([], [])
        assert list(found.standings) == ["e-1"]
        assert list(found.records) == [("desk", "e-1/0")]
        assert nothing == ({}, {})

    def test_look_up_tells_what_differs_in_case_or_in_blanks_apart(self, storage: Storage) -> None:
        """Return what was recorded under this key, to the byte, and under no other."""
        write(storage, rows.enrolling())
        with storage.reading() as tx:
            assert tx.look_up(["E-1", "e-1 "], [("desk", "E-1/0"), ("desk", "e-1/0 ")]) == ({}, {})

    def test_look_up_sees_what_the_transaction_has_appended(self, storage: Storage) -> None:
        """Read what was written in the same transaction."""
        write(storage, rows.enrolling())
        with storage.writing() as tx:
            tx.append(rows.deciding())
            assert tx.look_up(["e-1"], []).standings == {"e-1": rows.standing(seq=1)}
            assert tx.records("e-1") == [rows.record(seq=0), rows.record(seq=1)]

    # Transaction.append

    def test_append_writes_all_rows_of_a_batch(self, storage: Storage) -> None:
        """Write all rows of a batch."""
        write(storage, rows.enrolling(), rows.deciding(pools=(("", rows.pool()),)))
        with storage.reading() as tx:
            assert tx.enrollment("e-1") == rows.enrollment()
            assert tx.records("e-1") == [rows.record(seq=0), rows.record()]
            assert tx.decisions("e-1") == [rows.decision()]
            assert tx.entries("e-1") == [rows.entry(leg=1), rows.entry(leg=2)]
            assert tx.payouts("e-1") == [rows.payout()]
            assert tx.work(WorkQuery("payout")) == [rows.work()]
            assert tx.standing("e-1") == rows.standing(seq=1)
            assert tx.pools() == [rows.pool()]

    def test_append_writes_many_rows_of_many_enrollments(self, storage: Storage) -> None:
        """Write all rows of a batch, however many they are."""
        ids = [f"e-{number:03}" for number in range(100)]
        write(storage, rows.enrolling(*ids), rows.deciding(*ids), rows.deciding(*reversed(ids), seq=2))
        with storage.reading() as tx:
            counts = tx.counts()
            assert tx.standing("e-057") == rows.standing("e-057", 2)
        assert (counts["enrollments"], counts["records"], counts["entries"]) == (100, 300, 400)

    def test_append_writes_several_acts_of_an_enrollment_at_once(self, storage: Storage) -> None:
        """Write all rows of a batch, of several acts of one enrollment."""
        acts = (rows.record(seq=1), rows.record(seq=2))
        both = rows.deciding(records=acts, standings=(rows.standing(seq=2),))
        write(storage, rows.enrolling(), both)
        with storage.reading() as tx:
            assert tx.records("e-1") == [rows.record(seq=0), *acts]
            assert tx.standing("e-1") == rows.standing(seq=2)

    def test_append_writes_an_act_that_decides_nothing(self, storage: Storage) -> None:
        """Write all rows of a batch, also of one without decisions."""
        write(storage, rows.enrolling(), rows.deciding(decisions=(), entries=(), payouts=(), work=()))
        with storage.reading() as tx:
            assert (tx.decisions("e-1"), tx.entries("e-1"), tx.payouts("e-1")) == ([], [], [])
            assert tx.standing("e-1") == rows.standing(seq=1)

    def test_append_of_nothing_writes_nothing(self, storage: Storage) -> None:
        """Write all rows of a batch, if there are any."""
        write(storage, rows.enrolling())
        before = everything(storage)
        write(storage, Batch())
        assert everything(storage) == before

    @pytest.mark.parametrize("conflict", CONFLICTS)
    def test_append_writes_none_of_a_batch_that_another_writer_came_before(
        self, storage: Storage, conflict: str
    ) -> None:
        """Raise StorageConflictError where a row is there already, or a head or a pool is another; write nothing."""
        write(storage, *filled())
        before = everything(storage)
        with pytest.raises(StorageConflictError), storage.writing() as tx:
            tx.append(CONFLICTS[conflict])
        assert everything(storage) == before

    def test_append_is_possible_after_a_conflict(self, storage: Storage) -> None:
        """Leave no trace of a conflict: the next transaction writes."""
        write(storage, *filled())
        with pytest.raises(StorageConflictError), storage.writing() as tx:
            tx.append(CONFLICTS["a head that was moved"])
        write(storage, rows.deciding())
        assert standing_of(storage, "e-1") == rows.standing(seq=1)

    def test_append_fills_a_pool_that_is_still_what_was_read(self, storage: Storage) -> None:
        """Write what a pool becomes, in the place of what it was."""
        write(storage, *filled(), rows.deciding(pools=(("[[1,1000]]", rows.pool("[[1,2000]]")),)))
        with storage.reading() as tx:
            assert rows.pool("[[1,2000]]") in tx.pools()
            assert len(tx.pools()) == len(filled()[0].pools)

    # Transaction.add_program, programs

    def test_add_program_writes_a_program_and_one_that_is_there_stays_as_it_is(
        self, storage: Storage
    ) -> None:
        """Write a program; one that is there stays as it is."""
        for text in ("first", "second"):
            with storage.writing() as tx:
                tx.add_program(rows.program(text=text))
        with storage.reading() as tx:
            assert tx.programs() == [rows.program(text="first")]

    def test_programs_returns_all_in_the_order_of_their_ids_and_versions(self, storage: Storage) -> None:
        """Return all programs in the order of their ids and versions."""
        expected = [rows.program("a", "1"), rows.program("a", "2"), rows.program("b", "1")]
        add_programs(storage, rows.program("b", "1"), rows.program("a", "2"), rows.program("a", "1"))
        with storage.reading() as tx:
            assert tx.programs() == expected

    def test_programs_returns_those_of_a_digest_or_of_an_id(self, storage: Storage) -> None:
        """Return the programs of a digest or of an id."""
        a, b = rows.program("a"), rows.program("b")
        add_programs(storage, a, b)
        with storage.reading() as tx:
            assert tx.programs(digest=b.digest) == [b]
            assert tx.programs(program="a") == [a]
            assert tx.programs(digest=b.digest, program="a") == tx.programs(program="c") == []

    # Transaction.enrollment, enrollments

    def test_enrollment_returns_an_enrollment_or_none(self, storage: Storage) -> None:
        """Return an enrollment, or None."""
        write(storage, rows.enrolling("e-1", "e-2"))
        with storage.reading() as tx:
            assert tx.enrollment("e-2") == rows.enrollment("e-2")
            assert tx.enrollment("e-3") is None

    def test_enrollments_returns_them_in_the_order_of_their_ids(self, storage: Storage) -> None:
        """Return enrollments in the order of their ids."""
        write(storage, rows.enrolling("e-3", "e-1"), rows.enrolling("e-2"))
        with storage.reading() as tx:
            assert tx.enrollments() == [rows.enrollment(f"e-{number}") for number in (1, 2, 3)]

    def test_enrollments_returns_those_of_a_participant_and_in_a_program(self, storage: Storage) -> None:
        """Return enrollments of a participant, in a program."""
        write(storage, enrollments_of(("e-1", "ann", "x"), ("e-2", "ann", "y"), ("e-3", "bob", "x")))
        assert ids_of(storage, participant="ann") == ["e-1", "e-2"]
        assert ids_of(storage, program="x") == ["e-1", "e-3"]
        assert ids_of(storage, participant="ann", program="y") == ["e-2"]
        assert ids_of(storage, participant="Ann") == ids_of(storage, program="z") == []

    def test_enrollments_returns_those_after_an_id_and_at_most_so_many(self, storage: Storage) -> None:
        """Return enrollments after an id, up to a limit."""
        write(storage, rows.enrolling(*(f"e-{number}" for number in range(6))))
        assert ids_of(storage, after="e-3") == ["e-4", "e-5"]
        assert ids_of(storage, after="e-35") == ["e-4", "e-5"]
        assert ids_of(storage, limit=2) == ["e-0", "e-1"]
        assert ids_of(storage, after="e-1", limit=2) == ["e-2", "e-3"]
        assert ids_of(storage, after="e-5") == ids_of(storage, limit=0) == []

    def test_enrollments_page_by_page_returns_each_once(self, storage: Storage) -> None:
        """Return every enrollment once, page after page, whatever the ids are made of."""
        ids = [
            "e-1",
            "E-1",
            "e_1",
            "é-1",
            "e 1",
            "Z",
            "a",
            "zz",
            "1",
            "10",
            "9",
            "e-1 ",
            "-e1",
            "🎟️",
            "ß",
            "ss",
        ]
        write(storage, rows.enrolling(*ids))
        pages = list(paged(storage, 3))
        assert [len(page) for page in pages] == [3, 3, 3, 3, 3, 1]
        assert sorted(each for page in pages for each in page) == sorted(ids)

    # Transaction.records, decisions, entries, payouts, standing

    def test_records_returns_the_acts_of_an_enrollment_after_a_place_in_order(self, storage: Storage) -> None:
        """Return the acts of an enrollment after a place, in order."""
        write(storage, rows.enrolling("e-1", "e-2"), *(rows.deciding(seq=seq) for seq in range(1, 13)))
        with storage.reading() as tx:
            assert [row.seq for row in tx.records("e-1")] == list(range(13))
            assert [row.seq for row in tx.records("e-1", after=9)] == [10, 11, 12]
            assert tx.records("e-1", after=12) == tx.records("e-3") == []

    def test_decisions_returns_those_of_an_enrollment_or_of_an_act_in_order(self, storage: Storage) -> None:
        """Return the decisions of an enrollment, or those that an act led to, in order."""
        decisions = tuple(rows.decision(number=number, record=number // 3) for number in (5, 4, 3, 2, 1))
        write(storage, rows.enrolling("e-1", "e-2"), rows.deciding(decisions=decisions), rows.deciding("e-2"))
        with storage.reading() as tx:
            assert [row.number for row in tx.decisions("e-1")] == [1, 2, 3, 4, 5]
            assert [row.number for row in tx.decisions("e-1", record=1)] == [3, 4, 5]
            assert [row.number for row in tx.decisions("e-1", record=0)] == [1, 2]
            assert tx.decisions("e-1", record=9) == tx.decisions("e-3") == []

    def test_entries_returns_the_postings_from_a_decision_on_in_order(self, storage: Storage) -> None:
        """Return the postings of an enrollment from the first of some decisions on, in order."""
        entries = tuple(rows.entry(number=number, leg=leg) for number in (3, 10, 2) for leg in (2, 1))
        write(storage, rows.enrolling("e-1", "e-2"), rows.deciding(entries=entries), rows.deciding("e-2"))
        with storage.reading() as tx:
            assert tx.entries("e-1") == sorted(entries)
            assert tx.entries("e-1", first=3) == sorted(entries)[2:]
            assert tx.entries("e-1", first=3, last=4) == [
                each for each in sorted(entries) if each.number in {3, 4}
            ]
            assert tx.entries("e-1", first=11) == tx.entries("e-3") == []

    def test_payouts_returns_those_of_an_enrollment_in_order(self, storage: Storage) -> None:
        """Return the payouts of an enrollment, in order."""
        payouts = tuple(rows.payout(number=number, leg=leg) for number in (3, 10, 2) for leg in (2, 1))
        write(storage, rows.enrolling("e-1", "e-2"), rows.deciding(payouts=payouts), rows.deciding("e-2"))
        with storage.reading() as tx:
            assert tx.payouts("e-1") == sorted(payouts)
            assert tx.payouts("e-3") == []

    def test_standing_returns_where_an_enrollment_stands_or_none(self, storage: Storage) -> None:
        """Return where an enrollment stands, or None."""
        write(storage, rows.enrolling("e-1", "e-2"), rows.deciding("e-2"))
        with storage.reading() as tx:
            assert tx.standing("e-1") == rows.standing("e-1", 0)
            assert tx.standing("e-2") == rows.standing("e-2", 1)
            assert tx.standing("e-3") is None

    # Transaction.journals

    def test_append_opens_a_journal_that_has_no_enrollment_and_moves_it_on(self, storage: Storage) -> None:
        """Write a first standing without an enrollment, and acts after it."""
        name = "@trial/a"
        write(storage, rows.opening(name), bare(name, 1), bare(name, 2))
        with storage.reading() as tx:
            assert tx.records(name) == [rows.record(name, seq) for seq in range(3)]
            assert tx.standing(name) == rows.standing(name, 2)
            assert tx.look_up([name], []).standings == {name: rows.standing(name, 2)}
            assert tx.enrollment(name) is None
            assert tx.enrollments() == []

    def test_append_opens_a_journal_once(self, storage: Storage) -> None:
        """Raise StorageConflictError where a standing is there already; write nothing."""
        write(storage, rows.opening("@trial/a"))
        before = everything(storage)
        another = rows.opening("@trial/a")._replace(records=(rows.record("@trial/a", 1, key="another"),))
        with pytest.raises(StorageConflictError), storage.writing() as tx:
            tx.append(another)
        assert everything(storage) == before

    def test_journals_and_enrollments_are_written_in_one_transaction(self, storage: Storage) -> None:
        """Write what one transaction writes as a whole, an enrollment and a journal's act too."""
        name = "@trial/a"
        write(storage, rows.opening(name))
        write_together(storage, rows.enrolling("e-1"), bare(name, 1))
        before = everything(storage)
        with pytest.raises(StorageConflictError):
            write_together(storage, rows.enrolling("e-2"), bare(name, 1))
        assert everything(storage) == before
        assert standing_of(storage, name) == rows.standing(name, 1)

    def test_journals_returns_where_journals_stand_in_the_order_of_their_names(
        self, storage: Storage
    ) -> None:
        """Return where journals stand, whose names begin with @, in the order of their names."""
        names = ["@trial/b", "@site/1", "@trial/a"]
        write(storage, rows.enrolling("e-1", "E-2", "trial"), rows.opening(*names), bare("@trial/a", 1))
        expected = [
            rows.standing("@site/1", 0),
            rows.standing("@trial/a", 1),
            rows.standing("@trial/b", 0),
        ]
        with storage.reading() as tx:
            assert tx.journals() == expected
            assert tx.journals(after="@trial/a") == expected[2:]
            assert tx.journals(after="@site/1", limit=1) == expected[1:2]
            assert tx.journals(after="@trial/b") == tx.journals(limit=0) == []

    # Transaction.work, claim, settle

    def test_work_returns_that_of_a_kind_in_the_order_of_enrollments_and_names(
        self, storage: Storage
    ) -> None:
        """Return work of a kind in the order of enrollments and names: of an enrollment, of a name, in a state, after a pair."""
        there = [rows.work(of, name) for of in ("e-1", "e-2") for name in ("10/1", "2/1")]
        over, other = rows.work("e-2", "3/1", state="over"), rows.work("e-2", "a", kind="message")
        write(storage, rows.enrolling("e-1", "e-2")._replace(work=(over, other, *reversed(there))))
        with storage.reading() as tx:
            assert tx.work(WorkQuery("payout")) == [*there, over]
            assert tx.work(WorkQuery("message")) == [other]
            assert tx.work(WorkQuery("payout", enrollment="e-2")) == [*there[2:], over]
            assert tx.work(WorkQuery("payout", state="waiting")) == there
            assert tx.work(WorkQuery("payout", name="2/1")) == there[1::2]
            assert tx.work(WorkQuery("payout", enrollment="e-2", name="2/1")) == [there[3]]
            assert tx.work(WorkQuery("payout", enrollment="e-2", state="over")) == [over]
            assert tx.work(WorkQuery("payout", after=("e-1", "10/1"), limit=2)) == there[1:3]
            assert (
                tx.work(WorkQuery("payout", after=("e-2", "3/1")))
                == tx.work(WorkQuery("task"))
                == tx.work(WorkQuery("payout", limit=0))
                == []
            )

    def test_claim_gives_work_that_waits_and_is_due_to_a_worker(self, storage: Storage) -> None:
        """Return work that waits and is due: not due again until the time given, with a try more and the worker's name."""
        due, later = rows.work(name="due", due=at(1)), rows.work(name="later", due=at(3))
        over = rows.work(name="over", state="over", due=at(1))
        another = rows.work(name="due", kind="message", due=at(1))
        write(storage, rows.enrolling()._replace(work=(due, later, over, another)))
        claimed = due._replace(due=at(9), tries=1, worker="w-1")
        assert claims(storage, Claim("payout", "w-1", at(2), at(9))) == [claimed]
        assert claims(storage, Claim("payout", "w-2", at(2), at(9))) == []
        assert claims(storage, Claim("payout", "w-2", at(9), at(10))) == [
            due._replace(due=at(10), tries=2, worker="w-2"),
            later._replace(due=at(10), tries=1, worker="w-2"),
        ]
        with storage.reading() as tx:
            assert [row.state for row in tx.work(WorkQuery("payout"))] == ["waiting", "waiting", "over"]
            assert tx.work(WorkQuery("message")) == [another]

    def test_claim_gives_what_was_due_first_and_of_an_enrollment_if_asked(self, storage: Storage) -> None:
        """Return what was due first, if it is too much; of an enrollment, or of anybody."""
        work = [
            rows.work(of, f"{number}", due=at(9 - number)) for number in range(6) for of in ("e-1", "e-2")
        ]
        write(storage, rows.enrolling("e-1", "e-2")._replace(work=tuple(work)))
        first = claims(storage, Claim("payout", "w", at(9), at(20), limit=4))
        assert sorted(row[::2][:2] for row in first) == [(of, name) for of in ("e-1", "e-2") for name in "45"]
        own = claims(storage, Claim("payout", "w", at(9), at(20), enrollment="e-2"))
        assert [(row.enrollment, row.name) for row in own] == [("e-2", name) for name in "0123"]

    def test_claim_gives_work_once_however_many_ask_at_the_same_moment(
        self, storage: Storage, another: Storage | None
    ) -> None:
        """Leave out what another transaction is about to claim, so that nobody waits and nobody has it twice."""
        names = [f"{number:02}" for number in range(40)]
        write(storage, rows.enrolling()._replace(work=tuple(rows.work(name=name) for name in names)))
        start = Barrier(WRITERS)
        workers = [
            aside(lambda of=of, number=number: claiming(of, f"w-{number}", start))  # type: ignore[misc]
            for number, of in enumerate([storage, another or storage] * (WRITERS // 2))
        ]
        found = [row for worker in workers for row in result(worker)]
        assert sorted(row.name for row in found) == names
        assert {row.tries for row in found} == {1}

    def test_settle_writes_what_has_become_of_work_in_the_place_of_what_it_was(
        self, storage: Storage
    ) -> None:
        """Write what has become of work, with whatever else the transaction writes."""
        write(storage, rows.enrolling("e-1", "e-2"), rows.deciding("e-1", "e-2"))
        over = rows.work(state="over", body='{"reference":"o-1"}', note="handed over")
        append_and_settle(storage, rows.deciding(seq=2), rows.work(), over)
        with storage.reading() as tx:
            assert tx.work(WorkQuery("payout")) == [over, rows.work(name="2/1"), rows.work("e-2")]
            assert tx.standing("e-1") == rows.standing(seq=2)

    @pytest.mark.parametrize("changed", [{"tries": 1}, {"worker": "w-2"}, {"state": "over"}, {"name": "9/9"}])
    def test_settle_of_work_that_another_worker_has_is_a_conflict(
        self, storage: Storage, changed: dict[str, Any]
    ) -> None:
        """Raise StorageConflictError: it is not what it was any more; write nothing."""
        write(storage, rows.enrolling(), rows.deciding())
        before = everything(storage)
        was = rows.work(**changed)
        with pytest.raises(StorageConflictError):
            append_and_settle(storage, rows.deciding(seq=2), was, was._replace(note="mine"))
        assert everything(storage) == before

    # Transaction.pools, counts

    def test_pools_returns_what_pools_have_received(self, storage: Storage) -> None:
        """Return what pools have received, by holder, scope, name, unit and window, or of all pools."""
        pools = different_pools()
        write(storage, rows.enrolling(), rows.deciding(pools=tuple(("", pool) for pool in pools)))
        with storage.reading() as tx:
            assert sorted(tx.pools()) == sorted(pools)
            for pool in pools:
                assert tx.pools([rows.pool_key(pool)]) == [pool]
            assert sorted(tx.pools([rows.pool_key(pool) for pool in pools[:3]])) == sorted(pools[:3])

    def test_pools_leaves_out_what_is_absent(self, storage: Storage) -> None:
        """Return what pools have received, of those that have."""
        write(storage, *filled())
        absent = rows.pool_key(rows.pool(holder="p-2"))
        with storage.reading() as tx:
            assert tx.pools([absent]) == []
            assert tx.pools([absent, rows.pool_key(rows.pool())]) == [rows.pool()]

    def test_counts_returns_how_many_rows_there_are_of_each_kind(self, storage: Storage) -> None:
        """Return how many rows there are of each kind."""
        kinds = "programs enrollments records decisions entries payouts work standings pools"
        with storage.reading() as tx:
            assert tx.counts() == dict.fromkeys(kinds.split(), 0)
        add_programs(storage, *(rows.program(version=version) for version in "1234567"))
        payouts = tuple(rows.payout(leg=leg) for leg in range(8))
        pools = tuple(("", pool) for pool in different_pools())
        work = (rows.work(name="a"), rows.work(name="b"))
        write(storage, rows.enrolling("e-1", "e-2"), rows.deciding(payouts=payouts, pools=pools, work=work))
        write(storage, rows.deciding("e-1", seq=2, entries=(), payouts=()))
        write(
            storage,
            rows.deciding("e-2", payouts=(), entries=tuple(rows.entry("e-2", leg=leg) for leg in range(7))),
        )
        with storage.reading() as tx:
            assert tx.counts() == dict(zip(kinds.split(), (7, 2, 5, 3, 9, 8, 4, 2, 6), strict=True))

    def test_damage_is_nothing_where_nothing_is_damaged(self, storage: Storage) -> None:
        """Return what the database itself finds damaged, a line for each; nothing where it cannot look."""
        write(storage, *filled())
        with storage.reading() as tx:
            assert tx.damage() == []

    # What a storage keeps

    def test_rows_are_given_back_as_they_were_written_to_the_byte(self, storage: Storage) -> None:
        """Give rows back as they were written, to the byte."""
        batches = {name: worded(text, f"e-{number}") for number, (name, text) in enumerate(TEXTS.items())}
        write(storage, *batches.values())
        with storage.reading() as tx:
            for name, batch in batches.items():
                of = batch.standings[0].enrollment
                assert ([tx.enrollment(of)], [tx.standing(of)]) == (
                    [*batch.enrollments],
                    [*batch.standings],
                ), name
                assert (tx.records(of), tx.decisions(of)) == ([*batch.records], [*batch.decisions]), name
                assert (tx.entries(of), tx.payouts(of)) == ([*batch.entries], [*batch.payouts]), name
                assert tx.work(WorkQuery("payout", enrollment=of)) == [*batch.work], name

    def test_programs_are_given_back_as_they_were_written_to_the_byte(self, storage: Storage) -> None:
        """Give programs back as they were written, to the byte."""
        programs = [rows.program(f"{number:02}", text=text) for number, text in enumerate(TEXTS.values())]
        add_programs(storage, *programs)
        with storage.reading() as tx:
            assert tx.programs() == programs

    def test_what_changes_is_given_back_as_it_was_written_to_the_byte(self, storage: Storage) -> None:
        """Give standings and pools back as they were written, also those that replace others."""
        pool = rows.pool()
        write(storage, *filled())
        for seq, text in enumerate(TEXTS.values(), start=1):
            state, read, pool = rows.standing(seq=seq, state=text), pool.windows, rows.pool(f"[{text}]")
            write(storage, rows.deciding(seq=seq, standings=(state,), pools=((read, pool),)))
            with storage.reading() as tx:
                assert tx.standing("e-1") == state
                assert tx.pools([rows.pool_key(pool)]) == [pool]

    def test_what_is_looked_up_by_any_text_is_found(self, storage: Storage) -> None:
        """Find an enrollment, a key and a pool, whatever they are called."""
        for called in {*TEXTS.values()} - {TEXTS["empty"], TEXTS["long"]}:
            pool, act = (
                rows.pool(holder=called, name=called),
                rows.record(called, 0, source=called, key=called),
            )
            write(storage, rows.enrolling(called)._replace(records=(act,), pools=(("", pool),)))
            with storage.reading() as tx:
                found = tx.look_up([called], [(called, called), (called, "e-1/0")])
                assert found == ({called: rows.standing(called, 0)}, {(called, called): act})
                assert tx.pools([rows.pool_key(pool)]) == [pool]

    def test_amounts_are_exact(self, storage: Storage) -> None:
        """Give amounts back as they were written, as integers."""
        entries = tuple(rows.entry(leg=leg, amount=amount) for leg, amount in enumerate(AMOUNTS, start=1))
        write(storage, rows.enrolling(), rows.deciding(entries=entries))
        with storage.reading() as tx:
            found = tx.entries("e-1")
        assert found == list(entries)
        assert {type(entry.amount) for entry in found} == {int}

    def test_what_was_written_is_there_for_others_and_after_it_was_closed(
        self, storage: Storage, another: Storage | None
    ) -> None:
        """Keep the log."""
        write(another or storage, *filled())
        before = everything(storage)
        (another or storage).close()
        assert before["enrollments"]
        if another:
            assert everything(storage) == before

    # Storage.writing

    def test_writing_commits_with_the_block(self, storage: Storage, another: Storage | None) -> None:
        """Commit with the end of the block, all that was appended in it."""
        with storage.writing() as tx:
            tx.add_program(rows.program())
            tx.append(rows.enrolling())
            tx.append(rows.deciding())
            tx.append(rows.deciding(seq=2))
        assert standing_of(another or storage, "e-1") == rows.standing(seq=2)

    @pytest.mark.parametrize("lock", [False, True])
    def test_writing_writes_nothing_if_the_block_raises(self, storage: Storage, lock: bool) -> None:  # noqa: FBT001 - of pytest
        """Write nothing if the block raises, whatever was appended before."""
        write(storage, *filled())
        before = everything(storage)
        for batches in raising():
            with pytest.raises(UnfinishedError):
                write_and_raise(storage, *batches, lock=lock)
            assert everything(storage) == before

    def test_writing_adds_no_program_if_the_block_raises(self, storage: Storage) -> None:
        """Write nothing if the block raises, no program either."""
        with pytest.raises(UnfinishedError):
            write_and_raise(storage, program=rows.program())
        with storage.reading() as tx:
            assert tx.programs() == []

    def test_writing_writes_nothing_if_a_later_batch_of_the_block_conflicts(self, storage: Storage) -> None:
        """Write what one transaction writes as a whole, or not at all."""
        write(storage, *filled())
        before = everything(storage)
        with pytest.raises(StorageConflictError):
            write_together(storage, rows.deciding(), rows.deciding("e-2", heads=("another head",)))
        assert everything(storage) == before

    def test_writing_shows_others_nothing_of_a_block_that_raises(
        self, storage: Storage, another: Storage | None
    ) -> None:
        """Show nobody what is not committed."""
        write(storage, rows.enrolling())
        seen: list[Future[Any]] = []
        with pytest.raises(UnfinishedError):
            write_and_raise(
                storage,
                rows.deciding(),
                meanwhile=lambda: seen.append(aside(lambda: standing_of(another or storage, "e-1"))),
            )
        assert result(seen[0]) == rows.standing(seq=0)

    # Storage.writing: several writers

    def test_of_two_writers_from_one_head_the_second_gets_a_conflict(
        self, storage: Storage, another: Storage | None
    ) -> None:
        """Raise StorageConflictError: another writer came first."""
        write(storage, rows.enrolling())
        write(another or storage, rows.deciding())
        with pytest.raises(StorageConflictError), storage.writing() as tx:
            tx.append(rows.deciding(records=(rows.record(key="another"),)))
        assert standing_of(storage, "e-1") == rows.standing(seq=1)

    @pytest.mark.parametrize("kind", ["act", "enrollment", "key", "pool"])
    def test_of_many_writers_at_once_one_wins_and_the_others_get_a_conflict(
        self, storage: Storage, another: Storage | None, kind: str
    ) -> None:
        """Raise StorageConflictError for all writers but one, who come at the same moment."""
        write(storage, rows.enrolling(*(f"e-{number}" for number in range(1, WRITERS + 1))))
        start = Barrier(WRITERS)
        storages = [storage, another or storage] * (WRITERS // 2)
        writers = [
            aside(attempt(storages[number], rivalling(kind, number), start)) for number in range(WRITERS)
        ]
        assert sorted(map(result, writers)) == ["conflict"] * (WRITERS - 1) + ["written"]

    def test_many_writers_of_different_enrollments_all_write(
        self, storage: Storage, another: Storage | None
    ) -> None:
        """Let writers write who are not in each other's way."""
        ids = [f"e-{number}" for number in range(1, WRITERS + 1)]
        write(storage, rows.enrolling(*ids))
        storages = [storage, another or storage] * (WRITERS // 2)
        start = Barrier(WRITERS)
        batches = [rows.deciding(each) for each in ids]
        writers = [aside(attempt(*each, start)) for each in zip(storages, batches, strict=True)]
        assert [result(writer) for writer in writers] == ["written"] * WRITERS

    def test_with_lock_no_other_writer_changes_the_standings_that_are_looked_up(
        self, storage: Storage, another: Storage | None
    ) -> None:
        """Keep rows that are looked up from others until the end."""
        write(storage, rows.enrolling())
        with storage.writing(lock=True) as tx:
            assert tx.look_up(["e-1"], []).standings["e-1"] == rows.standing(seq=0)
            other = aside(lambda: write(another or storage, rows.deciding()))
            watch(other)
            assert tx.standing("e-1") == rows.standing(seq=0)
            tx.append(rows.deciding(records=(rows.record(key="first"),)))
        with pytest.raises(StorageConflictError):
            result(other)

    def test_with_lock_the_second_of_two_writers_waits_and_sees_what_the_first_wrote(
        self, storage: Storage, another: Storage | None
    ) -> None:
        """Have the second writer wait; it goes on from where the first one ended."""
        write(storage, rows.enrolling())
        with storage.writing(lock=True) as tx:
            tx.look_up(["e-1"], [])
            second = aside(lambda: locked_append(another or storage, rows.deciding(seq=2)))
            watch(second)
            assert not second.done()
            tx.append(rows.deciding(seq=1))
        assert result(second) == rows.standing(seq=1)
        assert standing_of(storage, "e-1") == rows.standing(seq=2)

    def test_with_lock_no_other_writer_changes_the_pools_that_are_read(
        self, storage: Storage, another: Storage | None
    ) -> None:
        """Keep pools that are read from others until the end."""
        write(storage, *filled())
        key = rows.pool_key(rows.pool())
        with storage.writing(lock=True) as tx:
            tx.pools([key])
            second = aside(lambda: locked_pools(another or storage, [key]))
            watch(second)
            assert not second.done()
            tx.append(rows.deciding(pools=(("[[1,1000]]", rows.pool("[[1,3000]]")),)))
        assert result(second) == [rows.pool("[[1,3000]]")]

    @pytest.mark.parametrize("kind", ["standings", "pools"])
    def test_without_wait_what_another_writer_keeps_is_a_conflict_at_once(
        self, storage: Storage, another: Storage | None, kind: str
    ) -> None:
        """Do not wait for rows that others keep; where only one writes at a time, it waits before it sees them."""
        write(storage, *filled())
        with storage.writing(lock=True) as tx:
            seen(tx, kind)
            beside = aside(lambda: write(another or storage, rows.deciding("e-2")))
            second = aside(lambda: seen_without_waiting(another or storage, kind))
            watch(beside)
            watch(second)
            assert second.done() == beside.done(), "rows are kept one by one, or all of them"
            if second.done():
                with pytest.raises(StorageConflictError):
                    result(second)
            tx.append(rows.deciding(pools=(("[[1,1000]]", rows.pool("[[1,3000]]")),)))
        result(beside)
        if not second.exception():
            assert result(second) == [
                {"standings": rows.standing(seq=1), "pools": rows.pool("[[1,3000]]")}[kind]
            ]

    def test_without_wait_what_nobody_keeps_is_kept_from_others(
        self, storage: Storage, another: Storage | None
    ) -> None:
        """Keep rows as with `wait`."""
        write(storage, *filled())
        with storage.writing(lock=True, wait=False) as tx:
            assert seen(tx, "standings") == [rows.standing(seq=0)]
            second = aside(lambda: locked_append(another or storage, rows.deciding(seq=2)))
            watch(second)
            assert not second.done()
            tx.append(rows.deciding(seq=1))
        assert result(second) == rows.standing(seq=1)

    def test_pools_are_locked_in_one_order_by_all_so_that_nobody_waits_for_ever(
        self, storage: Storage, another: Storage | None
    ) -> None:
        """Lock pools in one order, whatever the order they are asked for in."""
        pools = different_pools()
        write(storage, rows.enrolling(), rows.deciding(pools=tuple(("", pool) for pool in pools)))
        keys = [rows.pool_key(pool) for pool in pools]
        for _ in range(ROUNDS):
            other = aside(lambda: locked_pools(another or storage, keys))
            assert sorted(locked_pools(storage, keys[::-1])) == sorted(pools)
            found = result(other)
            assert sorted(found) == sorted(pools)

    # Storage.reading, joining, close

    def test_reading_sees_one_moment_of_the_log(self, storage: Storage, another: Storage | None) -> None:
        """See one moment of the log, whatever others write."""
        write(storage, rows.enrolling())
        with storage.reading() as tx:
            before = (tx.standing("e-1"), tx.counts(), tx.records("e-1"))
            other = aside(lambda: write(another or storage, rows.deciding()))
            watch(other)
            assert (tx.standing("e-1"), tx.counts(), tx.records("e-1")) == before
        result(other)
        assert standing_of(storage, "e-1") == rows.standing(seq=1)

    def test_a_storage_says_whether_it_is_joined(self, storage: Storage) -> None:
        """Have `joined`."""
        assert storage.joined is False

    def test_joining_what_is_no_transaction_of_a_host_is_refused(self, storage: Storage) -> None:
        """Raise StorageError: this storage cannot."""
        with pytest.raises(StorageError), storage.joining(object()).writing():
            pass  # it is refused before

    def test_close_gives_up_all_resources(self, storage: Storage) -> None:
        """Give up all resources, once or twice."""
        write(storage, rows.enrolling())
        storage.close()
        storage.close()


def write(storage: Storage, *batches: Batch) -> None:
    """Append batches, each in a transaction of its own."""
    for batch in batches:
        with storage.writing() as tx:
            tx.append(batch)


def write_together(storage: Storage, *batches: Batch) -> None:
    """Append batches in one transaction."""
    with storage.writing() as tx:
        for batch in batches:
            tx.append(batch)


def write_and_raise(
    storage: Storage,
    *batches: Batch,
    program: ProgramRow | None = None,
    lock: bool = False,
    meanwhile: Callable[[], None] | None = None,
) -> NoReturn:
    """Append batches and a program in one transaction that does not end well."""
    with storage.writing(lock=lock) as tx:
        tx.look_up(["e-1"], [])
        for batch in batches:
            tx.append(batch)
        if program:
            tx.add_program(program)
        if meanwhile:
            meanwhile()
            sleep(SECONDS_WATCHED)
        raise UnfinishedError


def at(hour: int) -> str:
    """Return a time of a day."""
    return f"2026-01-05T{hour:02}:00:00.000000+00:00"


def claims(storage: Storage, claim: Claim) -> list[WorkRow]:
    """Claim work in a transaction of its own."""
    with storage.writing() as tx:
        return tx.claim(claim)


def append_and_settle(storage: Storage, batch: Batch, was: WorkRow, row: WorkRow) -> None:
    """Append a batch and settle work, in one transaction."""
    with storage.writing() as tx:
        tx.append(batch)
        tx.settle(was, row)


def claiming(storage: Storage, worker: str, start: Barrier) -> list[WorkRow]:
    """Claim a few at a time until there is nothing left; all begin at the same moment."""
    start.wait(SECONDS_MAX)
    found: list[WorkRow] = []
    while claimed := claims(storage, Claim("payout", worker, at(12), at(20), limit=3)):
        found += claimed
    return found


def add_programs(storage: Storage, *programs: ProgramRow) -> None:
    """Add programs in one transaction."""
    with storage.writing() as tx:
        for program in programs:
            tx.add_program(program)


def bare(name: str, seq: int) -> Batch:
    """Return one more act of a journal, which decides nothing."""
    return rows.deciding(name, seq=seq, decisions=(), entries=(), payouts=(), work=())


def filled() -> tuple[Batch, ...]:
    """Return what conflicts are tried on: two enrollments, two pools, and work."""
    pools = (("", rows.pool()), ("", rows.pool(scope="state")))
    return (rows.enrolling("e-1", "e-2")._replace(pools=pools, work=(rows.work("e-2", "there"),)),)


def raising() -> list[list[Batch]]:
    """Return what blocks append before they raise, once `filled` has been written."""
    pool = rows.pool("[[1,5]]")
    return [
        [rows.deciding()],
        [rows.deciding("e-1", "e-2")],
        [rows.deciding(), rows.deciding(seq=2)],
        [rows.enrolling("e-3")],
        [rows.enrolling("e-3"), rows.deciding("e-3")],
        [rows.deciding(pools=(("[[1,1000]]", pool),))],
    ]


def everything(storage: Storage) -> dict[str, Any]:
    """Return all that a storage holds."""
    with storage.reading() as tx:
        enrollments = tx.enrollments()
        logs = [
            (
                tx.records(each.id),
                tx.decisions(each.id),
                tx.entries(each.id),
                tx.payouts(each.id),
                tx.standing(each.id),
            )
            for each in enrollments
        ]
        return {
            "programs": tx.programs(),
            "enrollments": enrollments,
            "logs": logs,
            "journals": [(row, tx.records(row.enrollment)) for row in tx.journals()],
            "work": tx.work(WorkQuery("payout")),
            "pools": tx.pools(),
            "counts": tx.counts(),
        }


def standing_of(storage: Storage, enrollment: str) -> Any:  # noqa: ANN401 - a row, or None
    """Return where an enrollment stands, read in a transaction of its own."""
    with storage.reading() as tx:
        return tx.standing(enrollment)


def enrollments_of(*given: tuple[str, str, str]) -> Batch:
    """Return a batch that enrolls, by ids, participants and programs."""
    made = tuple(rows.enrollment(each, participant=who, program=what) for each, who, what in given)
    return rows.enrolling(*(each for each, _, _ in given))._replace(enrollments=made)


def ids_of(storage: Storage, **chosen: Any) -> list[str]:  # noqa: ANN401 - as the port takes them
    """Return the ids of enrollments, as they are returned."""
    with storage.reading() as tx:
        return [row.id for row in tx.enrollments(**chosen)]


def paged(storage: Storage, limit: int) -> Iterator[list[str]]:
    """Yield the ids of all enrollments, page by page."""
    after = ""
    while page := ids_of(storage, after=after, limit=limit):
        yield page
        assert after != page[-1], "the page after an id ends with that id"
        after = page[-1]


def different_pools() -> list[PoolRow]:
    """Return pools that differ in one part of their key each."""
    others = {"holder": "", "scope": "fund", "name": "grant", "unit": "ticket", "per": "program"}
    changed = [
        rows.pool(f"[[{place},{place}]]", **{name: other})
        for place, (name, other) in enumerate(others.items())
    ]
    return [rows.pool(), *changed]


def worded(text: str, of: str) -> Batch:
    """Return a batch that enrolls and decides, whose texts are all the same but for what rows are found by."""
    said: dict[str, Any] = dict.fromkeys(
        ("target", "day", "outcome", "awards", "reasons", "said", "prizes", "hash"), text
    )
    return Batch(
        enrollments=(rows.enrollment(of, start=text, zone=text, before=text, commitment=text),),
        records=(
            rows.record(of, 1, kind=text, actor=text, recorded_at=text, body=text, shared=text, hash=text),
        ),
        decisions=(rows.decision(of, **said),),
        entries=(rows.entry(of, unit=text, debit=text, credit=text),),
        payouts=(rows.payout(of, day=text),),
        work=(rows.work(of, worker=text, body=text, note=text),),
        standings=(rows.standing(of, recorded_at=text, state=text),),
        heads=("",),
    )


def rivalling(kind: str, number: int) -> Batch:
    """Return a batch of which only one can be written: from one head, of one id, under one key, or into one pool."""
    enrollment = f"e-{number + 1}"
    own = (rows.record(seq=1, key=f"rival {number}"),)
    return {
        "act": rows.deciding(records=own),
        "enrollment": rows.enrolling("e-new")._replace(
            records=(rows.record("e-new", 0, key=f"rival {number}"),)
        ),
        "key": rows.deciding(enrollment, records=(rows.record(enrollment, key="rival"),)),
        "pool": rows.deciding(enrollment, pools=(("", rows.pool()),)),
    }[kind]


def attempt(storage: Storage, batch: Batch, start: Barrier) -> Callable[[], str]:
    """Return work that writes a batch, and says whether another writer came first."""

    def work() -> str:
        start.wait(SECONDS_MAX)
        try:
            write(storage, batch)
        except StorageConflictError:
            return "conflict"
        return "written"

    return work


def locked_append(storage: Storage, batch: Batch) -> Any:  # noqa: ANN401 - a row
    """Append a batch with the standing locked that it changes, and return what that was."""
    with storage.writing(lock=True) as tx:
        found = tx.look_up(["e-1"], []).standings["e-1"]
        tx.append(batch)
    return found


def seen(tx: Transaction, kind: str) -> list[Any]:
    """Return where the first enrollment stands, or what a pool has received."""
    if kind == "pools":
        return tx.pools([rows.pool_key(rows.pool())])
    return [*tx.look_up(["e-1"], []).standings.values()]


def seen_without_waiting(storage: Storage, kind: str) -> list[Any]:
    """Return what is seen in a transaction that keeps it and waits for nobody."""
    with storage.writing(lock=True, wait=False) as tx:
        return seen(tx, kind)


def locked_pools(storage: Storage, keys: list[rows.PoolKey]) -> list[PoolRow]:
    """Return what pools have received, read with a lock."""
    with storage.writing(lock=True) as tx:
        return tx.pools(keys)


def aside(work: Callable[[], Made]) -> "Future[Made]":
    """Do work in a thread of its own, which nobody waits for at the end of the tests."""
    done: Future[Made] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised by `result`
            done.set_exception(error)

    Thread(target=run, daemon=True).start()
    return done


def watch(future: "Future[Any]") -> None:
    """Give somebody the time to do what must wait, or what need not."""
    try:
        future.exception(SECONDS_WATCHED)
    except TooLongError:
        return


def result(future: "Future[Made]") -> Made:
    """Return what a thread made, or raise what it raised; it must not wait for ever."""
    return future.result(SECONDS_MAX)
