"""Which Redis to use: the configured one, or the folder's own Valkey, shared by its processes.

    careerlens api ──┐ shared lock `users`          ┌─ Valkey (own session, append-only file)
    careerlens worker┼─────────────────────────────▶│  holds the lock on valkey.json while it lives
    careerlens socket┘ lock `starting`: one at a time└─ stopped by the last user that leaves

Every user watches the server and whoever notices its death first starts it again, on the same
port, from its append-only file. A user that is killed leaves nothing behind: the kernel frees
its locks. When all are killed at once the server stays, and the next user takes it over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from careerlens.foundation.errors import ConfigurationError, ServiceUnavailableError
from careerlens.foundation.filelock import FileLock, exclusively
from careerlens.foundation.home import prepare_folder, prepare_home
from careerlens.foundation.logging import get_logger
from careerlens.foundation.redisurl import RedisUrl, Topology
from careerlens.foundation.valkey import (
    PREFERRED_PORT,
    ServerState,
    ValkeyServer,
    until_it_hangs_up,
)

if TYPE_CHECKING:
    from careerlens.foundation.settings import Settings

STATE_FILE = "valkey.json"
_STARTING_WITHIN_S = 90.0
_RESTART_PAUSES_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
_log = get_logger("careerlens.embedded")


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisEndpoint:
    """Where Redis is. `port` is the embedded server's, and None for a configured Redis."""

    url: str
    embedded: bool
    port: int | None = None


@asynccontextmanager
async def redis_for(settings: Settings) -> AsyncIterator[RedisEndpoint]:
    """The Redis that this process is to use, for as long as the context is open.

    A configured one is returned as it is, reachable or not. Otherwise it is the embedded server
    of the folder, which is started if nobody has, kept alive meanwhile, and stopped by the last
    process that leaves.

    Raises `ConfigurationError` when the folder cannot be used, or the queues' prefix not on the
    configured cluster, and `ServiceUnavailableError` when the server does not come up.
    """
    configured = settings.configured_redis_url()
    if configured is not None:
        _check_prefix(configured, settings.queue_prefix)
        yield RedisEndpoint(url=configured, embedded=False)
        return
    shared = _SharedServer(prepare_home(settings))
    state = await shared.join()
    try:
        guardian = asyncio.create_task(shared.guard(state.port), name="embedded-valkey-guardian")
        try:
            yield RedisEndpoint(url=state.url, embedded=True, port=state.port)
        finally:
            guardian.cancel()
            with suppress(asyncio.CancelledError):
                await guardian
    finally:
        await shared.leave()


def _check_prefix(url: str, prefix: str) -> None:
    is_cluster = RedisUrl.parse(url).topology is Topology.CLUSTER
    if is_cluster and not prefix.startswith("{"):
        raise ConfigurationError(
            "CAREERLENS_QUEUE_PREFIX",
            f"on a cluster, the prefix {prefix!r} would scatter the keys of a queue.",
            f"Put it in braces, for every producer and worker: {{{prefix}}}.",
        )


class _SharedServer:
    """This process's share in the folder's server."""

    def __init__(self, home: Path) -> None:
        self._folder = prepare_folder(home / "valkey")
        self._server = ValkeyServer(self._folder, home / STATE_FILE)
        self._users = FileLock(self._folder / "users.lock")

    async def join(self) -> ServerState:
        try:
            async with self._one_at_a_time():
                others = not self._users.try_exclusive()
                # Nobody can hold it alone now: that happens only within the other lock.
                assert self._users.try_shared()
                known = self._server.state()
                return await self._ensure_running(port=known.port if known and others else None)
        except BaseException:
            self._users.close()
            raise

    async def leave(self) -> None:
        try:
            async with self._one_at_a_time():
                self._users.release()
                if self._users.try_exclusive():
                    await self._server.stop()
                else:
                    self._server.disown()
        finally:
            self._users.close()

    async def guard(self, port: int) -> None:
        """Start the server again whenever it dies, on the same port: its clients know that one."""
        failures = 0
        while True:
            await until_it_hangs_up(port)
            await asyncio.sleep(_RESTART_PAUSES_S[min(failures, len(_RESTART_PAUSES_S) - 1)])
            try:
                async with self._one_at_a_time():
                    await self._ensure_running(port=port)
            except (ConfigurationError, ServiceUnavailableError) as error:
                failures += 1
                _log.error("the embedded Valkey could not be restarted", problem=str(error))
            else:
                failures = 0

    async def _ensure_running(self, *, port: int | None) -> ServerState:
        state = self._server.state()
        if state is not None and await self._server.is_serving(state):
            return state
        if port is not None:
            _log.warning("the embedded Valkey died; restarting it", port=port)
        state = await self._server.start(port)
        _log.debug("the embedded Valkey is up", port=state.port, pid=state.pid)
        if state.port != PREFERRED_PORT and port is None:
            _log.warning(
                f"port {PREFERRED_PORT} is taken, so the embedded Valkey listens on {state.port}",
                remedy="to use the Redis that is there instead, set REDIS_HOST=localhost",
            )
        return state

    @asynccontextmanager
    async def _one_at_a_time(self) -> AsyncIterator[None]:
        try:
            async with exclusively(self._folder / "starting.lock", timeout=_STARTING_WITHIN_S):
                yield
        except TimeoutError as error:
            raise ServiceUnavailableError("the embedded Valkey", f"{error}.") from error
