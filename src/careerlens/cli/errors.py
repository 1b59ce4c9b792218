"""How a command ends: its exit code, and words on stderr for whatever it raised."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from careerlens.cli.exits import Exit


def exit_code_of(command: Callable[[], int | None]) -> int:
    """Run a command and return its exit code. Errors are told on stderr, never raised."""
    try:
        outcome = command()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is still buffered must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except Exception as error:  # noqa: BLE001  (the outermost edge: told, kept in a file, exit 5)
        from careerlens.cli.screen import explain

        return explain(error)
    return int(outcome) if outcome is not None else Exit.DONE
