"""Each bug that `make planted` plants still has its place, and tests that are to find it."""

from __future__ import annotations

import re

import pytest

from planted import BUGS, HERE, Bug, changed


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.row} {bug.what}")
def test_a_planted_bug_fits_and_leaves_a_program(bug: Bug) -> None:
    for name, text in changed(HERE, bug).items():
        if name.endswith(".py"):
            compile(text, name, "exec")


@pytest.mark.parametrize("test", sorted({bug.test for bug in BUGS}))
def test_the_tests_that_are_to_find_bugs_are_there(test: str) -> None:
    file, _, part = test.partition("::")
    named = re.findall(r"def (test_\w+)", (HERE / file).read_text())
    assert [name for name in named if part.strip("*") in name]
