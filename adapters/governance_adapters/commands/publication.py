"""`governance ledger checkpoint`: the newest checkpoint, and bringing it to where the operator cannot take it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509

from governance.canonical import Json
from governance.checkpoint import LogKey, verify_checkpoint
from governance.errors import ConfigurationError, GovernanceError, ProofError, RollbackError, SigningError
from governance.log_client import LedgerSource, check_growth, follow
from governance.ports import Ledger
from governance_adapters.commands.output import JsonFlag, err, print_json
from governance_adapters.marking.certificates import read_certificates
from governance_adapters.marking.keys import KeyFolder
from governance_adapters.publishing.files import Published, PublishedFile, published_at
from governance_adapters.publishing.time_stamps import TimeStampAuthority, check_time_stamp
from governance_adapters.publishing.webhook import Webhook
from governance_adapters.settings import Settings
from governance_adapters.wiring import open_ledger


@dataclass(frozen=True, slots=True)
class Newest:
    """What is published: the newest checkpoint of a ledger, and how to have it time-stamped, if it is to be."""

    ledger: Ledger
    key: LogKey
    note: str
    authority: TimeStampAuthority | None
    roots: tuple[x509.Certificate, ...]


_Place = Callable[[Newest], str]
"""Publishes there, and says what was done."""


def checkpoint(
    publish: Annotated[
        list[str] | None,
        typer.Option(help="Publish it there: a file, or the URL of a webhook; may be repeated."),
    ] = None,
    tsa: Annotated[
        str | None, typer.Option(help="URL of an RFC 3161 authority; its time stamp goes beside the published file.")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="File of the bearer token for the webhook.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print the newest checkpoint, and publish it.

    A file whose name ends in .jsonl gets a line for each checkpoint; any other holds the newest, its time stamp beside it
    as FILE.tsr. One place that fails stops no other. Nothing is published where something stands that it does not extend.
    """
    settings = Settings.load()
    ledger, key = open_ledger(settings), KeyFolder(settings.keys_path).log_public()
    places = _places(publish or (), token_file, stamped=tsa is not None)
    roots = () if tsa is None else time_stamp_roots(settings)
    newest = Newest(ledger, key, ledger.checkpoint(), None if tsa is None else TimeStampAuthority(tsa, roots), roots)
    said = verify_checkpoint(newest.note, key)
    if not as_json:
        typer.echo(newest.note, nl=False)
    done = _publish(newest, places)
    if as_json:
        found: dict[str, Json] = {"origin": said.origin, "entries": said.size, "root": said.root.hex()}
        print_json({**found, "checkpoint": newest.note, "published": list[Json](done)})
        return
    for line in done:
        err.print(line, markup=False)


def time_stamp_roots(settings: Settings) -> tuple[x509.Certificate, ...]:
    """The roots that time stamps must chain to: `tsa_root`, else those in the key folder; may be none.

    Raises:
        ConfigurationError: what is there is no PEM certificate.
    """
    if settings.tsa_root is None:
        return KeyFolder(settings.keys_path).trust().time_stamp_certificates()
    try:
        return read_certificates(settings.tsa_root, "`tsa_root`")
    except SigningError as error:
        raise ConfigurationError(
            f"{settings.tsa_root} cannot be used.", remedy="Name a file of PEM certificates."
        ) from error


def _places(
    targets: list[str] | tuple[str, ...], token_file: Path | None, *, stamped: bool
) -> list[tuple[str, _Place]]:
    """Where to publish; each is refused here, before anything is sent anywhere, if it cannot be one."""
    places: list[tuple[str, _Place]] = []
    files = 0
    for target in targets:
        if target.startswith(("http://", "https://")):
            places.append((target, _hook(Webhook(target, token_file=token_file))))
        else:
            places.append((target, _file(published_at(Path(target)))))
            files += 1
    if stamped and not files:
        raise ConfigurationError("A time stamp needs a file to stand beside.", remedy="Give --publish FILE too.")
    if token_file is not None and files == len(places):
        raise ConfigurationError("There is no webhook for the token.", remedy="Give --publish URL too.")
    return places


def _publish(newest: Newest, places: list[tuple[str, _Place]]) -> list[str]:
    """What was done, place by place. The first failure is raised after all were tried, with the rest as its notes."""
    done: list[str] = []
    failed: list[GovernanceError] = []
    for target, place in places:
        try:
            done.append(f"{target}: {place(newest)}")
        except GovernanceError as error:
            failed.append(error)
    if failed:
        first, *others = failed
        for line in (*done, *(f"also: {error}" for error in others)):
            first.add_note(line)
        raise first
    return done


def _hook(webhook: Webhook) -> _Place:
    def publish(newest: Newest) -> str:
        webhook.publish(newest.note)
        return "published"

    return publish


def _file(file: PublishedFile) -> _Place:
    def publish(newest: Newest) -> str:
        with file.locked():
            there = file.read()
            if not there:
                return _add(file, None, newest)
            last, source = there[-1], LedgerSource(newest.ledger)
            try:
                growth = check_growth(source, newest.key, last.note, newest.note)
            except RollbackError:
                # Somebody published while this waited for the lock, unless the ledger itself has less than the file.
                follow(source, newest.key, last.note)
                return "a later one was there already"
            return _add(file, last if growth.known == growth.checkpoint else None, newest)

    return publish


def _add(file: PublishedFile, same: Published | None, newest: Newest) -> str:
    """Write what is not there yet; `same` is the same checkpoint, where it is there, with whatever cosignatures it has.

    The checkpoint is published also where the authority fails, and then that is said.
    """
    if same is not None and (newest.authority is None or _stamped(same, newest)):
        return "was there already"
    note = newest.note if same is None else same.note
    stamp, failure = None, None
    if newest.authority is not None:
        try:
            stamp = newest.authority.stamp(note.encode())
        except GovernanceError as error:
            failure = error
    if same is None or stamp is not None:
        file.add(Published(note, stamp))
    if failure is not None:
        failure.add_note(f"{file.path}: published without a time stamp")
        raise failure
    return "published" if stamp is None else "published with a time stamp"


def _stamped(published: Published, newest: Newest) -> bool:
    """Whether a time stamp that holds stands beside it; one of a checkpoint before, say after a crash, does not."""
    if published.stamp is None:
        return False
    try:
        check_time_stamp(published.stamp, published.note.encode(), newest.roots)
    except ProofError:
        return False
    return True
