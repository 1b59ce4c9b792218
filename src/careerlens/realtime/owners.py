"""Who is to be told about a job, remembered for the jobs whose id does not say it."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from careerlens.jobs.ids import parse_job_id
from careerlens.jobs.owner import owner_of
from careerlens.wire.keys import QueueKeys
from careerlens.wire.link import Link

CACHE_SIZE = 50_000


class Owners:
    """Resolves the owners of one queue's jobs, in one round trip for those not known yet.

    A foreign producer's job names its owner in its data, which may be large: it is read once and
    only the name is kept, for the `size` jobs used last. A job that names nobody has no owner.
    """

    def __init__(self, link: Link, keys: QueueKeys, *, size: int = CACHE_SIZE) -> None:
        self._link = link
        self._keys = keys
        self._size = size
        self._known: OrderedDict[str, str | None] = OrderedDict()

    async def resolve(self, job_ids: Iterable[str]) -> dict[str, str | None]:
        """The owner of each job, None where there is none to be found."""
        owners: dict[str, str | None] = {}
        unknown: list[str] = []
        for job_id in dict.fromkeys(job_ids):
            if (ours := parse_job_id(job_id)) is not None:
                owners[job_id] = ours.user_id
            elif job_id in self._known:
                self._known.move_to_end(job_id)
                owners[job_id] = self._known[job_id]
            else:
                unknown.append(job_id)
        return owners | await self._look_up(unknown)

    async def _look_up(self, job_ids: list[str]) -> dict[str, str | None]:
        if not job_ids:
            return {}
        stored = await self._link.call_many(
            [("HGET", self._keys.job(job_id), "data") for job_id in job_ids]
        )
        found: dict[str, str | None] = {}
        for job_id, data in zip(job_ids, stored, strict=True):
            found[job_id] = owner_of(job_id, _object(data))
            if data is not None:
                self._remember(job_id, found[job_id])
        return found

    def _remember(self, job_id: str, owner: str | None) -> None:
        self._known[job_id] = owner
        if len(self._known) > self._size:
            self._known.popitem(last=False)


def _object(text: bytes | None) -> dict[str, Any] | None:
    try:
        value = json.loads(text or b"null")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
