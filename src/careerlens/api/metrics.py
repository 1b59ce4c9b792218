"""What Prometheus is told of this process and of the queues."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from careerlens.api.problems import ProblemError
from careerlens.api.services import ServicesDep
from careerlens.auth import was_forwarded
from careerlens.auth.scraping import Verdict
from careerlens.foundation.errors import AuthenticationError
from careerlens.foundation.metrics import CONTENT_TYPE, METRICS_PATH, gauge
from careerlens.realtime.measures import Measures, reader_metrics

router = APIRouter(tags=["health"])


@router.get(
    METRICS_PATH,
    operation_id="readMetrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, 401: {}, 404: {}},
)
async def read_metrics(request: Request, services: ServicesDep) -> Response:
    """Metrics in Prometheus's text format, for whoever has the token of `/metrics`."""
    relay = request.app.state.relay
    measures = Measures(services.settings, services.link, services.registry, relay=relay)
    client = request.client if not was_forwarded(request.headers) else None
    verdict = measures.rule.judge(
        request.headers.get("authorization"),
        peer=client.host if client is not None else None,
        host=request.headers.get("host"),
    )
    if verdict is Verdict.HIDDEN:
        raise ProblemError("not-found")
    if verdict is Verdict.UNPROVEN:
        raise AuthenticationError("Send CAREERLENS_METRICS_TOKEN as `Authorization: Bearer …`.")
    streams = gauge("careerlens_streams", "Event streams that are open", services.streams.count)
    text = await measures.text([streams, *reader_metrics(services.feed)])
    return Response(text, media_type=CONTENT_TYPE)
