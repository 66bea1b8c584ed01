"""Every error of cm-engine, each with the fields its message is built from.

```text
* CmEngineError
  x ProblemsError             a file is wrong; carries every Problem found
    + ProgramError            a program file is wrong
  x ProgramNotFoundError      no such program, also a LookupError
  x AmbiguousNameError        two packages offer one name
  x ResultsError              a word of results, or a file of them, cannot be read; also a ValueError
    + PlanExceededError       more results than the plan has visits
    + ResultsFileError        lines of a file of results are wrong; also a ProblemsError
  x StateError                a state belongs to another program; also a ValueError
  x UndatedError              an amount depends on the date and no start date was given; also a ValueError
  x MissingDependencyError    names the extra to install
```
"""

from collections.abc import Iterable
from dataclasses import dataclass


class CmEngineError(Exception):
    """Stand at the root of every error that cm-engine raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Say what is wrong at one place of a file; lines and columns count from 1.

    Example:
        >>> print(Problem("a.yaml", 7, 10, "limits.0.amount", "must be more than 0, got -5"))
        a.yaml:7:10: error: limits.0.amount: must be more than 0, got -5
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        """Return the problem in the form that editors make clickable."""
        what = f"{self.path}: {self.message}" if self.path else self.message
        return f"{self.file}:{self.line}:{self.column}: error: {what}"


class ProblemsError(CmEngineError):
    """Report every problem of one file, in the order of the file.

    Attributes:
        problems: what is wrong and where; never empty.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ProgramError(ProblemsError):
    """Report every problem of a program file."""


class ProgramNotFoundError(CmEngineError, LookupError):
    """Report a program that neither the catalogue nor the disk holds.

    Attributes:
        name: what was asked for.
        nearest: the catalogue id that is spelled most like it, if any is close.
    """

    def __init__(self, name: str, nearest: str | None = None) -> None:
        self.name = name
        self.nearest = nearest
        hint = (
            f"; did you mean {nearest!r}?"
            if nearest
            else "; expected an id of the catalogue or a file's path"
        )
        super().__init__(f"no program {name!r} in the catalogue, and no such file{hint}")


class AmbiguousNameError(CmEngineError):
    """Report a name that two installed packages offer: the order of installation must not decide."""

    def __init__(self, name: str, packages: Iterable[str]) -> None:
        self.name = name
        self.packages = tuple(sorted(packages))
        super().__init__(f"{name!r} is offered by {' and '.join(self.packages)}; uninstall one of them")


class ResultsError(CmEngineError, ValueError):
    """Report results that cannot be read."""


class PlanExceededError(ResultsError):
    """Report more results than the program's plan has visits.

    Attributes:
        given: how many results there are.
        planned: how many visits the plan has.
    """

    def __init__(self, given: int, planned: int) -> None:
        self.given = given
        self.planned = planned
        super().__init__(
            f"{given} results, but the plan has {planned} visits; shorten the results, or truncate them"
        )


class ResultsFileError(ProblemsError, ResultsError):
    """Report every wrong line of a file of results."""


class StateError(CmEngineError, ValueError):
    """Report a state that belongs to another program, or to another version of it.

    Attributes:
        found: the digest that the state carries.
        expected: the digest of the program at hand.
    """

    def __init__(self, found: str, expected: str) -> None:
        self.found = found
        self.expected = expected
        super().__init__(
            f"the state belongs to program {found[:12]}, not to {expected[:12]}; decide with the one it began with"
        )


class UndatedError(CmEngineError, ValueError):
    """Report an amount that depends on the date, met by a timeline without a start date."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} depends on the date of the visit: give the timeline a start date")


class MissingDependencyError(CmEngineError, ImportError):
    """Report a package that an optional part needs, naming the extra that brings it."""

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(f'this needs {package}: pip install "cm-engine[{extra}]"')
