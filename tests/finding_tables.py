"""The tables of docs/findings.md, made anew; to write them into the page: python -m tests.finding_tables."""

from functools import cache
from pathlib import Path

from cm_engine import catalogue
from cm_engine.analysis import explore
from cm_engine.analysis.proofs.evidence import texts
from cm_engine.analysis.proofs.finding import Finding
from cm_engine.analysis.proofs.findings import RULES, findings

PAGE = Path("docs/findings.md")
FOUND_IN_ALL = "no-windows"
"""Publications do not say on which days a visit can be kept; the page says so once."""


@cache
def found_in_catalogue(name: str) -> tuple[Finding, ...]:
    """Return what is found about a program of the catalogue."""
    return findings(explore(catalogue.program(name)))


def table() -> str:
    """Return the findings of the catalogue, a row for each."""
    rows = ["| program | finding | what it says | shown by |", "|---|---|---|---|"]
    for name in catalogue.program_ids():
        found = [each for each in found_in_catalogue(name) if each.rule != FOUND_IN_ALL]
        rows += [_row(name, each) for each in found] or [f"| {name} | none | | |"]
    return "\n".join(rows) + "\n"


def _row(name: str, found: Finding) -> str:
    shown = f"{found.counter_example}".replace("|", "\\|") if found.counter_example else ""
    return f"| {name} | {found.severity}: `{found.rule}` | {found.message} | {shown} |"


def rules() -> str:
    """Return what holds where a rule finds nothing."""
    return (
        "\n".join(
            [
                "| rule | what holds where it finds nothing |",
                "|---|---|",
                *(f"| `{each}` | {says} |" for each, says in RULES.items()),
            ]
        )
        + "\n"
    )


def evidence() -> str:
    """Return the texts that rules rest on."""
    rows = [f"| [{each.cite}]({each.where}) | {each.says} | {each.mark} |" for each in texts().values()]
    return "\n".join(["| text | what it supports | mark |", "|---|---|---|", *rows]) + "\n"


TABLES = {"the rules": rules, "the evidence": evidence, "the catalogue": table}
"""The tables of the page, by the words of the comments they stand between."""


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    for name, written in TABLES.items():
        before, rest = text.split(f"<!-- {name} -->\n")
        after = rest.split(f"<!-- the end of {name} -->")[1]
        text = f"{before}<!-- {name} -->\n{written()}<!-- the end of {name} -->{after}"
    PAGE.write_text(text, encoding="utf-8")
