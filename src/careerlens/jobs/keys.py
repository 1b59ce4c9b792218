"""Our own keys in Redis, beside BullMQ's: one place that spells them.

Everything of one user carries one hash tag, so that a cluster keeps it on one shard. `{u}` below
is the encoded user id, braces included.

careerlens:{u}:live        sorted set of `{queue}/{jobId}` by creation time: the user's live jobs
careerlens:{u}:feed        stream of what happened to the user's jobs
careerlens:{u}:told        hash of how far each queue's events are in the feed, on a cluster
careerlens:{u}:wake        channel that says the feed has grown
careerlens:{u}:stream:…    stream of the text that a job has written
careerlens:{u}:text:…      channel that says that text has grown
careerlens:{u}:upload:…    an uploaded file
careerlens:{u}:idem:…      the answer to a request with an Idempotency-Key
careerlens:ticket:…        whom a one-time ticket was given to
careerlens:queues          set of the names of queues that have been used
careerlens:workers         sorted set of worker processes by when they were last heard of
careerlens:workers:{q}     the same of one queue, each with how many jobs it runs at a time
"""

from __future__ import annotations

from careerlens.jobs.ids import encode_user

QUEUES_KEY = "careerlens:queues"
WORKERS_KEY = "careerlens:workers"


def live_key(user_id: str) -> str:
    """Sorted set of the user's live jobs; members as `live_member` makes them."""
    return _user_key(user_id, "live")


def feed_key(user_id: str) -> str:
    """Stream of the user's feed."""
    return _user_key(user_id, "feed")


def told_key(user_id: str) -> str:
    """Hash of the last event of each queue that was told in the user's feed."""
    return _user_key(user_id, "told")


def wake_channel(user_id: str) -> str:
    """Channel on which the newest feed id is published."""
    return _user_key(user_id, "wake")


def text_key(user_id: str, job_id: str) -> str:
    """Stream of the text that the job has written."""
    return _user_key(user_id, f"stream:{job_id}")


def text_channel(user_id: str, job_id: str) -> str:
    """Channel that says that the job has written more text."""
    return _user_key(user_id, f"text:{job_id}")


def upload_key(user_id: str, key: str) -> str:
    """String with the bytes of an uploaded file."""
    return _user_key(user_id, f"upload:{key}")


def idempotency_key(user_id: str, digest: str) -> str:
    """String that remembers what a request with this Idempotency-Key led to."""
    return _user_key(user_id, f"idem:{digest}")


def ticket_key(digest: str) -> str:
    """String that tells whom the one-time ticket with this digest was given to."""
    return f"careerlens:ticket:{digest}"


def queue_workers_key(queue: str) -> str:
    """Sorted set of a queue's worker processes; members as `jobs/pace.py` makes them."""
    return f"{WORKERS_KEY}:{{{queue}}}"


def live_member(queue: str, job_id: str) -> str:
    """The member of the live index for this job."""
    return f"{queue}/{job_id}"


def split_live_member(member: str) -> tuple[str, str]:
    """The queue and the job id of a member; queue names hold no `/`."""
    queue, _, job_id = member.partition("/")
    return queue, job_id


def _user_key(user_id: str, suffix: str) -> str:
    return f"careerlens:{{{encode_user(user_id)}}}:{suffix}"
