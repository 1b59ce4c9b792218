"""Job types as a team would write them, small enough to see through."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated, Any

from pydantic import Field

from careerlens.foundation.errors import JobError, UnrecoverableError
from careerlens.jobs.context import IsolatedContext, JobContext
from careerlens.jobs.definitions import Registry, job
from careerlens.jobs.fields import Remedy, ServerFilled
from careerlens.jobs.model import WireModel
from careerlens.jobs.uploads import UploadRef


class Letter(WireModel):
    target_role: Annotated[
        str, Field(min_length=1, max_length=100), Remedy("tell us the role you are aiming for")
    ]
    resume_text: Annotated[str | None, Field(max_length=500_000)] = None
    resume_file: Annotated[UploadRef | None, ServerFilled] = None
    copies: int = 1


class LetterResult(WireModel):
    letter_text: str
    resume_size: int


class Nothing(WireModel):
    pass


class Words(WireModel):
    some_text: str


@job("cover-letter", attempts=2, backoff=0.05, timeout=30)
async def cover_letter(ctx: JobContext, data: Letter) -> LetterResult:
    """Write a letter for a role."""
    await ctx.progress(10, "Reading", step="read")
    content = await ctx.read_upload(data.resume_file) if data.resume_file is not None else b""
    await ctx.progress(90, "Writing", step="write", data={"copies": data.copies})
    text = data.resume_text or ""
    return LetterResult(letter_text=f"Dear {data.target_role}", resume_size=len(content or text))


@job("endless")
async def endless(ctx: JobContext, data: Nothing) -> None:
    """Run until somebody ends it."""
    await ctx.progress(1, "Waiting")
    await asyncio.Event().wait()


@job("slow", timeout=0.2, attempts=1)
async def slow(ctx: JobContext, data: Nothing) -> None:
    """Take longer than it may."""
    await asyncio.Event().wait()


@job("failing", attempts=2, backoff=0.01)
async def failing(ctx: JobContext, data: Words) -> None:
    """Fail in the way that the text says."""
    if data.some_text == "kindly":
        raise JobError("The model was busy.", code="model_busy")
    if data.some_text == "for good":
        raise UnrecoverableError("This can never work.", code="hopeless")
    raise RuntimeError(f"secret detail: {data.some_text}")


@job("wrong-result")
async def wrong_result(ctx: JobContext, data: Nothing) -> LetterResult:
    """Return what was not promised."""
    return {"letter": 1}  # type: ignore[return-value]


@job("word-count", timeout=20, backoff=0.05)
def word_count(ctx: IsolatedContext, data: Words) -> dict[str, Any]:
    """Count words in a process of its own."""
    ctx.progress(50, "Counting", step="count")
    if data.some_text == "crash":
        os._exit(3)
    return {"words": len(data.some_text.split()), "pid": os.getpid(), "user": ctx.user_id}


REGISTRY = Registry.of(cover_letter, endless, slow, failing, wrong_result, word_count)
