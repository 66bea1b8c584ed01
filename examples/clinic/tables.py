"""The clinic's own tables; what was observed, decided and awarded stands in the engine's."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, ForeignKey, Index, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

FRONT_DESK, SUPERVISOR, AUDITOR = "front desk", "supervisor", "auditor"
ROLES = (FRONT_DESK, SUPERVISOR, AUDITOR)
WAITING, RECORDED, WITHDRAWN = "waiting", "recorded", "withdrawn"


class AwareTime(TypeDecorator[datetime]):
    """A time that keeps its zone in every database: UTC going in, UTC coming out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002
        """Return the time in UTC."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002
        """Return the time with its zone, which SQLite does not keep."""
        return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None


class Base(DeclarativeBase):
    """All tables of the clinic."""


class Staff(Base):
    """Who works here: what they may do, and the language they read."""

    __tablename__ = "staff"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    language: Mapped[str]


class Participant(Base):
    """An opaque id, and the short label that this clinic finds it by; never a name."""

    __tablename__ = "participants"

    id: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(unique=True)


class ChartNote(Base):
    """What the clinic writes beside an act: it commits with the act, or neither is there."""

    __tablename__ = "chart_notes"
    __table_args__ = (Index("chart_notes_by_enrollment", "enrollment", "record"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    enrollment: Mapped[str]
    record: Mapped[int]
    by: Mapped[str]
    written_at: Mapped[datetime] = mapped_column(AwareTime)
    day: Mapped[date] = mapped_column(index=True)
    text: Mapped[str] = mapped_column(Text)


class PendingEntry(Base):
    """A result that waits until another person has entered the same one."""

    __tablename__ = "pending_entries"

    id: Mapped[int] = mapped_column(primary_key=True)
    enrollment: Mapped[str] = mapped_column(index=True)
    target: Mapped[str]
    result: Mapped[str]
    excuse: Mapped[str]
    collected_at: Mapped[datetime] = mapped_column(AwareTime)
    note: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(unique=True)
    by: Mapped[str]
    entered_at: Mapped[datetime] = mapped_column(AwareTime)
    state: Mapped[str] = mapped_column(default=WAITING, index=True)


class SecondEntry(Base):
    """What another person entered for a result that waits, whether it matched or not."""

    __tablename__ = "second_entries"

    id: Mapped[int] = mapped_column(primary_key=True)
    pending: Mapped[int] = mapped_column(ForeignKey("pending_entries.id"), index=True)
    result: Mapped[str]
    by: Mapped[str]
    entered_at: Mapped[datetime] = mapped_column(AwareTime)
    matched: Mapped[bool]
