"""A request to create a job: checked as a whole first, then carried out, at most once per key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from careerlens.api.bodies import FILE_FIELD, JobForm, read_job_form
from careerlens.api.deadlines import in_time
from careerlens.api.filetypes import content_type_of
from careerlens.api.services import Services
from careerlens.auth import Caller
from careerlens.foundation.errors import (
    FieldProblem,
    InvalidInputError,
    OutcomeUnknownError,
    ServiceUnavailableError,
)
from careerlens.jobs.definitions import JobDefinition
from careerlens.jobs.ids import JobId, new_job_id
from careerlens.jobs.manager import created_response
from careerlens.jobs.model import JobCreatedResponse
from careerlens.jobs.uploads import UploadRef, new_upload_ref
from careerlens.jobs.validation import validate_input

POLL_AGAIN_S = 2


async def answer_creation(
    request: Request,
    headers: Mapping[str, str],
    caller: Caller,
    services: Services,
    *,
    idempotency_key: str | None,
) -> Response:
    """Read the request's body, create the job, and say where to ask for it.

    `headers` are the request's, asked by lower-case names. Raises what `answers.TOLD` lists.
    """
    wanted = NewJobRequest.of(await read_job_form(request, headers), services)
    if idempotency_key is None:
        return Accepted(await in_time(wanted.create(services, caller)))
    created, is_repeated = await in_time(wanted.create_once(services, caller, idempotency_key))
    return Accepted(created, is_repeated=is_repeated)


class Accepted(Response):
    """The answer to the creation of a job."""

    media_type = "application/json"

    def __init__(self, created: JobCreatedResponse, *, is_repeated: bool = False) -> None:
        # Not the general way of the base class, which takes as long as all else in an answer.
        self.status_code = 202
        self.background = None
        self.body = created.model_dump_json(by_alias=True).encode()
        self.raw_headers = [
            (b"location", created.status_url.encode()),
            (b"retry-after", b"%d" % POLL_AGAIN_S),
            *([(b"idempotent-replayed", b"true")] if is_repeated else []),
            (b"content-length", b"%d" % len(self.body)),
            (b"content-type", b"application/json"),
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJobRequest:
    """A request that may be carried out: its type is known and its data is sound."""

    definition: JobDefinition
    data: BaseModel
    form: JobForm
    upload: UploadRef | None

    @classmethod
    def of(cls, form: JobForm, services: Services) -> Self:
        """Check what was sent. Nothing is stored yet.

        Raises `InvalidInputError`, or `ProblemError` for a file of another kind.
        """
        definition = services.manager.definition(_type_in(form, services))
        upload = _upload_in(form)
        fields = {name: value for name, value in form.fields.items() if name != "type"}
        data = validate_input(definition, fields, upload=upload)
        return cls(definition=definition, data=data, form=form, upload=upload)

    async def create(
        self, services: Services, caller: Caller, *, job_id: JobId | None = None
    ) -> JobCreatedResponse:
        """Keep the file, then put the job in line."""
        if self.upload is not None and self.form.file is not None:
            await services.uploads.save(caller.user_id, self.upload, self.form.file.content)
        return await services.manager.create_job(
            self.definition.type, self.data, caller.user_id, job_id=job_id
        )

    async def create_once(
        self, services: Services, caller: Caller, key: str
    ) -> tuple[JobCreatedResponse, bool]:
        """As `create`, under an Idempotency-Key; the flag tells an answer that is repeated.

        Raises `ProblemError` when the key cannot be used for this request.
        """
        records = services.idempotency
        fresh = new_job_id(caller.user_id, self.definition.type)
        claim = await records.claim(caller.user_id, key, self.form, fresh)
        if claim.is_done:
            return created_response(claim.job_id), True
        try:
            created = await self.create(services, caller, job_id=claim.job_id)
            await records.finish(claim)
        except OutcomeUnknownError:
            raise  # the claim stays: a repetition adds under the same id, or finds it added
        except ServiceUnavailableError:
            await records.give_up(claim)
            raise
        return created, False


def _type_in(form: JobForm, services: Services) -> str:
    job_type = form.fields.get("type")
    if isinstance(job_type, str):
        return job_type
    is_missing = "type" not in form.fields
    known = ", ".join(sorted(services.registry))
    problem = FieldProblem(
        field="type",
        message=f"say which job to run: {known}" if is_missing else "must be text",
        code="required" if is_missing else "wrong_type",
    )
    raise InvalidInputError([problem])


def _upload_in(form: JobForm) -> UploadRef | None:
    if form.file is None:
        return None
    if not form.file.content.strip():
        message = "the file is empty; choose another one"
        problem = FieldProblem(field=FILE_FIELD, message=message, code="empty_file")
        raise InvalidInputError([problem])
    content_type = content_type_of(form.file.content)
    return new_upload_ref(form.file.name, form.file.content, content_type=content_type)
