"""The job `resume-optimization`: what it takes, the steps it shows, how it fails and stops."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

import documents
from careerlens.career.jobs import QueueName, ResumeOptimization, Step, optimize_resume
from careerlens.career.report import ResumeReport
from careerlens.foundation.errors import InvalidInputError, UnrecoverableError
from careerlens.jobs.context import JobContext
from careerlens.jobs.definitions import Registry
from careerlens.jobs.model import JobProgress
from careerlens.jobs.uploads import UploadRef
from careerlens.jobs.validation import validate_input
from resumes import DEVELOPER, EXAMPLES

DEFINITION = Registry.of(optimize_resume)[QueueName.RESUME_OPTIMIZATION]
UPLOAD = UploadRef(key="A" * 22, name="cv.pdf", content_type="application/pdf", size=9)


@dataclass
class Attempt:
    """A context that notes what the handler reports, and holds one uploaded file."""

    content: bytes = b""
    seen: list[JobProgress] = field(default_factory=list)
    reported: asyncio.Event = field(default_factory=asyncio.Event)

    def context(self) -> JobContext:
        async def report(progress: JobProgress) -> None:
            self.seen.append(progress)
            self.reported.set()

        async def write_log(line: str) -> None:
            raise AssertionError("nothing of a résumé belongs into a log")

        async def write_text(text: str) -> None:
            raise AssertionError("it does not write as it goes")

        async def load_upload(ref: UploadRef) -> bytes:
            assert ref == UPLOAD
            return self.content

        return JobContext(
            job_id="user-1:resume-optimization:1:abcdefghijkl",
            user_id="user-1",
            type="resume-optimization",
            attempt=1,
            max_attempts=3,
            report=report,
            write_log=write_log,
            write_text=write_text,
            load_upload=load_upload,
            is_cancelled=lambda: False,
        )


def by_text(text: str = DEVELOPER, role: str = "Full Stack Developer") -> ResumeOptimization:
    return ResumeOptimization(resume_text=text, target_role=role)


def by_file(role: str = "Full Stack Developer") -> ResumeOptimization:
    return ResumeOptimization(resume_file=UPLOAD, target_role=role)


async def test_text_becomes_a_report() -> None:
    report = await optimize_resume(Attempt().context(), by_text())
    assert isinstance(report, ResumeReport)
    assert report.target_role.matched == "Full Stack Developer"
    assert report.ats_score > 60


@pytest.mark.parametrize(
    ("name", "role", "better_than"),
    [
        ("resume-fullstack-developer.pdf", "Full Stack Developer", 75),
        ("resume-registered-nurse.docx", "ICU Nurse", 80),
        ("resume-marketing-badly-formatted.txt", "Digital Marketing Manager", 30),
    ],
)
async def test_each_example_becomes_a_report(name: str, role: str, better_than: int) -> None:
    attempt = Attempt((EXAMPLES / name).read_bytes())
    report = await optimize_resume(attempt.context(), by_file(role))
    assert report.ats_score > better_than
    assert report.document.contact.email
    assert report.improvement_areas
    assert report.quick_wins


async def test_the_badly_formatted_example_scores_well_below_the_others() -> None:
    text = (EXAMPLES / "resume-marketing-badly-formatted.txt").read_text("utf-8")
    bad = await optimize_resume(Attempt().context(), by_text(text, "Digital Marketing Manager"))
    good = await optimize_resume(Attempt().context(), by_text())
    assert bad.ats_score < good.ats_score - 15
    assert bad.overall_quality.score < good.overall_quality.score - 30


async def test_every_step_is_shown_once_in_order_and_says_what_was_found() -> None:
    attempt = Attempt()
    await optimize_resume(attempt.context(), by_text())
    assert [progress.step for progress in attempt.seen] == [step.value for step in Step]
    percents = [progress.percent for progress in attempt.seen]
    assert percents == sorted(set(percents))
    assert percents[0] > 0
    assert percents[-1] == 100
    messages = {progress.step: progress.message for progress in attempt.seen}
    assert messages["structure"] == "Found 4 sections and 7 statements"
    assert "Full Stack Developer" in messages["keywords"]


async def test_one_of_a_thing_is_not_called_many() -> None:
    attempt = Attempt()
    await optimize_resume(attempt.context(), by_text("Sample resume..."))
    said = " ".join(progress.message for progress in attempt.seen)
    assert re.search(r"\b1 strength\b", said)
    assert not re.search(r"\b1 \w+s\b", said)


async def test_an_unknown_role_still_gets_a_report() -> None:
    report = await optimize_resume(Attempt().context(), by_text(role="Lighthouse Keeper"))
    assert report.target_role.matched is None
    assert report.keyword_analysis.score is None


async def test_an_unreadable_file_fails_for_good_with_its_code() -> None:
    attempt = Attempt(documents.pdf("Jane Roe", password="secret"))
    with pytest.raises(UnrecoverableError) as failed:
        await optimize_resume(attempt.context(), by_file())
    assert failed.value.code == "file_encrypted"
    assert [progress.step for progress in attempt.seen] == ["received"]


async def test_cancelling_stops_the_work_at_once() -> None:
    attempt = Attempt(documents.pdf_with_content(b"q " * 50_000_000))
    task = asyncio.create_task(optimize_resume(attempt.context(), by_file()))
    await attempt.reported.wait()
    task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_several_at_once() -> None:
    reports = await asyncio.gather(
        *(optimize_resume(Attempt().context(), by_text()) for _ in range(4))
    )
    assert all(report == reports[0] for report in reports)


def test_input_is_trimmed() -> None:
    data = validate_input(DEFINITION, {"resumeText": "  Jane \n", "targetRole": " Nurse "})
    assert data == ResumeOptimization(resume_text="Jane", target_role="Nurse")


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"targetRole": "Nurse"}, "resumeText", "required"),
        ({"resumeText": "   ", "targetRole": "Nurse"}, "resumeText", "too_short"),
        ({"resumeText": "x" * 200_001, "targetRole": "Nurse"}, "resumeText", "too_long"),
        ({"resumeText": 7, "targetRole": "Nurse"}, "resumeText", "wrong_type"),
        ({"resumeText": "Jane"}, "targetRole", "required"),
        ({"resumeText": "Jane", "targetRole": " x "}, "targetRole", "too_short"),
        ({"resumeText": "Jane", "targetRole": "x" * 121}, "targetRole", "too_long"),
        ({"resumeText": "Jane", "targetRole": "Nurse", "tone": "kind"}, "tone", "unknown_field"),
        (
            {"resumeText": "Jane", "targetRole": "Nurse", "resumeFile": {}},
            "resumeFile",
            "unknown_field",
        ),
    ],
)
def test_wrong_input_names_the_field(fields: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        validate_input(DEFINITION, fields)
    (problem,) = refused.value.problems
    assert (problem.field, problem.code) == (field, code)


def test_text_and_file_together_are_refused() -> None:
    with pytest.raises(InvalidInputError) as refused:
        validate_input(DEFINITION, {"resumeText": "Jane", "targetRole": "Nurse"}, upload=UPLOAD)
    assert refused.value.problems[0].field == "resumeText"


def test_the_file_is_no_part_of_the_public_schema() -> None:
    schema = DEFINITION.public_schema()
    assert set(schema["properties"]) == {"resumeText", "targetRole"}
    assert schema["required"] == ["targetRole"]
    assert DEFINITION.upload_field == "resume_file"
