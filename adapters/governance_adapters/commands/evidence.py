"""`governance evidence`: everything about one released file, in a ZIP file that an outsider can check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from governance.canonical import Json
from governance.checkpoint import LogKey, verify_checkpoint
from governance.errors import ConfigurationError, PolicyError, ProofError
from governance.evidence.asked import Asked, How, asked_by_name, asked_with_file
from governance.evidence.disclosing import Disclosure, FieldState
from governance.evidence.dossier import Dossier, TimeStamp, complete, packed_bundle
from governance.evidence.gathering import Evidence, gather, revisions
from governance.evidence.pack import pack_files
from governance.evidence.story import story
from governance.evidence.verify import archive, bundle_revision
from governance.files import write_atomically
from governance.ports import Ledger
from governance.types import utc_now
from governance.verification import Verifier
from governance_adapters.commands.output import JsonFlag, err, out, print_fields, print_json
from governance_adapters.commands.publication import time_stamp_roots
from governance_adapters.commands.verify import read_file
from governance_adapters.commands.witness import moment
from governance_adapters.evidence.pdf import render
from governance_adapters.marking.fonts import installed_fonts
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.policy.bundle_files import MANIFEST, json_of, read_files
from governance_adapters.publishing.files import Published, published_at
from governance_adapters.publishing.time_stamps import check_time_stamp
from governance_adapters.settings import Settings
from governance_adapters.storage.vault import FsspecVault
from governance_adapters.wiring import open_ledger, open_verifier, product_version


def evidence(
    asset_or_file: Annotated[
        str, typer.Argument(help="A released file's path, its asset's id or digest, or the id of its `released` entry.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the pack, a ZIP file.")],
    redact: Annotated[
        list[str] | None,
        typer.Option(help="Withhold this personal field, or all below it, such as /prompts; may be repeated."),
    ] = None,
    redact_all: Annotated[bool, typer.Option("--redact-all", help="Withhold every personal field.")] = False,
    disclose: Annotated[
        list[str] | None, typer.Option(help="Withhold every personal field but this one; may be repeated.")
    ] = None,
    without_asset: Annotated[bool, typer.Option("--without-asset", help="Leave the released file out.")] = False,
    published: Annotated[
        list[Path] | None,
        typer.Option(help="File of published checkpoints and time stamps, to go in; may be repeated."),
    ] = None,
    bundle: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of an earlier policy bundle that decided, to go in; may be repeated."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Pack all that is recorded about one released file, so that somebody who does not trust this installation can check it.

    The pack holds a program that does, with Python alone. Personal fields are disclosed unless they are withheld or were
    erased: then it holds their commitments. Withheld are also words of decisions and comments that quote what is withheld.
    """
    settings = Settings.load()
    ledger, log_key = open_ledger(settings), KeyFolder(settings.keys_path).log_public()
    verifier = open_verifier(settings, ledger)
    asked = _asked(ledger, verifier, asset_or_file)
    if asked.how is How.PICTURE:
        err.print("note: this file is not the released one, only a picture that looks like it; the pack says so")
    chosen = _disclosure(redact or (), disclose, redact_all=redact_all)
    kept = _kept(published or (), log_key, ledger, asked)
    gathered = gather(ledger, log_key, asked.entry, chosen, [each.note for each in kept.values()])
    dossier = complete(
        gathered,
        asked,
        vault=FsspecVault(settings.vault_url),
        verifier=verifier,
        bundles=list(_bundles(settings, bundle or (), gathered)),
        time_stamps=list(_time_stamps(settings, kept)),
        without_asset=without_asset,
        made=utc_now(),
        maker=f"diffusion-governance {product_version()}",
    )
    files = pack_files(dossier, render(story(dossier), _fonts(settings)))
    write_atomically(output, archive(files))
    _say(output, dossier, files, as_json=as_json)


def _asked(ledger: Ledger, verifier: Verifier, asset_or_file: str) -> Asked:
    path = Path(asset_or_file)
    return (
        asked_with_file(ledger, verifier, read_file(path)) if path.is_file() else asked_by_name(ledger, asset_or_file)
    )


def _disclosure(redact: Sequence[str], disclose: Sequence[str] | None, *, redact_all: bool) -> Disclosure:
    if redact_all and (redact or disclose):
        raise ConfigurationError("--redact-all withholds everything.", remedy="Leave out --redact and --disclose.")
    return Disclosure(tuple(redact), () if redact_all else None if disclose is None else tuple(disclose))


def _kept(paths: Sequence[Path], log_key: LogKey, ledger: Ledger, asked: Asked) -> dict[int, Published]:
    """The checkpoints of these files that say something about the release, by size: what was first known of it outside.

    That are the first that covers its entry, the first time-stamped one that does, and the newest.

    Raises:
        ProofError: a checkpoint is not signed by the log's key.
        ConfigurationError: a file holds none.
        PublicationError: a file cannot be read.
    """
    every: list[tuple[int, Published]] = []
    for path in paths:
        found = published_at(path).read()
        if not found:
            raise ConfigurationError(f"{path} holds no checkpoint.", remedy="Name a file that was published to.")
        every += [(verify_checkpoint(each.note, log_key).size, each) for each in found]
    every.sort(key=lambda each: (each[0], each[1].stamp is None))
    index = ledger.receipt(asked.entry.id).index
    covering = [each for each in every if each[0] > index]
    stamped = [each for each in covering if each[1].stamp is not None]
    chosen: dict[int, Published] = {}
    for size, each in (*stamped[:1], *covering[:1], *every[-1:]):
        if chosen.setdefault(size, each).note.split("\n")[:3] != each.note.split("\n")[:3]:
            raise ProofError(
                f"Two published checkpoints of {size} entries differ.", remedy="The log signed two stories: keep both."
            )
    return chosen


def _time_stamps(settings: Settings, kept: Mapping[int, Published]) -> Iterator[TimeStamp]:
    """The time stamps beside these checkpoints; when each was made, where there is a root to judge it by.

    Raises:
        ProofError: one does not hold.
    """
    roots = time_stamp_roots(settings)
    for size, each in kept.items():
        if each.stamp is not None:
            time = check_time_stamp(each.stamp, each.note.encode(), roots) if roots else None
            yield TimeStamp(size, each.stamp, "" if time is None else moment(int(time.timestamp())))


def _bundles(settings: Settings, folders: Sequence[Path], gathered: Evidence) -> Iterator[dict[str, bytes]]:
    """The bundle in force, where it can be read, and those that are named.

    Raises:
        ConfigurationError: one that is named decided nothing here.
        PolicyError: one that is named cannot be read.
    """
    deciding = revisions(gathered.entries)
    for folder in folders:
        files = _bundle(folder)
        if bundle_revision(files) not in deciding:
            raise ConfigurationError(
                f"The bundle in {folder} decided nothing here: its revision is {bundle_revision(files)}.",
                remedy=f"Name the folder of one that did: {', '.join(sorted(deciding)) or 'none is known'}.",
            )
        yield files
    try:
        yield _bundle(settings.bundle_path)
    except PolicyError as error:
        err.print(f"note: the bundle of this installation does not go in: {error}", markup=False)


def _bundle(folder: Path) -> dict[str, bytes]:
    files = read_files(folder)
    if MANIFEST not in files:
        raise PolicyError(f"The bundle in {folder} has no {MANIFEST}.", remedy="Name the root of a bundle.")
    manifest: Any = json_of(MANIFEST, files[MANIFEST])
    return packed_bundle(files, manifest)


def _fonts(settings: Settings) -> list[Path]:
    return [*([] if settings.label_font is None else [settings.label_font]), *installed_fonts()]


def _say(output: Path, dossier: Dossier, files: Mapping[str, bytes], *, as_json: bool) -> None:
    fields = dossier.evidence.fields
    hidden = [field for field in fields if field.state is not FieldState.DISCLOSED]
    missing: list[Json] = [{"what": each.what, "why": each.why} for each in dossier.missing]
    if as_json:
        print_json(
            {
                "pack": str(output),
                "entry": dossier.released.id,
                "asked": dossier.asked.how.value,
                "files": len(files),
                "entries": len(dossier.evidence.entries),
                "log_key": str(dossier.evidence.log_key),
                "disclosed": len(fields) - len(hidden),
                "not_disclosed": [{"index": f.index, "name": f.name, "state": f.state.value} for f in hidden],
                "missing": missing,
            }
        )
        return
    out.print(f"wrote {output}", markup=False, style="green")
    print_fields(
        {
            "entry": dossier.released.id,
            "holds": f"{len(files)} files, {len(dossier.evidence.entries)} entries",
            "personal fields": f"{len(fields) - len(hidden)} disclosed, {len(hidden)} as commitments",
            "log key": f"{dossier.evidence.log_key} (hand it over on another way than the pack)",
        }
    )
    for each in dossier.missing:
        out.print(f"  not in it: {each.what}: {each.why}", markup=False, style="yellow")
