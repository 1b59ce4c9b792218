"""What gets installed is pinned, from whatever registry a machine uses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")


def pins(name: str) -> dict[str, str]:
    """Package → version of a lock file."""
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    assert " @ " not in text


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_with_hashes(name: str) -> None:
    text = (ROOT / name).read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]


def test_the_locks_agree_with_each_other() -> None:
    development = pins("requirements-dev.lock")
    for name in LOCKS:
        for package, version in pins(name).items():
            assert development[package] == version, package


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["postgres"],
    ]
    developing = [d for d in project["dependency-groups"]["dev"] if isinstance(d, str)]
    assert {name_of(d) for d in declared} <= set(pins("requirements.lock"))
    assert {name_of(d) for d in developing} <= set(pins("requirements-dev.lock"))


def name_of(requirement: str) -> str:
    """The package's name in a requirement such as `redis>=6,<9`."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return match[0].lower().replace("_", "-").replace(".", "-")


def test_the_npm_locks_name_no_registry() -> None:
    locks = [
        path
        for folder in ("web", "tests/interop")
        for path in (ROOT / folder).glob("package-lock.json")
    ]
    assert locks
    for path in locks:
        assert '"resolved": "http' not in path.read_text(), path
