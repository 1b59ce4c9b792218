"""Functions that tests run in child processes; kept light, since each child imports them."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from careerlens.foundation.errors import JobError, UnrecoverableError
from careerlens.foundation.isolation import emit


class PickyError(UnrecoverableError):
    """An error class that this module alone knows."""


def add(left: int, right: int) -> int:
    return left + right


def echo(*values: Any) -> Any:
    return [value.decode() if isinstance(value, bytes) else value for value in values]


def count_up(to: int) -> str:
    for number in range(to):
        emit({"number": number})
    return "done"


def print_noise() -> str:
    print("noise on standard output")
    sys.stdout.flush()
    return "clean"


def process_id() -> int:
    return os.getpid()


def sleep_for_ever() -> None:
    emit(os.getpid())
    while True:
        time.sleep(60)


def ignore_polite_requests() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleep_for_ever()


def burn_processor() -> None:
    while True:
        pass


def take_memory(count: int) -> int:
    return len(bytearray(count))


def crash() -> None:
    ctypes.string_at(0)


def answer_too_much() -> str:
    return "x" * 5_000_000


def emit_without_end() -> None:
    while True:
        emit("x" * 10_000)


def raise_job_error() -> None:
    raise JobError("Come back later.", code="later")


def raise_unrecoverable() -> None:
    raise PickyError("It is locked.", code="file_encrypted")


def raise_other() -> None:
    raise ValueError("seven is not allowed")


def return_nan() -> float:
    return float("nan")


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=1)


def connect_without_python(port: int) -> int:
    return int(ctypes.CDLL(None).socket(socket.AF_INET, socket.SOCK_STREAM, 0))


def write_file(path: str) -> None:
    Path(path).write_text("written")


def write_without_python(path: str) -> int:
    return int(ctypes.CDLL(None).open(path.encode(), os.O_WRONLY | os.O_CREAT, 0o600))


def remove_file(path: str) -> None:
    Path(path).unlink()


def run_program() -> str:
    done = subprocess.run(["/bin/echo", "ran"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def run_program_without_python() -> int:
    return int(ctypes.CDLL(None).system(b"true"))


def start_sleeper() -> None:
    sleeper = subprocess.Popen(["/bin/sleep", "600"])
    emit(sleeper.pid)
    sleeper.wait()


def environment_names() -> list[str]:
    return sorted(os.environ)
