"""What the ledger says of the registers: one entry per change, each naming the one before it; nothing is ever edited.

The subject of an item's entries is `REGISTER:KEY`, such as `models:` and a digest. The id of an entry follows from the entry
before it, so that of two changes made at once the ledger takes only one. Who changed something, and a vendor's contact, are
committed personal fields; everything else stands in the clear.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from governance.canonical import Json, commitment, new_salt
from governance.entries import Entry, EntryKind, PersonalField, Record
from governance.errors import LedgerError, RegisterError
from governance.registers.item_checks import RegisterName
from governance.registers.items import Item, item_of
from governance.succession import following_id
from governance.types import Principal

BODY_VERSION: Final = 1
PRINCIPAL_FIELD: Final = "/principal/id"
ITEM_FIELD: Final = "/item/"
"""What the name of an item's personal field begins with."""

_DOMAIN: Final = b"diffusion-governance/register/v1"


class RegisterChange(StrEnum):
    """What happened to an item."""

    ADDED = "added"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class RegisterEntry:
    """What one entry says. `item` is None where it was withdrawn; its personal fields are empty."""

    register: RegisterName
    key: str
    change: RegisterChange
    item: Item | None
    previous: str


def subject_of(register: RegisterName, key: str) -> str:
    """The subject of the entries of an item."""
    return f"{register}:{key}"


def register_record(
    change: RegisterChange,
    register: RegisterName,
    key: str,
    item: Item | None,
    by: Principal,
    *,
    previous: str,
    log: str,
) -> Record:
    """The record of one change: `item` as it is afterwards, None where it is withdrawn.

    `previous` is the id of the item's entry before this one, empty where it is the first; `log` is the ledger's origin.
    """
    values: dict[str, Json] = {PRINCIPAL_FIELD: by.id}
    shown: dict[str, Json] | None = None
    if item is not None:
        shown = item.as_json()
        values |= {ITEM_FIELD + name: shown[name] for name in item.personal if shown[name]}
        shown = {name: value for name, value in shown.items() if name not in item.personal}
    fields = tuple(PersonalField(name, new_salt(), value) for name, value in values.items())
    body: dict[str, Json] = {
        "version": BODY_VERSION,
        "register": register.value,
        "change": change.value,
        "key": key,
        "item": shown,
        "previous": previous or None,
        "principal": {"roles": list(by.roles), "issuer": by.issuer, "assurance": by.assurance.value},
        "fields": {field.name: commitment(field.name, field.value, field.salt) for field in fields},
    }
    subject = subject_of(register, key)
    entry = Entry(EntryKind.REGISTER, subject, body, id=following_id(_DOMAIN, log, subject, previous))
    return Record(entry, fields)


def read_entry(entry: Entry) -> RegisterEntry:
    """What a `register` entry says.

    Raises:
        LedgerError: its body does not have the shape of this version.
    """
    body: Any = entry.body
    try:
        if body["version"] != BODY_VERSION:
            raise ValueError(f"version {body['version']!r} is unknown here")
        register, key, change = RegisterName(body["register"]), str(body["key"]), RegisterChange(body["change"])
        item = None if change is RegisterChange.WITHDRAWN else item_of(register, body["item"])
        if entry.subject != subject_of(register, key) or (item is not None and item.key != key):
            raise ValueError("it names another item than its subject")
        return RegisterEntry(register, key, change, item, str(body["previous"] or ""))
    except (KeyError, TypeError, ValueError, RegisterError) as error:
        raise LedgerError(
            f"Entry {entry.id} says nothing of a register that this version can read: {error}.",
            remedy="A newer version may have written it: upgrade. Else run `governance ledger verify`.",
        ) from error
