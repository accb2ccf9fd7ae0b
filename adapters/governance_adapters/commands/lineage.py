"""`governance lineage`: what was this made from, and under which licences?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from governance.attribution import Grade
from governance.canonical import Digest, digest
from governance.entries import Entry, EntryKind
from governance.errors import NoEntryError, RecallError, StorageError
from governance.files import write_atomically
from governance.lineage.drawn import svg, tree_lines
from governance.lineage.graph import Lineage
from governance.lineage.tracing import lineage_of, lineage_of_adapter, lineage_of_model
from governance.ports import Ledger
from governance.registers.item_checks import RegisterName
from governance.registers.register import Registers
from governance.search import Query
from governance_adapters.commands.output import JsonFlag, err, out, print_json, printable
from governance_adapters.commands.verify import read_file
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_finder, open_ledger

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def lineage(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ASSET_OR_FILE",
            help="A file; the digest or id of a released file; the id of its entry; a model's key, a LoRA's digest.",
        ),
    ],
    picture: Annotated[Path | None, typer.Option("--svg", help="Also write the picture of it into this file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Trace a released file back to its decisions, model, LoRAs, training runs, datasets and every licence on record.

    What the records do not say is listed as not known. Exit code 0, with gaps too.
    """
    settings = Settings.load()
    ledger = open_ledger(settings)
    found = _found(settings, ledger, what)
    if picture is not None:
        _write(picture, svg(found))
    if as_json:
        print_json(found.as_json())
        return
    for line in tree_lines(found):
        out.print(Text(printable(line), style="yellow" if "NOT KNOWN: " in line else ""))
    out.print(f"licences: {', '.join(map(printable, found.licences)) or 'none on record'}", markup=False)
    out.print(f"{len(found.gaps)} things are not known")


def _found(settings: Settings, ledger: Ledger, what: str) -> Lineage:
    path = Path(what)
    if path.is_file():
        return lineage_of(ledger, _released_as(settings, ledger, path))
    registers = Registers(ledger)
    if _DIGEST.fullmatch(what):
        if (released := ledger.find_asset(Digest(what))) is not None:
            return lineage_of(ledger, released, registers)
        if registers.find(RegisterName.ADAPTERS, what) or _trained(ledger, Query(adapter=what)):
            return lineage_of_adapter(ledger, what, registers)
        if registers.find(RegisterName.MODELS, what) or _trained(ledger, Query(model=what)):
            return lineage_of_model(ledger, what, registers)
    try:
        return lineage_of(ledger, ledger.entry(what), registers)
    except NoEntryError as error:
        page = ledger.search(Query(asset=what, kind=EntryKind.RELEASED), limit=1)
        if page.items:
            return lineage_of(ledger, page.items[0][1], registers)
        raise RecallError(
            f"Nothing here is called {what[:100]!r}: no file, no entry, no released file, no model and no LoRA.",
            remedy="Give a file, or an id or a digest from `governance ledger list` or `governance registers list`.",
        ) from error


def _trained(ledger: Ledger, query: Query) -> bool:
    return any(entry.kind is EntryKind.TRAINED for _, entry in ledger.search(query, limit=10).items)


def _released_as(settings: Settings, ledger: Ledger, path: Path) -> Entry:
    """The release of a file: of these bytes, or else of the picture that its mark and its looks attribute it to."""
    content = read_file(path)
    released = ledger.find_asset(digest(content))
    if released is not None:
        return released
    for match in open_finder(settings, ledger).find(content):
        if match.entry is not None and match.attribution is not None and match.attribution.grade is Grade.ATTRIBUTED:
            err.print(f"other bytes than were released, attributed by {match.ground.value}", style="yellow")
            return match.entry
    raise RecallError(
        f"{path} was not released here, and no picture that was is attributed to it.",
        remedy="`governance verify` says what is known of a file.",
    )


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.", remedy="Check the path.") from error
