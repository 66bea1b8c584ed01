"""The house itself: what is public, what is imported, what is shipped, and what the documents promise."""

import re
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest

import cm_engine
from cm_engine import CmEngineError, Engine, catalogue, digest, errors

ROOT = Path(__file__).resolve().parents[1]


def python(code: str, *, path: Path | None = None) -> str:
    env = {"PYTHONPATH": str(path), "PATH": ""} if path else None
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    return done.stdout.strip()


def test_the_public_names_are_sorted_and_there() -> None:
    assert cm_engine.__all__ == sorted(cm_engine.__all__)
    assert all(hasattr(cm_engine, name) for name in cm_engine.__all__)


def test_every_public_function_and_class_has_a_docstring() -> None:
    public = [getattr(cm_engine, name) for name in cm_engine.__all__]
    assert [each for each in public if not (each.__doc__ or "").strip()] == []


def test_every_error_has_the_root_that_callers_catch() -> None:
    found = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert len(found) > 30  # else they are looked for in a wrong way
    assert all(issubclass(error, CmEngineError) for error in found)


def test_every_error_stands_in_the_tree_at_the_top_of_the_module() -> None:
    names = re.findall(r"[*x+] (\w+Error)", errors.__doc__ or "")
    assert set(names) == {name for name in vars(errors) if name.endswith("Error")}


def test_no_part_of_an_engine_hides_what_another_part_has() -> None:
    parts = [each for each in Engine.__mro__ if each.__module__.startswith("cm_engine.")]
    having: dict[str, list[type]] = {}
    for part in parts:
        for name in vars(part):
            if not name.startswith("__"):
                having.setdefault(name, []).append(part)
    hidden = {
        name: [each.__name__ for each in of]
        for name, of in having.items()
        if any(not issubclass(first, second) for first, second in pairwise(of))
    }
    assert hidden == {}


def test_the_import_is_light() -> None:
    loaded = python("import sys, cm_engine; print(*sys.modules)").split()
    assert {"typer", "rich", "sqlalchemy", "numpy", "jsonschema"} & set(loaded) == set()
    assert {"importlib.metadata", "importlib.resources"} & set(loaded) == set()


def test_the_command_needs_no_numpy_before_it_computes() -> None:
    """README installs `.[cli]`, which does not bring numpy: all but what computes has to work."""
    blocked = "import sys; sys.modules['numpy'] = None; from cm_engine.cli.app import app; "
    assert "va-prize" in python(f"{blocked}app(['check', 'va-prize'], standalone_mode=False)")


def test_the_import_builds_no_schema_of_a_file() -> None:
    code = (
        "import cm_engine; from cm_engine.program.parts import Part; parts = [Part]; "
        "[parts.extend(part.__subclasses__()) for part in parts]; "
        "print(len(parts), *(part.__name__ for part in parts if part.__pydantic_complete__))"
    )
    count, *built = python(code).split()
    assert int(count) > 40  # else they are looked for in a wrong way
    assert built == []


def test_threads_that_first_use_a_program_at_once_all_get_it() -> None:
    code = (
        "import sys; from concurrent.futures import ThreadPoolExecutor; from threading import Barrier; "
        "import cm_engine; sys.setswitchinterval(1e-6); text = cm_engine.catalogue.source('california-recovery-incentives'); "
        "barrier = Barrier(8); "
        "load = lambda _: (barrier.wait(), cm_engine.digest(cm_engine.parse_program(text)))[1]; "
        "print(*ThreadPoolExecutor(8).map(load, range(8)))"
    )
    expected = digest(catalogue.program("california-recovery-incentives"))
    assert python(code).split() == [expected] * 8


def test_a_missing_extra_is_one_line_that_names_it() -> None:
    code = "import sys; sys.modules['typer'] = None; from cm_engine.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == 'this needs typer: pip install "cm-engine[cli]"\n'


def test_the_code_of_the_readme_prints_what_the_readme_says() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    [code] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    [shown] = re.findall(r"```text\n(.*?)```", text, flags=re.DOTALL)
    assert python(code) == shown.strip()


def ids(*paths: Path) -> set[str]:
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))]
    return {
        found.upper().replace("_", "-")
        for file in files
        for found in re.findall(r"inv[-_]\d+", file.read_text("utf-8"), flags=re.IGNORECASE)
    }


def test_every_invariant_is_written_kept_and_attacked() -> None:
    written = ids(ROOT / "docs" / "invariants.md")
    assert written
    assert written == ids(ROOT / "src") == ids(*(ROOT / "tests").glob("test_*.py"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, unpacked where no source is near."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [built] = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_holds_the_three_packages_with_their_types_and_programs(wheel: Path) -> None:
    for package in ("cm_engine", "cm_engine_schedules", "cm_engine_adapters"):
        assert (wheel / package / "py.typed").is_file()
    shipped = {file.name for file in (wheel / "cm_engine_schedules" / "programs").iterdir()}
    assert shipped == {
        file.name for file in (ROOT / "schedules" / "cm_engine_schedules" / "programs").iterdir()
    }


def test_the_wheel_alone_loads_a_program_and_decides(wheel: Path) -> None:
    code = """
import cm_engine
from cm_engine import catalogue, decide
print(cm_engine.__file__)
print(decide(catalogue.program("va-prize"), "--").totals["draw"])
"""
    file, total = python(code, path=wheel).splitlines()
    assert file.startswith(str(wheel))
    assert total == "3"
