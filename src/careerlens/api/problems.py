"""Every way in which a request can fail, and the one form in which all of them are told.

The form is RFC 9457 (`application/problem+json`). A problem's `type` is `/problems/{code}`, an
address that opens a page for people; `code` is stable for programs. What went wrong inside is
only logged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response

from careerlens.foundation.errors import FieldProblem

MEDIA_TYPE = "application/problem+json"
MAX_FIELD_PROBLEMS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ProblemKind:
    """One kind of problem: its status, its title and what its page says to do."""

    status: int
    title: str
    remedy: str


KINDS: Mapping[str, ProblemKind] = {
    "malformed-body": ProblemKind(
        status=400,
        title="The body cannot be read",
        remedy="Send one JSON object (UTF-8, each name once, no NaN), or multipart form data.",
    ),
    "malformed-request": ProblemKind(
        status=400,
        title="The request cannot be understood",
        remedy="The detail names the part of the request that is wrong. Correct it.",
    ),
    "unauthenticated": ProblemKind(
        status=401,
        title="Sign in first",
        remedy="Send `Authorization: Bearer <token>` with a token that has not expired.",
    ),
    "origin-refused": ProblemKind(
        status=403,
        title="This web page may not call this service",
        remedy="Add the page's origin to CORS_ORIGIN if it is one of yours.",
    ),
    "not-found": ProblemKind(
        status=404,
        title="There is nothing at this address",
        remedy="Check the path. The routes are listed in the README.",
    ),
    "job-not-found": ProblemKind(
        status=404,
        title="You have no such job",
        remedy="Check the job's id, and that you are signed in as the one who created it.",
    ),
    "method-not-allowed": ProblemKind(
        status=405,
        title="This address does not take that method",
        remedy="The Allow header lists the methods it takes.",
    ),
    "request-timeout": ProblemKind(
        status=408,
        title="The body took too long to arrive",
        remedy="Send it again over a better connection.",
    ),
    "request-in-flight": ProblemKind(
        status=409,
        title="The first request with this Idempotency-Key is still running",
        remedy="Wait a moment and send the same request again.",
    ),
    "text-gone": ProblemKind(
        status=410,
        title="This place in the text is gone",
        remedy="The job began its text afresh, or it has expired. Read from offset -1.",
    ),
    "body-too-large": ProblemKind(
        status=413,
        title="The body is too large",
        remedy="The detail names the limit. Send less, or upload the résumé as a file.",
    ),
    "unsupported-media-type": ProblemKind(
        status=415,
        title="This kind of content is not accepted",
        remedy="The detail names what is accepted.",
    ),
    "invalid-input": ProblemKind(
        status=422,
        title="Some fields need another look",
        remedy="`errors` names each field and what to do about it.",
    ),
    "idempotency-key-reused": ProblemKind(
        status=422,
        title="This Idempotency-Key was used for another request",
        remedy="Use a fresh key for each new request, and the same one only to repeat it.",
    ),
    "too-many-streams": ProblemKind(
        status=429,
        title="Too many event streams are open",
        remedy="Close some: one stream for each job that is looked at is enough.",
    ),
    "too-many-tickets": ProblemKind(
        status=429,
        title="Too many tickets were asked for",
        remedy="Ask for one when a stream is about to be opened, after the seconds in Retry-After.",
    ),
    "internal-error": ProblemKind(
        status=500,
        title="Something went wrong on our side",
        remedy="Try again. If it stays, tell us the request id.",
    ),
    "service-unavailable": ProblemKind(
        status=503,
        title="The service is briefly unavailable",
        remedy="Nothing was lost. Try again after the seconds named in Retry-After.",
    ),
}


class ProblemError(Exception):
    """Ends a request with a problem of kind `code`; `detail` is one sentence for people."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or KINDS[code].title)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def problem_response(problem: ProblemError, *, request_id: str | None) -> Response:
    """The answer that tells a problem."""
    kind = KINDS[problem.code]
    body: dict[str, Any] = {
        "type": f"/problems/{problem.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail or kind.remedy,
        "requestId": request_id,
    }
    if problem.errors:
        shown = problem.errors[:MAX_FIELD_PROBLEMS]
        body["errors"] = [
            {"field": each.field, "message": each.message, "code": each.code} for each in shown
        ]
    return Response(
        orjson.dumps(body),
        status_code=kind.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )
