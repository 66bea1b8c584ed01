"""A state as text, for a host to keep between visits."""

import json
import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from cm_engine.errors import StateError
from cm_engine.rules.compact import compact
from cm_engine.rules.compiled import Rules
from cm_engine.rules.criteria import NO_VALUES, Measured, Memory
from cm_engine.rules.milestones import Progress
from cm_engine.rules.state import Ladder, Received, State, Track

LAYOUT = 4
EARLIER = re.compile(r'\{"layout":([1-9][0-9]*),')


def dump_state(state: State) -> str:
    """Return a state as one line of JSON.

    Example:
        >>> from cm_engine import Observation, catalogue, compile_rules, initial_state, step
        >>> rules = compile_rules(catalogue.program("va-prize"))
        >>> state, _ = step(rules, initial_state(rules), Observation("-"))
        >>> load_state(rules, dump_state(state)) == state
        True
    """
    *values, start, last, program = state
    head = f'"layout":{LAYOUT},"program":"{program}","start":{_text(start)},"last":{_text(last)}'
    return f'{{{head},"values":{_dumped(values)}}}'


_dumped = compact(str, ascii_only=True)


def _text(day: date | None) -> str:
    return f'"{day.isoformat()}"' if day else "null"


def load_state(rules: Rules, text: str) -> State:
    """Return the state that `dump_state` wrote.

    Raises:
        StateError: the text is no state, or it belongs to another program or to another layout of states.
            Decide the results again from the first one: the state is only what they lead to.
    """
    try:
        fields = json.loads(text)
        layout, program = fields.pop("layout"), fields["program"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError("none", rules.digest) from error
    if layout != LAYOUT or program != rules.digest:
        raise StateError(program if layout == LAYOUT else f"layout {layout}", rules.digest)
    try:
        return _state(fields)
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise StateError("a damaged state", rules.digest) from error


def earlier_layout(text: str) -> int:
    """Return the layout of a state that an earlier release dumped, or 0.

    Example:
        >>> earlier_layout('{"layout":1,"program":"..."}'), earlier_layout("no state")
        (1, 0)
    """
    told = EARLIER.match(text) if isinstance(text, str) else None  # it may be damaged
    return int(told[1]) if told and int(told[1]) < LAYOUT else 0


def _state(fields: dict[str, Any]) -> State:
    tracks, received, counted, progress, stake = fields["values"]
    return State(
        tracks=tuple(map(_track, tracks)),
        received=tuple(map(_received, received)),
        counted=tuple(map(_received, counted)),
        progress=tuple(map(_progress, progress)),
        stake=stake,
        start=_day(fields["start"]),
        last=_day(fields["last"]),
        program=fields["program"],
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _track(fields: list[Any]) -> Track:
    visits, ladder, outcome, memory, attempts = fields
    return Track(visits, Ladder(*ladder), outcome, _memory(memory), attempts)


def _memory(fields: list[Any]) -> Memory:
    baseline, recent, bar = fields
    values = tuple(Measured(Decimal(value), day) for value, day in recent)
    return NO_VALUES if baseline is None else Memory(_decimal(baseline), values, _decimal(bar))


def _decimal(text: str | None) -> Decimal | None:
    return Decimal(text) if text is not None else None


def _progress(fields: list[Any]) -> Progress:
    times, done, decided, weeks, memory = fields
    return Progress(times, done, decided, tuple(map(tuple, weeks)), _memory(memory))


def _received(fields: list[Any]) -> Received:
    windows, stopped = fields
    return Received(tuple((number, amount) for number, amount in windows), tuple(stopped))
