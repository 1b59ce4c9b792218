"""How values are written: strict JSON for people's data, msgpack for the scripts' options."""

from __future__ import annotations

import json
from typing import Any

import msgpack

_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def strict_json(value: Any) -> str:
    """JSON text without NaN or infinities, as BullMQ's own packages write it.

    Raises `TypeError` or `ValueError` for what JSON cannot say, also for endless nesting.
    """
    try:
        return _encoder.encode(value)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def pack(value: Any) -> bytes:
    """Msgpack, as the scripts unpack it."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed
