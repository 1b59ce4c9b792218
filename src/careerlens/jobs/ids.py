"""Job ids and who owns them.

Our ids read `{userId}:{type}:{createdAtMs}:{random}`. The user part is percent-encoded, so it
never holds `:`; the random part holds 96 bits. Ids are made by the server and never taken from
a client: an id such as `wait` would destroy its queue, since BullMQ keeps job keys and the
queue's own keys in one namespace.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from careerlens.foundation.chance import random_name
from careerlens.foundation.clock import epoch_ms
from careerlens.foundation.users import is_valid_user_id

JOB_TYPE_PATTERN = re.compile(r"^[a-z][a-z0-9-]{0,63}\Z")
# BullMQ gives a meaning to what stands before an id's first colon: `0:` is a marker that its
# scripts throw away, the others name keys of the queue itself.
_TAKEN_BY_BULLMQ = frozenset({"0", "repeat", "de", "dn", "metrics"})
_OUR_ID = re.compile(
    r"^(?P<user>[A-Za-z0-9_.~%-]{1,1536}):(?P<type>[a-z][a-z0-9-]{0,63})"
    r":(?P<created>[1-9][0-9]{0,15}):(?P<random>[A-Za-z0-9_-]{11,32})\Z"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class JobId:
    """One of our ids, taken apart. `user_id` is decoded; `created_at_ms` is epoch milliseconds."""

    user_id: str
    job_type: str
    created_at_ms: int
    random: str

    def __str__(self) -> str:
        return f"{encode_user(self.user_id)}:{self.job_type}:{self.created_at_ms}:{self.random}"


@lru_cache(maxsize=4_096)
def encode_user(user_id: str) -> str:
    """`user_id` as it stands in ids and keys: percent-encoded, so without `:`, `{` or spaces."""
    if user_id in _TAKEN_BY_BULLMQ:
        return f"%{ord(user_id[0]):02X}{user_id[1:]}"
    return quote(user_id, safe="")


def new_job_id(user_id: str, job_type: str, *, now_ms: int | None = None) -> JobId:
    """A fresh id for a job of `job_type` that belongs to `user_id`.

    Raises `ValueError` when either cannot stand in an id.
    """
    if not is_valid_user_id(user_id):
        raise ValueError(f"not a user id: {user_id!r}")
    if not JOB_TYPE_PATTERN.match(job_type):
        raise ValueError(f"not a job type: {job_type!r}")
    return JobId(
        user_id=user_id,
        job_type=job_type,
        created_at_ms=now_ms if now_ms is not None else epoch_ms(),
        random=random_name(),
    )


@lru_cache(maxsize=2_048)  # of each job there is more than one event to tell
def parse_job_id(text: str) -> JobId | None:
    """Take one of our ids apart; None when it is malformed, or was made by a foreign producer.

    Only the canonical spelling counts: an id that decodes to the same user but is spelled
    otherwise names no job.
    """
    match = _OUR_ID.match(text)
    if match is None:
        return None
    try:
        user_id = unquote(match["user"], errors="strict")
    except UnicodeDecodeError:
        return None
    if not is_valid_user_id(user_id) or encode_user(user_id) != match["user"]:
        return None
    return JobId(
        user_id=user_id,
        job_type=match["type"],
        created_at_ms=int(match["created"]),
        random=match["random"],
    )
