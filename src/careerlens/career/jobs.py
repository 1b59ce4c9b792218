"""CareerLens's job types: what they take, what they give, and the steps their owner sees."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from careerlens.career.analysis.isolated import analyse_isolated
from careerlens.career.document import ReadDocument
from careerlens.career.market.catalogue import role_titles
from careerlens.career.market.profile import MarketView
from careerlens.career.market.store import shipped_market
from careerlens.career.reading.limits import MAX_CHARACTERS
from careerlens.career.reading.walled import read_document
from careerlens.career.report import ResumeReport
from careerlens.jobs.context import JobContext
from careerlens.jobs.definitions import job
from careerlens.jobs.fields import Remedy, ServerFilled
from careerlens.jobs.model import WireModel
from careerlens.jobs.uploads import UploadRef

ANALYSIS_SECONDS = 30.0
ANALYSIS_CPU_SECONDS = 20.0
ANALYSIS_MEMORY_BYTES = 512 * 1024 * 1024


class QueueName(StrEnum):
    """The queues of CareerLens, one per job type."""

    RESUME_OPTIMIZATION = "resume-optimization"


class ResumeOptimization(WireModel):
    """A résumé, as text or as a file that came along, and the role it is meant for."""

    resume_text: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_CHARACTERS,
            description="The résumé as plain text. Leave it out when you upload a file.",
            examples=["Maya Lindqvist\nFull Stack Developer\n…"],
        ),
        StringConstraints(strip_whitespace=True),
        Remedy("paste the text of your résumé, or upload it as a file"),
    ] = None
    resume_file: Annotated[UploadRef | None, ServerFilled] = None
    target_role: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=2, max_length=120),
        Field(
            description="The role you are aiming for, as a posting would name it.",
            examples=list(role_titles()),
        ),
        Remedy("tell us the role you are aiming for, for example “Registered Nurse”"),
    ]

    @model_validator(mode="after")
    def _exactly_one_resume(self) -> Self:
        if self.resume_text is None and self.resume_file is None:
            raise PydanticCustomError(
                "required",
                "paste the text of your résumé, or upload it as a file",
                {"field": "resumeText"},
            )
        if self.resume_text is not None and self.resume_file is not None:
            raise PydanticCustomError(
                "conflict",
                "send the résumé as text or as a file, not both",
                {"field": "resumeText"},
            )
        return self


class Step(StrEnum):
    """The steps of an optimisation, in order. Each is announced when it begins or has a result."""

    RECEIVED = "received"
    READING = "reading"
    MARKET = "market"
    STRUCTURE = "structure"
    KEYWORDS = "keywords"
    WRITING_QUALITY = "writing-quality"
    SCORING = "scoring"
    REPORT = "report"


_ORDER = tuple(Step)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Announces steps. The percentage is the share of steps that have been reached."""

    context: JobContext

    async def reached(self, step: Step, message: str) -> None:
        done = _ORDER.index(step) + 1
        await self.context.progress(round(100 * done / len(_ORDER)), message, step=step.value)

    async def from_analysis(self, message: Any) -> None:
        await self.reached(Step(message["step"]), str(message["message"]))


@job(QueueName.RESUME_OPTIMIZATION.value, attempts=3, timeout=120, title="Résumé optimisation")
async def optimize_resume(ctx: JobContext, data: ResumeOptimization) -> ResumeReport:
    """Judge a résumé against a target role: scores, keywords, findings with their passages.

    Reads PDF, Word (.docx) and plain text. Deterministic; no network is used.
    """
    steps = _Steps(ctx)
    await steps.reached(Step.RECEIVED, f"Received your résumé for {data.target_role}")
    document = await _read(ctx, data)
    await steps.reached(Step.READING, _what_was_read(document))
    market = await asyncio.to_thread(shipped_market().view, data.target_role)
    await steps.reached(Step.MARKET, _what_was_matched(market))
    result = await ctx.run_isolated(
        analyse_isolated,
        document.to_json(),
        market.to_json(),
        datetime.now(UTC).date().isoformat(),
        timeout=ANALYSIS_SECONDS,
        cpu_seconds=ANALYSIS_CPU_SECONDS,
        memory_bytes=ANALYSIS_MEMORY_BYTES,
        on_message=steps.from_analysis,
    )
    return ResumeReport.model_validate(result)


async def _read(ctx: JobContext, data: ResumeOptimization) -> ReadDocument:
    if data.resume_file is None:
        assert data.resume_text is not None
        return ReadDocument(text=data.resume_text, format="text")
    return await read_document(await ctx.read_upload(data.resume_file))


def _what_was_read(document: ReadDocument) -> str:
    words = len(document.text.split())
    if document.pages is not None:
        pages = "1 page" if document.pages == 1 else f"{document.pages} pages"
        return f"Read {words} words on {pages}"
    kind = " of a Word document" if document.format == "docx" else ""
    return f"Read {words} words{kind}"


def _what_was_matched(market: MarketView) -> str:
    role = market.match.role
    if role is None:
        return "No role of the market data is near enough; judging without a market"
    return f"Comparing with {len(market.wanted)} skills that {role.title} asks for"
