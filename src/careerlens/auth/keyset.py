"""The public keys of a token issuer, fetched now and then and kept through its outages."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from careerlens.foundation.errors import ConfigurationError, ServiceUnavailableError
from careerlens.foundation.logging import get_logger
from careerlens.foundation.settings import is_loopback

FETCH_TIMEOUT_S = 3.0
REFETCH_INTERVAL_S = 30.0
MAX_DOCUMENT_BYTES = 64 * 1024
MIN_KEY_BITS = 2048
_DEFAULT_LIFE_S = 3600.0
_LIFE_RANGE_S = (60.0, 24 * 3600.0)

_log = get_logger("careerlens.auth")


class KeySet:
    """RSA keys by `kid`, read from a JWK set at `url`.

    A set lives as long as its `Cache-Control` says. An unknown `kid` has it fetched early, but
    never more than once in 30 s, so that made-up ids cannot drive requests. A failed fetch
    leaves the last good set in use. Redirects are not followed.

    Raises `ConfigurationError` when `url` is neither https nor on loopback.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (
            parts.scheme == "http" and is_loopback(parts.hostname or "")
        ):
            raise ConfigurationError(
                "JWKS_URL", "keys may only come over https.", "Use an https:// address."
            )
        self._url = url
        self._trust_environment = not is_loopback(parts.hostname or "")
        self._keys: Mapping[str, RSAPublicKey] = {}
        self._fresh_until = 0.0
        self._last_attempt = float("-inf")
        self._fetching = asyncio.Lock()

    async def key(self, key_id: str) -> RSAPublicKey | None:
        """The key with this id, or None when the issuer has no such key.

        Raises `ServiceUnavailableError` when the keys could never be fetched.
        """
        if time.monotonic() >= self._fresh_until or key_id not in self._keys:
            await self._refresh(key_id)
        if not self._keys:
            raise ServiceUnavailableError(
                "identity keys", "the token issuer's keys cannot be fetched now."
            )
        return self._keys.get(key_id)

    async def _refresh(self, key_id: str) -> None:
        async with self._fetching:
            now = time.monotonic()
            answered_meanwhile = now < self._fresh_until and key_id in self._keys
            if answered_meanwhile or now - self._last_attempt < REFETCH_INTERVAL_S:
                return
            self._last_attempt = now
            try:
                async with asyncio.timeout(FETCH_TIMEOUT_S):
                    document, life_s = await self._download()
                self._keys = _rsa_keys(document)
                self._fresh_until = now + life_s
            except (httpx.HTTPError, TimeoutError, ValueError) as error:
                _log.warning("identity_keys_not_fetched", url=self._url, reason=repr(error))

    async def _download(self) -> tuple[bytes, float]:
        async with (
            httpx.AsyncClient(
                timeout=FETCH_TIMEOUT_S,
                follow_redirects=False,
                trust_env=self._trust_environment,
            ) as client,
            client.stream("GET", self._url, headers={"accept-encoding": "identity"}) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"the answer was {response.status_code}")
            document = b""
            async for chunk in response.aiter_raw():
                document += chunk
                if len(document) > MAX_DOCUMENT_BYTES:
                    raise ValueError(f"the answer is over {MAX_DOCUMENT_BYTES} bytes")
            return document, _life_s(response.headers.get("cache-control", ""))


def _life_s(cache_control: str) -> float:
    stated = re.search(r"(?:^|[,\s])max-age=(\d{1,9})\b", cache_control)
    life_s = float(stated[1]) if stated else _DEFAULT_LIFE_S
    shortest, longest = _LIFE_RANGE_S
    return min(max(life_s, shortest), longest)


def _rsa_keys(document: bytes) -> dict[str, RSAPublicKey]:
    """The usable keys of a JWK set. Raises `ValueError` when there is none."""
    parsed: Any = json.loads(document)
    entries = parsed.get("keys") if isinstance(parsed, dict) else None
    keys: dict[str, RSAPublicKey] = {}
    for entry in entries if isinstance(entries, list) else []:
        key = _rsa_key(entry) if isinstance(entry, dict) else None
        if key is not None:
            keys[entry["kid"]] = key
    if not keys:
        raise ValueError("the answer holds no RSA key")
    return keys


def _rsa_key(entry: Mapping[str, Any]) -> RSAPublicKey | None:
    right_kind = (
        entry.get("kty") == "RSA"
        and entry.get("alg", "RS256") == "RS256"
        and entry.get("use", "sig") == "sig"
        and isinstance(entry.get("kid"), str)
        and "d" not in entry
    )
    if not right_kind:
        return None
    try:
        key = RSAAlgorithm.from_jwk(dict(entry))
    except InvalidKeyError:
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size >= MIN_KEY_BITS else None
