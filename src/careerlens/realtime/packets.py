"""Socket.IO packets (protocol 5) as they stand inside Engine.IO messages: text only.

    <type>[/namespace,][ack id][JSON]        2["unsubscribe:job","id"]        27["auth:renew",{…}]

Binary packets (types 5 and 6) announce attachments that a server would have to keep; nothing of
ours needs them, so they are malformed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import orjson

MAX_ACK_DIGITS = 15
_ROOT = "/"


class PacketType(IntEnum):
    """What a packet is for."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4


class MalformedPacketError(ValueError):
    """The text is no Socket.IO packet that we take."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. `data` is None where there is no JSON."""

    type: PacketType
    namespace: str = _ROOT
    ack: int | None = None
    data: Any = None


def decode(text: str) -> Packet:
    """Read a packet. Raises `MalformedPacketError`."""
    if not text or text[0] not in "01234":
        raise MalformedPacketError("unknown packet type")
    kind = PacketType(int(text[0]))
    at, namespace = 1, _ROOT
    if text[at : at + 1] == "/":
        end = text.find(",", at)
        end = len(text) if end < 0 else end
        namespace, at = text[at:end].partition("?")[0], end + 1
    start = at
    while at < len(text) and text[at] in "0123456789":
        at += 1
    if at - start > MAX_ACK_DIGITS:
        raise MalformedPacketError("the acknowledgement id is too long")
    ack = int(text[start:at]) if at > start else None
    return Packet(kind, namespace, ack, _json(text[at:]) if at < len(text) else None)


def event(name: str, payload: Any) -> str:
    """An event of ours with one argument."""
    return f"2{orjson.dumps([name, payload]).decode()}"


def event_of_json(name: str, payload: str) -> str:
    """As `event`, where the argument is JSON text already."""
    return f'2["{name}",{payload}]'


def acknowledgement(ack: int, answer: Any) -> str:
    """The answer to an event that asked for one."""
    return f"3{ack}{orjson.dumps([answer]).decode()}"


def connected(sid: str) -> str:
    """The client is in."""
    return f"0{orjson.dumps({'sid': sid}).decode()}"


def refused(code: str, message: str, *, namespace: str = _ROOT) -> str:
    """The client is not let in.

    `code` and `message` stand where each client library looks: browsers show `message` and hand
    over `data`, others hand over the whole.
    """
    body = {"message": message, "code": code, "data": {"message": message, "code": code}}
    prefix = "" if namespace == _ROOT else f"{namespace},"
    return f"4{prefix}{orjson.dumps(body).decode()}"


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedPacketError("the payload is not JSON") from error
