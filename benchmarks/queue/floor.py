"""What BullMQ's scripts cost the server, without any worker around them.

Speaks the `work` role of harness.py: `floor.py URL work CONCURRENCY N`. All commands are encoded
before the clock starts: as many `moveToActive` as the concurrency, then `moveToFinished` with
fetch-next for every job, half a concurrency at a time and two such windows under way, so that the
server always has the next one at hand. No worker that uses these scripts can be faster on this
server. The queue must be fresh, with jobs 1 to N.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from urllib.parse import urlsplit

import hiredis
from harness import tell

from careerlens.wire.calls import QueueCalls, fetch_options, finish_options
from careerlens.wire.connection import Arg
from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Call
from careerlens.wire.scripts import bullmq_script

QUEUE = "bench"
TOKEN = "floor"
LOCK_MS = 30_000
READ = {"moveToActive": 3, "moveToFinished": 8}
"""How many arguments they read of a take, and of a finish without fields."""


class Pipe:
    """Sends encoded commands and counts the replies."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port or 6379))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()

    def send(self, commands: Sequence[bytes]) -> None:
        self._socket.sendall(b"".join(commands))

    def receive(self, replies: int) -> None:
        """Wait for so many replies. Raises the first one that is an error."""
        while replies:
            reply = self._reader.gets()
            if reply is False:
                self._reader.feed(self._socket.recv(1 << 16))
                continue
            if isinstance(reply, Exception):
                raise reply
            if isinstance(reply, int) and reply < 0:
                raise RuntimeError(f"a script refused with {reply}")
            replies -= 1


def encode(name: str, call: Call) -> bytes:
    """A call of ours as one of BullMQ's unchanged script, whose keys and arguments ours has."""
    _, keys, args = call
    return pack("EVALSHA", bullmq_script(name).sha, len(keys), *keys, *args[: READ[name]])


def pack(*words: Arg) -> bytes:
    """A command as it goes over the wire."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # any number of words
    return packed


def drain(url: str, concurrency: int, jobs: int) -> float:
    """The seconds from the first reply to the last."""
    calls = QueueCalls(QueueKeys(QUEUE))
    now_ms = time.time_ns() // 1_000_000
    take = encode("moveToActive", calls.take(now_ms, fetch_options(TOKEN, LOCK_MS, None, None)))
    options = finish_options(TOKEN, LOCK_MS, None, None, keep={"count": -1}, attempts=1, stored={})
    finishes = [
        encode(
            "moveToFinished",
            calls.finish(str(number), now_ms, "completed", "null", options, {}, fetch_next=True),
        )
        for number in range(1, jobs + 1)
    ]
    step = max(1, concurrency // 2)
    windows = [finishes[start : start + step] for start in range(0, jobs, step)]
    pipe = Pipe(url)
    for name in READ:
        source = bullmq_script(name).source
        pipe.send([pack("SCRIPT", "LOAD", source)])
        pipe.receive(1)
    pipe.send([take] * concurrency)
    pipe.receive(concurrency)
    started = time.perf_counter()
    pipe.send(windows[0])
    for done, following in pairwise(windows):
        pipe.send(following)
        pipe.receive(len(done))
    pipe.receive(len(windows[-1]))
    return time.perf_counter() - started


if __name__ == "__main__":
    url, _, *numbers = sys.argv[1:]
    concurrency, jobs = map(int, numbers)
    tell({"jobs": jobs, "seconds": drain(url, concurrency, jobs)})
