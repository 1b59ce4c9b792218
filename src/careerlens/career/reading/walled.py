"""Reading in a child process, and what its end means when it ends without an answer."""

from __future__ import annotations

from careerlens.career.document import ReadDocument
from careerlens.career.reading import failures, limits
from careerlens.career.reading.file import read_file
from careerlens.foundation.logging import get_logger
from careerlens.foundation.sandbox import (
    SandboxCrashedError,
    SandboxError,
    SandboxMemoryError,
    SandboxTimeoutError,
    run_isolated,
)

_log = get_logger("careerlens.career.reading")


async def read_document(content: bytes) -> ReadDocument:
    """Read a file of unknown kind.

    Raises `UnrecoverableError` with one of the codes in `failures`, whatever the file does.
    """
    try:
        raw = await run_isolated(
            read_file,
            content,
            timeout=limits.WALL_SECONDS,
            cpu_seconds=limits.CPU_SECONDS,
            memory_bytes=limits.MEMORY_BYTES,
        )
    except SandboxTimeoutError:
        raise failures.over_limit("Reading the file took too long and was stopped.") from None
    except SandboxMemoryError:
        raise failures.over_limit("Reading the file took too much memory.") from None
    except SandboxCrashedError:
        raise failures.over_limit("The file is built in a way that stopped its reader.") from None
    except SandboxError as error:
        # Its words may quote the document, so the log gets the kind of error only.
        _log.error("resume_reader_failed", kind=str(error).partition(":")[0])
        raise failures.truncated() from None
    return ReadDocument.from_json(raw)
