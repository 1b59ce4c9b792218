"""Structured logs on stderr: readable on a terminal, Cloud Logging's JSON anywhere else.

A line is an event and its fields, and travels by the standard library's `logging`; until a command
configures that, and in other people's programs, it reads `event key=value`. Every library's log
lines go the same way. What a user entrusted to us never gets in: fields that could hold a token,
a résumé or a request body are blanked by name, and passwords in URLs by shape, whoever logs them.

    Logger ──▶ logging ──▶ _RepeatFilter ──▶ _Formatter ──▶ as JSON, or for a person
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from careerlens.foundation.settings import Settings

REDACTED = "[redacted]"
_PRIVATE_FIELDS = frozenset(
    {
        "authorization", "bearer", "body", "cookie", "data", "dsn", "jwt", "password", "resume",
        "resume_text", "resumetext", "secret", "text", "token",
    }
)  # fmt: skip
_PRIVATE_PARTS = ("password", "secret", "token")
_URL_LOGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/@\s]*:[^/@\s]*@", re.IGNORECASE)
_BEARER = re.compile(r"\bBearer\s+[A-Za-z0-9._~+/=-]+", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_NOISY_LIBRARIES = {
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "engineio": logging.WARNING,
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "socketio": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.WARNING,
}

_REPEAT_EVERY_S = 10.0
_LINES_REMEMBERED = 256

Fields = dict[str, Any]

_NOTHING: Fields = {}
_context: ContextVar[Fields] = ContextVar("careerlens_log_context", default=_NOTHING)


class Logger:
    """Says what happens: an event in stable words, and fields that tell the particulars."""

    __slots__ = ("_fields", "_logger")

    def __init__(self, logger: logging.Logger, fields: Fields) -> None:
        self._logger = logger
        self._fields = fields

    def bind(self, **fields: Any) -> Logger:
        """A logger whose lines carry these fields too."""
        return Logger(self._logger, self._fields | fields)

    def is_enabled_for(self, level: int) -> bool:
        """Whether a line of this level, one of `logging`'s, goes anywhere."""
        return self._logger.isEnabledFor(level)

    def log(self, level: int, event: str, **fields: Any) -> None:
        """A line of a level, one of `logging`'s, that is decided as it is logged."""
        self._say(level, event, fields)

    def debug(self, event: str, **fields: Any) -> None:
        """Something that only developers look for."""
        self._say(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Something that happens every day."""
        self._say(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Something that goes wrong, and that we cope with."""
        self._say(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Something that goes wrong, and that somebody should look at."""
        self._say(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """As `error`, with the traceback of the exception being handled."""
        self._say(logging.ERROR, event, fields, exc_info=True)

    def _say(self, level: int, event: str, fields: Fields, *, exc_info: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            line = _Line(event, self._fields | fields)
            self._logger.log(level, line, exc_info=exc_info, stacklevel=3)


def get_logger(name: str) -> Logger:
    """A logger whose lines carry `name`, for example `careerlens.worker`."""
    return Logger(logging.getLogger(name), {})


class LogContext:
    """Lets every line that is logged inside the block, by whomever, carry these fields."""

    __slots__ = ("_fields", "_token")
    _token: Token[Fields]

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._token = _context.set(_context.get() | self._fields)

    def __exit__(self, *_exception: object) -> None:
        _context.reset(self._token)


def configure_logging(
    component: str,
    settings: Settings,
    *,
    stream: TextIO | None = None,
    colours: bool | None = None,
    clock: Callable[[], float] = monotonic,
) -> None:
    """Send every log line of this process to `stream` (stderr unless given).

    `component` names the process in each line: `api`, `worker`, `socket`… Calling it again
    replaces what was configured before.
    """
    stream = stream or sys.stderr
    on_terminal = stream.isatty() if colours is None else colours
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    handler = logging.StreamHandler(stream)
    handler.addFilter(_RepeatFilter(clock))
    handler.setFormatter(_Formatter(component, _for_a_person() if on_terminal else _as_json_line))
    # No line of ours tells where in the code it was logged: finding that out took a third of it.
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # At their most talkative, libraries quote what they handle: SQL parameters, form fields.
    root.setLevel(max(level, logging.INFO))
    logging.getLogger("careerlens").setLevel(level)
    for library, floor in _NOISY_LIBRARIES.items():
        logger = logging.getLogger(library)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(level, floor))


def redact(value: str) -> str:
    """`value` without passwords in URLs, bearer tokens and JWTs."""
    if "://" not in value and "eyJ" not in value and "bearer" not in value.lower():
        return value  # nearly always
    value = _URL_LOGIN.sub(rf"\g<scheme>{REDACTED}@", value)
    return _JWT.sub(REDACTED, _BEARER.sub(f"Bearer {REDACTED}", value))


class _Line:
    """The message of a log record of ours: it reads well to any formatter."""

    __slots__ = ("event", "fields")

    def __init__(self, event: str, fields: Fields) -> None:
        self.event = event
        self.fields = fields

    def __str__(self) -> str:
        particulars = (f"{key}={_in_one_word(value)}" for key, value in self.fields.items())
        return " ".join([self.event, *particulars])


class _RepeatFilter(logging.Filter):
    """Lets a warning that says exactly the same again pass every 10 s only, with their number.

    While Redis is away, every slot of every worker says so, again and again.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._said: OrderedDict[tuple[object, ...], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.msg
        if not isinstance(line, _Line) or record.levelno < logging.WARNING or record.exc_info:
            return True
        said = (record.name, record.levelno, str(line), repr(_context.get()))
        now = self._clock()
        since, unsaid = self._said.pop(said, (now - _REPEAT_EVERY_S, 0))
        if now - since < _REPEAT_EVERY_S:
            self._said[said] = (since, unsaid + 1)
            return False
        self._said[said] = (now, 0)
        if len(self._said) > _LINES_REMEMBERED:
            self._said.popitem(last=False)
        if unsaid:
            record.msg = _Line(line.event, line.fields | {"repeated": unsaid})
        return True


class _Formatter(logging.Formatter):
    """Gathers what there is to say in a record, blanks what is private, and renders it."""

    def __init__(self, component: str, render: Callable[[Fields], str]) -> None:
        super().__init__()
        self._component = component
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        said = record.msg if isinstance(record.msg, _Line) else _Line(record.getMessage(), {})
        line: Fields = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "component": self._component,
            "event": redact(said.event),
            "logger": record.name,
        }
        particulars = (_context.get() | said.fields).items()
        line.update((key, _redacted(key, value)) for key, value in particulars)
        if record.exc_info:
            line["trace"] = redact(self.formatException(record.exc_info))
        return self._render(line)


def _redacted(key: str, value: Any) -> Any:
    if _is_private(key):
        return REDACTED
    return redact(value) if isinstance(value, str) else value


@lru_cache(maxsize=1024)
def _is_private(key: str) -> bool:
    lowered = key.lower()
    return lowered in _PRIVATE_FIELDS or lowered.endswith(_PRIVATE_PARTS)


_encode = json.JSONEncoder(default=str, ensure_ascii=False).encode


def _as_json_line(line: Fields) -> str:
    """By the names that Cloud Logging reads; `stack_trace` feeds its error reporting."""
    named = {
        "severity": line.pop("level").upper(),
        "time": line.pop("time").isoformat().replace("+00:00", "Z"),
        "message": line.pop("event"),
    }
    if "trace" in line:
        named["stack_trace"] = line.pop("trace")
    return _encode(named | line)


_DIM, _BOLD, _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN = (
    "2",
    "1",
    "31",
    "32",
    "33",
    "34",
    "35",
    "36",
)
_LEVEL_COLOURS = {"debug": _GREEN, "info": _GREEN, "warning": _YELLOW}


def _for_a_person() -> Callable[[Fields], str]:
    """Short lines: a time of day, how grave it is, which process, what, and the rest."""
    coloured = not os.environ.get("NO_COLOR")

    def paint(colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if coloured else text

    def render(line: Fields) -> str:
        trace = line.pop("trace", None)
        level = line.pop("level")
        parts = [
            paint(_DIM, line.pop("time").astimezone().strftime("%H:%M:%S")),
            f"[{paint(_LEVEL_COLOURS.get(level, _RED), f'{level:<7}')}]",
            paint(_BLUE, f"{line.pop('component'):<6}"),
            paint(_BOLD, f"{_on_one_line(line.pop('event')):<16}"),
        ]
        _shorten(line)
        parts += (
            f"{paint(_CYAN, key)}={paint(_MAGENTA, _in_one_word(value))}"
            for key, value in sorted(line.items())
        )
        said = " ".join(parts)
        return f"{said}\n{trace}" if trace else said

    return render


def _in_one_word(value: object) -> str:
    """`value`, quoted where it has blanks or what a terminal would obey."""
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)


def _on_one_line(text: str) -> str:
    """`text` without what a terminal would obey."""
    return text if text.isprintable() else repr(text)[1:-1]


def _shorten(line: Fields) -> None:
    """Leave out what a person who watches does not miss."""
    line.pop("logger", None)
    status = line.get("status")
    if isinstance(status, int) and status < 400:
        line.pop("request_id", None)
    if f":{line.get('job_type')}:" in str(line.get("job_id")):
        line.pop("job_type")
