"""Writes that are made in one go, and leave in one go.

An answer's head and its body are two writes to uvicorn. Each would be sent at once, and each wakes
whoever waits at the other end, which costs more than making the answer.
"""

from __future__ import annotations

import asyncio
from typing import Any


class GatheringTransport(asyncio.Transport):
    """A transport that sends what is written in one turn of the event loop together.

    Nothing waits longer than that turn, so that the limits of the transport itself hold.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.unwrapped = transport
        self._loop = loop
        self._written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send when the turn is over."""
        if not self._written:
            self._loop.call_soon(self.flush)
        self._written.append(bytes(data))

    def flush(self) -> None:
        """Send now what was written."""
        if self._written:
            written, self._written = self._written, []
            self.unwrapped.write(b"".join(written))

    def close(self) -> None:
        """Send what was written, then close."""
        self.flush()
        self.unwrapped.close()

    def abort(self) -> None:
        """Close at once; what was written is lost."""
        self._written.clear()
        self.unwrapped.abort()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self.unwrapped.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As the transport itself."""
        return self.unwrapped.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """As the transport itself."""
        self.unwrapped.pause_reading()

    def resume_reading(self) -> None:
        """As the transport itself."""
        self.unwrapped.resume_reading()
