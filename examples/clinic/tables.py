"""The clinic's own tables; what was observed, decided and awarded stands in the engine's."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Index, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


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


class Profile(Base):
    """What somebody of the staff is called, and the language they read; what they may do, the engine knows."""

    __tablename__ = "profiles"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
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
