"""Reads résumés of strangers: PDF, Word documents and plain text.

bytes ──▶ detect (by content) ──▶ pdf | docx | plain ──▶ ReadDocument
          └──────────── in a walled child process ─────────────┘

The file is an attacker's as far as we know, so all of it happens in `foundation.sandbox`, with
limits on time, memory, pages and characters. What cannot be read ends the job with an
`UnrecoverableError` whose code and sentence say why and what to do; `failures` has them all.
"""

from careerlens.career.reading.limits import MAX_CHARACTERS, MAX_PAGES
from careerlens.career.reading.walled import read_document

__all__ = ["MAX_CHARACTERS", "MAX_PAGES", "read_document"]
