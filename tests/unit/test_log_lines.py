"""Logs: Cloud Logging's JSON off a terminal, readable on one, and never anybody's secrets."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from careerlens.foundation.logging import configure_logging, get_logger
from careerlens.foundation.settings import load_settings


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """What other tests see of logging stays as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("careerlens").setLevel(logging.NOTSET)


@pytest.fixture
def stream() -> io.StringIO:
    """Where the log goes."""
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The parsed lines of a JSON log."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_off_a_terminal_each_line_is_what_cloud_logging_reads(stream: io.StringIO) -> None:
    configure_logging("worker", load_settings(), stream=stream)
    get_logger("careerlens.worker").warning("a job is slow", job_id="a:b:1:c", seconds=7)
    (line,) = lines(stream)
    assert line["severity"] == "WARNING"
    assert line["message"] == "a job is slow"
    assert line["time"].endswith("Z")
    assert line["component"] == "worker"
    assert line["job_id"] == "a:b:1:c"


def test_an_exception_is_one_line_with_its_trace(stream: io.StringIO) -> None:
    configure_logging("api", load_settings(), stream=stream)
    try:
        raise ValueError("wrong")
    except ValueError:
        get_logger("careerlens.api").exception("it failed")
    (line,) = lines(stream)
    assert line["severity"] == "ERROR"
    assert "ValueError: wrong" in line["stack_trace"]


def test_lines_of_libraries_go_the_same_way(stream: io.StringIO) -> None:
    configure_logging("api", load_settings(), stream=stream)
    logging.getLogger("somebody.else").error("they said %s", "this")
    (line,) = lines(stream)
    assert (line["message"], line["logger"]) == ("they said this", "somebody.else")


def test_on_a_terminal_lines_are_readable(stream: io.StringIO) -> None:
    configure_logging("api", load_settings(), stream=stream, colours=True)
    get_logger("careerlens.api").info("it is up", port=3000)
    assert "it is up" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_on_a_terminal_a_line_has_what_a_person_watches_for(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    configure_logging("worker", load_settings(), stream=stream, colours=True)
    log = get_logger("careerlens.worker")
    log.info("job_started", job_type="letter", job_id="me:letter:17:x", attempt=1)
    log.info("request", path="/api/jobs", status=200, request_id="r-1")
    log.info("request", path="/\x1b[2J", status=404, request_id="r-2")
    said = [line.split() for line in stream.getvalue().splitlines()]
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d", time) for time, *_rest in said)
    assert [" ".join(rest) for _time, *rest in said] == [
        "[info ] worker job_started attempt=1 job_id=me:letter:17:x",
        "[info ] worker request path=/api/jobs status=200",
        "[info ] worker request path='/\\x1b[2J' request_id=r-2 status=404",
    ]


@pytest.mark.parametrize("colours", [True, False])
def test_secrets_never_get_in(stream: io.StringIO, colours: bool) -> None:
    configure_logging("api", load_settings(), stream=stream, colours=colours)
    token = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VySWQiOiJ1In0.c2lnbmF0dXJl"
    get_logger("careerlens.api").error(
        f"refused Bearer {token}",
        token="canary-1",
        jwt_secret="canary-2",
        authorization="canary-3",
        resume_text="canary-4",
        resumeText="canary-5",
        url="redis://user:canary-6@host:6379/0",
        body={"text": "canary-7"},
        reason=f"bad token {token}",
        REDIS_PASSWORD="canary-8",
    )
    logging.getLogger("redis").error("cannot connect to rediss://:canary-9@host/0")
    assert "canary" not in stream.getvalue()
    assert token not in stream.getvalue()
    assert "host:6379" in stream.getvalue()


def test_the_level_is_the_one_asked_for(stream: io.StringIO) -> None:
    configure_logging("api", load_settings(log_level="error"), stream=stream)
    get_logger("careerlens.api").warning("quiet")
    assert stream.getvalue() == ""


def test_a_warning_that_says_the_same_again_is_counted_rather_than_repeated(
    stream: io.StringIO,
) -> None:
    now = 1_000.0
    configure_logging("worker", load_settings(), stream=stream, clock=lambda: now)
    log = get_logger("careerlens.worker")
    for _ in range(3):
        log.warning("taking a job failed", problem="no connection")
    log.warning("taking a job failed", problem="another one")
    now += 10.0
    log.warning("taking a job failed", problem="no connection")
    said = [(line["problem"], line.get("repeated")) for line in lines(stream)]
    assert said == [("no connection", None), ("another one", None), ("no connection", 2)]


def test_what_happens_is_said_as_often_as_it_happens(stream: io.StringIO) -> None:
    configure_logging("worker", load_settings(), stream=stream)
    for _ in range(3):
        get_logger("careerlens.worker").info("job_started")
    assert len(lines(stream)) == 3
