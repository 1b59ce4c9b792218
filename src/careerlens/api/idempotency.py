"""Requests that may be repeated: the Idempotency-Key header (IETF draft 07).

    first request       claims the key, with the id that its job will have
    repeated, same      gets the first one's answer; 409 while the first still runs
    repeated, other     422: a key belongs to one payload

Should the process die between claiming and adding, a later repetition adds the job under the id
that was claimed, so that there is never a second one. Keys belong to their user and live a day.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Any

import orjson

from careerlens.api.bodies import JobForm
from careerlens.api.problems import ProblemError
from careerlens.foundation.clock import epoch_ms
from careerlens.jobs.ids import JobId, parse_job_id
from careerlens.jobs.keys import idempotency_key
from careerlens.wire.link import Link

KEY_SECONDS = 24 * 60 * 60
IN_FLIGHT_MS = 10_000
_KEY = re.compile(
    r'"(?P<quoted>[\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|(?P<bare>[\x21\x23-\x7e]{1,255})'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What stands under `key` (Redis's) for a request that asks for what `fingerprint` tells.

    `is_done`: the job was added, and its answer may be repeated.
    """

    key: str
    fingerprint: str
    job_id: JobId
    is_done: bool

    def record(self, *, is_done: bool) -> dict[str, Any]:
        """What is stored of it."""
        return {"fingerprint": self.fingerprint, "jobId": str(self.job_id), "done": is_done}


class IdempotencyRecords:
    """Remembers which request every key was used for."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def claim(self, user_id: str, header: str, form: JobForm, job_id: JobId) -> Claim:
        """Claim the key of the header for this request, or find what it was claimed for.

        Raises `ProblemError` when the key is malformed, in use by a request that still runs, or
        was used for another payload.
        """
        claim = Claim(
            key=idempotency_key(user_id, _digest(header)),
            fingerprint=_fingerprint(form),
            job_id=job_id,
            is_done=False,
        )
        now_ms = epoch_ms()
        record = orjson.dumps({**claim.record(is_done=False), "at": now_ms})
        claimed = await self._link.call("SET", claim.key, record, "NX", "EX", KEY_SECONDS)
        if claimed is not None:
            return claim
        earlier = await self._link.call("GET", claim.key)
        if earlier is None:
            # Whoever held it has just given it up.
            raise _in_flight()
        return _earlier(orjson.loads(earlier), claim, now_ms)

    async def finish(self, claim: Claim) -> None:
        """Note that the job of this request was added."""
        record = orjson.dumps(claim.record(is_done=True))
        await self._link.call("SET", claim.key, record, "EX", KEY_SECONDS)

    async def give_up(self, claim: Claim) -> None:
        """Free the key of a request that certainly led to nothing."""
        await self._link.call("DEL", claim.key)


def _earlier(record: dict[str, Any], claim: Claim, now_ms: int) -> Claim:
    if record["fingerprint"] != claim.fingerprint:
        raise ProblemError("idempotency-key-reused")
    if not record["done"] and now_ms - record["at"] < IN_FLIGHT_MS:
        raise _in_flight()
    job_id = parse_job_id(record["jobId"])
    assert job_id is not None, "the record holds an id of ours"
    return replace(claim, job_id=job_id, is_done=record["done"])


def _in_flight() -> ProblemError:
    return ProblemError("request-in-flight", headers={"Retry-After": "1"})


def _digest(header: str) -> str:
    found = _KEY.fullmatch(header.strip())
    if found is None:
        raise ProblemError(
            "malformed-request", "Idempotency-Key must be 1 to 255 printable ASCII characters."
        )
    return hashlib.sha256((found["quoted"] or found["bare"]).encode()).hexdigest()


def _fingerprint(form: JobForm) -> str:
    """What the request asks for, whatever the order and spacing of its JSON."""
    digest = hashlib.sha256(orjson.dumps(form.fields, option=orjson.OPT_SORT_KEYS))
    if form.file is not None:
        digest.update(b"\0" + hashlib.sha256(form.file.content).digest())
    return digest.hexdigest()
