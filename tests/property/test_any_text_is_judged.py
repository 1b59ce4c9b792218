"""Whatever the text, the report comes, its scores are in bounds and its quotes are true."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from careerlens.career.analysis.text import ResumeText, clean
from careerlens.career.report import ResumeReport
from resumes import DEVELOPER, judge

LINES = DEVELOPER.split("\n")
PIECES = st.one_of(
    st.sampled_from(LINES),
    st.sampled_from(
        ["EXPERIENCE", "Skills: Go, R, C++", "- Responsible for Go", "2019 - 2020", "•"]
    ),
    st.text(max_size=60),
)
TEXTS = st.one_of(
    st.text(max_size=400),
    st.lists(PIECES, max_size=30).map("\n".join),
    st.text(alphabet="•-–|.,:()/&+#@'0123456789 \t\nAaZzé\u200b\ue000\U000e0041", max_size=400),
)
ROLES = st.sampled_from(["Full Stack Developer", "Registered Nurse", "Lighthouse Keeper"])


def check(report: ResumeReport, text: str) -> None:
    """What holds of every report."""
    lines = ResumeText(clean(text).text).lines
    raw = report.model_dump()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            if set(value) == {"quote", "line"}:
                assert value["quote"]
                assert value["quote"] in lines[value["line"] - 1].text
            for part in value.values():
                walk(part)
        elif isinstance(value, list):
            for part in value:
                walk(part)

    walk(raw)
    for score, parts in (
        (report.ats_score, report.ats_breakdown),
        (report.overall_quality.score, report.overall_quality.breakdown),
    ):
        assert 0 <= score <= 100
        assert abs(score - sum(part.points for part in parts)) <= 0.6
        assert all(0 <= part.points <= part.out_of for part in parts)
    assert ResumeReport.model_validate_json(report.model_dump_json(by_alias=True)) == report


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, ROLES)
def test_a_report_always_comes_and_tells_the_truth(text: str, role: str) -> None:
    check(judge(text, role), text)


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = clean(text).text
    assert clean(once).text == once


@settings(max_examples=25, deadline=None)
@given(st.integers(0, len(LINES)), st.text(alphabet="\u200b\u200e\ufeff", min_size=1, max_size=3))
def test_invisible_characters_change_no_score(place: int, invisible: str) -> None:
    text = "\n".join(
        [*LINES[:place], invisible.join(["", *LINES[place : place + 1]]), *LINES[place + 1 :]]
    )
    assert (
        judge(text).keyword_analysis.coverage == judge("\n".join(LINES)).keyword_analysis.coverage
    )


@pytest.mark.parametrize(
    "piece",
    ["a", "a ", "1 ", "1.", "- ", "Go, ", "A-A.", "2019 - ", "was ", "\u200b", "(", "a-b-c-",
     "A B ", "x@", "I was responsible for ", "Managed 5 things. ", "c++ ", "/",
     "\n", "\n- a b c d", "= ",
     "\n- Helped with Go", "\nEXPERIANCE\n- Led 5", "\n- Ab built 5 things"],
)  # fmt: skip
def test_two_hundred_thousand_characters_take_seconds(piece: str) -> None:
    """No rule grows faster than the text, whatever the text repeats."""
    text = "EXPERIENCE\n" + piece * (200_000 // len(piece))
    began = time.process_time()
    report = judge(text)
    assert time.process_time() - began < 10
    assert len(report.model_dump_json(by_alias=True)) < 100_000
    check(report, text)
