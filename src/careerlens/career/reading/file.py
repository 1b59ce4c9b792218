"""One file, from bytes to a document. Runs in the child process; imports accordingly little."""

from __future__ import annotations

from typing import Any

from careerlens.career.document import ReadDocument
from careerlens.career.reading import detect, failures, limits
from careerlens.career.reading.detect import Kind


def read_file(content: bytes) -> dict[str, Any]:
    """`ReadDocument.to_json` of the file.

    Raises `UnrecoverableError`, and `MemoryError` where the process has a limit.
    """
    match detect.kind_of(content):
        case Kind.PDF:
            from careerlens.career.reading.pdf import read_pdf

            document = read_pdf(content)
        case Kind.ZIP:
            from careerlens.career.reading.docx import read_docx

            document = read_docx(content)
        case Kind.TEXT:
            from careerlens.career.reading.plain import read_plain

            document = read_plain(content)
    return _checked(document).to_json()


def _checked(document: ReadDocument) -> ReadDocument:
    if not any(character.isalnum() for character in document.text):
        raise failures.empty()
    if len(document.text) > limits.MAX_CHARACTERS:
        raise failures.over_limit(
            f"It holds {len(document.text):,} characters; a résumé may have"
            f" {limits.MAX_CHARACTERS:,}."
        )
    return document
