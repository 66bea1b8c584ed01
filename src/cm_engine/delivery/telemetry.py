"""What a worker tells of itself: lines of a log, and spans where the host has OpenTelemetry; nothing of a person."""

from collections.abc import Iterator
from contextlib import contextmanager
from logging import Logger
from typing import Any


def say(log: Logger, level: int, event: str, **about: str | int) -> None:
    """Log an event: in words, and as `event` and `fields` of the record for whoever writes it in another form.

    Args:
        log: where.
        level: as of logging.
        event: what happened.
        about: more of it; nothing of a person is among it.
    """
    words = ", ".join(f"{name} {value}" for name, value in about.items())
    log.log(level, "%s: %s" if words else "%s%s", event, words, extra={"event": event, "fields": about})


class Span:
    """A span that is open, or none where there is no OpenTelemetry."""

    def __init__(self, current: Any = None) -> None:  # noqa: ANN401 - of OpenTelemetry
        self._current = current

    def note(self, name: str, value: str | int) -> None:
        """Note something of it; nothing of a person."""
        if self._current:
            self._current.set_attribute(f"cm_engine.{name}", value)

    def fail(self, error: BaseException) -> None:
        """Note that it failed, by the class of the error: what that says may be of a person."""
        if self._current:
            from opentelemetry.trace import StatusCode  # noqa: PLC0415 - it comes with an extra

            self._current.set_attribute("error.type", type(error).__name__)
            self._current.set_status(StatusCode.ERROR)


@contextmanager
def span(name: str, **about: str | int) -> Iterator[Span]:
    """Have a span around a block.

    Args:
        name: of the span, after `cm_engine.`.
        about: its attributes; nothing of a person is among them.
    """
    tracer = _tracer()
    if tracer is None:
        yield Span()
        return
    attributes = {f"cm_engine.{key}": value for key, value in about.items()}
    quiet = {"record_exception": False, "set_status_on_exception": False}
    with tracer.start_as_current_span(f"cm_engine.{name}", attributes=attributes, **quiet) as current:
        found = Span(current)
        try:
            yield found
        except BaseException as error:
            found.fail(error)
            raise


def _tracer() -> Any:  # noqa: ANN401 - of OpenTelemetry, which need not be there
    try:
        from opentelemetry import trace  # noqa: PLC0415 - it comes with an extra
    except ImportError:
        return None
    return trace.get_tracer("cm_engine")
