"""The secret that signs tokens: configured, or in development made once and kept in the folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.home import prepare_home

if TYPE_CHECKING:
    from careerlens.foundation.settings import Settings

SECRET_FILE = "jwt-secret"  # noqa: S105  (a file's name)
_SECRET_BYTES = 48


def jwt_secret(settings: Settings) -> bytes:
    """The key for HS256: `JWT_SECRET`, else in development one kept in `.careerlens/jwt-secret`.

    All processes of a folder get the same one, also when they start at once.

    Raises `ConfigurationError` in production without `JWT_SECRET`, or when the kept one is not
    readable or was cut short.
    """
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value().encode()
    if not settings.is_development:
        raise ConfigurationError(
            "JWT_SECRET",
            "it is not set, and production never makes one up.",
            "Make one with: openssl rand -base64 48",
        )
    path = prepare_home(settings) / SECRET_FILE
    if not path.exists():
        _create(path)
    return _read(path)


def _create(path: Path) -> None:
    """Write a new secret where nobody else has; the first of several starters wins.

    The file appears complete or not at all, because a link to a finished file is what makes it.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_SECRET_BYTES))
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(
            "JWT_SECRET",
            f"the generated secret in {path} cannot be read ({error.strerror}).",
            "Make the file readable for you, or set JWT_SECRET.",
        ) from error
    if len(secret) < _SECRET_BYTES:
        raise ConfigurationError(
            "JWT_SECRET",
            f"the generated secret in {path} was cut short.",
            "Delete that file (a new one is made), or set JWT_SECRET.",
        )
    return secret
