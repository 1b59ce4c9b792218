"""Makes and fills texts of jobs by the write side of Durable Streams, for its conformance suite.

Our API has no write side: handlers write. This puts one beside it, for tests alone: a stream is a
job that no worker takes, its text is written as a handler's is, and it is closed by cancelling
the job. Reading is passed on to the API as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from apis import RunningApi
from careerlens.api.services import Services
from careerlens.jobs.streams import JobText
from careerlens.realtime.server import Server, listen
from support import eventually
from tokens import token

_USER = "user-1"
_CLOSED = "stream-closed"


class StreamProducer:
    """The API of `api`, with streams to be made under `/v1/stream/`."""

    def __init__(self, api: RunningApi) -> None:
        self._api = api
        self._texts: dict[str, tuple[str, JobText]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in ("PUT", "POST"):
            response = await self._write(Request(scope, receive))
            await response(scope, receive, send)
            return
        job_id, _ = self._texts.get(scope["path"], (f"{_USER}:story:1:{'0' * 16}", None))
        path = f"/api/jobs/{job_id}/stream"
        authorization = (b"authorization", f"Bearer {token(_USER)}".encode())
        passed_on = {
            **scope,
            "path": path,
            "raw_path": quote(path).encode(),
            "headers": [*scope["headers"], authorization],
        }
        await self._api.app(passed_on, receive, send)

    async def _write(self, request: Request) -> Response:
        services: Services = self._api.app.state.services
        path = request.url.path
        is_new = path not in self._texts
        if is_new:
            created = await services.manager.create_job("story", {"pieces": []}, _USER)
            text = JobText(lambda call: services.link.run(*call), _USER, created.job_id)
            self._texts[path] = created.job_id, text
        job_id, text = self._texts[path]
        await text.write((await request.body()).decode())
        await text.close()
        if _CLOSED in request.headers:
            await services.manager.cancel_job(job_id, _USER)
        page = await services.texts.end(_USER, job_id)
        headers = {"Stream-Next-Offset": str(page.end), "Content-Type": "text/plain"}
        if page.is_closed:
            headers[_CLOSED] = "true"
        return Response(status_code=201 if is_new else 204, headers=headers)


@asynccontextmanager
async def running_producer(api: RunningApi) -> AsyncIterator[str]:
    """Serves a producer of `api` on a free port; its address."""
    listener = listen("127.0.0.1", 0)
    server = Server(uvicorn.Config(StreamProducer(api), lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await eventually(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop()
        await serving
        listener.close()
