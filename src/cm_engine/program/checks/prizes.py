"""What must hold of bowls, lotteries and hats."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from cm_engine.program.checks.base import Found, Whole, awarded, too_fine, unit_of
from cm_engine.program.models import Program
from cm_engine.program.prizes import Bowl, Hat, average
from cm_engine.program.values import SubPath, shown
from cm_engine.spelling import nearest


def slips_or_odds(bowl: Bowl, _: Whole) -> Found:
    """Find a bowl with nothing in it, or with slips and odds."""
    if bool(bowl.slips) == bool(bowl.odds):
        yield (), "expected slips or odds, one of them"
    if bowl.odds and not bowl.replace:
        yield ("replace",), "odds stay as they are, so nothing is taken out; remove replace"


def chances_within_one(bowl: Bowl, _: Whole) -> Found:
    """Find odds that add up to more than one."""
    chances = sum((each.chance for each in bowl.odds.values()), Fraction(0))
    if chances > 1:
        yield ("odds",), f"the chances add up to {chances}, which is more than 1"


def slips_win(bowl: Bowl, _: Whole) -> Found:
    """Find a slip that wins nothing where every slip wins, and a bowl in which nothing wins."""
    values = [*(slip.value for slip in bowl.slips.values()), *(odds.value for odds in bowl.odds.values())]
    if values and not any(values):
        yield (), "nothing wins anything; give some of them a value"
    for name, slip in bowl.slips.items():
        if bowl.every_slip_wins and not slip.value:
            yield ("slips", name, "value"), "every slip wins, so it needs a value above 0"
    if bowl.odds and bowl.every_slip_wins and sum(each.chance for each in bowl.odds.values()) < 1:
        yield ("every_slip_wins",), "the chances add up to less than 1, so some draws win nothing"


def average_as_said(bowl: Bowl, _: Whole) -> Found:
    """Find an expected value that the slips or the odds do not have."""
    if bowl.expected_value is None or bool(bowl.slips) == bool(bowl.odds):
        return
    found, digits = average(bowl), max(0, -int(bowl.expected_value.as_tuple().exponent))
    if round(found, digits) != Fraction(bowl.expected_value):
        exact = f"{Decimal(found.numerator) / Decimal(found.denominator):.6f}".rstrip("0").rstrip(".")
        yield ("expected_value",), f"a draw wins {exact} on average ({found}), not {bowl.expected_value}"


def trades_up(bowl: Bowl, _: Whole) -> Found:
    """Find a trade of slips that are not there, or for one that is worth no more."""
    if bowl.odds and bowl.trade_up:
        yield ("trade_up",), "odds have no slips to trade; remove trade_up"
        return
    for index, trade in enumerate(bowl.trade_up):
        here: SubPath = ("trade_up", index)
        for key, name in (("of", trade.of), ("get", trade.get)):
            if name not in bowl.slips:
                yield (*here, key), f"there is no slip {shown(name)}{nearest(name, bowl.slips)}"
        known = trade.of in bowl.slips and trade.get in bowl.slips
        if known and bowl.slips[trade.get].value <= bowl.slips[trade.of].value:
            yield (*here, "get"), f"{trade.get} is worth no more than {trade.of}; expected a better prize"


def exact_prizes(bowl: Bowl, whole: Whole) -> Found:
    """Find prizes in no currency, or finer than it."""
    unit = unit_of(None, whole.program)
    if unit is None:
        yield (), "prizes are worth money; add currency to the program"
    yield from too_fine(_values(bowl), unit)


def _values(bowl: Bowl) -> Iterator[tuple[SubPath, Decimal]]:
    for name, slip in bowl.slips.items():
        yield ("slips", name, "value"), slip.value
    for name, odds in bowl.odds.items():
        yield ("odds", name, "value"), odds.value


def something_draws(program: Program, _: Whole) -> Found:
    """Find a bowl that nothing draws from."""
    units = [*awarded(program), *([program.hat.bowl] if program.hat else [])]
    for name in program.bowls:
        unit = unit_of(name, program)
        if unit and unit.is_money:
            yield ("bowls", name), f"{name} is money, which draws nothing; award a unit of draw"
        elif name not in units:
            yield (
                ("bowls", name),
                f"nothing awards {shown(name)}, so nothing draws from it{nearest(name, units)}",
            )


def names_in_hat(hat: Hat, whole: Whole) -> Found:
    """Find a hat that nothing puts names into, or without a bowl to draw from."""
    units, bowls = awarded(whole.program), whole.program.bowls
    unit = units.get(hat.unit)
    if unit is None:
        yield (
            ("unit",),
            f"nothing awards {shown(hat.unit)}, so no name gets into the hat{nearest(hat.unit, units)}",
        )
    elif unit.is_money or hat.unit == hat.bowl:
        yield ("unit",), f"{hat.unit} cannot put a name into the hat; award a unit of name slip"
    if hat.bowl not in bowls:
        message = f"a name drawn draws from a bowl, and there is none called {shown(hat.bowl)}{nearest(hat.bowl, bowls)}"
        yield ("bowl",), message


RULES = {
    Program: (something_draws,),
    Bowl: (slips_or_odds, chances_within_one, slips_win, average_as_said, trades_up, exact_prizes),
    Hat: (names_in_hat,),
}
