"""The command line itself: its commands, its help, and how errors leave it."""

from __future__ import annotations

from collections.abc import Sequence

from cyclopts import App, CycloptsError, Group
from rich.text import Text

from careerlens import __version__
from careerlens.cli import checking, identity, probing, running, serving, submitting
from careerlens.cli.errors import exit_code_of
from careerlens.cli.exits import EXIT_CODES_HELP, Exit
from careerlens.cli.screen import messages, results

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
    app.command(identity.revoke, group=_LOOK_AFTER)
    app.command(identity.version, group=_LOOK_AFTER)
    return app


def run_command(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Errors are told on stderr, never raised."""

    def command() -> int | None:
        try:
            outcome: int | None = build_app()(
                list(arguments),
                exit_on_error=False,
                print_error=False,
                result_action="return_value",
            )
        except CycloptsError as error:
            problem = " ".join(str(error).split())
            hint = " See `careerlens --help`, or `careerlens COMMAND --help`."
            messages().print(Text.assemble(("error: ", "bold red"), problem, hint))
            return Exit.USAGE
        return outcome

    return exit_code_of(command)
