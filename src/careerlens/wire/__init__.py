"""BullMQ's protocol, and nothing above it: keys, scripts, packing, connections, events.

This is the only package that knows how the queue is written down. See `calls` for what can be
asked of a queue, `link` for how it is sent, `events` for how a queue's history is read, `lease`
for who may follow it.
"""

from careerlens.wire.calls import QueueCalls
from careerlens.wire.cancel import CANCELLED_CODE, CANCELLED_REASON, cancel_channel
from careerlens.wire.errors import (
    CommandRejectedError,
    Refusal,
    ScriptRefusedError,
    WireError,
)
from careerlens.wire.events import (
    START,
    EventReader,
    EventStreams,
    Gap,
    GapKind,
    QueueEvent,
    last_position,
    stream_position,
)
from careerlens.wire.keys import QueueKeys, is_safe_job_id
from careerlens.wire.lease import Lease, LeaseLostError
from careerlens.wire.link import Link
from careerlens.wire.opening import open_link
from careerlens.wire.scripts import BULLMQ_VERSION, Script, verify_scripts

__all__ = [
    "BULLMQ_VERSION",
    "CANCELLED_CODE",
    "CANCELLED_REASON",
    "START",
    "CommandRejectedError",
    "EventReader",
    "EventStreams",
    "Gap",
    "GapKind",
    "Lease",
    "LeaseLostError",
    "Link",
    "QueueCalls",
    "QueueEvent",
    "QueueKeys",
    "Refusal",
    "Script",
    "ScriptRefusedError",
    "WireError",
    "cancel_channel",
    "is_safe_job_id",
    "last_position",
    "open_link",
    "stream_position",
    "verify_scripts",
]
