"""Tokens whose signature has proved right, so that it is checked once and not at each request."""

from __future__ import annotations

import hashlib
from typing import Generic, TypeVar

TOKENS_REMEMBERED = 4_096

T = TypeVar("T")


class ProvenTokens(Generic[T]):
    """What was found in the tokens that were seen last.

    Only what never changes may be remembered: what a token says, and which key proved it. Whether
    it is valid now is asked each time. The tokens themselves are not kept, their SHA-256 is.
    """

    def __init__(self, size: int = TOKENS_REMEMBERED) -> None:
        self._size = size
        self._found: dict[bytes, T] = {}

    def get(self, token: str) -> T | None:
        """What was found in this very token, if it is remembered."""
        digest = _digest(token)
        found = self._found.pop(digest, None)
        if found is not None:
            self._found[digest] = found  # a dict keeps its order: first is longest unused
        return found

    def put(self, token: str, found: T) -> None:
        """Remember a token that has just proved right; the longest unused one is forgotten."""
        self._found[_digest(token)] = found
        if len(self._found) > self._size:
            del self._found[next(iter(self._found))]


def _digest(token: str) -> bytes:
    # A token may come from a socket's JSON, where text can hold half a surrogate pair.
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
