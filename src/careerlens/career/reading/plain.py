"""Plain text in whatever encoding: UTF-8, UTF-16, or the old Western one."""

from __future__ import annotations

import codecs
import re

from careerlens.career.document import ReadDocument
from careerlens.career.reading import failures

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_MAX_CONTROL_SHARE = 0.01
_MIN_NUL_SHARE = 0.2


def read_plain(content: bytes) -> ReadDocument:
    """The text.

    Raises `UnrecoverableError` (`file_not_supported`) when the bytes are no text at all.
    """
    text = decode(content)
    if len(_CONTROLS.findall(text)) > _MAX_CONTROL_SHARE * len(text):
        raise failures.not_supported("a file of unknown kind")
    return ReadDocument(text=text.replace("\x00", ""), format="text")


def decode(content: bytes) -> str:
    """Bytes as text: by the byte order mark, else UTF-8 where it is valid, else Windows-1252."""
    if content.startswith(codecs.BOM_UTF8):
        return content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    bare = _utf16_without_mark(content)
    if bare is not None:
        return content.decode(bare, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _utf16_without_mark(content: bytes) -> str | None:
    """Western text in UTF-16 shows as a NUL in every second place."""
    sample = content[:4000]
    if sample[1::2].count(0) > _MIN_NUL_SHARE * len(sample):
        return "utf-16-le"
    return "utf-16-be" if sample[0::2].count(0) > _MIN_NUL_SHARE * len(sample) else None
