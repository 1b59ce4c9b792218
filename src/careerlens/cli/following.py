"""One job from its creation to its end, live: by Socket.IO while that works, by asking if not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import socketio
from socketio.exceptions import SocketIOError

from careerlens.cli.connection import Api, Identity
from careerlens.cli.exits import Exit
from careerlens.cli.progress import ProgressView
from careerlens.cli.screen import CommandError

FINAL = frozenset({"completed", "failed", "cancelled"})
_CONNECT_TIMEOUT_S = 3.0
_SUBSCRIBE_TIMEOUT_S = 3.0
_ASK_EVERY_S = 1.0
_ASK_EVERY_LIVE_S = 5.0
_PATIENCE_S = 60.0

Json = Mapping[str, Any]


class LiveUpdates:
    """The updates of all our jobs as they happen; nothing while the connection is down."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[Json] = asyncio.Queue()
        self._client = socketio.AsyncClient(
            reconnection=True, reconnection_delay=0.2, reconnection_delay_max=2, handle_sigint=False
        )
        self._client.on("job:update", self._arrive)
        self._client.on("resync", self._resync)

    @property
    def connected(self) -> bool:
        """Whether updates arrive by themselves now."""
        return bool(self._client.connected)

    async def open(self, url: str, identity: Identity) -> bool:
        """Connect; False when that does not work, which leaves asking."""
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await self._client.connect(
                    url,
                    auth=identity.handshake(),
                    transports=["websocket"],
                    wait_timeout=_CONNECT_TIMEOUT_S,
                )
        except (SocketIOError, OSError, TimeoutError):
            return False
        return True

    async def subscribe(self, job_id: str) -> Json | None:
        """Ask for the job's updates and return where it stands; None when that does not work."""
        try:
            answer = await self._client.call(
                "subscribe:job", {"jobId": job_id}, timeout=_SUBSCRIBE_TIMEOUT_S
            )
        except (SocketIOError, TimeoutError):
            return None
        status = answer.get("status") if isinstance(answer, dict) and answer.get("ok") else None
        return status if isinstance(status, dict) else None

    async def next_of(self, job_id: str, *, within: float) -> Json | None:
        """The job's next update; None when there is none in `within` seconds, or on a gap."""
        try:
            async with asyncio.timeout(within):
                while True:
                    update = await self._arrived.get()
                    if update.get("jobId") == job_id:
                        return update
                    if "jobId" not in update:
                        return None
        except TimeoutError:
            return None

    async def close(self) -> None:
        """End the connection."""
        await self._client.shutdown()

    async def _arrive(self, update: Any) -> None:
        if isinstance(update, dict) and "jobId" in update:
            self._arrived.put_nowait(update)

    async def _resync(self, _entry: Any = None) -> None:
        self._arrived.put_nowait({})


@asynccontextmanager
async def live_updates(api: Api, view: ProgressView) -> AsyncIterator[LiveUpdates]:
    """Live updates, connected before the job exists so that its first step is not missed."""
    updates = LiveUpdates()
    url = await api.socket_url()
    try:
        if not await updates.open(url, api.identity):
            view.note(f"No live updates from {url}; asking the API each second instead.")
        yield updates
    finally:
        await updates.close()


async def follow(api: Api, updates: LiveUpdates, job_id: str, view: ProgressView) -> Json:
    """Show the job in `view` until it has ended, and return its final status.

    An API that does not answer for a moment is waited for; after 60 s without an answer the
    `CommandError` of the last try is raised.
    """
    if updates.connected:
        snapshot = await updates.subscribe(job_id)
        if snapshot is not None:
            view.show(snapshot)
    answered = monotonic()
    while True:
        try:
            status = await api.status(job_id)
        except CommandError as error:
            if error.code is not Exit.UNAVAILABLE or monotonic() - answered > _PATIENCE_S:
                raise
            view.note("The API does not answer; trying again.")
            await asyncio.sleep(_ASK_EVERY_S)
            continue
        answered = monotonic()
        view.show(status)
        if status.get("status") in FINAL:
            return status
        await _show_updates(updates, job_id, view)


async def _show_updates(updates: LiveUpdates, job_id: str, view: ProgressView) -> None:
    """Show what arrives by itself until it is time to ask again."""
    ask_at = monotonic() + (_ASK_EVERY_LIVE_S if updates.connected else _ASK_EVERY_S)
    while (left := ask_at - monotonic()) > 0:
        update = await updates.next_of(job_id, within=left)
        if update is None or update.get("status") in FINAL:
            return
        view.show(update)
