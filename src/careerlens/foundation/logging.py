"""Structured logs on stderr: readable on a terminal, Cloud Logging's JSON anywhere else.

Every library's log lines go the same way. What a user entrusted to us never gets in: fields that
could hold a token, a résumé or a request body are blanked by name, and passwords in URLs by
shape, whoever logs them.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO

import structlog

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

Event = MutableMapping[str, Any]


if not structlog.is_configured():
    # Until a command says otherwise (and in other people's programs) lines go to `logging`.
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.KeyValueRenderer(key_order=["event"], drop_missing=True),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose lines carry `name`, for example `careerlens.worker`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


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
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common_processors(component),
            _RepeatFilter(clock),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_common_processors(component),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_terminal_renderers() if on_terminal else _cloud_renderers()),
            ],
        )
    )
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
    value = _URL_LOGIN.sub(rf"\g<scheme>{REDACTED}@", value)
    return _JWT.sub(REDACTED, _BEARER.sub(f"Bearer {REDACTED}", value))


def _common_processors(component: str) -> list[structlog.typing.Processor]:
    def name_component(_logger: object, _method: str, event: Event) -> Event:
        event.setdefault("component", component)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        name_component,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        _redact_event,
    ]


class _RepeatFilter:
    """Lets a warning that says exactly the same again pass every 10 s only, with their number.

    While Redis is away, every slot of every worker says so, again and again.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said: OrderedDict[tuple[object, ...], tuple[float, int]] = OrderedDict()

    def __call__(self, _logger: object, _method: str, event: Event) -> Event:
        if event.get("level") not in {"warning", "error"} or "exc_info" in event:
            return event
        line = tuple((key, repr(value)) for key, value in event.items() if key != "time")
        now = self._clock()
        since, unsaid = self._said.pop(line, (now - _REPEAT_EVERY_S, 0))
        if now - since < _REPEAT_EVERY_S:
            self._said[line] = (since, unsaid + 1)
            raise structlog.DropEvent
        self._said[line] = (now, 0)
        if len(self._said) > _LINES_REMEMBERED:
            self._said.popitem(last=False)
        if unsaid:
            event["repeated"] = unsaid
        return event


def _redact_event(_logger: object, _method: str, event: Event) -> Event:
    for key, value in event.items():
        if key.startswith("_") or key in {"event", "exc_info"}:
            continue
        if _is_private(key):
            event[key] = REDACTED
        elif isinstance(value, str):
            event[key] = redact(value)
    event["event"] = redact(str(event.get("event", "")))
    return event


def _is_private(key: str) -> bool:
    lowered = key.lower()
    return lowered in _PRIVATE_FIELDS or any(lowered.endswith(part) for part in _PRIVATE_PARTS)


def _terminal_renderers() -> list[structlog.typing.Processor]:
    """Short lines: a time of day, how grave it is, which process, what, and the rest."""
    coloured = not os.environ.get("NO_COLOR")
    renderer = structlog.dev.ConsoleRenderer
    styles = renderer.get_default_column_styles(coloured)
    levels = renderer.get_default_level_styles(coloured)

    def value(style: str, width: int) -> structlog.dev.KeyValueColumnFormatter:
        return structlog.dev.KeyValueColumnFormatter(
            key_style=None,
            value_style=style,
            reset_style=styles.reset,
            value_repr=str,
            width=width,
        )

    others = structlog.dev.KeyValueColumnFormatter(
        key_style=styles.kv_key,
        value_style=styles.kv_value,
        reset_style=styles.reset,
        value_repr=_in_one_word,
    )
    columns = [
        structlog.dev.Column("time", value(styles.timestamp, 0)),
        structlog.dev.Column(
            "level", structlog.dev.LogLevelColumnFormatter(levels, reset_style=styles.reset)
        ),
        structlog.dev.Column("component", value(styles.logger_name, 6)),
        structlog.dev.Column("event", value(styles.bright, 16)),
        structlog.dev.Column("", others),
    ]
    return [
        _shorten,
        renderer(columns=columns, exception_formatter=structlog.dev.plain_traceback),
    ]


def _in_one_word(value: object) -> str:
    """`value`, quoted where it has blanks or what a terminal would obey."""
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)


def _shorten(_logger: object, _method: str, event: Event) -> Event:
    """Leave out what a person who watches does not miss."""
    event.pop("logger", None)
    event["time"] = datetime.fromisoformat(event["time"]).astimezone().strftime("%H:%M:%S")
    status = event.get("status")
    if isinstance(status, int) and status < 400:
        event.pop("request_id", None)
    if f":{event.get('job_type')}:" in str(event.get("job_id")):
        event.pop("job_type")
    return event


def _cloud_renderers() -> list[structlog.typing.Processor]:
    return [structlog.processors.format_exc_info, _cloud_fields, _as_json_line]


def _cloud_fields(_logger: object, _method: str, event: Event) -> Event:
    """Rename to what Cloud Logging reads; `stack_trace` feeds its error reporting."""
    severity = str(event.pop("level", "info")).upper()
    line: Event = {
        "severity": "ERROR" if severity == "EXCEPTION" else severity,
        "time": event.pop("time", None),
        "message": event.pop("event", ""),
    }
    if "exception" in event:
        line["stack_trace"] = redact(str(event.pop("exception")))
    line.update(event)
    return line


def _as_json_line(_logger: object, _method: str, event: Event) -> str:
    return json.dumps(event, default=str, ensure_ascii=False)
