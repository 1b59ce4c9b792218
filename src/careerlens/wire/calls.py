"""Every call of the protocol on one queue: which script, which keys in which order, what packed.

Written against BullMQ 3.4.4 (Python) and 6.x (Node); `scripts` pins the files. Times are epoch
milliseconds of the caller's clock, as the protocol wants them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeGuard

from careerlens.wire.cancel import CANCELLED_CODE, CANCELLED_REASON, ERROR_CODE, cancel_channel
from careerlens.wire.connection import Arg, encode_word, template
from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Call, SharedKeys
from careerlens.wire.packing import pack
from careerlens.wire.scripts import Script, bullmq_script, own_script

Fields = Mapping[str, str | int]

LOG_LINES_KEPT = 1_000
"""A job's log holds its last lines, however much its handler writes."""

_LARGEST = 2**31 - 1

# BullMQ stores these options under short names (its `optsEncodeMap`).
_SHORT_OPTIONS = {
    "failParentOnFailure": "fpof",
    "continueParentOnFailure": "cpof",
    "ignoreDependencyOnFailure": "idof",
    "removeDependencyOnFailure": "rdof",
    "keepLogs": "kl",
    "deduplication": "de",
}


# The order in which scripts that may take a job want the queue's keys.
_FETCHING = "wait active prioritized events stalled limiter delayed paused meta pc"
_STATES = "completed failed delayed active wait paused waiting-children prioritized"


class Adding(NamedTuple):
    """How jobs with certain options are stored; `options` are packed."""

    script: Script
    keys: tuple[bytes, ...]
    options: bytes


_NOT_PLAIN = ("",) * 5


class WorkOptions(NamedTuple):
    """With what a worker takes a job, or ends one: packed for BullMQ's scripts.

    `plain` says the same in single words for the short way of ours (`lua/take.lua`,
    `lua/finish.lua`), which are empty where that way cannot do what is wanted.
    """

    packed: bytes
    plain: tuple[Arg, ...]

    def encoded(self) -> bytes:
        """The last words of an encoded `finish` without fields."""
        return b"".join(map(encode_word, (self.packed, b"", *self.plain)))


class QueueCalls:
    """Builds the calls of one queue; nothing is sent here."""

    def __init__(self, keys: QueueKeys) -> None:
        self.keys = keys
        self._base = keys.base.encode()
        self._known: dict[str, tuple[bytes, ...]] = {}
        self._to_take = self._named(_FETCHING + " marker")
        self._to_finish = {
            target: (self._named(_FETCHING + f" {target}"), self._named(f"metrics:{target} marker"))
            for target in ("completed", "failed")
        }
        self._states = self._named(_STATES)
        self._completion = b""

    def _named(self, suffixes: str, job_id: str = "") -> tuple[bytes, ...]:
        """Keys by their suffixes; `*` stands for the job's own key, `*:x` for one beside it."""
        if not job_id and suffixes in self._known:
            return self._known[suffixes]
        base, job = self._base, job_id.encode()
        keys = tuple(base + suffix.encode().replace(b"*", job) for suffix in suffixes.split())
        if not job_id:
            keys = self._known[suffixes] = SharedKeys(keys)
        return keys

    # Producing

    def adding(self, options: Mapping[str, Any]) -> Adding:
        """How jobs with these options are stored: delayed, prioritised or plain."""
        if not _SHORT_OPTIONS.keys().isdisjoint(options):
            options = {_SHORT_OPTIONS.get(key, key): value for key, value in options.items()}
        packed = pack(options)
        if options.get("delay"):
            keys = self._named("marker meta id delayed completed events")
            return Adding(bullmq_script("addDelayedJob"), keys, packed)
        if options.get("priority"):
            keys = self._named("marker meta id prioritized delayed completed active events pc")
            return Adding(own_script("add-prioritized"), keys, packed)
        keys = self._named("wait paused meta id completed delayed active events marker")
        return Adding(own_script("add-standard"), keys, packed)

    def add(
        self, job_id: str, name: str, data: str | bytes, adding: Adding, timestamp_ms: int
    ) -> Call:
        """Store a job as `adding` says of its options.

        `data` is JSON text, `job_id` may be empty for a number of the queue's own. The reply
        is the id, also of a job that exists already, or a negative refusal.
        """
        head = [self.keys.base, job_id, name, timestamp_ms, None, None, None, None, None]
        return adding.script, adding.keys, (pack(head), data, adding.options, timestamp_ms)

    def cancel(self, job_id: str, timestamp_ms: int, token: str) -> Call:
        """Cancel in any state (`lua/cancel.lua`); the reply names what it led to."""
        own = " failed * metrics:failed marker completed waiting-children"
        return (
            own_script("cancel"),
            self._named(_FETCHING + own, job_id),
            (
                job_id,
                timestamp_ms,
                CANCELLED_REASON,
                self._base,
                token,
                cancel_channel(self.keys.queue),
                pack([ERROR_CODE, CANCELLED_CODE]),
            ),
        )

    def remove(self, job_id: str, *, children: bool = True) -> Call:
        """Remove a job and its data: 1 done, 0 locked, negative refused."""
        args = (job_id, int(children), self._base)
        return bullmq_script("removeJob"), self._named("* repeat", job_id), args

    def reprocess(
        self, job_id: str, state: Literal["failed", "completed"], *, lifo: bool, reset: bool
    ) -> Call:
        """Put a finished job back in line: 1 done, negative refused."""
        keys = self._named(f"* events {state} wait meta active marker prioritized pc", job_id)
        field = "failedReason" if state == "failed" else "returnvalue"
        flag = int(reset)
        args = (job_id, "RPUSH" if lifo else "LPUSH", field, state, flag, flag)
        return bullmq_script("reprocessJob"), keys, args

    def pause(self, *, paused: bool) -> Call:
        """Pause or resume; the reply is how many legacy paused jobs are still to be moved."""
        lists = "wait paused" if paused else "paused wait"
        keys = self._named(f"{lists} meta prioritized events delayed marker")
        return bullmq_script("pause"), keys, ("paused" if paused else "resumed",)

    def clean(self, state: str, before_ms: int, limit: int) -> Call:
        """Remove jobs of a state that are older than a moment; the reply lists their ids."""
        keys = self._named(f"{state} events repeat")
        return bullmq_script("cleanJobsInSet"), keys, (self._base, before_ms, limit, state)

    def drain(self, *, delayed: bool) -> Call:
        """Remove everything that waits."""
        keys = self._named("wait paused delayed prioritized repeat")
        return bullmq_script("drain"), keys, (self._base, int(delayed))

    def obliterate(self, count: int, *, force: bool) -> Call:
        """Destroy a paused queue, `count` jobs at a time: 1 more to do, 0 done, negative no."""
        keys = (*self._named("meta"), self._base)
        return bullmq_script("obliterate"), keys, (count, "force" if force else "")

    # Reading

    def state(self, job_id: str) -> Call:
        """The name of the state a job is in, or `unknown`."""
        return bullmq_script("getStateV2"), self._states, (job_id,)

    def snapshot(self, job_id: str) -> Call:
        """State, hash and place in line at one moment (`lua/snapshot.lua`)."""
        keys = (*self._states, *self._named("*", job_id))
        return own_script("snapshot"), keys, (job_id,)

    def counts(self, states: Sequence[str]) -> Call:
        """How many jobs each state holds."""
        return bullmq_script("getCounts"), (self._base,), states

    # Working

    def take(self, timestamp_ms: int, options: WorkOptions) -> Call:
        """Take the next job with `fetch_options`. The reply is what moveToActive's is."""
        args = (self._base, timestamp_ms, options.packed, *options.plain)
        return own_script("take"), self._to_take, args

    def finish(
        self,
        job_id: str,
        timestamp_ms: int,
        target: Literal["completed", "failed"],
        value: str,
        options: WorkOptions,
        fields: Fields,
        *,
        fetch_next: bool,
    ) -> Call:
        """End a running job, and take another in the same step where `fetch_next` says so.

        `options` are `finish_options`; the reply is 0, a refusal, or as of `take`.
        """
        before, after = self._to_finish[target]
        keys = (*before, self._base + job_id.encode(), *after)
        args = (
            job_id,
            timestamp_ms,
            "returnvalue" if target == "completed" else "failedReason",
            value,
            target,
            b"1" if fetch_next else b"",
            self._base,
            options.packed,
            _pack_fields(fields),
            *options.plain,
        )
        return own_script("finish"), keys, args

    def completion(self, job_id: bytes, timestamp_ms: int, value: bytes, options: bytes) -> bytes:
        """The encoded `finish` of a job that completed, which takes another in the same step.

        `options` are `WorkOptions.encoded`. The same bytes as `finish` leads to, in a fifth of
        the time.
        """
        if not self._completion:
            self._completion = self._completion_template()
        key, moment = self._base + job_id, b"%d" % timestamp_ms
        return self._completion % (
            len(key), key, len(job_id), job_id, len(moment), moment, len(value), value, options,
        )  # fmt: skip

    def _completion_template(self) -> bytes:
        job_id, moment, value, options = "\0", -1, "\1", WorkOptions(b"\2", _NOT_PLAIN)
        script, keys, args = self.finish(
            job_id, moment, "completed", value, options, {}, fetch_next=True
        )
        holes = (self.keys.job(job_id), job_id, moment, value)
        whole = template((b"EVALSHA", script.sha, len(keys), *keys, *args), holes)
        return whole.removesuffix(options.encoded()) + b"%b"

    def retry(
        self, job_id: str, timestamp_ms: int, token: str, fields: Fields, *, lifo: bool
    ) -> Call:
        """Put a running job back in line for another attempt now."""
        keys = self._named(
            "active wait paused * meta events delayed prioritized pc marker stalled", job_id
        )
        args = (self._base, timestamp_ms, "RPUSH" if lifo else "LPUSH", job_id, token)
        return bullmq_script("retryJob"), keys, (*args, _pack_fields(fields))

    def delay(
        self,
        job_id: str,
        timestamp_ms: int,
        token: str,
        delay_ms: int,
        fields: Fields,
        options: WorkOptions | None = None,
    ) -> Call:
        """Put a running job aside for another attempt in `delay_ms`.

        With `options` (`fetch_options`) another job is taken in the same step.
        """
        keys = self._named(
            "marker active prioritized delayed * events meta stalled wait limiter pc", job_id
        )
        args: tuple[Arg, ...] = (self._base, timestamp_ms, job_id, token, delay_ms, 0)
        args = (*args, _pack_fields(fields))
        args = (*args, 1, options.packed) if options is not None else (*args, 0)
        return bullmq_script("moveToDelayed"), keys, args

    def hand_back(self, job_id: str, token: str) -> Call:
        """Give a taken job back to the front of the line; it counts as no attempt."""
        keys = self._named("active wait stalled paused meta limiter prioritized marker events")
        args = (job_id, token, self.keys.job(job_id))
        return bullmq_script("moveJobFromActiveToWait"), keys, args

    def extend_locks(self, held: Mapping[str, str], lock_duration_ms: int) -> Call:
        """Renew the locks of `held` (job id to token); the reply lists ids that are lost."""
        args = (self._base, pack(list(held.values())), pack(list(held)), lock_duration_ms)
        return bullmq_script("extendLocks"), self._named("stalled"), args

    def rescue_stalled(self, timestamp_ms: int, interval_ms: int, max_stalled: int) -> Call:
        """Put jobs whose worker vanished back in line; the reply lists their ids."""
        keys = self._named("stalled wait active stalled-check meta paused marker events repeat")
        args = (max_stalled, self._base, timestamp_ms, interval_ms)
        return bullmq_script("moveStalledJobsToWait"), keys, args

    def progress(self, job_id: str, value: str) -> Call:
        """Store and announce progress (JSON text): 0 done, -1 no such job."""
        keys = self._named("* events meta", job_id)
        return bullmq_script("updateProgress"), keys, (job_id, value)

    def log(self, job_id: str, line: str) -> Call:
        """Append a line to a job's log: -1 no such job."""
        keys = self._named("* *:logs", job_id)
        return bullmq_script("addLog"), keys, (job_id, line, LOG_LINES_KEPT)

    # Changing what waits

    def promote(self, job_id: str) -> Call:
        """Put a delayed job in line now: 0 done, -3 it is not delayed."""
        keys = self._named("delayed wait paused meta prioritized active pc events marker")
        return bullmq_script("promote"), keys, (self._base, job_id)

    def change_priority(self, job_id: str, priority: int, *, lifo: bool) -> Call:
        """Change a job's priority, moving it where it waits: 0 done, -1 no such job."""
        keys = self._named("wait paused meta prioritized active pc marker")
        return bullmq_script("changePriority"), keys, (priority, self._base, job_id, int(lifo))

    def update_data(self, job_id: str, data: str) -> Call:
        """Replace a job's data (JSON text): 0 done, -1 no such job."""
        return bullmq_script("updateData"), self._named("*", job_id), (data,)


def fetch_options(
    token: str, lock_duration_ms: int, limiter: tuple[int, int] | None, worker_name: str | None
) -> WorkOptions:
    """What a take is done with. `limiter` is at most so many jobs in so many milliseconds."""
    options = _fetch_options(token, lock_duration_ms, limiter, worker_name)
    return WorkOptions(pack(options), _plain(options) or _NOT_PLAIN[:3])


def finish_options(
    token: str,
    lock_duration_ms: int,
    limiter: tuple[int, int] | None,
    worker_name: str | None,
    *,
    keep: Mapping[str, int],
    attempts: int,
    stored: Mapping[str, Any],
) -> WorkOptions:
    """What a finish is done with: retention, attempts allowed, the job's stored options."""
    options = _fetch_options(token, lock_duration_ms, limiter, worker_name)
    plain = _plain(options)
    options.update(keepJobs=dict(keep), attempts=_bounded(attempts), maxMetricsSize="")
    for short in ("fpof", "cpof", "idof", "rdof"):
        options[short] = bool(stored.get(short, False))
    age_s, count = keep.get("age"), keep.get("count", -1)
    if not plain or count == 0 or (age_s is not None and age_s <= 0):
        return WorkOptions(pack(options), _NOT_PLAIN)
    kept = ("" if age_s is None else age_s, count if count > 0 else "")
    return WorkOptions(pack(options), (*plain, *kept))


def retention(remove: object) -> Mapping[str, int]:
    """`removeOnComplete` or `removeOnFail` as the scripts want it (job.py `getKeepJobs`)."""
    if isinstance(remove, bool) or remove is None:
        return {"count": 0 if remove else -1}
    if isinstance(remove, Mapping):
        return {key: _bounded(value) for key, value in remove.items() if _is_number(value)}
    return {"count": _bounded(remove)} if _is_number(remove) else {"count": -1}


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not math.isnan(value)


def _bounded(value: int | float) -> int:
    """What the scripts can count to: producers write the largest numbers they know for "all"."""
    return int(max(min(value, _LARGEST), -1))


def _fetch_options(
    token: str, lock_duration_ms: int, limiter: tuple[int, int] | None, worker_name: str | None
) -> dict[str, Any]:
    options: dict[str, Any] = {"token": token, "lockDuration": lock_duration_ms}
    if limiter is not None:
        options["limiter"] = {"max": limiter[0], "duration": limiter[1]}
    if worker_name is not None:
        options["name"] = worker_name
    return options


def _pack_fields(fields: Fields) -> bytes:
    return pack([part for item in fields.items() for part in item]) if fields else b""


def _plain(options: Mapping[str, Any]) -> tuple[Arg, ...]:
    """Token, lock duration and worker's name; nothing where they do not say it all."""
    token, name = options["token"], options.get("name")
    # Theirs locks nothing for the token 0, and tells apart an empty name and none.
    if token in ("", "0") or name == "" or "limiter" in options:
        return ()
    return token, options["lockDuration"], name or ""
