"""The API's description: each job type's fields, the forms of every problem, examples."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from careerlens import __version__
from careerlens.api.bodies import FILE_FIELD
from careerlens.api.problems import KINDS, MEDIA_TYPE
from careerlens.jobs.definitions import JobDefinition, Registry

_REFS = "#/components/schemas/{model}"
_EXAMPLES: dict[str, dict[str, Any]] = {
    "resume-optimization": {
        "type": "resume-optimization",
        "resumeText": "Sample resume...",
        "targetRole": "Full Stack Developer",
    }
}
_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457). `type` opens a page that says what to do.",
    "required": ["type", "title", "status", "detail", "requestId"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "requestId": {"type": ["string", "null"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message", "code"],
                "properties": {
                    "field": {"type": "string"},
                    "message": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
}
_PROBLEMS_OF: dict[str, tuple[str, ...]] = {
    "createJob": (
        "malformed-body", "request-timeout", "request-in-flight", "body-too-large",
        "unsupported-media-type", "invalid-input",
    ),
    "listJobHistory": ("invalid-input",),
    "getJobStatus": ("job-not-found",),
    "cancelJob": ("job-not-found",),
    "createTicket": ("too-many-tickets",),
    "streamEvents": ("too-many-streams",),
    "streamJobEvents": ("job-not-found", "too-many-streams"),
    "readMetrics": ("unauthenticated", "not-found"),
    "readJobText": ("malformed-request", "job-not-found", "text-gone", "too-many-streams"),
}  # fmt: skip
_BY_TICKET = frozenset({"streamEvents", "streamJobEvents"})
_PUBLIC = frozenset({"isLive", "isReady", "getConfig", "explainProblem", "readMetrics"})
_ANY_CALL = ("unauthenticated", "origin-refused", "internal-error", "service-unavailable")


def describe_api(app: FastAPI, registry: Registry) -> None:
    """Give the application its OpenAPI document, made once, when it is first asked for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, registry)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI, registry: Registry) -> dict[str, Any]:
    document = get_openapi(
        title="CareerLens Jobs",
        version=__version__,
        summary="Background jobs from the click to the live progress bar.",
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = _PROBLEM_SCHEMA
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "developmentHeader": {
            "type": "apiKey",
            "in": "header",
            "name": "x-user-id",
            "description": "In development, from this machine only.",
        },
        "ticket": {
            "type": "apiKey",
            "in": "query",
            "name": "ticket",
            "description": "A one-time ticket of `POST /api/tickets`.",
        },
    }
    for path in document["paths"].values():
        for operation in path.values():
            _add_problems(operation)
    _add_bodies(document["paths"]["/api/jobs"]["post"], schemas, registry)
    _add_job_types(schemas, registry)
    return document


def _add_problems(operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    responses = operation["responses"]
    responses.pop("422", None)
    codes = _PROBLEMS_OF.get(name, ()) + (() if name in _PUBLIC else _ANY_CALL)
    for code in codes:
        kind = KINDS[code]
        responses[str(kind.status)] = {
            "description": kind.title,
            "content": {MEDIA_TYPE: {"schema": {"$ref": _REFS.format(model="Problem")}}},
        }
    if name not in _PUBLIC:
        operation["security"] = [{"token": []}, {"developmentHeader": []}]
    if name in _BY_TICKET:
        operation["security"].append({"ticket": []})


def _add_bodies(operation: dict[str, Any], schemas: dict[str, Any], registry: Registry) -> None:
    inputs = []
    for definition in registry.values():
        schema = _input_schema(definition, schemas)
        name = _model_name(definition, "Request")
        schemas[name] = schema
        inputs.append({"$ref": _REFS.format(model=name)})
    examples = {name: {"value": value} for name, value in _EXAMPLES.items() if name in registry}
    form = {
        "type": "object",
        "required": ["type"],
        "description": "The fields of the job as text, and the résumé as a file.",
        "properties": {
            "type": {"type": "string", "enum": sorted(registry)},
            FILE_FIELD: {"type": "string", "format": "binary"},
        },
        "additionalProperties": {"type": "string"},
    }
    operation["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"oneOf": inputs} if inputs else {"type": "object"},
                "examples": examples,
            },
            "multipart/form-data": {"schema": form},
        },
    }


def _add_job_types(schemas: dict[str, Any], registry: Registry) -> None:
    """Tell for each type what it takes and what it gives, for clients that generate types."""
    types = {}
    for definition in registry.values():
        result = definition.result_schema(ref_template=_REFS)
        for name, schema in result.pop("$defs", {}).items():
            schemas.setdefault(name, schema)
        name = _model_name(definition, "Result")
        schemas[name] = result
        types[definition.type] = {
            "type": "object",
            "required": ["input", "result"],
            "properties": {
                "input": {"$ref": _REFS.format(model=_model_name(definition, "Request"))},
                "result": {"$ref": _REFS.format(model=name)},
            },
        }
    schemas["JobTypes"] = {
        "type": "object",
        "description": "Each job type's input and result. No answer has this form.",
        "required": sorted(types),
        "properties": types,
    }


def _model_name(definition: JobDefinition, kind: str) -> str:
    return "".join(word.capitalize() for word in definition.type.split("-")) + kind


def _input_schema(definition: JobDefinition, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = definition.public_schema(ref_template=_REFS)
    schemas.update(schema.pop("$defs", {}))
    schema["properties"] = {"type": {"const": definition.type}, **schema.get("properties", {})}
    schema["required"] = ["type", *schema.get("required", [])]
    return schema
