"""Random names: none comes twice, not in a child process either."""

from __future__ import annotations

import multiprocessing
import re
import sys
from multiprocessing.connection import Connection

import pytest

from careerlens.foundation.chance import random_name


def test_names_are_alike_in_form_and_never_the_same() -> None:
    names = [random_name() for _ in range(2_000)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{16}", name) for name in names)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks")
def test_a_forked_child_makes_names_of_its_own() -> None:
    random_name()  # some are left over now
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_tell_names, args=(theirs,))
    child.start()
    told = ours.recv()
    child.join()
    assert set(told).isdisjoint({random_name() for _ in range(600)})


def _tell_names(pipe: Connection) -> None:
    pipe.send([random_name() for _ in range(600)])
