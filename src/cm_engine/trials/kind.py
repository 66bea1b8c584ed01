"""Trials as journals: their seeds, and what an audit looks at beside the fold."""

from collections.abc import Iterator, Sequence

from cm_engine.acts.register import Register
from cm_engine.errors import SecretError
from cm_engine.journal import Act, Kind
from cm_engine.ports import Transaction
from cm_engine.rules.prizes import commitment
from cm_engine.trials.allocation import Allocation, misallocated
from cm_engine.trials.fold import ALLOCATED, TrialState, dump, fold, load

MISSING = (
    "participants of a trial are allocated with a secret: open the engine with it, Engine.open(url, secret=...); "
    "on the command line, set CM_ENGINE_SECRET"
)
WRONG = "the participants of this trial are allocated with another secret than the engine's; open it with that one"


def seed_of(register: Register, journal: str, nonce: str) -> bytes:
    """Return the seed of a trial, which is derived from the engine's secret, and stored nowhere.

    Raises:
        SecretError: the engine was opened without a secret.
    """
    try:
        return register.seed(f"{journal}/{nonce}")
    except SecretError:
        raise SecretError(MISSING) from None


def committed_seed(register: Register, journal: str, state: TrialState) -> bytes:
    """Return the seed of a trial, which is the one committed to.

    Raises:
        SecretError: the engine has no secret, or another one.
    """
    seed = seed_of(register, journal, state.nonce)
    if commitment(seed) != state.commitment:
        raise SecretError(WRONG)
    return seed


def allocation_of(act: Act) -> Allocation:
    """Return the allocation that an act made."""
    led_to = act.led_to
    return Allocation(act.body["participant"], led_to["stratum"], led_to["place"], led_to["arm"])


def _check(tx: Transaction, register: Register, acts: Sequence[Act]) -> Iterator[tuple[str, str]]:
    """Allocate every participant again, and look at what each is enrolled in."""
    state = TRIAL.folded(acts)
    assert state is not None, "a journal has a first act"
    allocated = [act for act in acts if act.kind == ALLOCATED]
    for act in allocated:
        yield from _enrolled_otherwise(tx, state, act)
    seed = seed_of(register, acts[0].journal, state.nonce)
    for wrong in misallocated(state.trial, state.commitment, seed, map(allocation_of, allocated)):
        yield "allocations", wrong


def _enrolled_otherwise(tx: Transaction, state: TrialState, act: Act) -> Iterator[tuple[str, str]]:
    """Find an enrollment that is missing, or is not the one that the allocation made."""
    row = tx.enrollment(act.led_to["enrollment"])
    allocated = (act.body["participant"], state.programs[act.led_to["arm"]], act.body["start"])
    if row is None or (row.participant, row.program, row.start) != allocated:
        yield f"record {act.seq}", f"enrolled is {row and row[1:4]}, allocated was {allocated}"
        return
    key = (act.journal, row.participant)
    record = tx.look_up([], [key]).records.get(key)
    if record is None or record.enrollment != row.id:
        yield (
            f"record {act.seq}",
            f"enrollment {row.id} is not under the key of participant {row.participant}",
        )


TRIAL = Kind[TrialState]("trial", fold, dump, load, _check)
