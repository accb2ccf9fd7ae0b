"""The `governance` command."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

import typer

from governance.errors import (
    ConfigurationError,
    DeniedError,
    GovernanceError,
    HeldError,
    RollbackError,
    SplitViewError,
)
from governance_adapters.commands import (
    api_keys,
    dataset,
    demo,
    detectors,
    doctor,
    documents,
    evidence,
    generate,
    ledger,
    lineage,
    pipelines,
    policy,
    recall,
    regeneration,
    registers,
    serve,
    setup,
    shadow,
    train,
    verify,
    witness,
    works,
)
from governance_adapters.commands.output import err, error_json, one_line, print_json
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
app.command()(evidence.evidence)
app.command()(lineage.lineage)
app.command("recall")(recall.recall_command)
app.command()(train.train)
app.command()(regeneration.replay)
app.command()(pipelines.pipelines)
app.command()(doctor.doctor)
app.command()(serve.serve)
app.add_typer(ledger.app, name="ledger")
app.add_typer(policy.app, name="policy")
app.add_typer(detectors.app, name="detectors")
app.add_typer(works.app, name="works")
app.add_typer(registers.app, name="registers")
app.add_typer(dataset.app, name="dataset")
app.add_typer(documents.app, name="documents")
app.add_typer(shadow.app, name="shadow")
setup.keys_app.command("witness")(witness.keys_witness)
app.add_typer(setup.keys_app, name="keys")
app.add_typer(api_keys.app, name="api-keys")

DISTRIBUTION = "diffusion-governance"
EXIT_ERROR = 1
EXIT_DENIED = 3
EXIT_HELD = 4
EXIT_CONTRADICTED = 5
EXIT_DUE = registers.EXIT_DUE
EXIT_MISMATCH = regeneration.EXIT_MISMATCH
EXIT_NOT_REPLAYABLE = regeneration.EXIT_NOT_REPLAYABLE
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line: errors of ours become one line on standard error and an exit code.

    `arguments` without the program's name; by default the process's own.
    """
    warnings.showwarning = _show_warning
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # read when it is imported, which is later
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(args=words)
    except DeniedError as error:
        sys.exit(_said(error, EXIT_DENIED, words))
    except HeldError as error:
        sys.exit(_said(error, EXIT_HELD, words))
    except (RollbackError, SplitViewError) as error:
        sys.exit(_said(error, EXIT_CONTRADICTED, words))
    except GovernanceError as error:
        sys.exit(_said(error, EXIT_ERROR, words))
    except ModuleNotFoundError as error:
        missing = ConfigurationError(f"{error}.", remedy=f"Install it: pip install '{DISTRIBUTION}[all]'.")
        sys.exit(_said(missing, EXIT_ERROR, words))
    except SystemExit as done:
        if done.code == EXIT_INTERRUPTED:  # typer makes that of Ctrl-C, without a word
            err.print("interrupted: what was recorded until then is in `governance ledger list`", style="yellow")
        raise


def _said(error: GovernanceError, code: int, words: Sequence[str]) -> int:
    if "--json" in words:
        print_json(error_json(error, code))
    err.print(f"error: {one_line(str(error))}", style="red", markup=False)
    for note in getattr(error, "__notes__", ()):
        err.print(f"  {one_line(note)}", markup=False)
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
