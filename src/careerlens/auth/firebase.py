"""Firebase ID tokens, by the rules that Firebase publishes for verifying them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

from careerlens.auth.caller import Caller
from careerlens.auth.claims import require_exact, require_valid_times
from careerlens.auth.compact import malformed, parse_compact
from careerlens.auth.keyset import KeySet
from careerlens.auth.proven import ProvenTokens
from careerlens.foundation.users import is_valid_user_id

GOOGLE_KEYS_URL = (
    "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
)
_ALGORITHM = "RS256"
_RSA = RSAAlgorithm(RSAAlgorithm.SHA256)


class _Proof(NamedTuple):
    """What a token says, and the key that proved it."""

    key_id: str
    key: RSAPublicKey
    claims: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class FirebaseVerifier:
    """Proves ID tokens of one project. Custom tokens and session cookies are other things."""

    project_id: str
    keys: KeySet
    _proven: ProvenTokens[_Proof] = field(
        default_factory=ProvenTokens, init=False, repr=False, compare=False
    )

    async def verify(self, token: str) -> Caller:
        """Who the token says is calling.

        Raises `AuthenticationError` when the token does not prove it, and
        `ServiceUnavailableError` when Google's keys could never be fetched.
        """
        proof = self._proven.get(token)
        # Google takes keys back: each time the one that proved the token must still be the one.
        if proof is None or await self.keys.key(proof.key_id) is not proof.key:
            proof = await self._prove(token)
            self._proven.put(token, proof)
        return self._caller(proof.claims)

    async def _prove(self, token: str) -> _Proof:
        compact = parse_compact(token)
        if compact.algorithm != _ALGORITHM or compact.key_id is None:
            raise malformed()
        key = await self.keys.key(compact.key_id)
        if key is None or not _RSA.verify(compact.signing_input, key, compact.signature):
            raise malformed()
        return _Proof(compact.key_id, key, compact.claims())

    def _caller(self, claims: dict[str, Any]) -> Caller:
        expires_at = require_valid_times(claims, now=time.time(), past=("iat", "auth_time"))
        require_exact(claims, "aud", self.project_id)
        require_exact(claims, "iss", f"https://securetoken.google.com/{self.project_id}")
        user_id = claims.get("sub")
        if not isinstance(user_id, str) or not is_valid_user_id(user_id):
            raise malformed()
        return Caller(
            user_id=user_id,
            expires_at=expires_at,
            method="token",
            # Not `iat`: a browser that stays signed in is given a fresh token each hour.
            signed_in_at=claims["auth_time"],
        )
