"""The `governance` command."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TextIO

import typer

from governance.errors import DeniedError, GovernanceError, HeldError
from governance_adapters.commands import demo, doctor, generate, ledger, policy, setup, verify
from governance_adapters.commands.output import err, print_json
from governance_adapters.marking.authority import InsecureKeyWarning

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Governance and provenance for diffusion pipelines.",
)
app.command()(setup.init)
app.command()(demo.demo)
app.command()(generate.generate)
app.command()(verify.verify)
app.command()(doctor.doctor)
app.add_typer(ledger.app, name="ledger")
app.add_typer(policy.app, name="policy")
app.add_typer(setup.keys_app, name="keys")

EXIT_ERROR = 1
EXIT_DENIED = 3
EXIT_HELD = 4
EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command line: errors of ours become one line on standard error and an exit code."""
    warnings.showwarning = _show_warning
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # read when it is imported, which is later
    try:
        app()
    except DeniedError as error:
        sys.exit(_said(error, EXIT_DENIED))
    except HeldError as error:
        sys.exit(_said(error, EXIT_HELD))
    except GovernanceError as error:
        sys.exit(_said(error, EXIT_ERROR))
    except KeyboardInterrupt:
        err.print("interrupted: nothing was released", style="yellow")
        sys.exit(EXIT_INTERRUPTED)


def _said(error: GovernanceError, code: int) -> int:
    if "--json" in sys.argv:
        print_json({"error": type(error).__name__, "message": str(error), "exit_code": code})
    err.print(f"error: {error}", style="red", markup=False)
    for note in getattr(error, "__notes__", ()):
        err.print(f"  {note}", markup=False)
    return code


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del filename, lineno, file, line  # where in the code a warning arose is nothing to its reader
    style = "yellow" if issubclass(category, InsecureKeyWarning) else "dim"
    err.print(f"warning: {message}", style=style, markup=False)


if __name__ == "__main__":
    main()
