"""Which released file an evidence pack is about: asked for by an id, by a digest, or with a file at hand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from governance.canonical import Digest, digest
from governance.entries import Entry, EntryKind
from governance.errors import NoEntryError
from governance.ports import Ledger
from governance.records import asset_digest
from governance.search import Query
from governance.verification import Check, Verifier

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class How(StrEnum):
    """What was asked with. `picture`: a file in other bytes than the released ones, found by its watermark and looks."""

    ASSET = "asset"
    DIGEST = "digest"
    ENTRY = "entry"
    FILE = "file"
    PICTURE = "picture"


@dataclass(frozen=True, slots=True)
class Asked:
    """The `released` entry that was meant, and how it was found.

    `digest` is the SHA-256 of the file at hand, empty without one; `checks` what verifying that file found.
    """

    how: How
    entry: Entry
    digest: str = ""
    checks: tuple[Check, ...] = ()


def asked_by_name(ledger: Ledger, name: str) -> Asked:
    """What `name` means: an asset's digest or id, or the id of a `released` entry.

    Raises:
        NoEntryError: nothing was released under it.
        LedgerError: the ledger cannot be read.
    """
    if _DIGEST.fullmatch(name):
        found = ledger.find_asset(Digest(name))
        if found is not None:
            return Asked(How.DIGEST, found)
    elif _ID.fullmatch(name):
        entry = _entry(ledger, name)
        if entry is not None:
            return Asked(How.ENTRY, entry)
        found = _asset(ledger, name)
        if found is not None:
            return Asked(How.ASSET, found)
    raise NoEntryError(
        f"Nothing was released under {name!r}.",
        remedy="Give the asset's id or digest, the id of its `released` entry, or the path of the file.",
    )


def asked_with_file(ledger: Ledger, verifier: Verifier, content: bytes) -> Asked:
    """The entry that records these bytes; else the one to which the mark in the picture leads, if they look alike.

    Raises:
        NoEntryError: neither is there.
        LedgerError: the ledger cannot be read.
    """
    checks = verifier.verify(content)
    held = digest(content)
    recorded = ledger.find_asset(held)
    if recorded is not None:
        return Asked(How.FILE, recorded, held, checks.checks)
    if checks.entry is not None and checks.entry.kind is EntryKind.RELEASED:
        return Asked(How.PICTURE, checks.entry, held, checks.checks)
    raise NoEntryError(
        "No record leads to this file: no entry has its bytes, and no mark in it leads to a picture that looks like it.",
        remedy="That proves nothing about where it comes from. Ask with the asset's id, or with the file as it was released.",
    )


def _entry(ledger: Ledger, entry_id: str) -> Entry | None:
    """The entry with this id, if it is there and is a release.

    Raises:
        NoEntryError: it is an entry of another kind.
    """
    try:
        found = ledger.entry(entry_id)
    except NoEntryError:
        return None
    if found.kind is not EntryKind.RELEASED or asset_digest(found) is None:
        raise NoEntryError(
            f"Entry {entry_id} is {found.kind.value}: it released no file.",
            remedy="Name the `released` entry; `governance ledger list --kind released` lists them.",
        )
    return found


def _asset(ledger: Ledger, wanted: str) -> Entry | None:
    """The release of the asset with this id."""
    query, after = Query(asset=wanted, kind=EntryKind.RELEASED), -1
    while True:
        page = ledger.search(query, after=after)
        if page.items or page.next is None:
            return page.items[0][1] if page.items else None
        after = page.next
