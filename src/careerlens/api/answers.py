"""The one place that turns errors into answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from careerlens.api.problems import ProblemError, problem_response
from careerlens.foundation.errors import (
    AuthenticationError,
    FieldProblem,
    InvalidInputError,
    JobNotFoundError,
    ServiceUnavailableError,
)
from careerlens.foundation.logging import get_logger
from careerlens.realtime.texts import TextGoneError

RETRY_AFTER_S = 2

_log = get_logger("careerlens.api")
Translation = Callable[[Exception], ProblemError]


def answer_errors(app: FastAPI) -> None:
    """Have every error of a request told as a problem."""
    for kind, translate in _TRANSLATIONS.items():
        app.add_exception_handler(kind, _handler(translate))


def _handler(translate: Translation) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        return _told(translate(error), request)

    return answer


def answer_to(error: Exception, request: Request) -> Response:
    """The answer by which an error of this request is told; it must be one of `TOLD`."""
    translate = next(_TRANSLATIONS[kind] for kind in type(error).__mro__ if kind in _TRANSLATIONS)
    return _told(translate(error), request)


def _told(problem: ProblemError, request: Request) -> Response:
    return problem_response(problem, request_id=getattr(request.state, "request_id", None))


def _as_it_is(error: Exception) -> ProblemError:
    assert isinstance(error, ProblemError)
    return error


def _invalid_input(error: Exception) -> ProblemError:
    assert isinstance(error, InvalidInputError)
    return ProblemError("invalid-input", _summary(error.problems), errors=error.problems)


def _invalid_parameters(error: Exception) -> ProblemError:
    assert isinstance(error, RequestValidationError)
    problems = tuple(
        FieldProblem(
            field=str(each["loc"][-1]) if each["loc"] else "request",
            message=str(each["msg"]),
            code=str(each["type"]),
        )
        for each in error.errors()
    )
    return ProblemError("invalid-input", _summary(problems), errors=problems)


def _summary(problems: tuple[FieldProblem, ...]) -> str:
    first = problems[0]
    others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{first.field}: {first.message}{others}"


def _not_found(_: Exception) -> ProblemError:
    """The same for a job of somebody else, one that is gone and one that never was."""
    return ProblemError("job-not-found")


def _text_gone(_: Exception) -> ProblemError:
    return ProblemError("text-gone")


def _unauthenticated(error: Exception) -> ProblemError:
    headers = {"WWW-Authenticate": 'Bearer realm="careerlens"'}
    return ProblemError("unauthenticated", str(error), headers=headers)


def _unavailable(error: Exception) -> ProblemError:
    assert isinstance(error, ServiceUnavailableError)
    _log.warning("service_unavailable", service=error.service, problem=error.problem)
    return ProblemError("service-unavailable", headers={"Retry-After": str(RETRY_AFTER_S)})


def _http(error: Exception) -> ProblemError:
    assert isinstance(error, HTTPException)
    code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code)
    if code is None:
        code = "malformed-request" if error.status_code < 500 else "internal-error"
    return ProblemError(code, headers=error.headers)


_TRANSLATIONS: dict[type[Exception], Translation] = {
    ProblemError: _as_it_is,
    InvalidInputError: _invalid_input,
    RequestValidationError: _invalid_parameters,
    JobNotFoundError: _not_found,
    TextGoneError: _text_gone,
    AuthenticationError: _unauthenticated,
    ServiceUnavailableError: _unavailable,
    HTTPException: _http,
}
TOLD = tuple(_TRANSLATIONS)
"""The errors that callers are told of; any other one is a mistake of ours."""
