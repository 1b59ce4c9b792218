"""The scripts we call are exactly those we were written against, or nothing starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from careerlens.foundation.errors import ConfigurationError
from careerlens.wire import BULLMQ_VERSION, scripts, verify_scripts


@pytest.fixture
def changed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the package's scripts that a test may change."""
    for original in scripts._commands_folder().glob("*.lua"):
        (tmp_path / original.name).write_bytes(original.read_bytes())
    monkeypatch.setattr(scripts, "_commands_folder", lambda: tmp_path)
    scripts._bullmq_source.cache_clear()
    yield tmp_path
    scripts._bullmq_source.cache_clear()


def test_the_installed_package_fits() -> None:
    verify_scripts()
    assert version("bullmq") == BULLMQ_VERSION


def test_one_changed_byte_is_refused(changed_package: Path) -> None:
    file = changed_package / "moveToActive-11.lua"
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(ConfigurationError, match=r"moveToActive-11\.lua.*bullmq==3\.4\.4"):
        verify_scripts()


def test_a_missing_file_is_refused(changed_package: Path) -> None:
    (changed_package / "extendLocks-1.lua").unlink()
    with pytest.raises(ConfigurationError, match=r"extendLocks-1\.lua"):
        verify_scripts()


def test_a_changed_script_is_refused_when_it_is_used(changed_package: Path) -> None:
    file = changed_package / "getStateV2-8.lua"
    file.write_bytes(b"return 'anything'")
    with pytest.raises(ConfigurationError):
        scripts.own_script.__wrapped__("snapshot")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("cancel", "moveToFinished"),
        ("finish", "moveToFinished"),
        ("take", "moveToActive"),
        ("add-standard", "addStandardJob"),
        ("add-prioritized", "addPrioritizedJob"),
    ],
)
def test_our_scripts_hold_the_unchanged_bodies_of_theirs(ours: str, theirs: str) -> None:
    script = scripts.own_script(ours)
    assert scripts.bullmq_script(theirs).source in script.source
    assert not re.search(rb"^--@", script.source, re.MULTILINE)


@pytest.mark.parametrize("name", ["finish", "take"])
def test_what_our_scripts_have_in_common_stands_in_each(name: str) -> None:
    part = (Path(scripts.__file__).parent / "lua" / "parts" / "starting.lua").read_bytes()
    assert part in scripts.own_script(name).source
