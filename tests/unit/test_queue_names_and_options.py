"""Names, ids and options that would damage a queue are refused before they reach it."""

from __future__ import annotations

import time

import pytest

from careerlens.jobs.ids import new_job_id, parse_job_id
from careerlens.queue import Backoff, JobOptions, Queue
from careerlens.queue.record import JobRecord, QueueState
from careerlens.wire import Link, QueueKeys, is_safe_job_id


@pytest.mark.parametrize(
    "job_id",
    [
        *("wait", "completed", "meta", "id", "marker", "stalled-check", "waiting-children", ""),
        *("7", "-7", "0:1", "repeat:x:1", "de:x", "1:lock", "a:logs", "a\nb", "x" * 3_000),
    ],
)
def test_ids_that_are_keys_of_the_queue_are_not_safe(job_id: str) -> None:
    assert not is_safe_job_id(job_id)


@pytest.mark.parametrize("user", ["user-1", "a:b", "0", "repeat", "de", "metrics", "wait", "ü"])
def test_our_own_ids_are_safe_for_every_user(user: str) -> None:
    job_id = str(new_job_id(user, "resume-optimization"))
    assert is_safe_job_id(job_id)
    parsed = parse_job_id(job_id)
    assert parsed is not None
    assert parsed.user_id == user


@pytest.mark.parametrize("name", ["", "a:b", "{a}", "a\n"])
def test_queue_names_that_would_share_keys_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="queue name"):
        QueueKeys(name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"priority": -1},
        {"priority": 2**21},
        {"delay_ms": -1},
    ],
)
def test_options_that_scripts_cannot_carry_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        JobOptions(**wrong)  # type: ignore[arg-type]


def test_a_backoff_refuses_impossible_numbers() -> None:
    with pytest.raises(ValueError, match="jitter"):
        Backoff(jitter=1.5)


async def test_an_unsafe_id_and_a_far_due_time_never_reach_the_server() -> None:
    queue = Queue("unit", Link("redis://127.0.0.1:1"))
    with pytest.raises(ValueError, match="damage"):
        await queue.add("unit", {}, JobOptions(job_id="completed"))
    with pytest.raises(ValueError, match="too far"):
        await queue.add("unit", {}, JobOptions(delay_ms=2**42))
    with pytest.raises(ValueError, match="JSON"):
        await queue.add("unit", {"bad": float("nan")})


def test_options_at_their_defaults_are_left_out_on_the_wire() -> None:
    assert JobOptions().to_wire() == {"attempts": 1}
    options = JobOptions(
        job_id="x", attempts=3, backoff=Backoff(jitter=0.5), priority=1, remove_on_fail=False
    )
    assert options.to_wire() == {
        "jobId": "x",
        "attempts": 3,
        "backoff": {"type": "exponential", "delay": 2_000, "jitter": 0.5},
        "priority": 1,
        "removeOnFail": False,
    }


def stored(fields: dict[str, str]) -> JobRecord:
    return JobRecord("x", {key.encode(): value.encode() for key, value in fields.items()})


def test_a_hash_with_nonsense_in_it_is_still_a_record() -> None:
    raw = {
        "data": "{broken",
        "opts": "[]",
        "timestamp": "1.7e+12",
        "finishedOn": "soon",
        "atm": "",
        "stacktrace": '{"not": "a list"}',
        "failedReason": '"quoted by an old version"',
        "returnvalue": "not json",
        "progress": "nan!",
    }
    record = stored(raw)
    assert record.name is None
    assert (record.data, record.opts, record.stacktrace) == (None, {}, [])
    assert record.timestamp_ms == 1_700_000_000_000
    assert (record.finished_on_ms, record.attempts_made, record.progress) == (None, 0, None)
    assert record.failed_reason == "quoted by an old version"
    assert record.returnvalue == "not json"
    assert record.max_attempts == 1


def test_a_failure_reason_in_quotes_that_is_no_json_stays_as_it_is() -> None:
    record = stored({"failedReason": '"a" is not "b"'})
    assert record.failed_reason == '"a" is not "b"'


def test_only_completed_and_failed_are_final() -> None:
    final = {state for state in QueueState if state.is_final}
    assert final == {QueueState.COMPLETED, QueueState.FAILED}


def test_bytes_that_are_not_text_do_not_break_a_record() -> None:
    record = JobRecord.from_fields("x", [b"name", b"\xff\xfe", b"timestamp", b"5"])
    assert record.name == "\ufffd\ufffd"
    assert record.timestamp_ms < time.time() * 1000
