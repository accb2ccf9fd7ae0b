"""`governance dataset contains`, `prove` and `verify`: is a picture in an audited dataset, and who can check that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from governance.canonical import Digest, Json, digest
from governance.checkpoint import LogKey
from governance.datasets.leaves import is_digest
from governance.datasets.membership import Membership, verify_proof
from governance.datasets.proof import DatasetProof
from governance.errors import ConfigurationError, DatasetError, ProofError
from governance.files import write_atomically
from governance.verification import Check, Status, Verification
from governance_adapters.commands.output import (
    JsonFlag,
    err,
    one_line,
    out,
    print_fields,
    print_json,
    print_table,
    print_verification,
    printable,
)
from governance_adapters.commands.verify import read_file
from governance_adapters.installation import existing_keys, ledger_for_reading
from governance_adapters.settings import Settings

if TYPE_CHECKING:
    from governance_adapters.datasets.store.opened import OpenDataset

MOST_SHOWN: Final = 20

NameArgument = Annotated[str, typer.Argument(help="The dataset's name.")]
ImageArgument = Annotated[str, typer.Argument(help="An image file, or the SHA-256 of one in hexadecimal.")]


def contains(
    name: NameArgument,
    image: ImageArgument,
    limit: Annotated[int, typer.Option(min=1, max=64, help="How many near and alike contents to show.")] = MOST_SHOWN,
    as_json: JsonFlag = False,
) -> None:
    """Say whether IMAGE is in the newest audit of a dataset: exactly, nearly and by what it shows.

    Exactly is by SHA-256, and proved. Nearly is by the perceptual hash PDQ, within 31 of 256 bits, and misses nothing that is
    so near. Alike is by embeddings, as an order of likeness and no verdict. The exit code is 0 whatever the answer.
    """
    settings = Settings.load()
    with ledger_for_reading(settings) as ledger:
        from governance_adapters.dataset_opening import open_dataset

        dataset = open_dataset(settings, name, ledger=ledger)
        content, bytes_ = _asked_for(image)
        found = verify_proof(dataset.prove(content), existing_keys(settings).log_public())
        near, alike = _searched(settings, dataset, bytes_, limit)
    state = dataset.standing.state.value
    if as_json:
        print_json({**_said(found), "state": state, "near": near, "alike": alike})
        return
    _show(found, state)
    _show_search("near", near, "bits", "distance")
    _show_search("alike", alike, "thousandths", "cosine in thousandths")


def prove(
    name: NameArgument,
    image: ImageArgument,
    output: Annotated[Path | None, typer.Option("--out", help="File for the proof. Default: standard output.")] = None,
    disclose: Annotated[
        list[str] | None,
        typer.Option(help="A personal field to show in the clear: `caption`, `owner` or `source`. May be repeated."),
    ] = None,
) -> None:
    """Write the proof that IMAGE is in the signed list of a dataset, or is not, for somebody who has nothing but the log's key.

    Of the records of a content that is there it shows everything but their location; personal fields are commitments unless
    they are disclosed. It is verified before it is written.
    """
    settings = Settings.load()
    with ledger_for_reading(settings) as ledger:
        from governance_adapters.dataset_opening import open_dataset

        content, _ = _asked_for(image)
        proof = open_dataset(settings, name, ledger=ledger).prove(content, disclose or ())
    found = verify_proof(proof, existing_keys(settings).log_public())
    if output is None:
        typer.echo(proof.to_json(), nl=False)
        return
    write_atomically(output, proof.to_json().encode())
    err.print(Text(f"{printable(str(output))}: {found.statement}"))


def verify(
    name: Annotated[str | None, typer.Argument(help="The dataset's name. Not with --proof.")] = None,
    proof: Annotated[Path | None, typer.Option(help="Verify this proof instead of a dataset.")] = None,
    file: Annotated[Path | None, typer.Option(help="The file that the proof must be about.")] = None,
    leaves: Annotated[
        Path | None,
        typer.Option(help="A copy of the dataset's `leaves.bin`: is the list that the proof is about sorted?"),
    ] = None,
    log_key: Annotated[
        str | None, typer.Option(help="The log's public key (text or file). Default: this installation's.")
    ] = None,
    contents: Annotated[
        bool, typer.Option("--contents", help="Also read every file of the dataset anew, and compare its digest.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Verify an audited dataset whole, or with --proof a proof that somebody was given.

    Of a dataset: the signed entry, the order of all digests, the root, the records of every leaf, the report. Exit code 0: all
    hold. 1: something fails. 2: something could not be checked.
    """
    if (name is None) == (proof is None):
        raise ConfigurationError("It is a dataset or a proof that is verified.", remedy="Give its name, or --proof.")
    if proof is None:
        if file is not None or leaves is not None or log_key is not None:
            raise ConfigurationError("--file, --leaves and --log-key go with --proof.", remedy="Leave them out.")
        found = _dataset_checks(str(name), contents=contents, quiet=as_json)
        heading: dict[str, Json] = {"dataset": str(name)}
    else:
        if contents:
            raise ConfigurationError("--contents goes with a dataset's name.", remedy="Leave it out.")
        found, heading = _proof_checks(proof, file, leaves, log_key)
    verification = Verification(tuple(found), None)
    if as_json:
        listed: list[Json] = [
            {"name": each.name, "status": each.status.value, "detail": each.detail} for each in verification.checks
        ]
        print_json({**heading, "exit_code": verification.exit_code, "checks": listed})
    else:
        print_fields({key: printable(str(value)) for key, value in heading.items()})
        print_verification(verification)
    raise typer.Exit(verification.exit_code)


def _asked_for(image: str) -> tuple[Digest, bytes | None]:
    """The digest that is asked for, and the bytes if it is a file."""
    path = Path(image)
    if path.exists():
        content = read_file(path)
        return digest(content), content
    if is_digest(image.lower()):
        return Digest(image.lower()), None
    raise DatasetError(f"{image[:200]!r} is no file and no SHA-256.", remedy="Name an image file, or 64 digits.")


def _searched(
    settings: Settings, dataset: OpenDataset, content: bytes | None, limit: int
) -> tuple[list[Json] | None, list[Json] | None]:
    """What is near and what is alike; None where that cannot be asked: no picture, or none was looked at by the audit."""
    from governance_adapters.dataset_opening import picture_prints

    if content is None or not (dataset.hashed or dataset.embedded):
        return None, None
    prints = picture_prints(settings, content, embedding=dataset.embedded)
    if prints is None:
        return None, None
    near: list[Json] | None = None
    alike: list[Json] | None = None
    if dataset.hashed and prints.pdq is not None:
        near = [{"content": each.content, "distance": each.distance} for each in dataset.near(prints.pdq, limit)]
    if dataset.embedded and prints.embedding is not None:
        found = dataset.alike(prints.embedding, limit, model=prints.model)
        alike = [{"content": each.content, "thousandths": each.thousandths} for each in found]
    return near, alike


def _said(found: Membership) -> dict[str, Json]:
    return {
        "dataset": found.dataset,
        "content": found.content,
        "present": found.present,
        "statement": found.statement,
        "size": found.size,
        "entry": found.entry.id,
        "audited": found.entry.time,
        "root": found.entry.body["root"],
        "records": list(found.records),
        "disclosed": [each.as_json() for each in found.disclosed],
    }


def _show(found: Membership, state: str) -> None:
    signed = f"{found.size} contents, entry {found.entry.id} of {found.entry.time}"
    print_fields({"dataset": f"{found.dataset}, {state}", "content": found.content, "signed list": signed})
    style = "green" if found.present else "yellow"
    out.print(Text("exactly      ", style="bold").append(found.statement, style=style))
    rows = [
        tuple(printable(str(record[key])) for key in ("id", "outcome", "basis", "licence", "domain"))
        for record in found.records
    ]
    if rows:
        print_table(f"{len(rows)} records", ("record", "outcome", "basis", "licence", "domain"), rows)


def _show_search(name: str, found: Sequence[Json] | None, unit: str, column: str) -> None:
    if found is None:
        out.print(Text(f"{name:<13}", style="bold").append("not asked: no picture, or none was looked at", style="dim"))
        return
    if not found:
        out.print(Text(f"{name:<13}", style="bold").append("nothing", style="not bold"))
        return
    member = "distance" if unit == "bits" else "thousandths"
    rows = [(str(each["content"]), str(each[member])) for each in found if isinstance(each, dict)]
    print_table(f"{name}: {len(rows)} contents", ("content", column), rows)


def _dataset_checks(name: str, *, contents: bool, quiet: bool) -> list[Check]:
    from governance_adapters.dataset_opening import open_dataset
    from governance_adapters.datasets.store.checking import checks

    settings = Settings.load()
    with ledger_for_reading(settings) as ledger:
        dataset = open_dataset(settings, name, ledger=ledger)
        asked = checks(dataset, ledger, existing_keys(settings).log_public(), contents=contents)
        return _followed(asked, quiet=quiet)


def _followed(asked: Iterable[Check], *, quiet: bool) -> list[Check]:
    """The answers; while they come, which were given."""
    if quiet:
        return list(asked)
    found: list[Check] = []
    with err.status("verifying") as status:
        for check in asked:
            found.append(check)
            status.update(f"verifying: {check.name} {check.status.value}")
    return found


def _proof_checks(
    path: Path, file: Path | None, leaves: Path | None, log_key: str | None
) -> tuple[list[Check], dict[str, Json]]:
    content = None if file is None else read_file(file)
    heading: dict[str, Json] = {"proof": str(path)}
    try:
        proof = DatasetProof.from_json(read_file(path).decode("utf-8", "replace"))
        found = verify_proof(proof, _log_key(log_key), content=content)
    except ProofError as error:
        return [Check("proof", Status.FAILS, one_line(str(error)))], heading
    about = "" if file is None else f" {file} is the file."
    signed = f"{found.statement}: entry {found.entry.id} of {found.entry.time} signs {found.size} contents.{about}"
    answers = [Check("proof", Status.HOLDS, one_line(signed)), *_sorted_checks(proof, leaves)]
    return answers, heading | _said(found)


def _sorted_checks(proof: DatasetProof, leaves: Path | None) -> Iterable[Check]:
    """Whether the list is sorted, where it is at hand: then what is proved absent is absent."""
    if leaves is None:
        return [Check("order", Status.NOT_CHECKED, "give --leaves to see whether the list is sorted")]
    from governance_adapters.datasets.store.checking import list_checks

    return list_checks(leaves, proof.root, proof.size)


def _log_key(text: str | None) -> LogKey:
    if text is None:
        return existing_keys(Settings.load()).log_public()
    path = Path(text)
    return LogKey.parse(read_file(path).decode("utf-8", "replace") if path.is_file() else text)
