"""The routes about jobs: create, list, status, cancel and history."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from careerlens.api.creating import POLL_AGAIN_S, answer_creation
from careerlens.api.deadlines import ANSWER_WITHIN_S, in_time
from careerlens.api.services import CallerDep, ServicesDep
from careerlens.jobs.manager import CANCEL_WAIT_S
from careerlens.jobs.model import (
    CancelResponse,
    JobCreatedResponse,
    JobStatusResponse,
    WireModel,
)

CREATION_PATH = "/api/jobs"
MAX_PAGE = 100

router = APIRouter(prefix="/api", tags=["jobs"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Repeat a request under the same key, and still only one job is created.",
    ),
]


class JobList(WireModel):
    """The caller's jobs that have not ended, newest first."""

    jobs: list[JobStatusResponse]


class JobHistory(WireModel):
    """A page of the caller's jobs, newest first. `next_cursor` leads to the next page, if any."""

    jobs: list[JobStatusResponse]
    next_cursor: str | None = None


class JobType(WireModel):
    """A kind of job that may be created: `schema` is the JSON Schema of its fields."""

    type: str
    title: str
    description: str
    json_schema: Annotated[dict[str, Any], Field(alias="schema")]
    takes_file: bool


@router.post("/jobs", operation_id="createJob", status_code=202, response_model=JobCreatedResponse)
async def create_job(
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Create a job: JSON, or a form with the résumé as the file `resume`."""
    return await answer_creation(
        request, request.headers, caller, services, idempotency_key=idempotency_key
    )


@router.get("/jobs", operation_id="listJobs", response_model=JobList)
async def list_jobs(caller: CallerDep, services: ServicesDep) -> Response:
    """The caller's jobs that have not ended, newest first."""
    jobs = await in_time(services.manager.list_active_jobs(caller.user_id))
    return _json(JobList(jobs=jobs))


@router.get("/jobs/history", operation_id="listJobHistory", response_model=JobHistory)
async def list_job_history(
    caller: CallerDep,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
    cursor: Annotated[str | None, Query(max_length=4096)] = None,
) -> Response:
    """Every job of the caller that is remembered, newest first, page by page."""
    page = await services.archive.history(caller.user_id, limit=limit, cursor=cursor)
    jobs = [job.to_response() for job in page.items]
    return _json(JobHistory(jobs=jobs, next_cursor=page.next_cursor))


@router.get("/job-types", operation_id="listJobTypes", response_model=list[JobType])
async def list_job_types(caller: CallerDep, services: ServicesDep) -> list[JobType]:
    """The kinds of job that may be created, each with its fields."""
    return [
        JobType(
            type=definition.type,
            title=definition.title,
            description=definition.description,
            json_schema=definition.public_schema(),
            takes_file=definition.upload_field is not None,
        )
        for definition in services.registry.values()
    ]


@router.get(
    "/jobs/{job_id:path}/status", operation_id="getJobStatus", response_model=JobStatusResponse
)
async def get_job_status(
    job_id: str,
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Where a job stands; 304 when it stands where the `If-None-Match` of the caller says."""
    status = await in_time(services.manager.get_job_status(job_id, caller.user_id))
    response = _json(status)
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    headers = {"ETag": tag}
    if not status.status.is_final:
        headers["Retry-After"] = str(POLL_AGAIN_S)
    if if_none_match is not None and tag in {
        each.strip().removeprefix("W/") for each in if_none_match.split(",")
    }:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return response


@router.post("/jobs/{job_id:path}/cancel", operation_id="cancelJob", response_model=CancelResponse)
async def cancel_job(job_id: str, caller: CallerDep, services: ServicesDep) -> Response:
    """Cancel a job, wherever it is. A running one is given up to two seconds to end."""
    cancelling = services.manager.cancel_job(job_id, caller.user_id)
    return _json(await in_time(cancelling, within_s=ANSWER_WITHIN_S + CANCEL_WAIT_S))


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(by_alias=True), media_type="application/json")
