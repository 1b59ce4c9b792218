"""One typed object for everything the environment decides.

Values come from, strongest first: the process environment, `.env.local`, `.env`, the defaults
below; an empty value counts as none. Every variable of the project's README works under the name
given there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.redisurl import RedisUrl

MIN_SECRET_BYTES = 32
MIN_METRICS_TOKEN_BYTES = 16
WEAK_SECRETS = frozenset({"secret", "changeme", "your-jwt-secret-key", "jwt-secret", "password"})

_IN_PLAIN_WORDS = {
    "int_parsing": "it must be a whole number",
    "float_parsing": "it must be a number",
    "bool_parsing": "it must be true or false",
    "enum": "it must be {expected}",
    "literal_error": "it must be {expected}",
    "greater_than": "it must be more than {gt:g}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than_equal": "it must be at most {le}",
}


class Environment(StrEnum):
    """Where the product runs. Development accepts `x-user-id`, and listens on loopback only."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Settings(BaseModel):
    """The settings of one process. Construct with `load_settings()`.

    `values` go by the variables' names, and win over the environment and over the files named
    by `_env_file`, of which a later one wins over an earlier one.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    def __init__(
        self, *, _env_file: Sequence[str] | None = (".env", ".env.local"), **values: Any
    ) -> None:
        super().__init__(**(_from_files(_env_file or ()) | _given(os.environ) | values))

    environment: Environment = Field(Environment.DEVELOPMENT, alias="CAREERLENS_ENV")
    home: Path = Field(Path(".careerlens"), alias="CAREERLENS_HOME")
    """Folder of the embedded server's data, the default archive and generated secrets."""

    redis_url: SecretStr | None = Field(None, alias="REDIS_URL")
    redis_host: str | None = Field(None, alias="REDIS_HOST")
    redis_port: int = Field(6379, alias="REDIS_PORT", ge=1, le=65535)
    redis_username: str | None = Field(None, alias="REDIS_USERNAME")
    redis_password: SecretStr | None = Field(None, alias="REDIS_PASSWORD")
    redis_db: int = Field(0, alias="REDIS_DB", ge=0)
    redis_tls: bool = Field(False, alias="REDIS_TLS")
    queue_prefix: str = Field(
        "bull", alias="CAREERLENS_QUEUE_PREFIX", pattern=r"^(\{[A-Za-z0-9_-]+\}|[A-Za-z0-9_-]+)$"
    )

    api_host: str | None = Field(None, alias="API_HOST")
    api_port: int = Field(3000, alias="API_PORT", ge=0, le=65535)
    socket_host: str | None = Field(None, alias="SOCKET_HOST")
    socket_port: int = Field(3001, alias="SOCKET_PORT", ge=0, le=65535)
    socket_max_per_address: int = Field(1_000, alias="SOCKET_MAX_PER_ADDRESS", ge=0)
    """Connections that one address may have open to one gateway process; any number when 0."""
    public_socket_url: str | None = Field(None, alias="NEXT_PUBLIC_SOCKET_URL")
    cors_origins: tuple[str, ...] = Field((), alias="CORS_ORIGIN")

    jwt_secret: SecretStr | None = Field(None, alias="JWT_SECRET")
    jwt_issuer: str | None = Field(None, alias="JWT_ISSUER")
    jwt_audience: str | None = Field(None, alias="JWT_AUDIENCE")
    firebase_project_id: str | None = Field(None, alias="FIREBASE_PROJECT_ID")
    jwks_url: str | None = Field(None, alias="JWKS_URL")

    database_url: SecretStr | None = Field(None, alias="DATABASE_URL")
    archive_days: int | None = Field(None, alias="CAREERLENS_ARCHIVE_DAYS", ge=1)
    """Days after which the archive forgets a finished job; it keeps them for good when unset."""

    worker_concurrency: int = Field(5, alias="WORKER_CONCURRENCY", ge=1, le=10_000)
    worker_processes: int = Field(1, alias="WORKER_PROCESSES", ge=1, le=256)
    """Event loops that one `careerlens worker` runs, each a process with its own concurrency."""
    worker_max_jobs: int | None = Field(None, alias="WORKER_MAX_JOBS", ge=1)
    """Jobs that all workers of one queue together may start per minute; no limit when unset."""
    worker_health_port: int | None = Field(None, alias="WORKER_HEALTH_PORT", ge=0, le=65535)
    shutdown_seconds: float = Field(20.0, alias="CAREERLENS_SHUTDOWN_SECONDS", gt=0)

    metrics_token: SecretStr | None = Field(None, alias="CAREERLENS_METRICS_TOKEN")
    """What Prometheus sends to read `/metrics`; without it that is for development alone."""

    jobs_modules: tuple[str, ...] = Field((), alias="CAREERLENS_JOBS")
    """Python modules with job types of your own, comma separated, beside installed ones."""

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", alias="LOG_LEVEL")

    @field_validator("cors_origins", "jobs_modules", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.redis_url is not None:
            RedisUrl.parse(self.redis_url.get_secret_value())
        self._refuse_short_metrics_token()
        if "*" in self.cors_origins and self.environment is Environment.PRODUCTION:
            raise ConfigurationError(
                "CORS_ORIGIN",
                "a wildcard lets any web site act for your users.",
                "List the origins of your own pages, comma separated.",
            )
        for origin in self.cors_origins:
            parts = urlsplit(origin)
            if origin not in {"*", "null", f"{parts.scheme}://{parts.netloc}"}:
                raise ConfigurationError(
                    "CORS_ORIGIN",
                    f"{origin!r} is not an origin, so no page would match it.",
                    "Write it with its scheme and without a path, like http://localhost:3000.",
                )
        if self.environment is Environment.PRODUCTION:
            self._refuse_weak_secret()
        return self

    def _refuse_weak_secret(self) -> None:
        """That there is one at all is asked by who needs it: a worker never does."""
        if self.jwt_secret is not None:
            secret = self.jwt_secret.get_secret_value()
            if len(secret.encode()) < MIN_SECRET_BYTES or secret.lower() in WEAK_SECRETS:
                raise ConfigurationError(
                    "JWT_SECRET",
                    f"it is shorter than {MIN_SECRET_BYTES} bytes or well known.",
                    "Make one with: openssl rand -base64 48",
                )

    def _refuse_short_metrics_token(self) -> None:
        token = self.metrics_token
        if token is not None and len(token.get_secret_value().encode()) < MIN_METRICS_TOKEN_BYTES:
            raise ConfigurationError(
                "CAREERLENS_METRICS_TOKEN",
                f"it is shorter than {MIN_METRICS_TOKEN_BYTES} bytes.",
                "Make one with: openssl rand -base64 24",
            )

    @property
    def is_development(self) -> bool:
        """Whether the `x-user-id` header may name the caller (on loopback only)."""
        return self.environment is Environment.DEVELOPMENT

    def configured_redis_url(self) -> str | None:
        """The URL of the configured Redis, or None where the embedded server is to be used."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        if self.redis_host is None:
            return None
        scheme = "rediss" if self.redis_tls else "redis"
        password = self.redis_password.get_secret_value() if self.redis_password else None
        user = quote(self.redis_username or "", safe="")
        login = f"{user}:{quote(password, safe='')}@" if password else ""
        host = f"[{self.redis_host}]" if ":" in self.redis_host else self.redis_host
        return f"{scheme}://{login}{host}:{self.redis_port}/{self.redis_db}"

    def listen_host(self, configured: str | None) -> str:
        """The address to listen on: as configured, else loopback in development, else all."""
        if configured is not None:
            return configured
        return "127.0.0.1" if self.is_development else "0.0.0.0"  # noqa: S104

    def allowed_origins(self) -> tuple[str, ...]:
        """The web origins that may call us. Development without CORS_ORIGIN: our own page."""
        if self.cors_origins or not self.is_development:
            return self.cors_origins
        return (f"http://localhost:{self.api_port}", f"http://127.0.0.1:{self.api_port}")

    def archive_url(self) -> str:
        """SQLAlchemy URL of the archive: `DATABASE_URL`, else SQLite in the home folder."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{(self.home / 'archive.db').resolve()}"


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without port) can only mean this machine."""
    if host == "localhost":
        return True
    from ipaddress import ip_address  # not for workers, which ask nobody who is calling

    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _given(variables: Mapping[str, str | None]) -> dict[str, Any]:
    """The settings among `variables`."""
    names = (str(info.alias) for info in Settings.model_fields.values())
    return {name: value for name in names if (value := variables.get(name))}


def _from_files(paths: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in paths:
        if os.path.isfile(path):
            from dotenv import dotenv_values  # only few have such a file

            found |= _given(dotenv_values(path, encoding="utf-8"))
    return found


def load_settings(**overrides: object) -> Settings:
    """Read the settings of this process.

    `overrides` are field names and win over everything else (command-line flags).

    Raises `ConfigurationError` that names the first wrong variable and the remedy.
    """
    flags: dict[str, Any] = {
        str(Settings.model_fields[name].alias): value
        for name, value in overrides.items()
        if value is not None
    }
    try:
        return Settings(**flags)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        variable = str(first["loc"][0]) if first["loc"] else "settings"
        words = _IN_PLAIN_WORDS.get(first["type"])
        message = first["msg"].removeprefix("Value error, ")
        if words is not None:
            message = words.format(**first.get("ctx", {}))
        raise ConfigurationError(variable, f"{message}.", "Correct it and start again.") from None
