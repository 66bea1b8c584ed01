"""What holds for every sequence of results a program can have, proved over all of its states.

Results of a visit are put in an order. A success (-) is better than anything else. An absence that is excused (e) and a
specimen that shows nothing (*) are neither of the participant's making, and so better than a positive (+), a missed (o) or
a refused one (r), which are its like. Whether a visit was required (_) is no result. Two further comparisons are about what
a participant may choose who expects a positive: to stay away or to refuse (o, r), and to spoil the specimen (*).

Two ways are compared from every state that can be reached, in every slot: with the better and with the worse result there,
and then with the same results. That is the strongest form: where it holds, neither the best that can follow nor the worst
is more after the worse result. Amounts are compared unit by unit, draws by their number.

What limits do comes into it where their states are few enough to be looked at with those of the ladders. Where they are
not, ways are compared before limits; that decides it all the same for limits that never take anything, and for those that
cut a reward to what is left of one window for the whole plan, since what is paid then is the lesser of the sum earned and
the limit. For other limits a finding says that nothing was proved about them.

Where milestones tie targets that are explored apart, each target and each milestone is compared by itself. If the better
way is never behind in any of them, it is not behind in all of them together. Where it is behind in one, the two ways are
walked through all of them: what they earn together decides whether that is a finding, or whether it is left open.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from cm_engine.analysis.automaton import Automaton
from cm_engine.analysis.explored import Cluster, Explored
from cm_engine.analysis.proofs.ahead import Comparison, Parting, Ways, against_leaving, alike, results
from cm_engine.analysis.proofs.board import Board, board_of, limited_board
from cm_engine.analysis.proofs.finding import SEVERITIES, CounterExample, Finding, Severity
from cm_engine.analysis.proofs.reaching import broken_limits, idle_limits, overshot, unreached, unrecovered
from cm_engine.analysis.tied import earned_on
from cm_engine.errors import TooManyStatesError
from cm_engine.program.units import Unit
from cm_engine.rules.limits import LimitRules, When, window

MOST_PAIRED = 1500
"""How many states a slot may have to be compared with one another."""

MOST_LIMITED = 400
"""How many states a slot may have, with what was received so far."""


class Order(NamedTuple):
    """Two kinds of results of which the one should not pay less in the end.

    Attributes:
        rule: the id of the rule.
        better, worse: the symbols.
        severity: how grave it is, where the best that can follow is no more after the worse result.
        claim: what is proved.
        says: how a failure is told.
        about: the behavior whose targets it is about; nothing for all.
    """

    rule: str
    better: str
    worse: str
    severity: Severity
    claim: str
    says: str
    about: str = ""


ORDERS = (
    Order(
        "lapse-pays",
        "-",
        "e*+or",
        "warning",
        "no other result of a visit leads to more in the end than a success, with the same results after it",
        "{worse} leads to {more} more in the end than {better}, with the same results after it",
    ),
    Order(
        "lapse-beats-excuse",
        "e*",
        "+or",
        "note",
        "no lapse leads to more in the end than an excused or an invalid result, with the same results after it",
        "{worse} leads to {more} more in the end than {better}, with the same results after it",
    ),
    Order(
        "staying-away-pays",
        "+",
        "or",
        "warning",
        "nobody who expects a positive result gets more by staying away or by refusing",
        "who expects a positive result gets {more} more by {instead}: {worse} leads to more in the end than {better}",
    ),
    Order(
        "invalid-beats-positive",
        "+",
        "*",
        "note",
        "nobody who expects a positive result gets more by a specimen that shows nothing",
        "who expects a positive result gets {more} more by a specimen that shows nothing, such as a dilute one",
        "abstinence",
    ),
)
"""What is compared."""

NAMES = {"-": "a success", "+": "a positive", "o": "a missed visit", "e": "an excused visit"}
NAMES |= {"*": "an invalid result", "r": "a refused one", "_": "a visit that was not required"}
INSTEAD = {"o": "staying away", "r": "refusing"}


@dataclass(frozen=True)
class Ground:
    """What comparisons are made on: the moves of some targets in one unit.

    Attributes:
        upto: ways that are paid more than this may be cut by a limit that was not looked at; None if there is none.
        says: what was not looked at; nothing if what holds here holds with all limits.
        tied: the cluster whose automata, and milestones, are looked at one by one; None if all is looked at here.
        piece: which of them is looked at here; nothing if it is a cluster with its limits.
    """

    board: Board
    unit: Unit
    upto: int | None = None
    says: str = ""
    tied: Cluster | None = None
    piece: str = ""


def proved(explored: Explored) -> tuple[Finding, ...]:
    """Return where a proof fails, the gravest first, each with its shortest sequence; all else is proved.

    Proved are: no way breaks a limit; no worse result leads to more in the end than a better one; who leaves for good, so
    that all later visits are missed, never gets more than with any other results; each rung, bonus, milestone and limit
    comes into play; and a recovery brings back the rung that it is to bring back, and none above those of who never lapsed.

    Example:
        >>> from cm_engine import catalogue
        >>> from cm_engine.analysis import explore
        >>> [found] = proved(explore(catalogue.program("budney-2006-voucher")))
        >>> found.rule, str(found.counter_example)
        ('invalid-beats-positive', '-+- pays $3.00, -*- pays $14.50')
    """
    idle = idle_limits(explored)
    grounds = grounds_of(explored, idle)
    found = [*broken_limits(explored), *_ordered(explored, grounds), *_left(explored, grounds)]
    found += [
        *overshot(explored),
        *unrecovered(explored),
        *unreached(explored, idle),
        *_undecided(explored, grounds),
    ]
    return tuple(sorted(found, key=lambda each: SEVERITIES.index(each.severity)))


def _ordered(explored: Explored, grounds: tuple[Ground, ...]) -> Iterator[Finding]:
    """Yield where a worse result leads to more in the end than a better one: for each order the shortest."""
    for order in ORDERS:
        parting = Parting(results(order.better, order.worse, _targets(explored, order)), alike)
        comparisons = [(each, Comparison(each.board, parting)) for each in grounds]
        told = [_of_order(explored, order, *each) for each in comparisons if each[1].fails()]
        found = [each for each in told if each.rule == order.rule]
        yield from (each for each in told if each.rule != order.rule)
        if found:
            gravest = min(SEVERITIES.index(each.severity) for each in found)
            yield min(
                (each for each in found if each.severity == SEVERITIES[gravest]),
                key=lambda each: each.counter_example.length if each.counter_example else 0,
            )


def _targets(explored: Explored, order: Order) -> frozenset[int]:
    """Return the places of the targets that an order is about."""
    behaviors = [explored.program.targets[target.name].behavior for target in explored.rules.targets]
    return frozenset(place for place, behavior in enumerate(behaviors) if order.about in {"", behavior})


def _of_order(explored: Explored, order: Order, ground: Ground, comparison: Comparison) -> Finding:
    ways = comparison.shortest()
    example, moves = _example(explored, ground, ways), ground.board.moves[ways.at]
    if not example.holds:
        return _not_told(f"that {order.claim}")
    better, worse = (moves.words[way[ways.at]][-1].symbol for way in (ways.first, ways.second))
    said = order.says.format(
        better=NAMES[better],
        worse=NAMES[worse],
        instead=INSTEAD.get(worse, ""),
        more=ground.unit.spoken(example.paid[1] - example.paid[0]),
    )
    name = ground.board.names[ground.board.targets.index(moves.slot.target)]
    is_whole = ground.tied is None
    severity: Severity = order.severity
    if is_whole and order.better == "-" and comparison.fails_at_best():
        severity = "error"
    before = ", before limits" if ground.upto is not None and example.paid[1] > ground.upto else ""
    return Finding(order.rule, severity, f"Visit {moves.slot.visit + 1} of {name}{before}: {said}.", example)


def _not_told(claim: str) -> Finding:
    """Return that a proof of parts failed, where all of them together may hold."""
    said = f"It is not proved {claim}: by itself a target, or a milestone, pays more after the worse, and all together pay less."
    return Finding("not-proved", "note", said)


def _left(explored: Explored, grounds: tuple[Ground, ...]) -> Iterator[Finding]:
    """Yield where who leaves gets more in the end than with some other results."""
    found: list[Finding] = []
    for ground in grounds:
        comparison = Comparison(ground.board, Parting(against_leaving, against_leaving))
        if comparison.fails():
            example = _example(explored, ground, comparison.shortest())
            if not example.holds:
                yield _not_told("that nobody gets more by leaving for good")
                continue
            more = ground.unit.spoken(example.paid[1] - example.paid[0])
            said = f"Who leaves for good, so that all later visits are missed, gets {more} more than by going on."
            found.append(Finding("leaving-pays", "warning", said, example))
    yield from sorted(found, key=lambda each: each.counter_example.length if each.counter_example else 0)[:1]


def _example(explored: Explored, ground: Ground, ways: Ways) -> CounterExample:
    """Return two ways with what they pay; where only a part of a cluster was looked at, what all of it pays."""
    board, pair = ground.board, (ways.first, ways.second)
    if ground.tied is None:
        paid = [board.paid(columns) for columns in pair]
    else:
        paid = [earned_on(explored, ground.tied, ground.unit, board.shown(columns)) for columns in pair]
    return CounterExample(board.seen(pair[0]), board.seen(pair[1]), ground.unit, (paid[0], paid[1]))


def grounds_of(explored: Explored, idle: frozenset[int] = frozenset()) -> tuple[Ground, ...]:
    """Return what comparisons of a program are made on, for each unit that it pays in.

    Args:
        explored: the program.
        idle: the places of its limits that are known to take nothing.
    """
    limits = [limit for place, limit in enumerate(explored.rules.limits) if place not in idle]
    return tuple(
        ground
        for unit in explored.units
        for cluster in explored.clusters_of(unit)
        for ground in _grounds(explored, cluster, unit, [limit for limit in limits if limit.unit == unit])
    )


def _grounds(explored: Explored, cluster: Cluster, unit: Unit, limits: list[LimitRules]) -> Iterator[Ground]:
    """Yield the moves of a cluster with its limits, or those of each automaton before them."""
    bound = limits if cluster.is_limited else []
    together = limited_board(explored, cluster, unit, MOST_LIMITED) if bound else None
    if together:
        yield Ground(together, unit)
        return
    upto = min((amount for limit in bound for amount in limit.amounts), default=None)
    tied = cluster if cluster.ties else None
    for name, piece in _pieces(explored, cluster):
        if piece and max(map(len, piece.automata[0].reach)) <= MOST_PAIRED:
            board = board_of(piece, piece.automata[0], unit)
            if board and any(moves.pays.any() for moves in board.moves):
                yield Ground(board, unit, upto, _open(explored, cluster, bound), tied, name)


def _pieces(explored: Explored, cluster: Cluster) -> Iterator[tuple[str, Explored | None]]:
    """Yield each automaton of a cluster and each milestone that ties them, by themselves; None if too much may be seen."""
    for each in explored.automata_of(cluster):
        yield explored.called(each.automata[0]), each
    for tie in cluster.ties:
        name = f"the milestone {explored.rules.milestones[explored.ties[tie].milestone].name}"
        try:
            yield name, explored.through(tie)
        except TooManyStatesError:
            yield name, None


def _open(explored: Explored, cluster: Cluster, limits: list[LimitRules]) -> str:
    """Return the limits that may turn what holds before them; nothing if they cut the sum of the whole plan only."""
    days = [explored.when(slot) for index in cluster.automata for slot in explored.automata[index].slots]
    return ", ".join(
        f"{limit.unit.spoken(limit.amounts[0])} per {limit.name}"
        for limit in limits
        if not _cuts_the_sum(limit, days)
    )


def _cuts_the_sum(limit: LimitRules, days: list[When]) -> bool:
    """Tell whether a limit leaves the lesser of itself and of what was earned in all: one window, and a cut."""
    windows = {(window(limit.per, day, limit.begins), limit.amount_on(day.on)) for day in days}
    whole = limit.per not in {"reward", "rolling days"} and len(windows) == 1
    return whole and limit.crossing == "truncate"


def _undecided(explored: Explored, grounds: tuple[Ground, ...]) -> Iterator[Finding]:
    """Yield what the comparisons left open."""
    for says in dict.fromkeys(ground.says for ground in grounds if ground.says):
        message = f"Ways were compared before the limit of {says} only: with it there are too many states to compare."
        yield Finding("not-proved", "note", message)
    compared = {ground.piece for ground in grounds}
    whole = {target for ground in grounds if not ground.piece for target in ground.board.targets}
    for cluster in explored.before_limits:
        for name, piece in _pieces(explored, cluster):
            if name in compared or (piece and set(piece.automata[0].targets) <= whole):
                continue
            if piece is None or _pays(explored, piece.automata[0]):
                message = (
                    f"Ways of {name} were not compared: there are too many states, or too many specimens of one visit, to pair "
                    "them."
                )
                yield Finding("not-proved", "note", message)


def _pays(explored: Explored, automaton: Automaton) -> bool:
    """Tell whether an automaton ever earns anything."""
    return any(
        explored.parts[part].earned or explored.parts[part].own
        for table in automaton.tables
        for part in set(table.parts.ravel().tolist())
    )
