"""Signed tokens taken apart, strictly, before anybody believes a word of them.

Only what we issue and what Firebase issues is understood: three parts, one signature, no
extensions. A header that asks for more (another place to find the key, an unencoded payload, a
critical extension) is refused, because what a verifier does not understand it must not accept.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from careerlens.foundation.errors import AuthenticationError

MAX_TOKEN_LENGTH = 8192
MAX_KEY_ID_LENGTH = 256
_REFUSED_HEADERS = frozenset({"b64", "crit", "enc", "jku", "jwk", "x5c", "x5u", "zip"})


@dataclass(frozen=True, kw_only=True, slots=True)
class CompactToken:
    """A token whose signature has not been checked: `claims()` is only for after that."""

    header: dict[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes

    @property
    def algorithm(self) -> object:
        """What the token says about its algorithm; the configuration decides, never this."""
        return self.header.get("alg")

    @property
    def key_id(self) -> str | None:
        """The `kid`, when it is a text of sensible length."""
        key_id = self.header.get("kid")
        if isinstance(key_id, str) and 0 < len(key_id) <= MAX_KEY_ID_LENGTH:
            return key_id
        return None

    def claims(self) -> dict[str, Any]:
        """The payload as JSON. Call it only once the signature has proved right."""
        return _json_object(self.payload)


def parse_compact(token: str) -> CompactToken:
    """Take a token apart.

    Raises `AuthenticationError` when it is no plain signed token of sensible size.
    """
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        raise malformed()
    parts = token.encode().split(b".")
    if len(parts) != 3 or not all(parts):
        raise malformed()
    header = _json_object(_decode(parts[0]))
    if _REFUSED_HEADERS & header.keys():
        raise malformed()
    return CompactToken(
        header=header,
        payload=_decode(parts[1]),
        signing_input=parts[0] + b"." + parts[1],
        signature=_decode(parts[2]),
    )


def malformed() -> AuthenticationError:
    """The one answer to a token that is not one of ours."""
    return AuthenticationError("The token is not one that this service accepts. Sign in again.")


def compact_signing_input(header: dict[str, Any], claims: dict[str, Any]) -> bytes:
    """What a token's signature is made over."""
    parts = (json.dumps(part, separators=(",", ":")).encode() for part in (header, claims))
    return ".".join(encode_part(part) for part in parts).encode()


def encode_part(content: bytes) -> str:
    """One part of a token: base64url without padding."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(part: bytes) -> bytes:
    """The reverse of `encode_part`; any other spelling of the same bytes is refused."""
    try:
        content = b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise malformed() from None
    if encode_part(content).encode() != part:
        raise malformed()
    return content


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        raise malformed() from None
    if not isinstance(value, dict):
        raise malformed()
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return value
