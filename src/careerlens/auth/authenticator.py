"""Who is calling: one answer for HTTP requests and for socket handshakes."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Protocol

from careerlens.auth.caller import Caller
from careerlens.auth.firebase import GOOGLE_KEYS_URL, FirebaseVerifier
from careerlens.auth.hs256 import SharedSecretVerifier, sign_token
from careerlens.auth.keyset import KeySet
from careerlens.auth.revocations import RevokedTokens
from careerlens.foundation.errors import AuthenticationError, ConfigurationError
from careerlens.foundation.logging import get_logger
from careerlens.foundation.secrets import jwt_secret
from careerlens.foundation.settings import Settings, is_loopback
from careerlens.foundation.users import is_valid_user_id

_LEFT_BY_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_HOST = re.compile(r"(?P<name>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?")

_log = get_logger("careerlens.auth")


class TokenVerifier(Protocol):
    """Proves one kind of token."""

    async def verify(self, token: str) -> Caller:
        """Who the token says is calling. Raises `AuthenticationError` when it does not prove it."""


class Authenticator:
    """Knows exactly one kind of token, and in development the `x-user-id` header."""

    def __init__(self, verifier: TokenVerifier, *, accepts_development_header: bool) -> None:
        self._verifier = verifier
        self._accepts_development_header = accepts_development_header
        self._has_warned = False
        self.revoked = RevokedTokens()
        """The tokens that count for nothing any more; a `RevocationWatch` keeps it current."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Authenticator:
        """Firebase tokens when `FIREBASE_PROJECT_ID` is set, otherwise our own; never both.

        Raises `ConfigurationError` when the settings name no safe way.
        """
        return cls(_verifier_of(settings), accepts_development_header=settings.is_development)

    async def authenticate(
        self, bearer: str | None, dev_user: str | None, *, peer: str | None, host: str | None
    ) -> Caller:
        """Who is calling.

        `bearer` is the bare token, `dev_user` the `x-user-id` header or its equal, `peer` the
        address of the other side and `host` the request's Host header. A valid token always
        wins. In development, on loopback, a caller without a valid one is who the header says.

        Raises `AuthenticationError` when nothing proves an identity, and
        `ServiceUnavailableError` when the issuer's keys cannot be had.
        """
        if bearer is None:
            return self._development_caller(dev_user, peer=peer, host=host)
        try:
            caller = await self._verifier.verify(bearer)
            self.require_valid(caller)
            return caller
        except AuthenticationError:
            if dev_user is None or not self._is_local(peer, host):
                raise
            caller = self._development_caller(dev_user, peer=peer, host=host)
            if not self._has_warned:
                self._has_warned = True
                _log.warning(
                    "token_refused_header_used",
                    hint="development only: the token proves nobody, so x-user-id decides",
                )
            return caller

    def require_valid(self, caller: Caller) -> None:
        """Raise `AuthenticationError` when the token that once proved this was taken back."""
        if self.revoked.voids(caller):
            raise AuthenticationError("You were signed out. Sign in again.")

    def _development_caller(
        self, dev_user: str | None, *, peer: str | None, host: str | None
    ) -> Caller:
        if dev_user is None or not self._accepts_development_header:
            without = ", or in development `x-user-id: <name>`" * self._is_local(peer, host)
            raise AuthenticationError(f"Sign in: send `Authorization: Bearer <token>`{without}.")
        if not self._is_local(peer, host):
            raise AuthenticationError(
                "x-user-id is only believed on this machine. Send `Authorization: Bearer <token>`."
            )
        if not is_valid_user_id(dev_user):
            raise AuthenticationError("x-user-id must be 1 to 128 printable characters.")
        return Caller(user_id=dev_user, expires_at=None, method="development")

    def _is_local(self, peer: str | None, host: str | None) -> bool:
        """Both ends name this machine; the Host check stops pages that rebind a DNS name."""
        return (
            self._accepts_development_header
            and peer is not None
            and is_loopback(peer)
            and host is not None
            and is_loopback(host_name(host))
        )


def was_forwarded(headers: Container[str]) -> bool:
    """Whether a proxy has passed the request on: then its peer says nothing about the caller.

    `headers` are asked by lower-case names.
    """
    return any(name in headers for name in _LEFT_BY_PROXIES)


def bearer_token(authorization: str | None) -> str | None:
    """The token in an Authorization header; None when there is no header.

    Raises `AuthenticationError` when the header speaks of another scheme.
    """
    if authorization is None:
        return None
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer":
        raise AuthenticationError("Send the token as `Authorization: Bearer <token>`.")
    return token.strip()


def issue_token(settings: Settings, user_id: str, *, hours: float = 24) -> str:
    """A token for `user_id`, signed with this installation's secret.

    Raises `ConfigurationError` where Firebase issues the tokens, or the name cannot be one.
    """
    if settings.firebase_project_id is not None:
        raise ConfigurationError(
            "FIREBASE_PROJECT_ID",
            "with it set, only Firebase issues tokens.",
            "Sign in through Firebase, or unset it.",
        )
    extra = {"iss": settings.jwt_issuer, "aud": settings.jwt_audience}
    return sign_token(
        jwt_secret(settings),
        user_id,
        hours=hours,
        extra={name: value for name, value in extra.items() if value is not None},
    )


def _verifier_of(settings: Settings) -> TokenVerifier:
    if settings.firebase_project_id is not None:
        return FirebaseVerifier(
            project_id=settings.firebase_project_id,
            keys=KeySet(settings.jwks_url or GOOGLE_KEYS_URL),
        )
    return SharedSecretVerifier(
        secret=jwt_secret(settings), issuer=settings.jwt_issuer, audience=settings.jwt_audience
    )


def host_name(host: str) -> str:
    """The name in a Host header, without the port; empty when it is malformed."""
    found = _HOST.fullmatch(host)
    return found["name"].lower() if found else ""
