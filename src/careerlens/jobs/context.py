"""What a handler is given beside its data: who it works for, and how to tell how far it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from careerlens.foundation import sandbox
from careerlens.foundation.isolation import emit
from careerlens.jobs.model import JobProgress, WireModel
from careerlens.jobs.uploads import UploadRef


@dataclass(frozen=True, kw_only=True, slots=True)
class JobContext:
    """One attempt at one job.

    `attempt` counts from 1 to `max_attempts`. The callables are the runtime's; tests of a
    handler pass their own.
    """

    job_id: str
    user_id: str
    type: str
    attempt: int
    max_attempts: int
    report: Callable[[JobProgress], Awaitable[None]]
    write_log: Callable[[str], Awaitable[None]]
    write_text: Callable[[str], Awaitable[None]]
    load_upload: Callable[[UploadRef], Awaitable[bytes]]
    is_cancelled: Callable[[], bool]

    @property
    def cancelled(self) -> bool:
        """Whether the owner asked for the end. The runtime cancels the handler's task as well."""
        return self.is_cancelled()

    async def progress(
        self,
        percent: float,
        message: str,
        *,
        step: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Tell the owner how far the job is: `percent` from 0 to 100 and a short sentence.

        `step` is a stable name for programs. `data` must be JSON and small, since it reaches
        every open page of the owner.
        """
        await self.report(JobProgress(percent=percent, message=message, step=step, data=data))

    async def stream(self, text: str) -> None:
        """Show the owner `text` behind what this attempt has written, as it is being written.

        Words that come within 50 ms travel together. Another attempt begins the text afresh.
        Raises `UnrecoverableError` (code `stream_too_long`) beyond 1 MiB, and `ValueError` for
        half a surrogate pair.
        """
        await self.write_text(text)

    async def log(self, line: str) -> None:
        """Add a line to the job's own log, which operators read and owners do not."""
        await self.write_log(line)

    async def read_upload(self, ref: UploadRef) -> bytes:
        """The bytes of a file that came with the job.

        Raises `UnrecoverableError` (code `upload_gone`) when it has expired.
        """
        return await self.load_upload(ref)

    async def run_isolated(
        self,
        function: Callable[..., Any],
        *args: Any,
        timeout: float,
        memory_bytes: int | None = None,
        cpu_seconds: float | None = None,
        on_message: sandbox.MessageListener | None = None,
    ) -> Any:
        """Run a module-level `function` walled in a child process, and return its result.

        A crash, a memory kill or the timeout there fails this attempt and nothing else. See
        `careerlens.foundation.sandbox.run_isolated` for what the arguments may be.
        """
        return await sandbox.run_isolated(
            function,
            *args,
            timeout=timeout,
            memory_bytes=memory_bytes,
            cpu_seconds=cpu_seconds,
            on_message=on_message,
        )


class IsolatedContext(WireModel):
    """What a plain `def` handler is given, in the child process where it runs."""

    job_id: str
    user_id: str
    type: str
    attempt: int
    max_attempts: int

    def progress(
        self,
        percent: float,
        message: str,
        *,
        step: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Tell the owner how far the job is; as `JobContext.progress`."""
        report = JobProgress(percent=percent, message=message, step=step, data=data)
        emit({"progress": report.model_dump(mode="json", by_alias=True)})

    def stream(self, text: str) -> None:
        """Show the owner `text` as it is being written; as `JobContext.stream`."""
        emit({"stream": text})

    def log(self, line: str) -> None:
        """Add a line to the job's own log."""
        emit({"log": line})
