"""A network that takes its time: a TCP proxy that hands every byte on a millisecond later.

    python benchmarks/queue/proxy.py TARGET_PORT DELAY_MS          # prints the port it listens on
    python benchmarks/queue/proxy.py check [DELAY_MS] [--url URL]  # is it what it says?

Bytes wait the same time in both directions and keep their order; how many are on their way is not
limited. What arrives within `TICK_S` travels together, so that the proxy leaves the two cores of
a small machine to those that are measured. `select` is used since the other ways of waiting count
whole milliseconds.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

TICK_S = 0.0001
PR_SET_TIMERSLACK = 29
CHUNK = 1 << 18


class Direction:
    """The bytes on their way from one socket to another, each with the time it is due."""

    def __init__(self, source: socket.socket, target: socket.socket, delay_s: float) -> None:
        self.source, self.target, self._delay_s = source, target, delay_s
        self._under_way: deque[tuple[float, memoryview]] = deque()

    @property
    def due_at(self) -> float | None:
        return self._under_way[0][0] if self._under_way else None

    def receive(self, now: float) -> bool:
        """Take what has arrived; whether the other side is still there."""
        try:
            chunk = self.source.recv(CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if chunk:
            self._under_way.append((now + self._delay_s, memoryview(chunk)))
        return bool(chunk)

    def deliver(self, now: float) -> bool:
        """Hand on what is due; whether the target took it all."""
        while self._under_way and self._under_way[0][0] <= now:
            due_at, chunk = self._under_way[0]
            try:
                sent = self.target.send(chunk)
            except BlockingIOError:
                return False
            if sent < len(chunk):
                self._under_way[0] = (due_at, chunk[sent:])
                return False
            self._under_way.popleft()
        return True


class Proxy:
    """All connections, in one thread."""

    def __init__(self, target_port: int, delay_s: float) -> None:
        self._target = ("127.0.0.1", target_port)
        self._delay_s = delay_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._directions: dict[socket.socket, Direction] = {}
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Hand bytes on, for ever."""
        full: list[socket.socket] = []
        while True:
            readable, _, _ = select.select(
                [self._listener, *self._directions], full, [], self._pause_s()
            )
            now = time.perf_counter()
            if readable:
                time.sleep(TICK_S)
            for ready in readable:
                if ready is self._listener:
                    self._accept()
                elif ready in self._directions and not self._directions[ready].receive(now):
                    self._close(self._directions[ready])
            full = self._deliver(time.perf_counter())

    def _pause_s(self) -> float | None:
        due = [at for each in self._directions.values() if (at := each.due_at) is not None]
        return max(0.0, min(due) - time.perf_counter()) if due else None

    def _deliver(self, now: float) -> list[socket.socket]:
        """Hand on what is due; the targets that take no more for now."""
        full = []
        for direction in list(self._directions.values()):
            try:
                if not direction.deliver(now):
                    full.append(direction.target)
            except OSError:
                self._close(direction)
        return full

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._target)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setblocking(False)
        self._directions[client] = Direction(client, server, self._delay_s)
        self._directions[server] = Direction(server, client, self._delay_s)

    def _close(self, direction: Direction) -> None:
        for end in (direction.source, direction.target):
            self._directions.pop(end, None)
            end.close()


@contextmanager
def delayed(url: str, delay_ms: float) -> Iterator[str]:
    """The URL of the same server, `delay_ms` away each way, by a process of its own."""
    parts = urlsplit(url)
    command = [sys.executable, str(Path(__file__)), str(parts.port or 6379), str(delay_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = json.loads(process.stdout.readline())["port"]
            yield f"redis://127.0.0.1:{port}{parts.path}"
        finally:
            process.kill()


def check(url: str, delay_ms: float) -> None:
    """Print what a PING takes on both ways, and how many of them go through in a row."""
    with delayed(url, delay_ms) as far:
        for name, where in (("directly", url), (f"{delay_ms:g} ms away", far)):
            alone_ms, in_a_row = ping(where)
            print(f"{name}: {alone_ms:.3f} ms for one PING, {in_a_row:,.0f}/s in a row")


def ping(url: str) -> tuple[float, float]:
    """The median of PINGs one by one, ms; and how many a second with 2,000 always under way."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port or 6379)) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        alone = sorted(_took_s(server, 1) for _ in range(500))
        many = 200_000
        return alone[250] * 1000, many / _took_s(server, many)


def _took_s(server: socket.socket, pings: int) -> float:
    started = time.perf_counter()
    command, reply = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"
    window = min(pings, 2_000)
    server.sendall(command * window)
    sent, missing, received = window, pings * len(reply), 0
    while received < missing:
        received += len(server.recv(CHUNK))
        more = min(pings, received // len(reply) + window) - sent
        server.sendall(command * more)
        sent += more
    return time.perf_counter() - started


def wake_in_time() -> None:
    """Have Linux wake us when asked: by default it may come 0.05 ms late, each time."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)


def main() -> None:
    """Serve, or check."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", help="the server's port, or: check")
    parser.add_argument("delay_ms", type=float, nargs="?", default=1.0)
    parser.add_argument("--url", help="check: of which server; one of its own unless given")
    arguments = parser.parse_args()
    if arguments.target != "check":
        wake_in_time()
        proxy = Proxy(int(arguments.target), arguments.delay_ms / 1000)
        print(json.dumps({"port": proxy.port}), flush=True)
        with suppress(KeyboardInterrupt):
            proxy.serve()
    elif arguments.url:
        check(arguments.url, arguments.delay_ms)
    else:
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from server import own_server

        with own_server() as url:
            check(url, arguments.delay_ms)


if __name__ == "__main__":
    main()
