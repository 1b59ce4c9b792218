"""Plays one story on the bullmq package's queue and on ours, and asserts that both answer alike.

A step is a tuple: a name and its details. Most name an operation that both sides know, where a
number stands for a job that runs, or that is known (0 is the last one added). The others set the
scene on both databases alike: time passes, a lock runs out, a job of a kind that we do not make
comes in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from queue_ours import Ours
from queue_theirs import Clock, Held, Package, Theirs

Step: TypeAlias = tuple[Any, ...]

_OF_RUNNING = {"finish", "retry", "delay", "hand_back"}
_OF_KNOWN = {
    *("progress", "log", "remove", "cancel", "reprocess", "state", "snapshot"),
    *("promote", "change_priority", "update_data"),
}
_NAMED = {
    "finish": ("fetch_next", "limit"),
    "delay": ("fetch_next", "limit"),
    "reprocess": ("reset",),
}
_FOREVER = {"fetch_next": False, "limit": None}


@dataclass(frozen=True, slots=True)
class Act:
    """One operation, asked of either side. `token` is what it takes a job with, if it does."""

    name: str
    args: Sequence[Any]
    named: dict[str, Any] = field(default_factory=dict)
    token: str = ""

    def on(self, side: Theirs | Ours) -> Awaitable[Any]:
        """Ask it of one side."""
        asked: Awaitable[Any] = getattr(side, self.name)(*self.args, **self.named)
        return asked


class Play:
    """The story so far: which jobs are known and which run, the same on both sides."""

    def __init__(self, theirs: Theirs, ours: Ours, stages: Sequence[Package], clock: Clock) -> None:
        self._theirs = theirs
        self._ours = ours
        self._stages = stages
        self._clock = clock
        self._running: list[Held] = []
        self._known: list[str] = []
        self._tokens = 0
        self._flows = 0

    async def play(self, steps: Sequence[Step]) -> None:
        """Play all steps; raises `AssertionError` at the first that is answered differently."""
        for name, *details in steps:
            if name in ("at_once", "in_one_write"):
                await self._play_together(name, *details)
            elif name.startswith("stage_"):
                await getattr(self, f"_{name}")(*details)
            elif (act := self._act(name, details)) is not None:
                self._answered(act, await act.on(self._theirs), await act.on(self._ours))

    async def _play_together(self, how: str, steps: Sequence[Step]) -> None:
        """Theirs one after the other, ours in flight together: the order must be the same."""
        acts = [act for name, *details in steps if (act := self._act(name, details)) is not None]
        theirs = [await act.on(self._theirs) for act in acts]
        ours = await getattr(self._ours, how)([act.on(self._ours) for act in acts])
        for act, their_reply, our_reply in zip(acts, theirs, ours, strict=True):
            self._answered(act, their_reply, our_reply)

    def _act(self, name: str, details: list[Any]) -> Act | None:
        """What a step asks; None when there is no job to ask it of."""
        named = _NAMED.get(name, ())
        args = details[: len(details) - len(named)]
        by_name = dict(zip(named, details[len(args) :], strict=True))
        if name == "take":
            self._tokens += 1
            token = f"token:{self._tokens}"
            return Act(name, [token, *args], token=token)
        if name == "extend_locks":
            return Act(name, [list({held.job_id: held for held in self._running}.values())])
        if name in _OF_RUNNING:
            if not self._running:
                return None
            held = self._running.pop(args[0] % len(self._running))
            return Act(name, [held, *args[1:]], by_name, held.token)
        if name in _OF_KNOWN or name == "finish_unheld":
            if not self._known:
                return None
            job_id = self._known[-1 - args[0] % len(self._known)]
            if name == "finish_unheld":
                held = Held(job_id, {"data": "{}"}, "nobody's")
                return Act("finish", [held, "failed", None], _FOREVER)
            return Act(name, [job_id, *args[1:]], by_name)
        return Act(name, args)

    def _answered(self, act: Act, theirs: Any, ours: Any) -> None:
        assert _comparable(act, ours) == _comparable(act, theirs), act
        if act.name == "add" and isinstance(ours, str) and ours not in self._known:
            self._known.append(ours)
        if act.token and isinstance(ours, list) and ours and isinstance(ours[0], list):
            flat, job_id, *_ = ours
            fields = dict(zip(flat[::2], flat[1::2], strict=True))
            self._running.append(Held(job_id, fields, act.token))

    # Scenes, set on both databases alike

    async def _stage_later(self, ms: int) -> None:
        self._clock.now_ms += ms

    async def _stage_locks_run_out(self) -> None:
        for stage in self._stages:
            for held in self._running:
                await stage.client.delete(stage.queue.toKey(f"{held.job_id}:lock"))
            await stage.client.delete(stage.queue.keys["stalled-check"])

    async def _stage_window_ends(self) -> None:
        for stage in self._stages:
            await stage.queue.removeRateLimitKey()

    async def _stage_concurrency(self, at_most: int | None) -> None:
        for stage in self._stages:
            if at_most is None:
                await stage.queue.removeGlobalConcurrency()
            else:
                await stage.queue.setGlobalConcurrency(at_most)

    async def _stage_events_kept(self, at_most: int | None) -> None:
        for stage in self._stages:
            meta = stage.queue.keys["meta"]
            if at_most is None:
                await stage.client.hdel(meta, "opts.maxLenEvents")
            else:
                await stage.client.hset(meta, "opts.maxLenEvents", str(at_most))

    async def _stage_deduplicated(self, key: str, ttl_ms: int | None) -> None:
        job_ids = {await stage.add_deduplicated(key, ttl_ms) for stage in self._stages}
        assert len(job_ids) == 1
        self._known.extend(job_ids - set(self._known))

    async def _stage_flow(self, policies: Sequence[str | None]) -> None:
        self._flows += 1
        parent_id = f"parent-{self._flows}"
        children = {f"{parent_id}-child-{n}": policy for n, policy in enumerate(policies)}
        for stage in self._stages:
            await stage.add_flow(parent_id, children)
        self._known.extend([parent_id, *children])


def _comparable(act: Act, reply: Any) -> Any:
    """A reply without what the server's clock makes: how long a rate limit lasts."""
    if act.token and isinstance(reply, list) and len(reply) == 4:
        return [*reply[:2], reply[2] > 0, reply[3]]
    return reply > 0 if act.name == "hand_back" and reply >= 0 else reply
