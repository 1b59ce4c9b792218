"""The archive's database in use: opened by the first call, and no call waits for it too long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from careerlens.archive.engine import WRITES, create_engine, parse_database_url, prepare_folder
from careerlens.archive.migrating import migrate
from careerlens.foundation.errors import ServiceUnavailableError

T = TypeVar("T")


class Database:
    """Connections to one database, SQLite or PostgreSQL, whose failures are told in our words.

    Nothing is opened before the first call, which also brings the schema up.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = parse_database_url(url)
        self._timeout_s = timeout_s
        self.engine = create_engine(self._url, timeout_s=timeout_s)
        self._is_ready = False
        self._opening = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    def insert(self, table: Any) -> Any:
        """An INSERT in the dialect of the database, which may say what to do on a conflict."""
        return (postgresql if self.dialect == "postgresql" else sqlite).insert(table)

    async def in_time(self, what: str, work: Coroutine[Any, Any, T]) -> T:
        """Wait for `work` no longer than our patience, and never cut it short.

        Work that is cancelled would leave its connection in the middle of something, and callers
        are often requests whose client has gone away. It runs on by itself and ends soon, since
        the drivers have time limits of their own.

        Raises `ServiceUnavailableError` when it takes too long.
        """
        task = asyncio.create_task(work, name=f"archive {what}")
        self._under_way.add(task)
        task.add_done_callback(self._is_done)
        done, _ = await asyncio.wait([task], timeout=self._timeout_s)
        if not done:
            problem = f"{what!r} took longer than {self._timeout_s:g} s"
            raise ServiceUnavailableError("archive", problem)
        return task.result()

    async def open(self) -> None:
        """Reach the database and bring its schema up. Calling it again does nothing."""
        async with self._opening:
            if not self._is_ready:
                with _translated("opening"):
                    await prepare_folder(self._url)
                    await migrate(self.engine)
                self._is_ready = True

    async def close(self) -> None:
        """Let what is under way end, and give the connections back. A later call opens new ones."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self.engine.dispose()

    @asynccontextmanager
    async def reading(self, what: str) -> AsyncIterator[AsyncConnection]:
        """A connection to read by. Its failures raise `ServiceUnavailableError`, naming `what`."""
        await self.open()
        with _translated(what):
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self, what: str) -> AsyncIterator[AsyncConnection]:
        """As `reading`, in a transaction that will write."""
        await self.open()
        with _translated(what):
            async with self.engine.connect() as plain:
                connection = await plain.execution_options(**WRITES)
                async with connection.begin():
                    yield connection

    def _is_done(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # heard here if its caller is gone; otherwise raised there


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise ServiceUnavailableError("archive", f"{what}: no answer in time") from None
    except (SQLAlchemyError, OSError) as error:
        raise ServiceUnavailableError("archive", f"{what}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return (str(cause) or type(cause).__name__).splitlines()[0]
