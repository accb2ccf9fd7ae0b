"""`governance verify`: is this file what it says?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from governance.assets import receipt_path
from governance.canonical import Digest, Json, digest
from governance.checkpoint import LogKey
from governance.entries import Receipt
from governance.errors import ConfigurationError, GovernanceError, ProofError, StorageError
from governance.profiles import check_profile, judge_profile
from governance.verification import Verifier
from governance_adapters.commands.output import (
    JsonFlag,
    err,
    error_json,
    out,
    print_json,
    print_profile,
    print_verification,
)
from governance_adapters.ledgers import ledger_name
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.settings import TOML_FILE, Settings
from governance_adapters.wiring import open_verifier, outside_verifier, trust_root_path

CANNOT_CHECK = 2
MAX_FILE_BYTES = 256 * 1024 * 1024

AUTHORITIES: Final = frozenset({"home", "ledger", "database_url", "keys", "trust_root", "tsa_root"})
"""The settings that decide whom `verify` believes."""
FROM_FOLDER: Final = f"{TOML_FILE} in this folder"


@dataclass(frozen=True, slots=True)
class Authority:
    """On whose word a file was judged: whoever chose these, chose the answers. `from_folder` are settings' names."""

    home: Path | None
    ledger: str | None
    log_key: LogKey
    root: Path
    root_digest: Digest
    settings: str
    from_folder: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """For programs."""
        return {
            "home": None if self.home is None else str(self.home),
            "ledger": self.ledger,
            "log_key": {"name": self.log_key.name, "id": self.log_key.id.hex()},
            "c2pa_root": {"file": str(self.root), "sha256": self.root_digest},
            "settings": self.settings,
        }

    def print(self) -> None:
        """Say it in one line, and in another that the folder chose it."""
        place = "no installation" if self.home is None else f"home {self.home}, ledger {self.ledger}"
        key = f"log key {self.log_key.name}+{self.log_key.id.hex()}"
        root = f"C2PA root {self.root} (SHA-256 {self.root_digest})"
        if self.from_folder:
            names = ", ".join(self.from_folder)
            warning = f"{FROM_FOLDER} chose: {names}. Whoever wrote that file decides what holds here."
            out.print(Text(f"  {warning}", style="yellow"))
        out.print(Text("  judged by       ", style="bold").append(f"{place}, {key}, {root}", style="not bold"))


def verify(
    file: Annotated[Path, typer.Argument(help="The file to verify.")],
    receipt: Annotated[
        Path | None, typer.Option(help="Its receipt. Default: FILE.receipt.json, where there is one.")
    ] = None,
    root: Annotated[Path | None, typer.Option(help="PEM roots for C2PA: verify as a stranger, with --log-key.")] = None,
    log_key: Annotated[
        str | None, typer.Option(help="The log's public key (text or file): verify as a stranger, with --root.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Also list the fields of a rule: eu-ai-act-50, us-ca-sb942 or cn-gb45438.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say line by line whether manifest, metadata, watermark, attribution, entry and inclusion proof of FILE hold, and no recall.

    The last line says by which installation or keys it was judged. Exit code 0: all hold. 1: something fails. 2:
    something could not be checked. With --profile, 0: every required field of the rule is there; 1: not.
    """
    try:
        check_profile(profile)
        verifier, authority = _verifier(root, log_key)
        content = read_file(file)
        verification = verifier.verify(content, _receipt(file, receipt))
        report = None if profile is None else judge_profile(profile, verification, content)
    except ProofError as error:
        err.print(f"{file}: {error}", markup=False, style="red")
        raise _ended(file, error, 1, as_json) from error
    except GovernanceError as error:
        err.print(f"could not check {file}: {error}", markup=False, style="yellow")
        raise _ended(file, error, CANNOT_CHECK, as_json) from error
    if as_json:
        judged = {} if report is None else {"profile": report.as_json()}
        print_json({"file": str(file), **verification.as_json(), **judged, "judged_by": authority.as_json()})
    else:
        out.print(str(file), markup=False, style="bold")
        print_verification(verification)
        if report is not None:
            print_profile(report)
        authority.print()
    raise typer.Exit(verification.exit_code if report is None else int(not report.holds))


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


def _ended(file: Path, error: GovernanceError, code: int, as_json: bool) -> typer.Exit:
    if as_json:
        print_json({"file": str(file), **error_json(error, code)})
    return typer.Exit(code)


def _verifier(root: Path | None, log_key: str | None) -> tuple[Verifier, Authority]:
    if root is None and log_key is None:
        return _of_installation(Settings.load())
    if root is None or log_key is None:
        raise ConfigurationError(
            "A stranger verifies with both the C2PA root and the log key.", remedy="Give --root and --log-key."
        )
    key_file = Path(log_key)
    text = read_file(key_file).decode("utf-8", "replace") if key_file.is_file() else log_key
    authority = Authority(None, None, LogKey.parse(text), root, digest(read_file(root)), "the command line")
    return outside_verifier(root, authority.log_key), authority


def _of_installation(settings: Settings) -> tuple[Verifier, Authority]:
    verifier = open_verifier(settings)
    root = trust_root_path(settings)
    chosen = tuple(sorted(AUTHORITIES & Settings.from_folder()))
    authority = Authority(
        settings.home,
        ledger_name(settings),
        KeyFolder(settings.keys_path).log_public(),
        root,
        digest(read_file(root)),
        FROM_FOLDER if chosen else "the environment and the defaults",
        chosen,
    )
    return verifier, authority


def _receipt(file: Path, given: Path | None) -> Receipt | None:
    path = given or receipt_path(file)
    if given is None and not path.exists():
        return None
    return Receipt.from_json(read_file(path).decode("utf-8", "replace"))
