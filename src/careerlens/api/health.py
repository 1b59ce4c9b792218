"""Whether this process lives, and whether it can serve."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from careerlens.api.services import Services, ServicesDep
from careerlens.foundation.errors import ServiceUnavailableError
from careerlens.jobs.working import live_workers
from careerlens.wire.errors import WireError

CHECK_TIMEOUT_S = 1.8

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", operation_id="isLive")
async def is_live() -> dict[str, str]:
    """Whether the process answers at all."""
    return {"status": "live"}


@router.get("/ready", operation_id="isReady", responses={503: {"description": "Not ready"}})
async def is_ready(services: ServicesDep) -> Response:
    """Whether requests can be served: 503 without Redis.

    `degraded` still serves: without the archive there is no history, without workers jobs wait.
    """
    redis, archive, workers = await asyncio.gather(
        _works(lambda: services.link.call("PING")),
        _works(services.archive.check),
        _count_workers(services),
    )
    is_whole = archive and workers > 0
    status = ("ready" if is_whole else "degraded") if redis else "not ready"
    checks = {
        "redis": "ok" if redis else "unavailable",
        "archive": "ok" if archive else "unavailable",
        "workers": workers,
    }
    return JSONResponse({"status": status, "checks": checks}, status_code=200 if redis else 503)


async def _works(check: Callable[[], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except (ServiceUnavailableError, WireError, TimeoutError):
        return False
    return True


async def _count_workers(services: Services) -> int:
    try:
        return await live_workers(services.link)
    except (ServiceUnavailableError, WireError):
        return 0
