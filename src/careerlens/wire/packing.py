"""How values are written: strict JSON for people's data, msgpack for the scripts' options."""

from __future__ import annotations

import json
import threading
from json.encoder import encode_basestring_ascii
from typing import Any

import msgpack

_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
# What `_encoder` makes anew for every value, but without its list of what encloses a value.
_make_parts: Any = getattr(json.encoder, "c_make_encoder", None)
_parts = _make_parts and _make_parts(
    None, _encoder.default, encode_basestring_ascii, None, ":", ",", False, False, False
)


class _Packer(threading.local):
    """Packers are costly to make, and each belongs to one thread."""

    def __init__(self) -> None:
        self.pack = msgpack.Packer(use_bin_type=True).pack


_packer = _Packer()


def strict_json(value: Any) -> str:
    """JSON text without NaN or infinities, as BullMQ's own packages write it.

    Raises `TypeError` or `ValueError` for what JSON cannot say, also for endless nesting.
    """
    try:
        return "".join(_parts(value, 0)) if _parts else _encoder.encode(value)
    except RecursionError:
        return _deep_json(value)


def _deep_json(value: Any) -> str:
    try:
        return _encoder.encode(value)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def pack(value: Any) -> bytes:
    """Msgpack, as the scripts unpack it."""
    packed: bytes = _packer.pack(value)
    return packed
