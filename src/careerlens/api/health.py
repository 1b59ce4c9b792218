"""Whether this process lives, and whether it can serve."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from careerlens.api.services import Services, ServicesDep
from careerlens.foundation.errors import CareerLensError
from careerlens.foundation.health import LIVE, Condition, Health, word, works
from careerlens.jobs.pace import live_workers

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", operation_id="isLive")
async def is_live() -> Response:
    """Whether the process answers at all."""
    return _answer(LIVE)


@router.get("/ready", operation_id="isReady", responses={503: {"description": "Not ready"}})
async def is_ready(services: ServicesDep) -> Response:
    """Whether requests can be served: 503 without Redis.

    `degraded` still serves: without the archive there is no history, without workers jobs wait.
    """
    redis, archive, workers = await asyncio.gather(
        works(lambda: services.link.call("PING")),
        works(services.archive.check),
        _count_workers(services),
    )
    if not redis:
        condition = Condition.NOT_READY
    else:
        condition = Condition.READY if archive and workers > 0 else Condition.DEGRADED
    checks: dict[str, str | int] = {
        "redis": word(redis),
        "archive": word(archive),
        "workers": workers,
    }
    return _answer(Health(condition=condition, checks=checks))


async def _count_workers(services: Services) -> int:
    try:
        return await live_workers(services.link)
    except CareerLensError:
        return 0


def _answer(health: Health) -> Response:
    return JSONResponse(health.as_wire(), status_code=health.http_status)
