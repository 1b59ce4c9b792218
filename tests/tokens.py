"""Tokens of every kind, honest and forged, and an issuer of keys that can be told to misbehave."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = b"a-secret-of-at-least-thirty-two-bytes!"
PROJECT = "careerlens-test"


def part(content: bytes | dict[str, Any]) -> str:
    """One part of a compact token."""
    if isinstance(content, dict):
        content = json.dumps(content).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def good_claims(**changes: Any) -> dict[str, Any]:
    """Claims that are accepted; a change of `None` leaves the claim out."""
    claims = {"userId": "user-123", "iat": int(time.time()), "exp": int(time.time()) + 3600}
    return {name: value for name, value in (claims | changes).items() if value is not None}


def token(user: str, *, lives: float = 3600) -> str:
    """A good token of `user` that lives so many seconds."""
    return hs256(good_claims(userId=user, exp=time.time() + lives))


def hs256(
    claims: dict[str, Any] | bytes,
    *,
    secret: bytes = SECRET,
    header: dict[str, Any] | bytes | None = None,
) -> str:
    """A token signed with a shared secret, whatever its header says."""
    signing_input = f"{part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    signature = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{part(signature)}"


@dataclass
class SigningKey:
    """An RSA key pair with its id."""

    kid: str
    private: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    def public_pem(self) -> bytes:
        """The public half as a file would hold it."""
        return self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )

    def jwk(self) -> dict[str, str]:
        """The public half as a key set lists it."""
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": self.kid,
            "n": part(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": part(numbers.e.to_bytes(3, "big")),
        }

    def sign(self, claims: dict[str, Any], *, header: dict[str, Any] | None = None) -> str:
        """A token signed with this key, whatever its header says."""
        default = {"alg": "RS256", "typ": "JWT", "kid": self.kid}
        signing_input = f"{part(header or default)}.{part(claims)}"
        signature = self.private.sign(signing_input.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signing_input}.{part(signature)}"


def firebase_claims(**changes: Any) -> dict[str, Any]:
    """The claims of a Firebase ID token; a change of `None` leaves the claim out."""
    now = int(time.time())
    claims = {
        "iss": f"https://securetoken.google.com/{PROJECT}",
        "aud": PROJECT,
        "sub": "firebase-user",
        "iat": now - 10,
        "auth_time": now - 100,
        "exp": now + 3600,
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


class KeyServer:
    """An HTTP server with a key set; `answer` is sent as it stands to each request."""

    def __init__(self, *keys: SigningKey) -> None:
        self.requests = 0
        self.port = 0
        self.answer = b""
        self.delay_s = 0.0
        self.publish(*keys)

    @property
    def url(self) -> str:
        """Where the key set is."""
        return f"http://127.0.0.1:{self.port}/keys"

    def publish(self, *keys: SigningKey, status: str = "200 OK") -> None:
        """Answer with these keys from now on."""
        self.reply(json.dumps({"keys": [key.jwk() for key in keys]}).encode(), status=status)

    def reply(self, body: bytes, *, status: str = "200 OK", headers: str = "") -> None:
        """Answer with this from now on."""
        self.answer = (
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\n{headers}\r\n"
        ).encode() + body

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            await asyncio.sleep(self.delay_s)
            writer.write(self.answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[KeyServer]:
        """Listen on a free port of loopback."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self
