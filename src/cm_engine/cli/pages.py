"""A page for each published program: its curve of rewards, what it pays beside it, its sources and cases."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from cm_engine.cli.tables import case_word
from cm_engine.program import Program
from cm_engine.program.prizes import Bowl, average
from cm_engine.program.rewards import CONDITIONS_OF_MILESTONES, When
from cm_engine.program.worked import Case
from cm_engine.reports.in_words import amount_words, rhythm
from cm_engine.reports.rewards_in_words import limit_words


def index_page(programs: Sequence[Program]) -> str:
    """Return the page that lists the others."""
    rows = "\n".join(
        f"| [{program.program}]({program.program}.md) | {program.title} | {_visits(program)} |"
        for program in programs
    )
    return f"# The catalogue\n\nMade by `cm-engine pages docs/catalogue`.\n\n| id | title | plan |\n|---|---|---|\n{rows}\n"


def program_page(program: Program) -> str:
    """Return the page of a program in Markdown; its picture lies beside it."""
    parts = [
        f"# {program.title}",
        f"`{program.program}`, version {program.version}: {_visits(program)}.",
        program.summary or "",
        f"![Rewards of {program.program}, visit by visit]({program.program}.svg)",
        _milestones(program),
        *(_bowl(program, unit, bowl) for unit, bowl in program.bowls.items()),
        _limits(program),
        "## How it reads what its sources leave open\n\n"
        + "\n".join(f"- {each}" for each in program.readings),
        "## How well its values are known\n\n" + _evidence(program),
        "## Worked cases\n\n| case | results | expected | known |\n|---|---|---|---|\n"
        + "\n".join(_case(case) for case in program.cases),
        "## Sources\n\n" + "\n".join(_sources(program)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _visits(program: Program) -> str:
    rhythms = {name: rhythm(program.plan(target)) for name, target in program.targets.items()}
    if len(set(rhythms.values())) == 1:
        return next(iter(rhythms.values()))
    return "; ".join(f"{name}: {rhythm}" for name, rhythm in rhythms.items())


def _evidence(program: Program) -> str:
    rows = [
        f"| `{item.of}` | {item.mark} | {', '.join(item.sources)} | {item.note or ''} |"
        for item in program.evidence
    ]
    return "\n".join(["| value | mark | sources | note |", "|---|---|---|---|", *rows])


def _case(case: Case) -> str:
    awards = " ".join(f"{amount:f}" for amount in case.awards or ())
    sums = {"": case.total} if case.total is not None else dict(case.totals or {})
    total = " and ".join(f"{amount:f} {unit}".strip() for unit, amount in sums.items() if amount is not None)
    expected = "; ".join(filter(None, [awards, f"in all {total}" if total else ""]))
    return f"| {case.name} | `{case_word(case)}` | {expected} | {case.mark or ''} |"


def _sources(program: Program) -> Iterator[str]:
    for name, source in program.sources.items():
        where = source.url or (f"https://doi.org/{source.doi}" if source.doi else "")
        yield f"- {name}: {source.cite}{f', <{where}>' if where else ''}"


def _milestones(program: Program) -> str:
    """Return what is paid beside the visits, as a table; nothing if nothing is."""
    rows = [
        f"| {each.says} | {_condition(each.when)}{', each time' if each.repeats else ''} | "
        f"{amount_words(program, each.unit, each.amount) if each.amount else 'the deposit back'} |"
        for each in program.milestones.values()
    ]
    head = "## Milestones\n\n| what is said | when | what it pays |\n|---|---|---|"
    return "\n".join([head, *rows]) if rows else ""


def _condition(when: When) -> str:
    """Return when a milestone is reached, as the file writes it."""
    given = [key for key in CONDITIONS_OF_MILESTONES if getattr(when, key) is not None]
    said = ", ".join(f"{key.replace('_', ' ')} {getattr(when, key)}" for key in given)
    return f"{said} of {' and '.join(when.targets)}" if when.targets else said


def _bowl(program: Program, unit: str, bowl: Bowl) -> str:
    """Return what a unit draws from, as a table."""
    slips = [
        f"| {name} | {slip.count} | {amount_words(program, None, slip.value)} |"
        for name, slip in bowl.slips.items()
    ]
    odds = [
        f"| {name} | {each.chance} | {amount_words(program, None, each.value)} |"
        for name, each in bowl.odds.items()
    ]
    head = (
        f"## What a {unit} is drawn from\n\n| slip | {'slips' if slips else 'chance'} | wins |\n|---|---|---|"
    )
    mean = average(bowl)
    worth = Decimal(mean.numerator) / Decimal(mean.denominator)
    return "\n".join([head, *slips, *odds, "", f"A {unit} wins {program.currency} {worth:.3f} on average."])


def _limits(program: Program) -> str:
    """Return the limits, as a list; nothing if there are none."""
    lines = [f"- {limit_words(program, limit)}" for limit in program.limits]
    return "\n".join(["## Limits\n", *lines]) if lines else ""
