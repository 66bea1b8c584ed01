"""From a specimen's panel to one outcome: which analytes count, what is missing, what a prescription explains."""

from collections.abc import Collection, Iterable, Mapping

from cm_engine.errors import ResultsError
from cm_engine.program.evidence import TargetEvidence
from cm_engine.spelling import nearest

NEGATIVE, POSITIVE, INVALID = "-", "+", "*"
_SYMBOLS = {"negative": NEGATIVE, "positive": POSITIVE, "invalid": INVALID}


def outcome_of_panel(
    evidence: TargetEvidence, panel: Mapping[str, str], prescribed: Collection[str] = ()
) -> str:
    """Return the outcome that a panel shows: - met, + not met, * unclear.

    Args:
        evidence: which analytes count, and how a panel is read; without analytes all of the panel count.
        panel: the result of each analyte, - or +; those that do not count may be there.
        prescribed: the analytes whose positive a prescription explains.

    Raises:
        ResultsError: a prescription is for an analyte that neither the program nor the panel has.

    Example:
        >>> both = TargetEvidence(analytes=("cocaine", "amphetamine"))
        >>> outcome_of_panel(both, {"cocaine": "-", "amphetamine": "+", "thc": "+"})
        '+'
        >>> outcome_of_panel(both, {"cocaine": "-", "amphetamine": "+"}, prescribed=["amphetamine"])
        '-'
    """
    counted = evidence.analytes or tuple(panel)
    _refuse_unknown(prescribed, {*counted, *panel})
    results = {_read(evidence, analyte, panel, prescribed) for analyte in counted} - {""}
    if evidence.met_if == "any positive":
        return NEGATIVE if POSITIVE in results else INVALID if INVALID in results or not results else POSITIVE
    wanted = POSITIVE if evidence.met_if == "all positive" else NEGATIVE
    if ({POSITIVE, NEGATIVE} - {wanted}) & results:
        return POSITIVE
    return INVALID if INVALID in results or not results else NEGATIVE


def checked_panel(evidence: TargetEvidence, panel: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return a panel after looking at each result of it.

    Raises:
        ResultsError: a result is neither - nor +, an analyte is there twice, or its name is nearly that of another.
    """
    found: dict[str, str] = {}
    for analyte, result in panel:
        if result not in {NEGATIVE, POSITIVE}:
            msg = f"the result of {analyte} is {result!r}; expected - or +"
            raise ResultsError(msg)
        if analyte in found:
            msg = f"{analyte} is in the panel twice"
            raise ResultsError(msg)
        if (
            evidence.analytes
            and analyte not in evidence.analytes
            and (hint := nearest(analyte, evidence.analytes))
        ):
            msg = f"{analyte!r} is none of the analytes that count{hint}"
            raise ResultsError(msg)
        found[analyte] = result
    return found


def explained_by(
    evidence: TargetEvidence, panel: Mapping[str, str], prescribed: Collection[str]
) -> tuple[str, ...]:
    """Return the analytes that count, are positive, and that a prescription explains."""
    if evidence.met_if != "all negative":
        return ()
    counted = evidence.analytes or tuple(panel)
    return tuple(each for each in counted if panel.get(each) == POSITIVE and each in prescribed)


def _read(
    evidence: TargetEvidence, analyte: str, panel: Mapping[str, str], prescribed: Collection[str]
) -> str:
    """Return how one analyte is read; nothing if it is missing and that does not matter."""
    if analyte not in panel:
        return _SYMBOLS.get(evidence.missing, "")
    if analyte in explained_by(evidence, panel, prescribed):
        return _SYMBOLS[evidence.prescribed]
    return panel[analyte]


def _refuse_unknown(prescribed: Collection[str], known: Collection[str]) -> None:
    for analyte in prescribed:
        if analyte not in known:
            msg = f"a prescription for {analyte!r}, which is not tested for{nearest(analyte, known)}"
            raise ResultsError(msg)
