"""From what a client sent to a job's typed data, or to words about what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from careerlens.foundation.errors import FieldProblem, InvalidInputError
from careerlens.jobs.definitions import JobDefinition
from careerlens.jobs.uploads import UploadRef

_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "too_short": "too_short",
    "too_long": "too_long",
}
_WORDS = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
}


def validate_input(
    definition: JobDefinition, fields: Mapping[str, Any], *, upload: UploadRef | None = None
) -> BaseModel:
    """The typed data of a job of this type, from `fields` by their names on the wire.

    `upload` is a file that came along; only this way does it reach the data.

    Raises `InvalidInputError` that names every wrong field and what to do about it. Values are
    not repeated in it.
    """
    not_theirs = definition.server_filled_names()
    problems = []
    if not not_theirs.isdisjoint(fields):
        problems = [_unknown(definition, name) for name in fields if name in not_theirs]
    values = {name: value for name, value in fields.items() if isinstance(name, str)}
    if upload is not None:
        if definition.upload_field is None:
            raise InvalidInputError(
                [
                    FieldProblem(
                        field="resume",
                        message=f"jobs of type {definition.type} take no file; leave it out",
                        code="unknown_field",
                    )
                ]
            )
        values[definition.wire_name(definition.upload_field)] = upload
    if problems:
        raise InvalidInputError(problems)
    return _validate(definition, values)


def validate_stored(definition: JobDefinition, data: Mapping[str, Any]) -> BaseModel:
    """The typed data of a job as it stands in its queue, whoever put it there.

    Raises `InvalidInputError` as `validate_input` does.
    """
    fields = {name: value for name, value in data.items() if name not in ENVELOPE_FIELDS}
    return _validate(definition, fields)


ENVELOPE_FIELDS = frozenset({"type", "userId", "createdAt"})
"""What stands in a stored job's data beside the fields of its type."""


def _validate(definition: JobDefinition, values: Mapping[str, Any]) -> BaseModel:
    try:
        return definition.input_model.model_validate(
            values, by_alias=True, by_name=False, extra="forbid"
        )
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise InvalidInputError([_problem(definition, detail) for detail in details]) from None


def _problem(definition: JobDefinition, detail: ErrorDetails) -> FieldProblem:
    kind = detail["type"]
    context = detail.get("ctx", {})
    path = [str(part) for part in detail["loc"]] or [str(context.get("field", "body"))]
    if kind == "extra_forbidden":
        return _unknown(definition, ".".join(path))
    return FieldProblem(
        field=".".join(path),
        message=_message(kind, detail["msg"], context, definition.remedies().get(path[0])),
        code=_CODES.get(kind, "wrong_type" if kind in _WORDS else kind),
    )


def _message(kind: str, said: str, context: Mapping[str, Any], remedy: str | None) -> str:
    if kind in {"missing", "string_too_short"} and remedy is not None:
        return remedy
    match kind:
        case "missing":
            words = "is required"
        case "string_too_short":
            words = f"is too short: at least {context.get('min_length')} characters"
        case "string_too_long":
            words = f"is too long: at most {context.get('max_length')} characters"
        case _:
            words = _WORDS.get(kind) or said.removeprefix("Value error, ")
    return f"{words}; {remedy}" if remedy is not None and kind in _WORDS else words


def _unknown(definition: JobDefinition, name: str) -> FieldProblem:
    known = [
        definition.wire_name(field)
        for field in definition.input_model.model_fields
        if field not in definition.server_filled_names()
    ]
    near = difflib.get_close_matches(name[:80], known, n=1)
    hint = f"did you mean {near[0]}?" if near else "remove it"
    return FieldProblem(field=name[:80], message=f"unknown field; {hint}", code="unknown_field")
