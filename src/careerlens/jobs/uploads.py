"""Uploaded files on their way from the API to the worker.

A file is kept in Redis under a random key of its owner and expires by itself; the job's data
carries only an `UploadRef`. The client's file name is metadata: it names no key and no path.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from typing import Annotated, Protocol

from pydantic import Field

from careerlens.foundation.errors import UnrecoverableError
from careerlens.jobs.keys import upload_key
from careerlens.jobs.model import WireModel

MAX_FILE_BYTES = 5 * 1024 * 1024
UPLOAD_SECONDS = 24 * 60 * 60
RELEASED_SECONDS = 10 * 60
MAX_NAME_LENGTH = 120
_KEY_BYTES = 16


class UploadRef(WireModel):
    """Where an uploaded file is. `key` is random, `name` is for people and safe in headers."""

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$")]
    name: str
    content_type: str
    size: int


def new_upload_ref(name: str, content: bytes, *, content_type: str) -> UploadRef:
    """A reference under a fresh random key for a file that is still to be saved."""
    return UploadRef(
        key=secrets.token_urlsafe(_KEY_BYTES),
        name=safe_file_name(name),
        content_type=content_type,
        size=len(content),
    )


class UploadConnection(Protocol):
    """What the store needs of a Redis connection; replies are bytes."""

    async def call(self, *args: bytes | str | int | float) -> object:
        """Send one command and return its reply."""


class UploadStore:
    """The files of all users; every read and write names the owner."""

    def __init__(self, connection: UploadConnection) -> None:
        self._connection = connection

    async def save(self, user_id: str, ref: UploadRef, content: bytes) -> None:
        """Keep `content` for a day where `ref` says."""
        await self._connection.call(
            "SET", upload_key(user_id, ref.key), content, "EX", UPLOAD_SECONDS
        )

    async def load(self, user_id: str, ref: UploadRef) -> bytes:
        """The file's bytes.

        Raises `UnrecoverableError` (code `upload_gone`) when it has expired, or is not
        this user's.
        """
        content = await self._connection.call("GET", upload_key(user_id, ref.key))
        if not isinstance(content, bytes):
            raise UnrecoverableError(
                "The uploaded file is no longer kept. Upload it again.", code="upload_gone"
            )
        return content

    async def release(self, user_id: str, ref: UploadRef) -> None:
        """Let go of a file whose job is over.

        It stays for some minutes: should the worker die before the end is written, the job runs
        once more and reads it again.
        """
        await self._connection.call("EXPIRE", upload_key(user_id, ref.key), RELEASED_SECONDS)


def safe_file_name(name: str) -> str:
    """`name` without folders, control and formatting characters, short enough for a header."""
    base = re.split(r"[/\\]", name)[-1]
    kept = "".join(
        character
        for character in unicodedata.normalize("NFC", base)
        if unicodedata.category(character)[0] not in {"C", "Z"} or character == " "
    )
    kept = kept.replace('"', "").strip(" .")
    return kept[:MAX_NAME_LENGTH] or "resume"
