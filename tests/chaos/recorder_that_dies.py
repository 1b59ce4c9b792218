"""A process that runs the recorder over and over, each time killed with -9 at a random moment.

Arguments: Redis URL, database URL, queue, seed, and a file whose existence ends the killing. It
prints one line per death. Forking saves the interpreter's start for each life.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from functools import partial
from pathlib import Path

from sqlalchemy import event

from careerlens.archive.recorder import Recorder, RecorderOptions
from careerlens.archive.store import ArchiveStore

CHANCE_OF_DEATH = 0.2


def main(redis_url: str, database_url: str, queue: str, seed: str, calm: str) -> None:
    """Live and die until the file is there; then live until terminated."""
    for life in range(1_000_000):
        child = os.fork()
        if child == 0:
            chance = random.Random(f"{seed}:{life}")
            asyncio.run(live(redis_url, database_url, queue, chance, Path(calm)))
            os._exit(1)  # a recorder does not end by itself
        signal.signal(signal.SIGTERM, partial(die_with, child))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{'killed' if os.WIFSIGNALED(status) else 'ended'}\n")
        sys.stdout.flush()


def die_with(child: int, *_: object) -> None:
    """Take the running recorder along."""
    os.kill(child, signal.SIGKILL)
    os._exit(0)


async def live(
    redis_url: str, database_url: str, queue: str, chance: random.Random, calm: Path
) -> None:
    """Record, and now and then die just before a commit, or just after it."""
    store = ArchiveStore(database_url)

    def die_perhaps(*_: object) -> None:
        if chance.random() < CHANCE_OF_DEATH and not calm.exists():
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(store.database.engine.sync_engine, "commit", die_perhaps)
    event.listen(store.database.engine.sync_engine, "checkin", die_perhaps)
    await Recorder(redis_url, [queue], store, RecorderOptions(lease_ttl_s=0.3)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
