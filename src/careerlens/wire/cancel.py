"""How a cancellation is written: BullMQ has no word for it, so these are ours.

A cancelled job is a failed one with `CANCELLED_REASON`, so that every BullMQ tool can read it.
A running one carries a mark on its hash, and its id is published to the workers of its queue.
"""

from __future__ import annotations

CANCELLED_REASON = "Cancelled at the owner's request."
CANCELLED_CODE = "cancelled"
CANCEL_MARK = "cancelRequestedAt"
ERROR_CODE = "errorCode"


def cancel_channel(queue: str) -> str:
    """The pub/sub channel on which workers of a queue hear ids of jobs to cancel."""
    return f"careerlens:cancel:{queue}"
