"""A private PostgreSQL cluster for tests, from the system's binaries.

`CAREERLENS_TEST_POSTGRES_URL` names a server to use instead (its user must be allowed to create
databases). Without either, the archive is tested on SQLite alone.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from support import free_port

URL_VARIABLE = "CAREERLENS_TEST_POSTGRES_URL"


def find_binaries() -> Path | None:
    """The folder of the newest installed `initdb` and `postgres`, if there is one."""
    on_path = shutil.which("initdb")
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: float(path.parts[-3]),
        reverse=True,
    )
    found = [Path(on_path)] if on_path else installed
    return found[0].resolve().parent if found else None


def is_available() -> bool:
    """Whether tests can run on PostgreSQL here."""
    return URL_VARIABLE in os.environ or find_binaries() is not None


class Postgres:
    """A server for tests. `new_database()` gives the URL of a fresh database on it.

    It is the one that the environment names, or a cluster of our own; `private` always means
    the latter, which may be killed.
    """

    def __init__(self, *, private: bool = False) -> None:
        self._base = None if private else os.environ.get(URL_VARIABLE)
        self._databases = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._port = free_port()
        self._command: list[str | Path] = []
        self._owner: str | None = None

    def start(self) -> None:
        """Make a cluster and start it, unless the environment names a server."""
        if self._base is not None:
            return
        binaries = find_binaries()
        assert binaries is not None, "no PostgreSQL binaries were found"
        self._folder = Path(tempfile.mkdtemp(prefix="careerlens-pg-"))
        self._owner = _unprivileged_user()
        if self._owner is not None:
            shutil.chown(self._folder, self._owner)
        data = self._folder / "data"
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"],
            check=True,
            capture_output=True,
            user=self._owner,
            cwd=self._folder,
        )
        self._command = [
            binaries / "postgres", "-D", data, "-p", str(self._port), "-k", self._folder,
            "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
        ]  # fmt: skip
        self._base = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        self.resume()

    def resume(self) -> None:
        """Start the cluster again after `kill()`, and return when it answers."""
        assert self._folder is not None, "only a private cluster is started"
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, user=self._owner, cwd=self._folder, stdout=log, stderr=log
            )
        asyncio.run(self._answers())

    def kill(self) -> None:
        """End the private server without a farewell to its clients."""
        if self._process is not None:
            # SIGQUIT is PostgreSQL's own immediate stop: the postmaster takes its children along.
            self._process.send_signal(3)
            self._process.wait(timeout=20)
            self._process = None

    def stop(self) -> None:
        """End the private server and remove its files."""
        self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder)

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        assert self._base is not None, "not started"
        self._databases += 1
        name = f"careerlens_test_{os.getpid()}_{self._databases}"
        asyncio.run(self._execute(f'CREATE DATABASE "{name}"'))
        return urlunsplit(urlsplit(self._base)._replace(path=f"/{name}"))

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._base)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _answers(self) -> None:
        for _ in range(200):
            try:
                await self._execute("SELECT 1")
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
            else:
                return
        raise AssertionError("PostgreSQL did not start; see its log in the folder of the cluster")


def _unprivileged_user() -> str | None:
    # PostgreSQL refuses to run as root.
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
