"""`governance ledger witness`: following a log from outside; and the key that a witness cosigns with."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from governance.canonical import Json, digest
from governance.checkpoint import LogKey
from governance.errors import GovernanceError, RollbackError, SplitViewError
from governance.files import write_atomically
from governance.log_client import LedgerSource, evidence_of
from governance.notes import NoteKey
from governance.ports import LogSource
from governance.witness import Observed, observe, witness_memory
from governance_adapters.commands.output import JsonFlag, err, out, print_fields, print_json
from governance_adapters.commands.verify import read_file
from governance_adapters.marking.witness_keys import create_witness_key, load_witness_key, public_path
from governance_adapters.publishing.http_source import HttpLogSource
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger

HERE: Final = "here"
_EVIDENCE_DIGITS: Final = 16

Key = TypeVar("Key", bound=NoteKey)


def witness(
    source: Annotated[
        str, typer.Argument(help="URL prefix of a served log, or `here`: the ledger of this installation.")
    ],
    key: Annotated[str, typer.Option(help="The log's public key (text or file), obtained elsewhere.")],
    state: Annotated[Path, typer.Option(help="File that remembers the last checkpoint of this log.")],
    witness_key: Annotated[
        Path | None, typer.Option(help="Cosign with this key: see `governance keys witness`.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the checkpoint there. Default: print it.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Look at a log once: check that it extends what was seen of it before, remember that, and cosign it.

    Exit code 5: the log was rolled back or tells two stories; both checkpoints are written to a file beside the state file,
    and what was remembered stays.
    """
    log_key = parse_key(key, LogKey)
    cosigner = None if witness_key is None else load_witness_key(witness_key)
    followed = _source(source)
    with witness_memory(state) as memory:
        try:
            observed = observe(followed, log_key, memory, cosigner, int(time.time()))
        except (RollbackError, SplitViewError) as error:
            _keep_evidence(error, log_key, state)
            raise
        if output is not None:
            write_atomically(output, observed.note.encode())
    if as_json:
        print_json(_as_json(observed, cosigned=cosigner is not None))
        return
    if output is None:
        typer.echo(observed.note, nl=False)
    err.print(_said(observed), markup=False)


def keys_witness(
    name: Annotated[str, typer.Argument(help="The name of the witness, such as witness.example.org/w1.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the key goes; its public half to FILE.pub.")],
    as_json: JsonFlag = False,
) -> None:
    """Make the key of a witness: an Ed25519 key of mode 0600, and its public half beside it. Nothing is overwritten."""
    made = create_witness_key(output, name)
    fields = {"key": str(output), "public half": str(public_path(output)), "witness key": str(made.key)}
    if as_json:
        print_json({name.replace(" ", "_"): value for name, value in fields.items()})
    else:
        print_fields(fields)
        out.print("Whoever relies on this witness needs the line of its public half.")


def parse_key(text: str, kind: type[Key]) -> Key:
    """A public key, given as its text or as a file that holds it.

    Raises:
        ConfigurationError: it is no key of this kind.
        StorageError: the file cannot be read.
    """
    file = Path(text)
    return kind.parse(read_file(file).decode("utf-8", "replace") if file.is_file() else text)


def _source(source: str) -> LogSource:
    if source == HERE:
        return LedgerSource(open_ledger(Settings.load()))
    return HttpLogSource(source)


def _keep_evidence(error: RollbackError | SplitViewError, key: LogKey, state: Path) -> None:
    """Write down what contradicts what, under a name that no other evidence has."""
    content = evidence_of(error, key)
    path = state.with_name(f"{state.name}.evidence-{digest(content)[:_EVIDENCE_DIGITS]}.json")
    try:
        write_atomically(path, content)
    except GovernanceError as failure:
        error.add_note(f"The evidence could not be written, so it stands here: {failure} {content.decode()}")
    else:
        error.add_note(f"evidence: {path}")


def _as_json(observed: Observed, *, cosigned: bool) -> dict[str, Json]:
    checkpoint, known = observed.growth.checkpoint, observed.growth.known
    return {
        "origin": checkpoint.origin,
        "entries": checkpoint.size,
        "root": checkpoint.root.hex(),
        "known_entries": None if known is None else known.size,
        "cosigned_at": moment(observed.seen.time) if cosigned else None,
        "checkpoint": observed.note,
    }


def _said(observed: Observed) -> str:
    checkpoint, known = observed.growth.checkpoint, observed.growth.known
    how = "first seen" if known is None else f"extends the {known.size} entries seen before"
    return f"{checkpoint.origin}: {checkpoint.size} entries, {how}"


def moment(seconds: int) -> str:
    """A time in seconds since the epoch, as RFC 3339 writes it; those that no calendar has stay numbers."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):
        return f"{seconds} seconds after 1970"
