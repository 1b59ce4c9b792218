"""The command line itself: its commands, its help, and how errors leave it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Group
from rich.text import Text

from careerlens import __version__
from careerlens.cli import checking, identity, probing, running, serving, submitting
from careerlens.cli.exits import EXIT_CODES_HELP, Exit
from careerlens.cli.screen import explain, messages, results

_START = Group.create_ordered("Start")
_USE = Group.create_ordered("Use")
_LOOK_AFTER = Group.create_ordered("Look after")

_HELP = """\
CareerLens Jobs: background jobs from the click to the live result.

A first minute, in two terminals:

    careerlens run
    careerlens optimize resume.pdf --role "Data Engineer"

Settings come from the environment, `.env.local` and `.env`; without any, a Redis of its own is
started in `.careerlens/`. `careerlens doctor` says what is wrong and what to do.
"""


def build_app() -> App:
    """The command line with all its commands."""
    app = App(
        name="careerlens",
        help=_HELP,
        help_format="markdown",
        help_epilogue=EXIT_CODES_HELP,
        version=__version__,
        default_parameter=None,
        console=results(),
    )
    app.command(running.run, group=_START)
    app.command(serving.api, group=_START)
    app.command(serving.worker, group=_START)
    app.command(serving.socket, group=_START)
    app.command(submitting.optimize, group=_USE)
    app.command(submitting.submit, group=_USE)
    app.command(identity.token, group=_USE)
    app.command(checking.doctor, group=_LOOK_AFTER)
    app.command(probing.health, group=_LOOK_AFTER)
    app.command(identity.version, group=_LOOK_AFTER)
    return app


def run_command(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Errors are told on stderr, never raised."""
    try:
        outcome = build_app()(
            list(arguments), exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        problem = " ".join(str(error).split())
        hint = " See `careerlens --help`, or `careerlens COMMAND --help`."
        messages().print(Text.assemble(("error: ", "bold red"), problem, hint))
        return Exit.USAGE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is still buffered must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except Exception as error:  # noqa: BLE001  (the outermost edge: told, kept in a file, exit 5)
        return explain(error)
    return int(outcome) if outcome is not None else Exit.DONE


def main() -> None:
    """The entry point of the command `careerlens`."""
    # Job types may be files of the folder we are called in. Last, so that they shadow nothing.
    sys.path.append(os.getcwd())
    sys.exit(run_command(sys.argv[1:]))
