"""The anchor: the voucher schedule of Higgins 1994, written by hand with frozen dataclasses and nothing general."""

from dataclasses import dataclass

START, STEP, BONUS, BONUS_EVERY, AFTER = 250, 125, 1000, 3, 5
RESETS, HOLDS = frozenset("+o*r"), frozenset("e")


@dataclass(frozen=True, slots=True)
class State:
    visits: int = 0
    position: int = 0
    streak: int = 0
    saved: int = 0


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    unit: str
    amount: int
    count: int
    change: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    visit: int
    week: int
    outcome: str
    unit: str
    amount: int
    reasons: tuple[Reason, ...]


def rate(position: int) -> int:
    return START + STEP * position


def bonus(run: int) -> int:
    return BONUS if run % BONUS_EVERY == 0 else 0


def step(state: State, outcome: str) -> tuple[State, Decision]:
    visit = state.visits + 1
    if outcome == "-":
        after, amount, reasons = met(state)
    elif outcome in RESETS:
        after, amount, reasons = reset(state)
    else:
        after, amount = State(visit, state.position, state.streak, state.saved), 0
        reasons = (Reason("held", "USD", 0, 0),)
    promised = rate(after.position) + bonus(after.streak + 1)
    reasons = (*reasons, Reason("next", "USD", promised, 0))
    return after, Decision(visit, (visit + 2) // 3, outcome, "USD", amount, reasons)


def met(state: State) -> tuple[State, int, tuple[Reason, ...]]:
    run = state.streak + 1
    base, extra = rate(state.position), bonus(run)
    change = base - rate(state.position - 1) if state.streak else None
    reasons: tuple[Reason, ...] = (Reason("earned", "USD", base, run, change),)
    if extra:
        reasons += (Reason("bonus", "USD", extra, BONUS_EVERY),)
    position = state.position + 1
    if run == AFTER and state.saved > position:
        position = state.saved
        reasons += (Reason("recovered", "USD", rate(position), run),)
    return State(state.visits + 1, position, run, state.saved), base + extra, reasons


def reset(state: State) -> tuple[State, int, tuple[Reason, ...]]:
    saved = max(state.saved, state.position - 1)
    reasons: tuple[Reason, ...] = (Reason("reset", "USD", rate(0), state.position),)
    if saved > AFTER:
        reasons += (Reason("recoverable", "USD", rate(saved), AFTER),)
    return State(state.visits + 1, 0, 0, saved), 0, reasons
