"""The same from asynchronous code: the engine joins an AsyncSession through `run_sync`.

It needs greenlet and an asynchronous driver (aiosqlite, or psycopg). Run it with `python examples/async_session.py [URL]`, such as sqlite+aiosqlite:///clinic.db or
postgresql+psycopg://user@host/clinic; without a URL it makes a SQLite file in a folder that is gone afterwards.
"""

import asyncio
import sys
import tempfile
from datetime import date

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from cm_engine import Engine, Recorded

START = date(2026, 1, 5)


async def main(url: str) -> None:
    """Record two results, each in a transaction of the host's own; the second one is rolled back."""
    engine = await asyncio.to_thread(Engine.open, synchronous(url), zone="America/Los_Angeles")
    await asyncio.to_thread(engine.add_program, "california-recovery-incentives")
    enrollment = await asyncio.to_thread(enrolled, engine)
    database = create_async_engine(url)

    def recorded(session: Session, result: str, key: str) -> Recorded:
        joined = engine.joining(session)
        return joined.record(
            enrollment=enrollment, result=result, on=START, source="app", key=key, by="nurse-7"
        )

    async with AsyncSession(database) as session:
        decision = await session.run_sync(recorded, "-", "first")
        await session.commit()
        print(f"committed: {decision.sentence}")
        decision = await session.run_sync(recorded, "-", "second")
        await session.rollback()
        print(f"rolled back: {decision.sentence}")
    acts = await asyncio.to_thread(lambda: engine.history(enrollment=enrollment))
    print(f"in the log: {', '.join(f'{act.kind} {act.key}' for act in acts[1:])}")
    await database.dispose()
    engine.close()


def enrolled(engine: Engine) -> str:
    """Enroll a participant, and return the id of the enrollment."""
    program = "california-recovery-incentives"
    return engine.enroll(participant="p-104", program=program, start=START, by="nurse-7").id


def synchronous(url: str) -> str:
    """Return the URL without its asynchronous driver."""
    parsed = make_url(url)
    return parsed.set(drivername=parsed.get_backend_name()).render_as_string(hide_password=False)


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(main(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(main(f"sqlite+aiosqlite:///{folder}/clinic.db"))
