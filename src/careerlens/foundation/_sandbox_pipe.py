"""What goes through the pipes between `run_isolated` and its child, and its form on both sides.

Frames of four bytes of length, then JSON: one request, then any number of messages and one
outcome. Bytes and Pydantic models travel as arguments only; answers are JSON and nothing else,
since what answers may have been taken over by the document it reads.
"""

from __future__ import annotations

import base64
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

LENGTH_BYTES: Final = 4


def frame(value: Any) -> bytes:
    """`value` as one frame. Raises `TypeError` or `ValueError` for what JSON cannot say."""
    body = json.dumps(value, allow_nan=False).encode()
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def prepare(argument: Any) -> Any:
    """An argument in a form that JSON can carry; `restore` is its other half."""
    if isinstance(argument, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(argument).decode()}
    if hasattr(argument, "model_dump"):
        kind = type(argument)
        module = sys.modules.get(kind.__module__)
        return {
            "$model": [kind.__module__, kind.__qualname__],
            "file": getattr(module, "__file__", None),
            "value": prepare(argument.model_dump(mode="json", by_alias=True)),
        }
    if isinstance(argument, Mapping):
        return {"$object": {key: prepare(value) for key, value in argument.items()}}
    if isinstance(argument, list | tuple):
        return [prepare(value) for value in argument]
    return argument


def restore(argument: Any) -> Any:
    """An argument as the caller gave it: see `prepare`, its other half."""
    if isinstance(argument, dict):
        if "$bytes" in argument:
            return base64.b64decode(argument["$bytes"])
        if "$model" in argument:
            module, name = argument["$model"]
            return find_function(module, argument["file"], name).model_validate(  # type: ignore[attr-defined]
                restore(argument["value"])
            )
        return {key: restore(value) for key, value in argument["$object"].items()}
    if isinstance(argument, list):
        return [restore(value) for value in argument]
    return argument


def present(value: Any) -> Any:
    """A result as JSON: Pydantic models by their wire names, anything else as it is."""
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", by_alias=True) if callable(dump) else value


def find_function(module: str, file: str | None, name: str) -> Callable[..., Any]:
    """The function that the parent named. `file` serves for modules that no import path reaches."""
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError:
        if file is None:
            raise
        spec = importlib.util.spec_from_file_location(module, file)
        if spec is None or spec.loader is None:
            raise
        found = importlib.util.module_from_spec(spec)
        sys.modules[module] = found
        spec.loader.exec_module(found)
    for part in name.split("."):
        found = getattr(found, part)
    function: Callable[..., Any] = found
    return function
