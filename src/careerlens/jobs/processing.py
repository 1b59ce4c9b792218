"""Runs handlers: typed data in, typed result out, and kind words for what goes wrong."""

from __future__ import annotations

import asyncio
import time
import traceback
from contextlib import suppress
from typing import Any

from pydantic import BaseModel, ValidationError

from careerlens.foundation.errors import (
    InvalidInputError,
    JobError,
    ServiceUnavailableError,
    UnrecoverableError,
)
from careerlens.foundation.logging import get_logger
from careerlens.foundation.sandbox import (
    SandboxCrashedError,
    SandboxMemoryError,
    SandboxTimeoutError,
    run_isolated,
)
from careerlens.jobs.context import IsolatedContext, JobContext
from careerlens.jobs.definitions import JobDefinition
from careerlens.jobs.model import JobProgress
from careerlens.jobs.owner import owner_of
from careerlens.jobs.streams import JobText
from careerlens.jobs.uploads import UploadRef, UploadStore
from careerlens.jobs.validation import validate_stored
from careerlens.worker import ActiveJob

_log = get_logger("careerlens.jobs")


class JobProcessor:
    """Runs the jobs of one type; give it to a `Worker`.

    What it raises is a `JobError` wherever its owner can do something with the words.
    """

    def __init__(self, definition: JobDefinition, uploads: UploadStore) -> None:
        self._definition = definition
        self._uploads = uploads

    async def __call__(self, active: ActiveJob) -> Any:
        """Run one attempt and return its result as JSON."""
        started = time.perf_counter()
        log = _log.bind(
            job_id=active.record.id, job_type=self._definition.type, attempt=active.attempt
        )
        log.info("job_started")
        try:
            result = await self._run(active)
        except asyncio.CancelledError:
            log.info("job_interrupted", cancelled=active.cancel_requested)
            raise
        except Exception as error:
            reason = describe_failure(error)[1]
            log.warning("job_attempt_failed", code=reason, error=_where(error))
            raise
        log.info("job_completed", duration_ms=round((time.perf_counter() - started) * 1000))
        return result

    async def _run(self, active: ActiveJob) -> Any:
        data = self._typed(active.record.data)
        result = self._as_json(await self._within_its_time(active, data))
        await self._release_upload(active, data)
        return result

    async def _within_its_time(self, active: ActiveJob, data: BaseModel) -> Any:
        limit_s = self._definition.timeout_s
        try:
            async with asyncio.timeout(limit_s) as scope:
                return await self._call(active, data)
        except TimeoutError:
            if not scope.expired():
                raise
            raise JobError(
                f"It took longer than {limit_s:g} s and was stopped.", code="timeout"
            ) from None

    async def _call(self, active: ActiveJob, data: BaseModel) -> Any:
        record, definition = active.record, self._definition
        user_id = owner_of(record.id, record.data) or ""
        facts: dict[str, Any] = {
            "job_id": record.id,
            "user_id": user_id,
            "type": definition.type,
            "attempt": active.attempt,
            "max_attempts": record.max_attempts,
        }
        text = JobText(active.insist, user_id, record.id)
        if record.attempts_started > 1 or active.attempt > 1:
            await text.take_over()
        try:
            result = await self._handle(active, data, facts, text)
        except BaseException:
            await text.abandon()
            raise
        await text.close()
        return result

    async def _handle(
        self, active: ActiveJob, data: BaseModel, facts: dict[str, Any], text: JobText
    ) -> Any:
        definition, user_id = self._definition, facts["user_id"]
        if definition.isolated:
            return await run_isolated(
                definition.handler,
                IsolatedContext(**facts),
                data,
                timeout=None,  # the attempt's own ends it
                memory_bytes=definition.memory_bytes,
                on_message=lambda message: _pass_on(active, text, message),
                trusted=True,
            )

        async def load_upload(ref: UploadRef) -> bytes:
            return await self._uploads.load(user_id, ref)

        context = JobContext(
            **facts,
            report=lambda progress: _report(active, progress),
            write_log=active.log,
            write_text=text.write,
            load_upload=load_upload,
            is_cancelled=lambda: active.cancel_requested,
        )
        return await definition.handler(context, data)

    async def _release_upload(self, active: ActiveJob, data: BaseModel) -> None:
        field = self._definition.upload_field
        ref = getattr(data, field) if field is not None else None
        user_id = owner_of(active.record.id, active.record.data)
        if isinstance(ref, UploadRef) and user_id is not None:
            with suppress(ServiceUnavailableError):  # it expires by itself, only later
                await self._uploads.release(user_id, ref)

    def _typed(self, data: Any) -> BaseModel:
        if not isinstance(data, dict):
            raise UnrecoverableError("The job's data is not an object.", code="invalid_input")
        try:
            return validate_stored(self._definition, data)
        except InvalidInputError as error:
            raise UnrecoverableError(
                f"The job's data is wrong. {error}", code="invalid_input"
            ) from None

    def _as_json(self, result: Any) -> Any:
        adapter = self._definition.result_adapter
        try:
            return adapter.dump_python(adapter.validate_python(result), mode="json", by_alias=True)
        except ValidationError as error:
            where = ", ".join(
                ".".join(map(str, problem["loc"])) or "the whole"
                for problem in error.errors(include_url=False, include_input=False)[:5]
            )
            raise UnrecoverableError(
                f"The job ran, but its result is not what it should be ({where}).",
                code="result_invalid",
            ) from None


def describe_failure(error: BaseException) -> tuple[str, str]:
    """What the job's owner reads, and a code for programs. Internals stay inside."""
    match error:
        case JobError():
            return error.message, error.code
        case SandboxTimeoutError():
            return "It took too long and was stopped.", "timeout"
        case SandboxMemoryError():
            return "It needed more memory than it may use.", "out_of_memory"
        case SandboxCrashedError():
            return "The work ended unexpectedly.", "crashed"
        case ServiceUnavailableError():
            return "A service that the work needs was briefly unavailable.", "service_unavailable"
        case _:
            return "Something went wrong on our side.", "internal_error"


async def _report(active: ActiveJob, progress: JobProgress) -> None:
    await active.update_progress(progress.model_dump(mode="json", by_alias=True, exclude_none=True))


async def _pass_on(active: ActiveJob, text: JobText, message: Any) -> None:
    """A word from a handler in a child process, which is our own code."""
    match message:
        case {"progress": dict(report)}:
            await _report(active, JobProgress.model_validate(report))
        case {"stream": str(piece)}:
            await text.write(piece)
        case {"log": str(line)}:
            await active.log(line)


def _where(error: BaseException) -> str:
    """The error's kind and place. Its words may quote what a user entrusted to us."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
