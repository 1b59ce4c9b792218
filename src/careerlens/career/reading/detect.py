"""What a file is, told by its content: names and claimed types prove nothing."""

from __future__ import annotations

import re
from enum import Enum

from careerlens.career.reading import failures

_PDF_HEADER_WITHIN = 1024
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_MARKUP = re.compile(rb"\s*(?:<!doctype\s+html|<html|<\?xml|<svg|<script|<!--)", re.IGNORECASE)
_OTHERS = (
    (b"{\\rtf", "a Rich Text file (.rtf)"),
    (b"\x89PNG", "a picture; run text recognition (OCR) on it first"),
    (b"\xff\xd8\xff", "a picture; run text recognition (OCR) on it first"),
    (b"GIF8", "a picture; run text recognition (OCR) on it first"),
    (b"II*\x00", "a picture; run text recognition (OCR) on it first"),
    (b"MM\x00*", "a picture; run text recognition (OCR) on it first"),
    (b"%!PS", "a PostScript file"),
    (b"MZ", "a program"),
    (b"\x7fELF", "a program"),
    (b"\x1f\x8b", "a compressed file"),
    (b"7z\xbc\xaf\x27\x1c", "a compressed archive"),
    (b"Rar!", "a compressed archive"),
)


class Kind(Enum):
    """What we go on to read. A zip archive may still turn out to be no Word document."""

    PDF = "pdf"
    ZIP = "zip"
    TEXT = "text"


def kind_of(content: bytes) -> Kind:
    """The file's kind.

    Raises `UnrecoverableError`: `file_empty`, `file_encrypted` or `file_not_supported`.
    """
    if not content.strip(b"\x00 \t\r\n\xef\xbb\xbf"):
        raise failures.empty()
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return Kind.ZIP
    if b"%PDF-" in content[:_PDF_HEADER_WITHIN]:
        return Kind.PDF
    if content.startswith(_OLD_OFFICE):
        if _ENCRYPTED_PACKAGE in content:
            raise failures.encrypted()
        raise failures.not_supported("an old Office document (.doc, .xls); save it as .docx")
    for magic, what in _OTHERS:
        if content.startswith(magic):
            raise failures.not_supported(what)
    if _MARKUP.match(content.removeprefix(b"\xef\xbb\xbf")[:256]):
        raise failures.not_supported("a web page or XML file")
    return Kind.TEXT
