"""What the protocol itself can say no with.

WireError
├── CommandRejectedError    the server answered a command with an error
└── ScriptRefusedError      a script of the protocol answered with a negative code
"""

from __future__ import annotations

from enum import IntEnum

from careerlens.foundation.errors import CareerLensError


class Refusal(IntEnum):
    """Negative answers of BullMQ's scripts (its `ErrorCode`, version 3.4.4)."""

    JOB_MISSING = -1
    LOCK_MISSING = -2
    NOT_IN_STATE = -3
    PENDING_CHILDREN = -4
    PARENT_MISSING = -5
    LOCK_OF_ANOTHER = -6
    PARENT_NOT_REPLACEABLE = -7
    BELONGS_TO_SCHEDULER = -8
    FAILED_CHILDREN = -9
    SCHEDULED_ID_TAKEN = -10
    SCHEDULED_IDS_TAKEN = -11


class WireError(CareerLensError):
    """The queue's server, or a script of the protocol, refused a call."""


class CommandRejectedError(WireError):
    """The server answered a command with an error; `reply` is its text."""

    def __init__(self, reply: str) -> None:
        hint = (
            " (it is a node of a cluster: write redis+cluster://)" if _is_of_cluster(reply) else ""
        )
        super().__init__(f"The server refused a command: {reply}{hint}")
        self.reply = reply


class ScriptRefusedError(WireError):
    """A script of the protocol refused: `refusal` says why, `job_id` for which job."""

    def __init__(self, script: str, refusal: Refusal, job_id: str) -> None:
        reason = refusal.name.lower().replace("_", " ")
        super().__init__(f"{script} refused job {job_id!r}: {reason} ({refusal.value}).")
        self.script = script
        self.refusal = refusal
        self.job_id = job_id


def _is_of_cluster(reply: str) -> bool:
    return reply.startswith(("MOVED ", "CROSSSLOT"))
