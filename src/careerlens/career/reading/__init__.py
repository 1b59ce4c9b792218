"""Reads résumés of strangers: PDF, Word documents and plain text.

bytes ──▶ detect (by content) ──▶ pdf | docx | plain ──▶ ReadDocument
          └──────────── in a walled child process ─────────────┘

The file is an attacker's as far as we know, so all of it happens in `foundation.sandbox`, with
limits on time, memory, pages and characters. What cannot be read ends the job with an
`UnrecoverableError` whose code and sentence say why and what to do; `failures` has them all.

`walled.read_document` is the way in. Nothing is imported here, since the child process that reads
the file passes through and should start fast.
"""
