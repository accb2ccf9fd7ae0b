"""`governance verify`: is this file what it says?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from governance.errors import ConfigurationError, GovernanceError, ProofError, StorageError
from governance.types import Receipt, receipt_path
from governance.verification import Verifier
from governance_adapters.commands.output import JsonFlag, err, out, print_json, print_verification
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_verifier, outside_verifier

CANNOT_CHECK = 2
MAX_FILE_BYTES = 256 * 1024 * 1024


def verify(
    file: Annotated[Path, typer.Argument(help="The file to verify.")],
    receipt: Annotated[
        Path | None, typer.Option(help="Its receipt. Default: FILE.receipt.json, where there is one.")
    ] = None,
    root: Annotated[Path | None, typer.Option(help="PEM roots for C2PA: verify as a stranger, with --log-key.")] = None,
    log_key: Annotated[
        str | None, typer.Option(help="The log's public key (text or file): verify as a stranger, with --root.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say line by line whether manifest, watermark, attribution, entry and inclusion proof of FILE hold.

    Exit code 0: all hold. 1: something fails. 2: something could not be checked.
    """
    try:
        verifier = _verifier(root, log_key)
        content = read_file(file)
        verification = verifier.verify(content, _receipt(file, receipt))
    except ProofError as error:
        err.print(f"{file}: {error}", markup=False, style="red")
        raise typer.Exit(1) from error
    except GovernanceError as error:
        err.print(f"could not check {file}: {error}", markup=False, style="yellow")
        raise typer.Exit(CANNOT_CHECK) from error
    if as_json:
        print_json({"file": str(file), **verification.as_json()})
    else:
        out.print(str(file), markup=False, style="bold")
        print_verification(verification)
    raise typer.Exit(verification.exit_code)


def read_file(path: Path) -> bytes:
    """The bytes of a file of at most 256 MiB.

    Raises:
        StorageError: it cannot be read, or is larger.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise StorageError(
                f"{path} is larger than {MAX_FILE_BYTES} bytes.", remedy="No file of ours is that large."
            )
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}.", remedy="Check the path.") from error


def _verifier(root: Path | None, log_key: str | None) -> Verifier:
    if root is None and log_key is None:
        return open_verifier(Settings.load())
    if root is None or log_key is None:
        raise ConfigurationError(
            "A stranger verifies with both the C2PA root and the log key.", remedy="Give --root and --log-key."
        )
    key_file = Path(log_key)
    text = read_file(key_file).decode("utf-8", "replace") if key_file.is_file() else log_key
    return outside_verifier(root, text.strip())


def _receipt(file: Path, given: Path | None) -> Receipt | None:
    path = given or receipt_path(file)
    if given is None and not path.exists():
        return None
    return Receipt.from_json(read_file(path).decode("utf-8", "replace"))
