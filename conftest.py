"""Run the examples of the documents and docstrings, so that none of them can go stale."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser

BINARIES = Path(sys.executable).parent
MEMORY, ROOM = Path("/dev/shm"), 2**31  # noqa: S108 - where Linux keeps files in memory


def pytest_configure() -> None:
    """Keep the files of tests in memory, where databases wait for no disk, if there is so much room."""
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        tempfile.tempdir = str(MEMORY)


class ConsoleParser(CodeBlockParser):
    """Run each `$ command` of a console block and compare what it prints with the lines below it."""

    language = "console"

    def evaluate(self, example: Example) -> str | None:
        """Return the first difference, if there is one."""
        for command, expected in _commands(str(example.parsed)):
            done = _run(command)
            printed = _plain(done.stdout + done.stderr)
            if expected and printed != expected:
                return f"$ {command}\nexpected:\n{expected}\nprinted:\n{printed}"
            if not expected and done.returncode:
                return f"$ {command}\nfailed: {printed}"
        return None


class SavedFileParser(CodeBlockParser):
    """Save each YAML block whose first line is the comment `# NAME` under that name, for the commands after it.

    The file has all that the block has, as a reader who copies it has it.
    """

    def __call__(self, document: Document) -> Iterator[Region]:
        """Yield the blocks that have a name."""
        for region in super().__call__(document):
            if name := self.name_of(document.text[: region.start], str(region.parsed)):
                region.parsed = (name, region.parsed)
                yield region

    def name_of(self, before: str, block: str) -> str:
        """Return the name of a block; nothing if it has none."""
        _ = before
        return block.partition("\n")[0].removeprefix("# ") if block.startswith("# ") else ""

    def evaluate(self, example: Example) -> None:
        """Write the file into the folder that the document's commands run in."""
        name, text = example.parsed
        Path(name.strip()).write_text(str(text), "utf-8")


class SavedTableParser(SavedFileParser):
    """Save each CSV block after a line that ends in "`NAME`:", as a table has no comments."""

    def name_of(self, before: str, block: str) -> str:
        """Return the name that the line before a block ends in."""
        _ = block
        found = re.search(r"`([\w.-]+\.csv)`:\s*$", before)
        return found[1] if found else ""


def _commands(block: str) -> Iterator[tuple[str, str]]:
    for part in f"\n{block}".split("\n$ ")[1:]:
        command, _, expected = part.partition("\n")
        yield command, _plain(expected)


def _plain(text: str) -> str:
    """Return text without the white space that nobody sees."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def _run(command: str) -> subprocess.CompletedProcess[str]:
    path = f"{BINARIES}{os.pathsep}{os.environ['PATH']}"
    shell = ["bash", "-c", command] if "|" in command or ">" in command else shlex.split(command)
    env = {**os.environ, "PATH": path, "COLUMNS": "100"}
    return subprocess.run(shell, capture_output=True, text=True, check=False, env=env)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run the examples of one document in a folder of their own."""
    before = Path.cwd()
    place = tmp_path_factory.mktemp("document")
    os.chdir(place)
    yield place
    os.chdir(before)


_documents = Sybil(
    parsers=[PythonCodeBlockParser(), ConsoleParser(), SavedFileParser("yaml"), SavedTableParser("csv")],
    patterns=["README.md", "docs/*.md"],
    fixtures=["folder"],
)
_docstrings = Sybil(
    parsers=[DocTestParser()],
    patterns=[f"{folder}/{'*/' * depth}*.py" for folder in ("src", "adapters") for depth in (1, 2, 3)],
    document_types={".py": PythonDocStringDocument},
)
_collectors = [_documents.pytest(), _docstrings.pytest()]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the examples of a file, if it has some."""
    found = (collect(file_path=file_path, parent=parent) for collect in _collectors)
    return next((each for each in found if each is not None), None)
