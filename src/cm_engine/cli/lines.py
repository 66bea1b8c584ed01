"""What a worker says on stderr: a line of JSON for each event, with nothing of a person in it."""

import json
import logging
import sys
from datetime import UTC, datetime

from cm_engine.log.encoding import instant

OURS = "cm_engine"
"""The name of our own loggers, whose events have plain words and fields."""
ELSEWHERE = "something was logged"
"""What is told of other packages' lines: not what they say, as that may be an address or a name."""


class JsonLines(logging.Formatter):
    """Write a record as a line of JSON.

    Example:
        >>> record = logging.makeLogRecord({"name": "httpx", "levelname": "WARNING", "created": 0, "msg": "GET /ann@example.org"})
        >>> JsonLines().format(record)
        '{"at":"1970-01-01T00:00:00.000000+00:00","level":"warning","logger":"httpx","event":"something was logged"}'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line: of our own the event and its fields, of other packages only that there was one."""
        ours = record.name.split(".")[0] == OURS
        event = getattr(record, "event", str(record.msg)) if ours else ELSEWHERE
        line = {
            "at": instant(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": event,
            **(getattr(record, "fields", {}) if ours else {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, separators=(",", ":"))


def log_as_lines() -> None:
    """Have this process log lines of JSON on stderr: what we do, and that others warn."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger(OURS).setLevel(logging.INFO)
    logging.getLogger(f"{OURS}.delivery").setLevel(
        logging.WARNING
    )  # whose payout it was, nobody needs to read
