"""uvicorn as the gateway needs it: bounded heads, and websockets of our own."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn

from careerlens.foundation.errors import ConfigurationError
from careerlens.realtime.heads import BoundedHttp
from careerlens.realtime.websocket import Websocket

_BACKLOG = 2_048
_SOCKETS = 24_576
_GRACE_S = 3


class Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it; stop it by `stop()`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the command's business."""
        yield

    def stop(self) -> None:
        """Take no more connections, close those that are open, then return from `serve`."""
        self.should_exit = True


def make_server(gateway: Any) -> Server:
    """A server for the gateway, which is an ASGI application and a `Door` for websockets."""
    websocket: Any = partial(Websocket, gateway)
    return Server(
        uvicorn.Config(
            gateway,
            http=BoundedHttp,
            ws=websocket,
            interface="asgi3",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )


def listen(host: str, port: int, *, variable: str = "SOCKET_PORT") -> socket.socket:
    """A listening socket. Raises `ConfigurationError` when the address cannot be had.

    `variable` is the setting to name then.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigurationError(
            variable,
            f"port {port} of {host} cannot be used ({error.strerror}).",
            "Stop what listens there, or choose another port.",
        ) from error
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def allow_many_sockets() -> None:
    """Let this process have as many sockets open as the system lets anybody raise it to."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _SOCKETS if hard == resource.RLIM_INFINITY else min(_SOCKETS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def serve_until_cancelled(
    server: Server, listener: socket.socket, *, before_stop: Callable[[], Awaitable[None]]
) -> None:
    """Serve; when cancelled, await `before_stop`, close what is open, then leave."""
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
    try:
        await asyncio.shield(serving)
    finally:
        if not serving.done():
            await before_stop()
        server.stop()
        await serving
