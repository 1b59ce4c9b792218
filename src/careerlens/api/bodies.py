"""Request bodies, read with a bound on size, time and shape before anything believes them."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from careerlens.api.problems import ProblemError
from careerlens.foundation.errors import FieldProblem, InvalidInputError
from careerlens.foundation.patience import patience
from careerlens.jobs.uploads import MAX_FILE_BYTES

MIB = 1024 * 1024
MAX_JSON_BYTES = MIB
MAX_MULTIPART_BYTES = 6 * MIB
MAX_FIELDS = 100
MAX_DEPTH = 32
BODY_TIMEOUT_S = 30.0
FILE_FIELD = "resume"


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadedFile:
    """A file as the client sent it; neither its name nor its claimed type is believed."""

    name: str
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class JobForm:
    """The fields of a request to create a job, and the file that came along."""

    fields: dict[str, Any]
    file: UploadedFile | None = None


async def read_job_form(request: Request, headers: Mapping[str, str]) -> JobForm:
    """The body of a request to create a job: a JSON object, or multipart form data.

    `headers` are the request's, asked by lower-case names.

    Raises `ProblemError` or `InvalidInputError` for anything else. A body over its limit is
    refused when the limit is reached, whether its length was announced or not.
    """
    encoding = headers.get("content-encoding")
    if encoding is not None and encoding.strip().lower() != "identity":
        raise ProblemError(
            "unsupported-media-type", "Compressed bodies are not accepted. Send it as it is."
        )
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    match media_type:
        case "application/json":
            return JobForm(fields=parse_object(await _read(request, headers, MAX_JSON_BYTES)))
        case "multipart/form-data":
            return await _read_multipart(request, headers)
        case _:
            raise ProblemError(
                "unsupported-media-type",
                "Send `Content-Type: application/json`, or `multipart/form-data` with a file.",
            )


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object, strictly: UTF-8, each name once, finite numbers, no lone surrogate, no NUL.

    Raises `ProblemError` (malformed) or `InvalidInputError` (a NUL, or too many fields).
    """
    value = _plain_object(body)
    return _parse_strictly(body) if value is None else value


def _plain_object(body: bytes) -> dict[str, Any] | None:
    """The object that most bodies are: texts and whole numbers, by few names that are all there.

    None for everything else, which takes three times as long to be judged, and to be told why.
    """
    if b"\\" in body and (b'\\"' in body or b"\\u" in body):
        return None
    try:
        value = orjson.loads(body)
    except ValueError:
        return None
    if type(value) is not dict or len(value) > MAX_FIELDS:
        return None
    texts = len(value)
    for each in value.values():
        if type(each) is str:
            texts += 1
        elif each is not None and type(each) not in {int, bool}:
            return None
    # No text holds a quotation mark. A name that came twice has left two too many.
    return value if body.count(b'"') == 2 * texts else None


def _parse_strictly(body: bytes) -> dict[str, Any]:
    try:
        value = _DECODER.decode(_without_mark(body.decode()))
        # What cannot be written again: lone surrogates, depth, integers of more than 64 bits.
        orjson.dumps(value)
    except (ValueError, TypeError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ProblemError("malformed-body", f"The body is not valid JSON: {reason}.") from None
    if not isinstance(value, dict):
        raise ProblemError("malformed-body", "The body must be one JSON object.")
    _require_few(len(value))
    if b"\\u0000" in body:
        _refuse_nul(value, ())
    return value


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text:.20} is no finite number")
    return value


# Made once: making it takes as long as reading a body of 2 kB.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_of, parse_float=_finite, parse_constant=_finite
)


def _without_mark(text: str) -> str:
    """The text itself; one that begins with a byte order mark is refused, as by `json.loads`."""
    if text.startswith("\ufeff"):
        raise json.JSONDecodeError("Unexpected UTF-8 BOM (decode using utf-8-sig)", text, 0)
    return text


def _refuse_nul(value: Any, path: tuple[str, ...]) -> None:
    if len(path) > MAX_DEPTH:
        raise ProblemError("malformed-body", "The body is nested too deeply.")
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidInputError([_nul_problem(".".join(path))])
    elif isinstance(value, dict):
        for name, part in value.items():
            _refuse_nul(name, (*path, name.replace("\0", "")[:80]))
            _refuse_nul(part, (*path, name[:80]))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _refuse_nul(part, (*path, str(index)))


def _nul_problem(field: str) -> FieldProblem:
    return FieldProblem(
        field=field, message="holds a NUL character; remove it", code="forbidden_character"
    )


def _require_few(count: int) -> None:
    if count > MAX_FIELDS:
        problem = FieldProblem(
            field="body", message=f"has more than {MAX_FIELDS} fields", code="too_many_fields"
        )
        raise InvalidInputError([problem])


async def _read_multipart(request: Request, headers: Mapping[str, str]) -> JobForm:
    _require_utf8(headers["content-type"])
    parser = _MemoryParser(
        Headers(raw=request.headers.raw),
        _bounded(request, headers, MAX_MULTIPART_BYTES),
        max_files=1,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_JSON_BYTES,
    )
    try:
        with patience(BODY_TIMEOUT_S):
            form = await parser.parse()
    except TimeoutError:
        raise ProblemError("request-timeout") from None
    except (MultiPartException, UnicodeDecodeError) as error:
        detail = getattr(error, "message", "its text is not UTF-8")
        raise ProblemError("malformed-body", f"The form data is malformed: {detail}") from None
    fields: dict[str, Any] = {}
    file: UploadedFile | None = None
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            file = await _take_file(name, value) or file
        else:
            _take_text(fields, name, value)
    return JobForm(fields=fields, file=file)


def _require_utf8(content_type: str) -> None:
    """The parser would decode by any codec of Python's that is named, failing and slow ones too."""
    _, parameters = parse_options_header(content_type)
    if parameters.get(b"charset", b"utf-8").lower() not in {b"utf-8", b"utf8"}:
        raise ProblemError("unsupported-media-type", "Send the form's text as UTF-8.")


class _MemoryParser(MultiPartParser):
    """Keeps the file in memory: it is bounded, and nothing of a user's reaches the disk."""

    spool_max_size = MAX_MULTIPART_BYTES + 1


async def _take_file(name: str, value: UploadFile) -> UploadedFile | None:
    content = await value.read()
    await value.close()
    if name != FILE_FIELD:
        problem = FieldProblem(
            field=name[:80],
            message=f"unknown file; send the file as {FILE_FIELD}",
            code="unknown_field",
        )
        raise InvalidInputError([problem])
    if not value.filename and not content:
        return None
    if len(content) > MAX_FILE_BYTES:
        raise _too_large(MAX_FILE_BYTES, "file")
    return UploadedFile(name=value.filename or "", content=content)


def _take_text(fields: dict[str, Any], name: str, value: str) -> None:
    if name in fields:
        problem = FieldProblem(field=name[:80], message="stands twice", code="duplicate_field")
        raise InvalidInputError([problem])
    if "\0" in value or "\0" in name:
        raise InvalidInputError([_nul_problem(name.replace("\0", "")[:80])])
    fields[name] = value


async def _read(request: Request, headers: Mapping[str, str], limit: int) -> bytes:
    try:
        with patience(BODY_TIMEOUT_S):
            _refuse_announced(headers, limit)
            chunks: list[bytes] = []
            received = 0
            is_more_to_come = True
            while is_more_to_come:
                chunk, is_more_to_come = await _next_chunk(request, received, limit)
                chunks.append(chunk)
                received += len(chunk)
            return b"".join(chunks)
    except TimeoutError:
        raise ProblemError("request-timeout") from None


async def _bounded(
    request: Request, headers: Mapping[str, str], limit: int
) -> AsyncGenerator[bytes]:
    _refuse_announced(headers, limit)
    received = 0
    is_more_to_come = True
    while is_more_to_come:
        chunk, is_more_to_come = await _next_chunk(request, received, limit)
        received += len(chunk)
        yield chunk


def _refuse_announced(headers: Mapping[str, str], limit: int) -> None:
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise _too_large(limit, "body")


async def _next_chunk(request: Request, received: int, limit: int) -> tuple[bytes, bool]:
    """The next part of a body of which so many bytes came, and whether more is to come."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ProblemError("malformed-body", "The body ended early.")
    chunk: bytes = message.get("body", b"")
    if received + len(chunk) > limit:
        raise _too_large(limit, "body")
    return chunk, message.get("more_body", False)


def _too_large(limit: int, what: str) -> ProblemError:
    return ProblemError(
        "body-too-large", f"The {what} is larger than {limit // MIB} MiB ({limit} bytes)."
    )
