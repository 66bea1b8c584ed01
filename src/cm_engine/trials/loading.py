"""From a trial file to a `Trial`, or to every problem it has."""

import os
import re
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path

from pydantic import ValidationError

from cm_engine import catalogue
from cm_engine.errors import Problem, ProgramError, ProgramNotFoundError, TrialError
from cm_engine.program import Program, load_program
from cm_engine.program.checks.base import Found, listed_once
from cm_engine.program.loading import read_text
from cm_engine.program.partial import IllFormedError, partial_part
from cm_engine.program.reading import Document, read_document
from cm_engine.program.wording import structure_problems
from cm_engine.trials.model import Trial

STRATA_MAX = 1000
"""A trial with more strata than participants is not stratified at all."""

ARMS_MIN = 2

_REGISTERED = re.compile(r"[0-9a-f]{64}|[^/\\]+@[^/\\]+")
"""What names a program in a database only: a digest, or an id and a version."""


def load_trial(path: str | os.PathLike[str]) -> Trial:
    """Load a trial file: YAML 1.2, or JSON, in UTF-8.

    Raises:
        TrialError: there is no such file, or it is wrong; the error holds every problem with line and column.
    """
    return read_trial(trial_text(path), os.fspath(path))[0]


def parse_trial(text: str, *, name: str = "<text>") -> Trial:
    r"""Read a trial from text.

    Args:
        text: YAML 1.2, or JSON.
        name: what to call the text in problems.

    Raises:
        TrialError: the text is wrong; the error holds every problem with line and column.

    Example:
        >>> parse_trial("trial: a\ntitle: A\narms: {x: {program: va-prize}, y: {program: cpit-pregnancy}}\nblocks: [3]")
        Traceback (most recent call last):
        cm_engine.errors.TrialError: <text>:4:10: error: blocks.0: expected a multiple of 2, the sum of all ratios, got 3
    """
    return read_trial(text, name)[0]


def read_trial(text: str, name: str) -> tuple[Trial, Document]:
    """Read a trial, with the document that knows where each of its values stands.

    Raises:
        TrialError: the text is wrong; the error holds every problem with line and column.
    """
    document = read_document(text, name)
    if document.data is None:
        raise TrialError(document.problems)
    try:
        trial = Trial.model_validate(document.data)
    except ValidationError as error:
        partial = _checked(partial_part(Trial, document.data), document)
        raise TrialError(
            {*document.problems, *structure_problems(document, error, Trial), *partial}
        ) from None
    if found := {*document.problems, *_checked(trial, document)}:
        raise TrialError(found)
    return trial, document


def trial_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a trial file.

    Raises:
        TrialError: there is no such file, or it is not in UTF-8.
    """
    try:
        return read_text(path)
    except ProgramNotFoundError as error:
        message = "there is no such file, or it cannot be read"
        raise TrialError([Problem(os.fspath(path), 1, 1, "", message)]) from error
    except ProgramError as error:
        raise TrialError(error.problems) from error


def program_named(name: str, folder: Path) -> Program:
    """Return the program that an arm names: of the catalogue, or a file beside that of the trial.

    Raises:
        ProgramNotFoundError: there is none.
        ProgramError: the file is wrong.
    """
    return load_program(folder / name) if {"/", "\\", "."} & set(name) else catalogue.program(name)


def program_problems(trial: Trial, document: Document, folder: Path) -> Iterator[Problem]:
    """Yield what is wrong with the programs that arms name; one that only a database knows is not looked at."""
    for name, arm in trial.arms.items():
        try:
            if not _REGISTERED.fullmatch(arm.program):
                program_named(arm.program, folder)
        except ProgramNotFoundError as error:
            yield document.problem(("arms", name, "program"), str(error))
        except ProgramError as error:
            yield document.problem(("arms", name, "program"), f"{arm.program} is wrong, see there")
            yield from error.problems


def _checked(trial: Trial, document: Document) -> Iterator[Problem]:
    """Yield what does not hold between values; a rule that looks at one that is ill-formed stops."""
    for rule in RULES:
        try:
            for path, message in rule(trial):
                yield document.problem(path, message)
        except (IllFormedError, TypeError):
            continue


def _whole_shares(trial: Trial) -> Found:
    """Find a block that cannot be balanced; a single arm has its own problem."""
    if len(trial.arms) < ARMS_MIN:
        return
    for index, size in enumerate(trial.blocks):
        if size % trial.shares:
            what = f"expected a multiple of {trial.shares}, the sum of all ratios, got {size}"
            yield ("blocks", index), what


def _sizes_once(trial: Trial) -> Found:
    """Find a size that is listed twice: each is as likely as any other."""
    yield from listed_once(trial.blocks, ("blocks",))


def _levels_once(trial: Trial) -> Found:
    """Find a level that is listed twice."""
    for factor, levels in trial.strata.items():
        yield from listed_once(levels, ("strata", factor))


def _few_strata(trial: Trial) -> Found:
    """Find more strata than a trial can fill."""
    strata = prod(len(levels) for levels in trial.strata.values())
    if strata > STRATA_MAX:
        yield ("strata",), f"expected at most {STRATA_MAX} strata, got {strata}; leave a factor out"


RULES: tuple[Callable[[Trial], Found], ...] = (_whole_shares, _sizes_once, _levels_once, _few_strata)
