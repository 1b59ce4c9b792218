"""What each event of a queue tells the owner of its job."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careerlens.jobs.endings import ends_job
from careerlens.jobs.model import JobEventKind, JobStatus, JobUpdate
from careerlens.realtime.entries import encode_update
from careerlens.realtime.translate import (
    JobFacts,
    describe,
    describe_encoded,
    needs_facts,
    starts_job,
)
from careerlens.wire.cancel import CANCELLED_REASON
from careerlens.wire.events import QueueEvent


def event(name: str, **fields: str) -> QueueEvent:
    return QueueEvent("1700000000123-4", name, "job-1", fields)


def told(name: str, facts: JobFacts | None = None, **fields: str) -> JobUpdate:
    update = describe(event(name, **fields), "echo", facts or JobFacts())
    assert update is not None
    return update


def test_an_update_carries_job_type_and_the_servers_time() -> None:
    update = told("active", prev="waiting")
    assert (update.job_id, update.type, update.timestamp) == ("job-1", "echo", 1700000000123)
    assert (update.event, update.status) == (JobEventKind.PROCESSING, JobStatus.PROCESSING)


@pytest.mark.parametrize("name", ["waiting", "waiting-children"])
def test_a_job_in_line_is_queued(name: str) -> None:
    assert (told(name).event, told(name).status) == (JobEventKind.QUEUED, JobStatus.QUEUED)


def test_a_job_back_in_line_after_a_failed_attempt_is_retrying() -> None:
    waiting = event("waiting", prev="active")
    assert needs_facts(waiting)
    update = told("waiting", JobFacts(attempts_made=1), prev="active")
    assert (update.event, update.status) == (JobEventKind.RETRYING, JobStatus.QUEUED)
    assert update.attempts_made == 1


def test_a_job_back_in_line_after_a_stall_or_a_hand_back_is_queued() -> None:
    assert told("waiting", prev="active").event is JobEventKind.QUEUED


def test_a_delayed_job_says_until_when() -> None:
    update = told("delayed", delay="1700000005000")
    assert (update.event, update.status) == (JobEventKind.DELAYED, JobStatus.QUEUED)
    assert update.delayed_until == 1700000005000


def test_a_job_waiting_for_another_attempt_is_retrying_until_then() -> None:
    update = told("delayed", JobFacts(attempts_made=2), delay="1700000005000")
    assert (update.event, update.attempts_made) == (JobEventKind.RETRYING, 2)
    assert update.delayed_until == 1700000005000


def test_a_failure_carries_its_reason_and_code() -> None:
    update = told(
        "failed", JobFacts(attempts_made=3, error_code="pdf_encrypted"), failedReason="It is locked"
    )
    assert (update.event, update.status) == (JobEventKind.FAILED, JobStatus.FAILED)
    assert (update.error, update.error_code) == ("It is locked", "pdf_encrypted")
    assert update.attempts_made == 3


def test_a_failure_by_cancellation_is_a_cancellation() -> None:
    update = told("failed", JobFacts(error_code="cancelled"), failedReason=CANCELLED_REASON)
    assert (update.event, update.status) == (JobEventKind.CANCELLED, JobStatus.CANCELLED)
    assert update.error is None


def test_a_completion_does_not_repeat_the_result() -> None:
    update = told("completed", returnvalue='{"secret": 1}', prev="active")
    assert update.event is JobEventKind.COMPLETED
    assert "secret" not in update.model_dump_json()


@pytest.mark.parametrize(
    ("prev", "status"),
    [
        ("completed", JobStatus.COMPLETED),
        ("failed", JobStatus.FAILED),
        ("wait", JobStatus.CANCELLED),
        ("delayed", JobStatus.CANCELLED),
    ],
)
def test_a_removed_job_ends_as_it_stood(prev: str, status: JobStatus) -> None:
    update = told("removed", prev=prev)
    assert (update.event, update.status) == (JobEventKind.REMOVED, status)


@pytest.mark.parametrize(
    ("reported", "percent"),
    [
        (40, 40),
        (12.5, 12.5),
        (-3, 0),
        (250, 100),
        ({"percent": 70, "message": "Scoring", "step": "score"}, 70),
        ({"percent": 170}, 100),
        ({"stage": "Scoring"}, 0),
    ],
)
def test_progress_of_any_worker_becomes_a_percentage(reported: Any, percent: float) -> None:
    update = told("progress", data=json.dumps(reported))
    assert update.event is JobEventKind.PROGRESS
    assert update.progress is not None
    assert update.progress.percent == percent


def test_an_object_without_percentage_is_kept_as_data() -> None:
    progress = told("progress", data='{"stage": "Scoring"}').progress
    assert progress is not None
    assert progress.data == {"stage": "Scoring"}


@pytest.mark.parametrize(
    "text", ["", "null", '"half"', "[1]", "true", "NaN", "Infinity", "{", "[" * 9000, "1" * 20_000]
)
def test_progress_that_says_nothing_of_use_is_told_to_nobody(text: str) -> None:
    assert describe(event("progress", data=text), "echo") is None


@pytest.mark.parametrize(
    "name",
    ["added", "stalled", "duplicated", "deduplicated", "retries-exhausted", "drained", "paused",
     "resumed", "cleaned", "", "unheard-of"],
)  # fmt: skip
def test_events_that_repeat_others_become_no_entries(name: str) -> None:
    assert describe(event(name), "echo") is None


def test_events_of_the_queue_itself_become_no_entries() -> None:
    assert describe(QueueEvent("1-0", "waiting", None, {}), "echo") is None


def test_jobs_are_live_from_their_start_to_their_end() -> None:
    assert starts_job(event("added"))
    assert starts_job(event("waiting", prev="failed"))
    assert not starts_job(event("waiting"))
    assert all(ends_job(event(name)) for name in ("completed", "failed", "removed"))
    assert not any(ends_job(event(name)) for name in ("active", "waiting", "progress"))


_names = st.sampled_from(
    "added waiting waiting-children delayed active progress completed failed removed".split()  # noqa: SIM905
)
_fields = st.dictionaries(
    st.sampled_from(["prev", "delay", "data", "failedReason", "returnvalue", "name"]),
    st.sampled_from(["active", "waiting", "completed", "12", '{"percent":3}', "x"]),
    max_size=4,
)
_ids = st.text(min_size=1, max_size=20) | st.sampled_from(
    ["user-1:echo:1700000000000:AAAAAAAAAAAAAAAA", 'a"b', "a\\b", "é", "\ue000", "a\nb", "[^]"]
)


@given(_names, _ids, _fields, st.integers(0, 3), st.sampled_from(["echo", "ein Wort", 'e"c\\o']))
def test_what_is_encoded_ahead_is_what_would_be_encoded(
    name: str, job_id: str, fields: dict[str, str], attempts: int, queue: str
) -> None:
    happened = QueueEvent("1700000000123-4", name, job_id, fields)
    facts = JobFacts(attempts_made=attempts, error_code="timeout")
    update = describe(happened, queue, facts)
    expected = None if update is None else encode_update(update)
    assert describe_encoded(happened, queue, facts) == expected
