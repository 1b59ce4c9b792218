"""Tokens signed with our own secret."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from jwt.algorithms import HMACAlgorithm

from careerlens.auth.caller import Caller
from careerlens.auth.claims import LEEWAY_S, require_exact, require_valid_times
from careerlens.auth.compact import (
    compact_signing_input,
    encode_part,
    malformed,
    parse_compact,
)
from careerlens.auth.proven import ProvenTokens
from careerlens.foundation.errors import ConfigurationError
from careerlens.foundation.users import is_valid_user_id

_ALGORITHM = "HS256"
_HMAC = HMACAlgorithm(HMACAlgorithm.SHA256)


@dataclass(slots=True)
class _Proof:
    """What a token of ours says, and whom it has proved, from when until when (epoch seconds)."""

    claims: dict[str, Any]
    caller: Caller | None = None
    seen_valid: float = 0.0
    ends: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SharedSecretVerifier:
    """Proves tokens that carry the user in `userId`, or else in `sub`.

    `issuer` and `audience` are compared exactly where they are configured; a token made for
    some audience is refused where none is.
    """

    secret: bytes
    issuer: str | None = None
    audience: str | None = None
    _proven: ProvenTokens[_Proof] = field(
        default_factory=ProvenTokens, init=False, repr=False, compare=False
    )

    async def verify(self, token: str) -> Caller:
        """Who the token says is calling.

        Raises `AuthenticationError` when the token does not prove it.
        """
        proof = self._proven.get(token)
        if proof is None:
            proof = _Proof(self._prove(token))
            self._proven.put(token, proof)
        now = time.time()
        # Once it has begun, a token is valid until it ends. A clock that was set back is asked.
        if proof.caller is None or not proof.seen_valid <= now < proof.ends:
            proof.caller = caller = self._caller(proof.claims, now)
            assert caller.expires_at is not None, "tokens that never end are refused"
            proof.seen_valid, proof.ends = now, caller.expires_at + LEEWAY_S
        return proof.caller

    def _prove(self, token: str) -> dict[str, Any]:
        compact = parse_compact(token)
        if compact.algorithm != _ALGORITHM:
            raise malformed()
        if not _HMAC.verify(compact.signing_input, self.secret, compact.signature):
            raise malformed()
        return compact.claims()

    def _caller(self, claims: dict[str, Any], now: float) -> Caller:
        expires_at = require_valid_times(claims, now=now)
        if self.issuer is not None:
            require_exact(claims, "iss", self.issuer)
        if self.audience is not None or "aud" in claims:
            require_exact(claims, "aud", self.audience or "")
        user_id = claims["userId"] if "userId" in claims else claims.get("sub")
        if not isinstance(user_id, str) or not is_valid_user_id(user_id):
            raise malformed()
        return Caller(
            user_id=user_id,
            expires_at=expires_at,
            method="token",
            signed_in_at=claims.get("iat"),
        )


def sign_token(secret: bytes, user_id: str, *, hours: float, extra: dict[str, str]) -> str:
    """A token for `user_id` that `SharedSecretVerifier` accepts; `extra` are more claims.

    Raises `ConfigurationError` when the name or the life is not a sensible one.
    """
    if not is_valid_user_id(user_id):
        raise ConfigurationError("--user", "it cannot be a user's name.", "Give 1 to 128 letters.")
    if not 0 < hours <= 24 * 366:
        raise ConfigurationError("--hours", "the token's life is out of range.", "Up to a year.")
    now = int(time.time())
    claims = {"userId": user_id, "iat": now, "exp": now + int(hours * 3600), **extra}
    signing_input = compact_signing_input({"alg": _ALGORITHM, "typ": "JWT"}, claims)
    signature = _HMAC.sign(signing_input, secret)
    return f"{signing_input.decode()}.{encode_part(signature)}"
