"""Why a file could not be read, in words for its owner. None of them is worth a second try."""

from __future__ import annotations

from careerlens.foundation.errors import UnrecoverableError

_AGAIN = "Export it again from your word processor, or paste the text."


def encrypted() -> UnrecoverableError:
    """It is protected by a password."""
    return UnrecoverableError(
        "The file is protected by a password. Save a copy without one and hand in the copy.",
        code="file_encrypted",
    )


def scanned() -> UnrecoverableError:
    """It holds pictures of text."""
    return UnrecoverableError(
        "There is no text in this PDF; it looks scanned. Export it from your word processor, or"
        " run text recognition (OCR) on it first.",
        code="file_scanned",
    )


def truncated() -> UnrecoverableError:
    """Its end is missing, or its inside is damaged."""
    return UnrecoverableError(f"The file is incomplete or damaged. {_AGAIN}", code="file_truncated")


def empty() -> UnrecoverableError:
    """There is nothing in it."""
    return UnrecoverableError(f"There is no text in this file. {_AGAIN}", code="file_empty")


def not_supported(what: str) -> UnrecoverableError:
    """It is something else; `what` completes "This is …"."""
    return UnrecoverableError(
        f"This is {what}. Hand in a PDF, a Word document (.docx) or plain text.",
        code="file_not_supported",
    )


def over_limit(what: str) -> UnrecoverableError:
    """It goes beyond what we read; `what` is a sentence."""
    return UnrecoverableError(f"{what} {_AGAIN}", code="parse_limit")
