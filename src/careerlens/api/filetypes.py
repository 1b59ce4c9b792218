"""What an uploaded file is, told by its content: names and claimed types prove nothing."""

from __future__ import annotations

import codecs
import re

from careerlens.api.problems import ProblemError

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
TEXT = "text/plain"
ACCEPTED = "a PDF, a Word document (.docx) or plain text"

_PDF_HEADER_WITHIN = 1024
_ZIP = b"PK\x03\x04"
_OLD_WORD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Word puts a password-protected .docx into its old container, under this name.
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_MARKUP = re.compile(rb"\s*(<!doctype\s+html|<html|<\?xml|<svg|<script|\{\\rtf)", re.IGNORECASE)
_NOT_IN_TEXT = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")


def content_type_of(content: bytes) -> str:
    """The file's type: one of the three accepted ones.

    Raises `ProblemError` (415) that names what is accepted. Whether a PDF or a Word document is a
    sound one, and needs no password, is found out where it is read, walled in.
    """
    if b"%PDF-" in content[:_PDF_HEADER_WITHIN]:
        return PDF
    if content.startswith(_ZIP):
        return DOCX
    if content.startswith(_OLD_WORD):
        if _ENCRYPTED in content:
            return DOCX
        raise _refused("This is an old Word document (.doc). Save it as .docx or PDF")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return TEXT
    if _MARKUP.match(content.removeprefix(codecs.BOM_UTF8)) or _NOT_IN_TEXT.search(content):
        raise _refused("This kind of file is not accepted")
    return TEXT


def _refused(reason: str) -> ProblemError:
    return ProblemError("unsupported-media-type", f"{reason}: the résumé may be {ACCEPTED}.")
