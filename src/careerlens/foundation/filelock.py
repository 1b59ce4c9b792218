"""Locks between processes, by flock: the kernel lets go of them when their holder dies."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Self

_POLL_S = 0.01


class FileLock:
    """One holder's handle on the lock that `path` stands for. The file stays when it is let go.

    A child that is given the descriptor holds the same lock for as long as it lives, which makes
    the lock an exact sign of life; the parent then only calls `close`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def try_exclusive(self) -> bool:
        """Take it alone, if nobody else has it; a shared hold of our own is upgraded."""
        return self._try(fcntl.LOCK_EX)

    def try_shared(self) -> bool:
        """Take it together with others, if nobody has it alone."""
        return self._try(fcntl.LOCK_SH)

    def release(self) -> None:
        """Let go, in every process that was given this descriptor."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close our descriptor; the lock is free once every process has done so."""
        os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self.descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@asynccontextmanager
async def exclusively(path: Path, *, timeout: float) -> AsyncIterator[None]:
    """Hold the lock at `path` alone. Raises `TimeoutError` when it stays taken for `timeout` s."""
    deadline = monotonic() + timeout
    with FileLock(path) as lock:
        while not lock.try_exclusive():
            if monotonic() > deadline:
                raise TimeoutError(f"the lock {path} stayed taken for {timeout:g} s")
            await asyncio.sleep(_POLL_S)
        yield
