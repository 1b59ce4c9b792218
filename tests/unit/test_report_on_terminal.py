"""The report as it is read on a terminal: complete, tolerant of surprises, and never obeyed."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from careerlens.cli.progress import progress_view
from careerlens.cli.report import print_result
from careerlens.cli.text import in_words, plain

EVIDENCE = {"quote": "Helped with the move", "line": 21}
REPORT: dict[str, Any] = {
    "atsScore": 72,
    "atsBreakdown": [
        {"name": "k", "title": "Keyword match", "points": 20, "outOf": 40, "reason": "Half of it"}
    ],
    "overallQuality": {"score": 66, "label": "fair", "summary": "Plain", "breakdown": []},
    "targetRole": {"requested": "Nurse", "matched": "Registered Nurse", "note": "Very near"},
    "keywordAnalysis": {
        "matched": [{"keyword": "React", "demandPercent": 80.0, "importance": "essential"}],
        "missing": [{"keyword": "Kubernetes", "demandPercent": 40.0, "importance": "important"}],
        "coverage": 0.66,
        "otherSkills": ["Knitting"],
    },
    "actionVerbAnalysis": {
        "strongShare": 0.5,
        "statements": 8,
        "strong": [{"verb": "Led", "count": 2}],
        "weak": [{"phrase": "helped with", "suggestions": ["Moved"], "evidence": [EVIDENCE]}],
        "repeated": [{"verb": "Built", "count": 3}],
    },
    "improvementAreas": [
        {
            "priority": "low",
            "category": "style",
            "issue": "A weak verb",
            "recommendation": "Say what you did.",
            "evidence": [EVIDENCE],
        },
        {
            "priority": "high",
            "category": "impact",
            "issue": "No figures in your newest job",
            "recommendation": "Say how many.",
            "evidence": "Responsible for pages",
        },
    ],
    "strengths": [{"title": "Clear sections", "detail": "All have headings"}],
    "skillGapInsights": [
        {"skill": "Terraform", "demandPercent": 40.0, "why": "Often asked for", "related": ["AWS"]}
    ],
    "sectionFeedback": [
        {"title": "Summary", "present": False, "score": 0, "feedback": "Short and clear"}
    ],
    "quickWins": [{"action": "Add Kubernetes", "why": "You know it", "points": 2.5, "minutes": 5}],
    "document": {"format": "pdf", "warnings": ["Hidden text on page 2"]},
    "engine": {"layers": ["rules"], "version": "1"},
}


def shown(result: Any, job_type: str = "resume-optimization") -> str:
    """The printed result, as plain text."""
    stream = io.StringIO()
    print_result(Console(file=stream, width=100), job_type, result)
    return stream.getvalue()


@pytest.mark.parametrize(
    "part",
    [
        "72 / 100", "Keyword match", "20 / 40", "Half of it", "fair", "Plain", "Nurse", "Very near",
        "React", "Kubernetes", "66%", "Knitting", "Led", "50% of 8", "helped with", "Moved",
        "Built", "A weak verb", "Say what you did.", "line 21: Helped with the move",
        "No figures in your newest job", "Responsible for pages", "Clear sections",
        "All have headings", "Terraform", "40% of postings", "Often asked for",
        "Short and clear", "Add Kubernetes", "+2.5 points", "5 min", "Hidden text on page 2",
        "rules",
    ],
)  # fmt: skip
def test_everything_that_was_found_is_shown(part: str) -> None:
    assert part in shown(REPORT)


def test_what_matters_most_comes_first() -> None:
    text = shown(REPORT)
    assert text.index("No figures in your newest job") < text.index("A weak verb")
    assert text.index("What to improve") < text.index("Strengths")


@pytest.mark.parametrize("key", [key for key in REPORT if key != "atsScore"])
@pytest.mark.parametrize(
    "surprise", [None, "text", 7, [], {}, [1, 2], [{"a": 1}], {"a": {"b": ["c"]}}, True]
)
def test_a_part_of_another_shape_is_outlined_rather_than_refused(key: str, surprise: Any) -> None:
    assert "72 / 100" in shown({**REPORT, key: surprise})


def test_a_part_that_is_new_is_shown_too() -> None:
    text = shown({**REPORT, "readingLevel": {"grade": 9}})
    assert "Reading level" in text
    assert "9" in text


def test_the_result_of_any_other_job_is_an_outline() -> None:
    text = shown({"letterText": "Dear all", "parts": [{"name": "intro"}]}, "cover-letter")
    assert "Cover letter" in text
    assert "Letter text" in text
    assert "Dear all" in text
    assert "intro" in text


def test_text_from_a_resume_cannot_steer_the_terminal() -> None:
    """Escape codes, markup and invisible characters are shown or dropped, never obeyed."""
    hostile = "\x1b[2J\x1b]0;owned\x07[bold red]x[/]\u202egnp\u200b\x9b31m"
    text = shown({**REPORT, "strengths": [hostile], "quickWins": [{"title": hostile}]})
    assert not set("\x1b\x07\x9b\u202e\u200b") & set(text)
    assert "[bold red]x[/]" in text


def test_progress_off_a_terminal_is_one_line_for_each_step() -> None:
    stream = io.StringIO()
    with progress_view(Console(file=stream, width=100), "cv.pdf for Nurse") as view:
        view.show({"status": "queued"})
        step = {"status": "processing", "progress": {"percent": 40, "message": "Comparing"}}
        view.show(step)
        view.show(step)
        view.show({"status": "completed"})
    said = [line.strip() for line in stream.getvalue().splitlines()]
    assert said == [
        "cv.pdf for Nurse",
        "0%  Waiting in the queue",
        "40%  Comparing",
        "100%  Done",
    ]


def test_news_that_comes_late_does_not_turn_progress_back() -> None:
    """Asking and listening overlap: what was asked for may be ahead of what is heard."""
    stream = io.StringIO()
    with progress_view(Console(file=stream, width=100), "cv.pdf for Nurse") as view:
        view.show({"status": "processing", "progress": {"percent": 40, "message": "Comparing"}})
        view.show({"status": "queued", "event": "queued"})
        view.show({"status": "processing"})
        view.show({"status": "processing", "progress": {"percent": 10, "message": "Reading"}})
        view.show({"status": "queued", "event": "retrying", "attemptsMade": 1})
        view.show({"status": "processing", "progress": {"percent": 10, "message": "Reading"}})
    said = [line.strip() for line in stream.getvalue().splitlines()]
    assert said == [
        "cv.pdf for Nurse",
        "40%  Comparing",
        "0%  That attempt failed; trying again shortly",
        "10%  Reading",
    ]


def test_what_happened_before_a_known_failure_is_not_told_again() -> None:
    """The failure was asked for; the same and what led to it are heard afterwards."""
    stream = io.StringIO()
    retrying = {"status": "queued", "retrying": True, "delayedUntil": 9000}
    with progress_view(Console(file=stream, width=100), "cv.pdf for Nurse") as view:
        view.show(retrying)
        view.show({"status": "queued", "event": "queued", "timestamp": 7000})
        view.show({"status": "processing", "timestamp": 7001})
        view.show(retrying | {"event": "retrying", "timestamp": 7002})
        view.show({"status": "queued", "event": "queued", "timestamp": 9000})
        view.show({"status": "processing", "timestamp": 9001})
        view.show(retrying | {"event": "retrying", "timestamp": 9002, "delayedUntil": 13000})
        view.show({"status": "cancelled", "timestamp": 9500})
    said = [line.split(None, 1)[1] for line in stream.getvalue().splitlines()[1:]]
    again = "That attempt failed; trying again shortly"
    assert said == [again, "Waiting in the queue", "Started", again, "Cancelled"]


def test_progress_on_a_terminal_keeps_the_steps_that_are_over() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=True)
    with progress_view(console, "cv.pdf for Nurse") as view:
        view.show({"status": "processing", "progress": {"percent": 10, "message": "Reading"}})
        view.show({"status": "processing", "progress": {"percent": 60, "message": "Comparing"}})
        view.show({"status": "failed", "error": "The file is encrypted."})
    text = stream.getvalue()
    assert "Reading" in text
    assert "Comparing" in text
    assert "The file is encrypted." in text


def test_keys_read_as_words() -> None:
    assert in_words("quickWins") == "Quick wins"
    assert in_words("skill_gaps") == "Skill gaps"
    assert plain("a\tb\nc") == "a\tb\nc"
