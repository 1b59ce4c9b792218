"""The folder list is the architecture: a file imports its own folder and the floors below it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import careerlens

ROOT = Path(careerlens.__file__).parent
TOP_TO_BOTTOM = (
    "cli", "api", "realtime", "archive", "career", "jobs", "auth",
    "worker", "queue", "wire", "foundation",
)  # fmt: skip
HEIGHT = {floor: height for height, floor in enumerate(reversed(TOP_TO_BOTTOM))}
# Usable without the product around it: a team may take our BullMQ client and worker alone.
USABLE_ALONE = ("wire", "queue", "worker")


def floor_of(path: Path) -> str | None:
    """The floor that a file stands on; None for the package's own front door."""
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else None


def files() -> Iterator[Path]:
    """Every Python file of the package."""
    yield from sorted(ROOT.rglob("*.py"))


def imported_floors(path: Path) -> Iterator[tuple[int, str]]:
    """Line and floor of each of our own imports in a file, in functions as well."""
    package = ("careerlens", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (start, node.module) if part)
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "careerlens" and len(parts) > 1 and parts[1] in HEIGHT:
                yield node.lineno, parts[1]


def test_every_folder_is_a_known_floor() -> None:
    folders = {path.name for path in ROOT.iterdir() if any(path.glob("*.py"))}
    assert folders <= set(HEIGHT), "a new folder needs its place in TOP_TO_BOTTOM"


def test_files_import_only_their_own_floor_and_those_below() -> None:
    upwards = [
        f"{path.relative_to(ROOT)}:{line} imports {imported}"
        for path in files()
        if (floor := floor_of(path)) is not None
        for line, imported in imported_floors(path)
        if HEIGHT[imported] > HEIGHT[floor]
    ]
    assert upwards == []


def test_nobody_imports_career() -> None:
    """Its job types are found by entry point, so that the folder can be taken away."""
    offenders = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files()
        if floor_of(path) != "career"
        for line, imported in imported_floors(path)
        if imported == "career"
    ]
    assert offenders == []


def test_front_door_opens_no_floor() -> None:
    """`import careerlens` costs next to nothing; whoever wants a part imports that part."""
    loaded = run_python(
        "import sys, careerlens; print(*[m for m in sys.modules if m.startswith('careerlens.')])"
    )
    assert loaded.split() == []


@pytest.mark.parametrize("floor", [f for f in TOP_TO_BOTTOM if f != "career"])
def test_product_imports_with_career_taken_away(floor: str) -> None:
    """Each module of each other folder, in an interpreter where `careerlens.career` is absent."""
    modules = [module_of(path) for path in files() if floor_of(path) == floor]
    run_python(importing(modules, refused=("careerlens.career",)))


@pytest.mark.parametrize("floor", USABLE_ALONE)
def test_engine_imports_without_the_product(floor: str) -> None:
    """The wire, the queue and the worker need neither the web nor a database."""
    modules = [module_of(path) for path in files() if floor_of(path) == floor]
    above = [f"careerlens.{name}" for name in TOP_TO_BOTTOM if HEIGHT[name] > HEIGHT["worker"]]
    run_python(importing(modules, refused=(*above, "fastapi", "sqlalchemy", "socketio", "duckdb")))


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    parts = ("careerlens", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def importing(modules: list[str], *, refused: tuple[str, ...]) -> str:
    """A program that imports `modules` and fails if that imports anything of `refused`."""
    # A migration runs inside Alembic alone, and importing __main__ runs the program.
    wanted = [m for m in modules if ".migrations" not in m and not m.endswith("__main__")]
    return (
        "import importlib, sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if any(name == r or name.startswith(r + '.') for r in {refused!r}):\n"
        "            raise ModuleNotFoundError(f'{name} was taken away', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        f"for module in {wanted!r}:\n"
        "    importlib.import_module(module)\n"
    )


def run_python(program: str) -> str:
    """What a fresh interpreter prints."""
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
