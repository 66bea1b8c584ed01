"""Which arm comes next: permuted blocks of drawn sizes, by stratum, drawn by HMAC-SHA256 from the seed of the trial.

Stratified permuted blocks keep the arms balanced in every stratum while chance alone decides (Altman DG, Bland JM. How
to randomise. BMJ 1999;319:703-704). Where an arm shows, as it does when rewards are paid, who counts can foresee the end
of a block whose size is known: sizes are drawn too, and kept from those who enroll (Schulz KF, Grimes DA. Generation of
allocation sequences in randomised trials: chance, not choice. Lancet 2002;359:515-519). CONSORT 2010 asks for both, the
restriction with its block sizes in item 8b, and how the sequence was concealed in item 9 (doi:10.1136/bmj.c332).

The numbers are those of prize draws (`cm_engine.rules.prizes.number_below`): HMAC-SHA256(seed, "KEY/NUMBER/TRY"), mapped
without bias. In a stratum, block B has the size at place number_below(sizes, "size/STRATUM", B) of all sizes, from the
smallest. Its arms stand in the order of the alphabet, each as often as its share says, and are then shuffled from the
last place to the second: place P changes with place number_below(P, "place/STRATUM/B", P), counted from 0 (Durstenfeld R.
Algorithm 235: random permutation. Communications of the ACM 1964;7:420).
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import count, islice
from typing import NamedTuple

from cm_engine.errors import ReportError
from cm_engine.program.values import either, shown
from cm_engine.rules.prizes import commitment, number_below
from cm_engine.spelling import nearest
from cm_engine.trials.model import Trial, stratum_name


class Allocation(NamedTuple):
    """One participant's arm.

    Attributes:
        participant: an opaque id.
        stratum: the levels of all factors, such as age=under-30,site=boston.
        place: its place in the stratum, from 1.
        arm: by its name.
    """

    participant: str
    stratum: str
    place: int
    arm: str


def allocation(trial: Trial, seed: bytes, stratum: str, place: int) -> str:
    r"""Return the arm of a participant; nothing else is needed to know it again.

    Args:
        trial: the trial.
        seed: its secret.
        stratum: the name of the participant's stratum.
        place: the place in the stratum, from 1.

    Example:
        >>> from cm_engine.trials.loading import parse_trial
        >>> arms = "{cm: {program: va-prize}, usual: {program: cpit-pregnancy}}"
        >>> trial = parse_trial(f"trial: a\ntitle: A\nblocks: [4]\narms: {arms}")
        >>> [allocation(trial, b"seed", "all", place) for place in (1, 2, 3, 4)]
        ['cm', 'usual', 'cm', 'usual']
    """
    return next(islice(allocations(trial, seed, stratum), place - 1, None))


def allocations(trial: Trial, seed: bytes, stratum: str) -> Iterator[str]:
    """Yield the arms of a stratum, one after the other, without end."""
    for number in count(1):
        yield from block(trial, seed, stratum, number)


def block(trial: Trial, seed: bytes, stratum: str, number: int) -> list[str]:
    """Return the arms of a block in their order: each as often as its share says, so that the block is balanced.

    Args:
        trial: the trial.
        seed: its secret.
        stratum: the name of the stratum.
        number: which block of the stratum, from 1.
    """
    sizes = sorted(trial.blocks)
    size = sizes[number_below(len(sizes), seed, f"size/{stratum}", number)]
    each = size // trial.shares
    arms = [name for name, arm in sorted(trial.arms.items()) for _ in range(arm.ratio * each)]
    for last in range(size, 1, -1):
        other = number_below(last, seed, f"place/{stratum}/{number}", last)
        arms[last - 1], arms[other] = arms[other], arms[last - 1]
    return arms


def stratum_of(trial: Trial, levels: Mapping[str, str]) -> str:
    """Return the name of the stratum that levels are.

    Raises:
        ReportError: a factor is missing or unknown, or has no such level.
    """
    if not isinstance(levels, Mapping) or set(levels) != set(trial.strata):
        msg = f"strata: expected {_expected(trial)}, got {_given(levels)}"
        raise ReportError(msg)
    for factor, level in levels.items():
        if level not in trial.strata[factor]:
            options = trial.strata[factor]
            msg = f"strata: {factor}: expected {either(options)}, got {shown(level)}{nearest(str(level), options)}"
            raise ReportError(msg)
    return stratum_name(dict(levels))


def _expected(trial: Trial) -> str:
    return (
        f"a level of {' and of '.join(trial.strata)}" if trial.strata else "none, as the trial has no strata"
    )


def _given(levels: object) -> str:
    return ", ".join(map(str, levels)) or "none" if isinstance(levels, Mapping) else repr(levels)


def misallocated(trial: Trial, published: str, seed: bytes, recorded: Iterable[Allocation]) -> Iterator[str]:
    """Yield what is wrong with a record of allocations, in words; nothing if every arm can be drawn again.

    Args:
        trial: the trial.
        published: the commitment that was published before the first participant.
        seed: the seed that was published after the last.
        recorded: the allocations, in the order of their strata's places.
    """
    if commitment(seed) != published:
        yield f"the seed is not the one committed to: its SHA-256 is {commitment(seed)}, not {published}"
        return
    known, drawn, last = set(trial.all_strata()), dict[str, Iterator[str]](), dict[str, int]()
    seen = set[str]()
    for each in recorded:
        wrong = _misplaced(each, known, last, seen)
        if wrong:
            yield wrong
            return
        seen.add(each.participant)
        last[each.stratum] = each.place
        arm = next(drawn.setdefault(each.stratum, allocations(trial, seed, each.stratum)))
        if arm != each.arm:
            yield f"participant {each.place} of {each.stratum} is allocated to {arm}; recorded is {each.arm}"
            return


def _misplaced(each: Allocation, known: set[str], last: Mapping[str, int], seen: set[str]) -> str:
    """Return what is wrong with the place of an allocation, or nothing."""
    if each.stratum not in known:
        return f"there is no stratum {each.stratum!r}"
    if each.participant in seen:
        return f"participant {each.participant!r} is allocated twice"
    before = last.get(each.stratum, 0)
    if each.place != before + 1:
        return f"participant {each.place} of {each.stratum} does not follow participant {before} of it"
    return ""
