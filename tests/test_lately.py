"""Acts decided from where an enrollment stood when it was last written here: whoever else wrote, it comes out the same."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from itertools import product
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import create_engine

from cm_engine.acts import lately
from cm_engine.acts.lately import SURE, Lately
from cm_engine.acts.recorded import Recorded
from cm_engine.acts.reported import Report
from cm_engine.engine import Engine
from cm_engine.errors import KeyConflictError, ReportError, ResultsError, StorageError, StorageFullError
from cm_engine.log.rows import StandingRow
from cm_engine.opening import open_storage
from cm_engine.ports import Found
from cm_engine_adapters.storage import transaction
from cm_engine_adapters.storage.failures import failure
from cm_engine_adapters.storage.sql import SqlStorage
from cm_engine_adapters.storage.sqlite import SqliteStorage
from tests.faults import SECRET, START, ZONE, enrolled, fixed, opened
from tests.test_grouped_attacked import driven

Looks = list[Sequence[str]]


def watched(url: str) -> tuple[Engine, Looks]:
    """Return an engine, and the enrollments that it looks up."""
    storage = open_storage(url, {})
    assert isinstance(storage, SqlStorage)
    looks: Looks = []

    class Looking(storage.transaction):  # type: ignore[name-defined,misc]
        def look_up(self, enrollments: Sequence[str], keys: Sequence[tuple[str, str]]) -> Found:
            looks.append(enrollments)
            found: Found = super().look_up(enrollments, keys)
            return found

    storage.transaction = Looking
    return Engine(storage=storage, zone=ZONE, clock=fixed, secret=SECRET), looks


def report(enrollment: str, day: int, result: str = "-", key: str = "") -> Report:
    """Return what is reported of a day, under the day's key."""
    on = START + timedelta(days=day)
    return Report(enrollment, "desk", key or f"{enrollment}-{day}", "n", result, on=on)


def told(engine: Engine, enrollment: str, day: int, result: str = "-", key: str = "") -> Recorded:
    """Record what is reported of a day."""
    return engine.record(**report(enrollment, day, result, key)._asdict())


class Clinic:
    """Two processes on one database, of which the first has recorded alone for a while.

    Attributes:
        here: the engine of the first.
        looks: what it looked up since.
        there: the engine of the second.
        next: the first day of which nothing is told yet.
    """

    def __init__(self, url: str, *ids: str, of: str = "climbing") -> None:
        self.here, self.looks = watched(url)
        self.there = opened(url)
        ids = ids or ("e", "f")
        enrolled(self.here, *ids, of=of)
        self.next = SURE
        for day, enrollment in product(range(self.next), ids):
            told(self.here, enrollment, day)
        self.looks.clear()

    def close(self) -> None:
        """Close both."""
        self.here.close()
        self.there.close()


@pytest.fixture
def clinic(database_url: str) -> Iterator[Clinic]:
    """Two processes on one database."""
    with closing(Clinic(database_url)) as found:
        yield found


def test_while_nobody_else_writes_acts_are_decided_without_a_look(clinic: Clinic) -> None:
    paid = [told(clinic.here, "e", clinic.next + more).awards for more in range(3)]
    assert clinic.looks == []
    assert paid == [{"USD": 6}] * 3
    assert clinic.there.verify().is_clean


def test_a_batch_is_decided_without_a_look_too(clinic: Clinic) -> None:
    found = clinic.here.record_many([report("e", clinic.next), report("f", clinic.next)])
    assert clinic.looks == []
    assert [each.replayed for each in found] == [False, False]
    assert clinic.there.verify().is_clean


def test_what_another_process_wrote_meanwhile_is_built_upon(clinic: Clinic) -> None:
    told(clinic.there, "e", clinic.next, "+")
    assert told(clinic.here, "e", clinic.next + 1).awards == {"USD": 1}
    assert [looked for looked in clinic.looks if looked] == [["e"]]
    assert clinic.there.verify().is_clean


def test_where_another_process_wrote_the_next_acts_are_looked_up(clinic: Clinic) -> None:
    told(clinic.there, "e", clinic.next)
    told(clinic.here, "e", clinic.next + 1)
    clinic.looks.clear()
    told(clinic.here, "f", clinic.next)
    assert clinic.looks == [["f"]]


def test_an_act_that_is_reported_again_is_answered_as_it_was(clinic: Clinic) -> None:
    first = told(clinic.here, "e", clinic.next)
    again = told(clinic.here, "e", clinic.next)
    assert again.replayed
    assert again.decisions == first.decisions
    assert len(clinic.here.history(enrollment="e")) == clinic.next + 2


def test_an_act_that_another_process_recorded_is_answered_as_it_was(clinic: Clinic) -> None:
    told(clinic.there, "f", clinic.next)
    assert told(clinic.here, "f", clinic.next).replayed


@pytest.mark.parametrize("enrollment", ["e", "f"])
def test_a_key_that_was_used_for_something_else_is_refused(clinic: Clinic, enrollment: str) -> None:
    told(clinic.here, "e", clinic.next, key="once")
    with pytest.raises(KeyConflictError):
        told(clinic.here, enrollment, clinic.next + 1, key="once")
    assert told(clinic.here, enrollment, clinic.next + 1).record == clinic.next + (
        2 if enrollment == "e" else 1
    )
    assert clinic.there.verify().is_clean


def test_a_repeated_key_is_no_error_of_the_server(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = list[BaseException]()

    def noted(error: BaseException, **more: bool) -> StorageError:
        errors.append(error)
        return failure(error, **more)

    monkeypatch.setattr(transaction, "failure", noted)
    with closing(Clinic(postgresql_url)) as clinic:
        told(clinic.there, "f", clinic.next)
        assert told(clinic.here, "f", clinic.next).replayed
    with closing(Clinic(postgresql_url, "g", "h")) as clinic:
        reports = [report("g", clinic.next), report("h", clinic.next)]
        clinic.there.record_many(reports)
        assert [each.replayed for each in clinic.here.record_many(reports)] == [True, True]
    assert errors == []


def test_whoever_was_readmitted_elsewhere_is_not_refused_here(clinic: Clinic) -> None:
    last = START + timedelta(days=clinic.next)
    clinic.here.discharge(enrollment="e", on=last, why="moved", source="desk", key="end", by="n")
    for day in range(clinic.next, clinic.next + SURE):
        told(clinic.here, "f", day)
    clinic.there.readmit(
        enrollment="e", on=last + timedelta(days=1), why="back", source="desk", key="back", by="n"
    )
    assert told(clinic.here, "e", clinic.next + 1).awards


def test_whoever_was_discharged_elsewhere_is_refused_here(clinic: Clinic) -> None:
    last = START + timedelta(days=clinic.next)
    clinic.there.discharge(enrollment="e", on=last, why="moved", source="desk", key="end", by="n")
    with pytest.raises(ReportError, match="the episode ended"):
        told(clinic.here, "e", clinic.next + 1)


def test_a_refusal_is_the_same_as_after_a_look(clinic: Clinic) -> None:
    with pytest.raises(ResultsError, match="target"):
        clinic.here.record(
            enrollment="e", target="opioids", result="-", on=START, source="desk", key="k", by="n"
        )
    assert clinic.looks
    assert len(clinic.there.history(enrollment="e")) == clinic.next + 1


def test_of_a_batch_that_is_refused_the_number_is_told(clinic: Clinic) -> None:
    wrong = report("f", clinic.next)._replace(target="opioids")
    with pytest.raises(ResultsError) as refused:
        clinic.here.record_many([report("e", clinic.next), wrong])
    assert refused.value.report == 1
    assert clinic.there.verify().is_clean


def test_a_late_result_is_decided_with_the_whole_log(clinic: Clinic) -> None:
    told(clinic.here, "e", clinic.next + 1)
    told(clinic.here, "e", clinic.next, "+")
    assert told(clinic.here, "e", clinic.next + 2).awards == {"USD": 2}
    assert clinic.there.verify().is_clean


def test_what_a_host_rolled_back_is_not_built_upon(clinic: Clinic, database_url: str) -> None:
    host = create_engine(driven(database_url))
    with host.connect() as connection:
        told(clinic.here.joining(connection), "e", clinic.next, "+")
        connection.rollback()
    host.dispose()
    assert told(clinic.here, "e", clinic.next).awards == {"USD": 6}
    assert clinic.there.verify().is_clean


def test_what_was_only_rehearsed_is_not_built_upon(clinic: Clinic) -> None:
    clinic.here.rehearse([report("e", clinic.next, "+")])
    clinic.looks.clear()
    assert told(clinic.here, "e", clinic.next).awards == {"USD": 6}
    assert clinic.looks == []


def test_what_could_not_be_written_is_not_built_upon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Clinic(f"sqlite:///{tmp_path / 'clinic.db'}")) as clinic:
        with monkeypatch.context() as full:
            full.setattr(SqliteStorage, "commit", no_room)
            with pytest.raises(StorageFullError):
                told(clinic.here, "e", clinic.next, "+")
        assert told(clinic.here, "e", clinic.next).awards == {"USD": 6}
        assert clinic.there.verify().is_clean


def no_room(_: object, cursor: object) -> None:
    raise StorageFullError(str(cursor))


def test_a_pool_that_another_process_filled_is_looked_at_all_the_same(database_url: str) -> None:
    with closing(Clinic(database_url, of="sharing")) as clinic:
        told(clinic.there, "f", clinic.next)
        told(clinic.here, "e", clinic.next)
        assert clinic.there.verify().is_clean
        assert sum(clinic.there.balance(enrollment=each)["USD"].awarded for each in "ef") == 40


def test_two_processes_in_turn_decide_as_one_would(database_url: str, tmp_path: Path) -> None:
    chance = Random(7)  # noqa: S311 - the same results in every run
    with opened(database_url) as here, opened(database_url) as there, alone_in(tmp_path) as alone:
        enrolled(here, "e", "f")
        enrolled(alone, "e", "f")
        for day in range(60):
            writer = (here, there)[day // 15 % 2]  # long enough to be sure, again and again
            for enrollment, result in zip("ef", chance.choices("-+e*", [8, 1, 1, 1], k=2), strict=True):
                one, other = (told(each, enrollment, day, result) for each in (writer, alone))
                assert [each.hash for each in one.decisions] == [each.hash for each in other.decisions]
        assert there.verify().is_clean


def alone_in(folder: Path) -> Engine:
    return opened(f"sqlite:///{folder / 'alone.db'}")


# What is known, by itself


def row(enrollment: str, head: str = "h") -> StandingRow:
    return StandingRow(enrollment, 1, 1, head, "", "")


def sure(*enrollments: str) -> Lately:
    """Return what knows where enrollments stand, and is sure of it."""
    known = Lately()
    known.keep(map(row, enrollments))
    for _ in range(SURE):
        known.compare({enrollments[-1]: row(enrollments[-1])})
    return known


def test_of_several_all_are_known_or_none() -> None:
    known = sure("e", "f")
    assert list(known.known(["f", "e"])) == ["f", "e"]
    assert known.known(["e", "g"]) == {}


def test_nothing_is_relied_upon_before_looks_have_found_it_so() -> None:
    known = Lately()
    known.keep([row("e")])
    for _ in range(SURE):
        assert known.known(["e"]) == {}
        known.compare({"e": row("e")})
    assert known.known(["e"])


@pytest.mark.parametrize("shaken", [Lately.doubt, lambda known: known.compare({"e": row("e", "another")})])
def test_after_one_in_vain_all_is_looked_up_again(shaken: Callable[[Lately], None]) -> None:
    known = sure("e")
    shaken(known)
    assert known.known(["e"]) == {}


def test_one_look_at_many_is_one_look() -> None:
    known = Lately()
    many = [f"e-{number}" for number in range(SURE)]
    known.keep(map(row, many))
    known.compare({each: row(each) for each in many})
    assert known.known(["e-0"]) == {}


@pytest.mark.parametrize("changed", [0, SURE // 2, SURE - 1])
def test_a_look_at_many_that_finds_one_change_has_all_looked_up_again(changed: int) -> None:
    many = [f"e-{number}" for number in range(SURE)]
    known = sure(*many)
    known.compare(
        {each: row(each, "another" if place == changed else "h") for place, each in enumerate(many)}
    )
    assert known.known(["e-0"]) == {}


def test_who_was_never_seen_before_proves_nothing() -> None:
    known = sure("e")
    known.compare({"g": row("g")})
    assert known.known(["e"])


def test_of_too_many_the_first_ones_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lately, "KEPT", 10)
    known = sure(*(f"e-{number}" for number in range(11)))
    assert not known.known(["e-0"])
    assert known.known(["e-1", "e-10"])
