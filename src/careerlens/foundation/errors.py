"""Every error the product raises on purpose, in one tree.

CareerLensError
├── ConfigurationError            a setting is missing, unsafe or contradictory
├── ServiceUnavailableError       Redis (or another service) cannot be reached now
│   └── OutcomeUnknownError       the request left, its reply never came
├── AuthenticationError           we do not know who is calling
├── InvalidInputError             the caller's data is wrong; names each field
├── JobNotFoundError              no such job for this caller
│   └── UnauthorizedJobError      it exists, and belongs to somebody else
└── JobError                      raised by handlers, read by the job's owner
    └── UnrecoverableError        the same, and trying again cannot help
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class CareerLensError(Exception):
    """Anything that CareerLens raises on purpose."""


class ConfigurationError(CareerLensError):
    """A setting is missing, unsafe or contradicts another one.

    `setting` is the environment variable's name, `remedy` one sentence on what to do.
    """

    def __init__(self, setting: str, problem: str, remedy: str) -> None:
        super().__init__(f"{setting}: {problem} {remedy}")
        self.setting = setting
        self.problem = problem
        self.remedy = remedy


class ServiceUnavailableError(CareerLensError):
    """A service we depend on cannot be reached now; nothing was changed. Try again shortly.

    `service` is its short name, for example `redis`.
    """

    def __init__(self, service: str, problem: str) -> None:
        super().__init__(f"{service} is unavailable: {problem}")
        self.service = service
        self.problem = problem


class OutcomeUnknownError(ServiceUnavailableError):
    """A request was sent and its reply was lost, so it may or may not have taken effect.

    Callers repeat it only where repeating is safe, and otherwise read the state again.
    """


class AuthenticationError(CareerLensError):
    """The caller's identity is missing or could not be proved."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldProblem:
    """One thing wrong with one field. `field` is a dotted path, `code` is stable for programs."""

    field: str
    message: str
    code: str = "invalid"


class InvalidInputError(CareerLensError):
    """The caller's data is wrong. `problems` names each field and what to do about it."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("; ".join(f"{p.field}: {p.message}" for p in problems))
        self.problems = tuple(problems)


class JobNotFoundError(CareerLensError):
    """There is no such job for this caller."""

    def __init__(self, job_id: str, message: str | None = None) -> None:
        super().__init__(message or f"No job {job_id!r} was found.")
        self.job_id = job_id


class UnauthorizedJobError(JobNotFoundError):
    """Unauthorized: the job belongs to somebody else. Over HTTP it answers as one not found."""

    def __init__(self, job_id: str) -> None:
        super().__init__(job_id, f"Unauthorized: job {job_id!r} belongs to another user.")


class JobError(CareerLensError):
    """A failure whose message the job's owner may read as it stands; the attempt is retried.

    `code` is stable for programs (`lower_snake_case`).
    """

    def __init__(self, message: str, *, code: str = "job_failed") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class UnrecoverableError(JobError):
    """As `JobError`, but trying again cannot help: the job fails now, whatever attempts remain."""
