"""POST /api/jobs by FastAPI, PyJWT and the Python `bullmq` package, as one would write it."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal
from uuid import uuid4

import jwt
import uvicorn
from bullmq import Queue
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

app = FastAPI()
queue = Queue("resume-optimization", {"connection": os.environ["REDIS_URL"]})
OPTIONS = {
    "attempts": 3,
    "backoff": {"type": "exponential", "delay": 2000},
    "priority": 1,
    "removeOnComplete": {"age": 86_400, "count": 10_000},
    "removeOnFail": {"age": 86_400, "count": 10_000},
}


class NewJob(BaseModel):
    """The body."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["resume-optimization"]
    resumeText: Annotated[  # noqa: N815 (its name on the wire)
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200_000)
    ]
    targetRole: Annotated[  # noqa: N815 (its name on the wire)
        str, StringConstraints(strip_whitespace=True), Field(min_length=2, max_length=120)
    ]


class Created(BaseModel):
    """The answer."""

    jobId: str  # noqa: N815 (its name on the wire)
    status: str


async def caller(authorization: Annotated[str, Header()]) -> str:
    """The user that the token names."""
    scheme, _, token = authorization.partition(" ")
    if scheme != "Bearer":
        raise HTTPException(401)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            os.environ["JWT_SECRET"],
            algorithms=["HS256"],
            options={"require": ["exp", "sub"]},
        )
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error
    return str(claims["sub"])


@app.post("/api/jobs", status_code=201)
async def create(job: NewJob, user_id: Annotated[str, Depends(caller)]) -> Created:
    """Put the job in line."""
    data = {**job.model_dump(), "userId": user_id}
    added = await queue.add(job.type, data, {**OPTIONS, "jobId": uuid4().hex})
    return Created(jobId=str(added.id), status="queued")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["API_PORT"]), access_log=False)
