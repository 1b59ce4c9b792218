"""The operations of `queue_theirs.Theirs` by our calls, and by our `Queue`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from careerlens.foundation.clock import epoch_ms
from careerlens.queue import JobOptions, Queue, QueueState
from careerlens.queue.record import JobRecord
from careerlens.wire import Link, QueueCalls, QueueKeys
from careerlens.wire.calls import WorkOptions, fetch_options, finish_options, retention
from careerlens.wire.cancel import CANCEL_MARK, ERROR_CODE
from careerlens.wire.errors import ScriptRefusedError
from careerlens.wire.link import Call
from careerlens.wire.packing import strict_json
from queue_theirs import (
    FAILED,
    INTERVAL_MS,
    LOCK_MS,
    PREFIX,
    QUEUE,
    STATES,
    WINDOW_MS,
    Held,
    Target,
    plain,
)


class Ours:
    """The same operations by our calls."""

    def __init__(self, link: Link) -> None:
        self.calls = QueueCalls(QueueKeys(QUEUE, PREFIX))
        self._link = link
        self._collected: list[tuple[Call, asyncio.Future[Any]]] | None = None

    async def _ask(self, call: Call) -> Any:
        if self._collected is None:
            return plain(await self._link.run(*call))
        reply = asyncio.get_running_loop().create_future()
        self._collected.append((call, reply))
        return plain(await reply)

    async def at_once(self, operations: Sequence[Awaitable[Any]]) -> list[Any]:
        """Many operations in flight together, in this order."""
        return await asyncio.gather(*operations)

    async def in_one_write(self, operations: Sequence[Awaitable[Any]]) -> list[Any]:
        """Many operations of one call each, all handed to `Link.run_many` together."""
        collected: list[tuple[Call, asyncio.Future[Any]]] = []
        self._collected = collected
        asked = [asyncio.ensure_future(operation) for operation in operations]
        await asyncio.sleep(0)
        self._collected = None
        assert len(collected) == len(asked), "only operations that begin with their call"
        replies = await self._link.run_many([call for call, _ in collected])
        for (_, future), reply in zip(collected, replies, strict=True):
            future.set_result(reply)
        return await asyncio.gather(*asked)

    async def add(self, name: str, data: Any, options: JobOptions) -> Any:
        return await self._ask(
            self.calls.add(
                options.job_id or "",
                name,
                strict_json(data),
                self.calls.adding(options.to_wire()),
                epoch_ms(),
            )
        )

    async def take(self, token: str, limit: int | None) -> Any:
        return await self._ask(self.calls.take(epoch_ms(), _fetching(token, limit)))

    async def finish(
        self, held: Held, target: Target, value: Any, *, fetch_next: bool, limit: int | None
    ) -> Any:
        record = JobRecord(
            held.job_id, {key.encode(): value.encode() for key, value in held.fields.items()}
        )
        is_completed = target == "completed"
        remove = record.opts.get("removeOnComplete" if is_completed else "removeOnFail")
        options = finish_options(
            held.token,
            LOCK_MS,
            _window(limit),
            None,
            keep=retention(remove),
            attempts=record.max_attempts,
            stored=record.opts,
        )
        text = strict_json(value) if is_completed else "why"
        fields: dict[str, str | int] = {} if is_completed else {**FAILED}
        return await self._ask(
            self.calls.finish(
                held.job_id,
                epoch_ms(),
                target,
                text,
                options,
                fields,
                fetch_next=fetch_next,
            )
        )

    async def retry(self, held: Held) -> Any:
        return await self._ask(
            self.calls.retry(held.job_id, epoch_ms(), held.token, {**FAILED}, lifo=held.is_lifo)
        )

    async def delay(self, held: Held, delay_ms: int, *, fetch_next: bool, limit: int | None) -> Any:
        options = _fetching(held.token, limit) if fetch_next else None
        return await self._ask(
            self.calls.delay(held.job_id, epoch_ms(), held.token, delay_ms, {**FAILED}, options)
        )

    async def hand_back(self, held: Held) -> Any:
        return await self._ask(self.calls.hand_back(held.job_id, held.token))

    async def extend_locks(self, held: list[Held]) -> Any:
        tokens = {job.job_id: job.token for job in held}
        return await self._ask(self.calls.extend_locks(tokens, 2 * LOCK_MS))

    async def rescue_stalled(self, max_stalled: int) -> Any:
        return await self._ask(self.calls.rescue_stalled(epoch_ms(), INTERVAL_MS, max_stalled))

    async def progress(self, job_id: str, value: Any) -> Any:
        return await self._ask(self.calls.progress(job_id, strict_json(value)))

    async def log(self, job_id: str, line: str) -> Any:
        return await self._ask(self.calls.log(job_id, line))

    async def reprocess(self, job_id: str, target: Target, *, reset: bool) -> Any:
        state, flat = await self.snapshot(job_id)
        if state == target:
            await self._link.call("HDEL", self.calls.keys.job(job_id), CANCEL_MARK, ERROR_CODE)
        held = Held(job_id, dict(zip(flat[::2], flat[1::2], strict=True)), "")
        return await self._ask(self.calls.reprocess(job_id, target, lifo=held.is_lifo, reset=reset))

    async def promote(self, job_id: str) -> Any:
        return await self._ask(self.calls.promote(job_id))

    async def change_priority(self, job_id: str, priority: int, lifo: bool) -> Any:
        return await self._ask(self.calls.change_priority(job_id, priority, lifo=lifo))

    async def update_data(self, job_id: str, data: Any) -> Any:
        return await self._ask(self.calls.update_data(job_id, strict_json(data)))

    async def remove(self, job_id: str) -> Any:
        return await self._ask(self.calls.remove(job_id))

    async def pause(self, paused: bool) -> Any:
        return await self._ask(self.calls.pause(paused=paused))

    async def clean(self, state: str, grace_ms: int, limit: int) -> Any:
        return await self._ask(self.calls.clean(state, epoch_ms() - grace_ms, limit))

    async def drain(self, delayed: bool) -> Any:
        return await self._ask(self.calls.drain(delayed=delayed))

    async def obliterate(self, force: bool) -> Any:
        return await self._ask(self.calls.obliterate(1_000, force=force))

    async def counts(self) -> Any:
        return await self._ask(self.calls.counts(STATES))

    async def state(self, job_id: str) -> Any:
        return await self._ask(self.calls.state(job_id))

    async def snapshot(self, job_id: str) -> Any:
        # Of a job in line, theirs knows no place.
        return (await self._ask(self.calls.snapshot(job_id)))[:2]

    async def cancel(self, job_id: str) -> Any:
        return await self._ask(self.calls.cancel(job_id, epoch_ms(), "cancel"))


class OursByQueue(Ours):
    """Operations by our `Queue` where it has them; its answers are told as the scripts' replies."""

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._queue = Queue(QUEUE, link, prefix=PREFIX)

    async def add(self, name: str, data: Any, options: JobOptions) -> Any:
        return await self._queue.add(name, data, options)

    async def in_one_write(self, operations: Sequence[Awaitable[Any]]) -> list[Any]:
        return await self.at_once(operations)

    async def progress(self, job_id: str, value: Any) -> Any:
        return 0 if await self._queue.update_progress(job_id, value) else -1

    async def reprocess(self, job_id: str, target: Target, *, reset: bool) -> Any:
        try:
            await self._queue.retry(job_id, target, reset=reset)
        except ScriptRefusedError as error:
            return int(error.refusal)
        return 1

    async def remove(self, job_id: str) -> Any:
        try:
            return int(await self._queue.remove(job_id))
        except ScriptRefusedError as error:
            return int(error.refusal)

    async def pause(self, paused: bool) -> Any:
        await (self._queue.pause() if paused else self._queue.resume())
        return 0

    async def clean(self, state: str, grace_ms: int, limit: int) -> Any:
        named = QueueState.WAITING if state == "wait" else QueueState(state)
        return await self._queue.clean(named, older_than_ms=grace_ms, limit=limit)

    async def drain(self, delayed: bool) -> Any:
        return await self._queue.drain(delayed=delayed)

    async def counts(self) -> Any:
        counts = await self._queue.counts()
        return [counts["waiting" if state == "wait" else state] for state in STATES]

    async def state(self, job_id: str) -> Any:
        return str(await self._queue.state(job_id))

    async def snapshot(self, job_id: str) -> Any:
        record, state = await self._queue.job_and_state(job_id)
        fields = record.raw if record is not None else {}
        return [str(state), [part for item in fields.items() for part in item]]

    async def cancel(self, job_id: str) -> Any:
        return str(await self._queue.cancel(job_id))


def _window(limit: int | None) -> tuple[int, int] | None:
    return None if limit is None else (limit, WINDOW_MS)


def _fetching(token: str, limit: int | None) -> WorkOptions:
    return fetch_options(token, LOCK_MS, _window(limit), None)
