"""Frames of a websocket (RFC 6455) as the gateway writes and reads them: text, uncompressed.

What a client is told is encoded once, for all who are told it: as the very bytes of its frame.
Long-polling takes the packet out of them again.
"""

from __future__ import annotations

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FINAL = 0x80
MAX_CONTROL_BYTES = 125
_TWO_BYTES, _EIGHT_BYTES = 126, 127


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """The frame of a whole message, from us to a client."""
    size = len(payload)
    if size < _TWO_BYTES:
        return bytes((FINAL | opcode, size)) + payload
    if size < 1 << 16:
        return bytes((FINAL | opcode, _TWO_BYTES)) + size.to_bytes(2, "big") + payload
    return bytes((FINAL | opcode, _EIGHT_BYTES)) + size.to_bytes(8, "big") + payload


def text_frame(packet: str) -> bytes:
    """The frame of an Engine.IO packet."""
    return frame(packet.encode())


def payload_of(whole: bytes) -> bytes:
    """What a frame of `frame` carries."""
    start = {_TWO_BYTES: 4, _EIGHT_BYTES: 10}.get(whole[1], 2)
    return whole[start:]


def close_frame(code: int, reason: str) -> bytes:
    """The frame that says goodbye, and why."""
    text = reason.encode()[: MAX_CONTROL_BYTES - 2].decode(errors="ignore").encode()
    return frame(code.to_bytes(2, "big") + text, CLOSE)


def unmasked(payload: bytes, key: bytes) -> bytes:
    """What a client meant whose frame was masked with the four bytes of `key`."""
    size = len(payload)
    mask = (key * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "little") ^ int.from_bytes(mask, "little")
    return mixed.to_bytes(size, "little")
