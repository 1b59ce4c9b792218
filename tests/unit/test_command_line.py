"""The command line teaches, and answers mistakes with one clear paragraph and an exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from careerlens.cli._main import build_app, run_command
from careerlens.cli.exits import EXIT_CODES_HELP, Exit
from careerlens.cli.screen import command, messages
from careerlens.jobs.uploads import MAX_FILE_BYTES
from support import free_port

COMMANDS = sorted(name for name in build_app() if not name.startswith("-"))


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each command runs in an empty folder with an API address that nobody serves."""
    monkeypatch.chdir(tmp_path)
    for variable in ("REDIS_URL", "REDIS_HOST", "CAREERLENS_ENV", "CAREERLENS_TOKEN", "JWT_SECRET"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("API_PORT", str(free_port()))
    monkeypatch.setenv("SOCKET_PORT", str(free_port()))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


class Said:
    """What a command line printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = " ".join(err.split())


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Runs a command line in this process."""
    return Runner(capsys)


class Runner:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Said:
        code = run_command(arguments)
        captured = self._capsys.readouterr()
        return Said(code, captured.out, captured.err)


def test_every_command_of_the_product_is_there() -> None:
    expected = {"run", "api", "worker", "socket", "submit", "optimize", "token", "doctor"}
    assert expected <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_page_describes_each_parameter_and_shows_an_example(
    run: Runner, command: str
) -> None:
    said = run(command, "--help")
    assert said.code == Exit.DONE
    if command != "version":
        assert f"careerlens {command}" in said.out
    for line in said.out.splitlines():
        assert not line.strip("│ ").startswith("--") or len(line.strip("│ ").split("  ", 1)) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_in_the_help_can_be_copied_from_a_narrow_terminal(
    run: Runner, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def examples(columns: int) -> str:
        monkeypatch.setattr("careerlens.cli.screen._PIPED_WIDTH", columns)
        _before, _heading, after = run(command, "--help").out.partition("For example:")
        return re.sub(r" +$", "", after.partition("╭")[0], flags=re.M)

    assert examples(80) == examples(200)


def test_the_main_help_starts_with_what_to_type(run: Runner) -> None:
    said = run("--help")
    assert "careerlens run" in said.out
    assert 'careerlens optimize resume.pdf --role "Data Engineer"' in said.out
    assert "Exit codes" in said.out


def test_exit_codes_in_the_help_are_those_of_the_program() -> None:
    for code in Exit:
        assert f"{code.value} " in EXIT_CODES_HELP


def test_version_names_what_is_installed(run: Runner) -> None:
    said = run("version")
    assert said.out.startswith("careerlens 0.")
    assert "bullmq 3.4.4" in said.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nonsense"], "nonsense"),
        (["optimize"], "requires an argument"),
        (["optimize", "resume.pdf"], "--role"),
        (["optimize", "missing.pdf", "--role", "Nurse"], "missing.pdf cannot be read"),
        (["optimize", ".", "--role", "Nurse"], ". cannot be read"),
        (["worker", "--concurrency", "many"], "many"),
        (["submit", "x", "--data", "not json"], "--data is not JSON"),
        (["submit", "x", "--data", "[1]"], "must be a JSON object"),
        (["submit", "x", "--field", "no-equals-sign"], "has no value"),
        (["submit", "x", "--field", "text=@missing.txt"], "missing.txt cannot be read"),
        (["submit", "x", "--api-url", "localhost:3000"], "is not the address of an API"),
        (["token", "--user", ""], "cannot be a user id"),
        (["token", "--user", " a"], "cannot be a user id"),
        (["token", "--user", "a", "--hours", "0"], "cannot be valid for 0 hours"),
        (["token", "--user", "a", "--hours", "nan"], "cannot be valid for nan hours"),
        (["health", "--port", "99999"], "65535"),
        (["run", "--json"], "belong to --once"),
        (["run", "--once", "--file", "missing.pdf"], "missing.pdf cannot be read"),
    ],
)
def test_a_wrong_command_line_is_answered_with_one_paragraph(
    run: Runner, arguments: list[str], expected: str
) -> None:
    said = run(*arguments)
    assert said.code == Exit.USAGE
    assert said.err.startswith("error: ")
    assert expected in said.err
    assert "Traceback" not in said.err
    assert said.out == ""


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(
    run: Runner, empty_folder: Path
) -> None:
    (empty_folder / "big.pdf").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    said = run("optimize", "big.pdf", "--role", "Nurse")
    assert said.code == Exit.USAGE
    assert "larger than 5 MiB" in said.err


def test_an_empty_file_is_refused_before_it_is_sent(run: Runner, empty_folder: Path) -> None:
    (empty_folder / "empty.txt").write_text("  \n")
    said = run("optimize", "empty.txt", "--role", "Nurse")
    assert said.code == Exit.USAGE
    assert "empty.txt is empty" in said.err


def test_a_server_that_is_not_running_is_named_with_the_way_to_start_it(
    run: Runner, empty_folder: Path
) -> None:
    (empty_folder / "cv.txt").write_text("A résumé")
    said = run("optimize", "cv.txt", "--role", "Nurse", "--quiet")
    assert said.code == Exit.UNAVAILABLE
    assert f"Nothing answers at http://127.0.0.1:{os.environ['API_PORT']}" in said.err
    assert "careerlens run" in said.err


@pytest.mark.parametrize(
    ("variable", "value", "told", "expected"),
    [
        ("API_PORT", "77777", "doctor", "at most 65535"),
        ("REDIS_PORT", "abc", "doctor", "a whole number"),
        ("REDIS_TLS", "perhaps", "doctor", "true or false"),
        ("REDIS_URL", "http://localhost:6379", "doctor", "'http' is not known"),
        ("REDIS_URL", "redis+cluster://localhost/1", "doctor", "no database 1"),
        ("CAREERLENS_ENV", "staging", "doctor", "'development' or 'production'"),
        ("CAREERLENS_SHUTDOWN_SECONDS", "0", "doctor", "more than 0"),
        ("CORS_ORIGIN", "localhost:3000", "doctor", "like http://localhost:3000"),
        ("CORS_ORIGIN", "https://example.com/jobs", "doctor", "without a path"),
        ("LOG_LEVEL", "loud", "doctor", "'warning' or 'error'"),
        ("CAREERLENS_HOME", "/dev/null/x", "run", "cannot be made"),
    ],
)
def test_a_wrong_setting_is_named(
    run: Runner,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    told: str,
    expected: str,
) -> None:
    monkeypatch.setenv(variable, value)
    said = run(told)
    assert said.code == Exit.CONFIGURATION
    assert said.err.startswith(f"error: {variable}: ")
    assert expected in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("told", ["worker", "api", "socket", "run"])
def test_a_cluster_needs_a_prefix_in_braces(
    run: Runner, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis+cluster://localhost")
    said = run(told)
    assert said.code == Exit.CONFIGURATION
    assert said.err.startswith("error: CAREERLENS_QUEUE_PREFIX: ")
    assert "{bull}" in said.err


def test_a_redis_that_is_not_there_is_told_before_anything_is_started(
    run: Runner, monkeypatch: pytest.MonkeyPatch, empty_folder: Path
) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}")
    said = run("run", "--once")
    assert said.code == Exit.UNAVAILABLE
    assert "correct REDIS_HOST or REDIS_URL" in said.err
    assert (empty_folder / ".careerlens" / "run-once.log").read_bytes() == b""


def test_a_port_that_is_taken_is_named_with_the_variable_and_the_way_out(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    with socket.socket() as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        port = occupant.getsockname()[1]
        monkeypatch.setenv("SOCKET_PORT", str(port))
        said = run("run")
    assert said.code == Exit.CONFIGURATION
    assert f"SOCKET_PORT: port {port} is taken" in said.err
    assert "SOCKET_PORT=" in said.err.partition("choose another port")[2]


def test_a_production_server_elsewhere_wants_a_token(
    run: Runner, monkeypatch: pytest.MonkeyPatch, empty_folder: Path
) -> None:
    (empty_folder / "cv.txt").write_text("A résumé")
    said = run("optimize", "cv.txt", "--role", "Nurse", "--api-url", "https://jobs.example")
    assert said.code == Exit.CONFIGURATION
    assert "--token" in said.err


def test_a_defect_of_ours_is_one_paragraph_with_the_traceback_in_a_file(
    run: Runner, monkeypatch: pytest.MonkeyPatch, empty_folder: Path
) -> None:
    monkeypatch.setattr("careerlens.cli.identity.version_of", lambda _name: 1 / 0)
    said = run("version")
    assert said.code == Exit.DEFECT
    assert "a defect of its own (ZeroDivisionError" in said.err
    assert "Traceback" not in said.err
    assert "Traceback" in (empty_folder / ".careerlens" / "crash.log").read_text()


def test_tokens_are_valid_for_the_user_and_the_time_asked_for(run: Runner) -> None:
    import jwt

    token = run("token", "--user", "user-123", "--hours", "2").out.strip()
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["userId"] == "user-123"
    assert claims["exp"] - claims["iat"] == 2 * 3600


@pytest.mark.parametrize("arguments", ["--help", "doctor"])
def test_output_that_nobody_reads_any_more_is_no_error(tmp_path: Path, arguments: str) -> None:
    """As with `careerlens … | head -1`."""
    command = f"({sys.executable} -m careerlens {arguments}; echo $? >code) | true"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stderr == ""
    assert (tmp_path / "code").read_text().strip() == "0"


def test_what_a_pager_shows_fits_the_terminal(tmp_path: Path) -> None:
    """Results are piped, and messages go to a terminal of 60 columns."""
    master, terminal = os.openpty()
    try:
        termios.tcsetwinsize(terminal, (24, 60))
        done = subprocess.run(
            [sys.executable, "-m", "careerlens", "run", "--help"],
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
            cwd=tmp_path,
            check=True,
        )
    finally:
        os.close(master)
        os.close(terminal)
    assert max(len(line) for line in done.stdout.splitlines()) == 60


def test_a_message_in_a_pipe_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    messages().print("a word " * 100)
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_is_named_as_this_shell_would_find_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / ".venv/bin/careerlens"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert command() == ".venv/bin/careerlens"
    monkeypatch.setenv("PATH", str(program.parent))
    assert command() == "careerlens"


def test_importing_the_command_line_is_cheap() -> None:
    """`careerlens token` in a script must not load web servers and document readers."""
    heavy = ["fastapi", "uvicorn", "socketio", "duckdb", "sqlalchemy", "docx", "redis", "httpx"]
    code = f"""if True:
        import careerlens.cli, json, sys
        print(json.dumps([name for name in {heavy} if name in sys.modules]))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
