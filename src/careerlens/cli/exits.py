"""What the exit codes of `careerlens` mean. They are public: scripts rely on them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit code of a command."""

    DONE = 0
    FAILED = 1
    """The job failed or was cancelled, or `doctor` found a problem."""
    USAGE = 2
    """The command line, or the data given on it, is wrong."""
    CONFIGURATION = 3
    """A setting (environment variable, `.env`, `.env.local`) is wrong."""
    UNAVAILABLE = 4
    """Redis, the API or another service cannot be reached."""
    DEFECT = 5
    """CareerLens itself has a defect."""
    INTERRUPTED = 130
    """Ctrl-C."""

    @classmethod
    def of(cls, code: int) -> Exit:
        """The meaning of the code that a process of ours ended with."""
        return cls(code) if code in set(cls) else cls.FAILED


EXIT_CODES_HELP = (
    "Exit codes: 0 done, 1 the job failed or a check did, 2 wrong command line or input, "
    "3 wrong setting, 4 a service cannot be reached, 5 a defect of ours, 130 Ctrl-C."
)
