"""What the ledger says of a dataset: that it was audited, approved, or that its approval was withdrawn.

The subject of a dataset's entries is `dataset:` and its name. An audit's entry commits to the signed root of its contents,
to its report and to what policy decided over; who audited, approved or withdrew, and what they said of it, are committed
personal fields. No record of the dataset stands in an entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from governance.canonical import Digest, Json, commitment, digest, new_salt
from governance.datasets.records import checked_name
from governance.entries import Document, Entry, EntryKind, PersonalField, Record
from governance.errors import DatasetError
from governance.types import Outcome, Principal, new_id

BODY_VERSION: Final = 1
PRINCIPAL_FIELD: Final = "/principal/id"
COMMENT_FIELD: Final = "/comment"
MAX_COMMENT: Final = 2000
"""The most characters of a comment."""

_PREFIX: Final = "dataset:"


class DatasetChange(StrEnum):
    """What happened to a dataset."""

    AUDITED = "audited"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Audited:
    """What an audit found, as its entry says it.

    `audit` is the audit's id and the name of its folder. `root` is the RFC 9162 root over the `contents` distinct contents
    in the order of their digests; `records` are all records, those without content too. `outcomes` counts records by what
    policy decided. `report` and `combinations` are canonical JSON, kept beside the entry.
    """

    name: str
    root: Digest
    contents: int
    records: int
    outcomes: Mapping[Outcome, int]
    report: bytes
    combinations: bytes
    bundle_revision: Digest
    purpose: str = ""
    audit: str = field(default_factory=new_id)


def subject_of(name: str) -> str:
    """The subject of the entries of the dataset of this name.

    Raises:
        DatasetError: it is no name.
    """
    return _PREFIX + checked_name(name)


def name_of(subject: str) -> str:
    """The name of the dataset whose entries have this subject.

    Raises:
        DatasetError: it is no subject of a dataset.
    """
    if not subject.startswith(_PREFIX):
        raise DatasetError(f"{subject[:80]!r} is no subject of a dataset.", remedy="Run `governance ledger verify`.")
    return checked_name(subject.removeprefix(_PREFIX))


def audited_record(audited: Audited, by: Principal, previous: Entry | None = None) -> Record:
    """The record of a finished audit; `previous` is the newest `audited` entry of this dataset before it.

    Raises:
        DatasetError: it is no name.
    """
    body: dict[str, Json] = {
        "audit": audited.audit,
        "root": audited.root,
        "contents": audited.contents,
        "records": audited.records,
        "outcomes": {outcome.value: audited.outcomes.get(outcome, 0) for outcome in Outcome},
        "report": digest(audited.report),
        "combinations": digest(audited.combinations),
        "bundle_revision": audited.bundle_revision,
        "purpose": audited.purpose,
        "previous": None if previous is None else previous.id,
    }
    documents = {digest(content): content for content in (audited.report, audited.combinations)}
    kept = tuple(Document(name, content) for name, content in documents.items())
    return _record(DatasetChange.AUDITED, audited.name, body, by, documents=kept)


def approved_record(audited: Entry, by: Principal, comment: str = "") -> Record:
    """The record that `by` approves of what one `audited` entry says, and of nothing that is audited later.

    Raises:
        DatasetError: the entry is no audit's, or the comment is too long.
    """
    return _act(DatasetChange.APPROVED, audited, by, comment)


def withdrawn_record(audited: Entry, by: Principal, comment: str = "") -> Record:
    """The record that every approval of one `audited` entry until now is void.

    Raises:
        DatasetError: the entry is no audit's, or the comment is too long.
    """
    return _act(DatasetChange.WITHDRAWN, audited, by, comment)


def change_of(entry: Entry) -> DatasetChange:
    """What a `dataset` entry says has happened.

    Raises:
        DatasetError: it is another kind of entry, or says nothing that is known here.
    """
    try:
        if entry.kind is not EntryKind.DATASET or entry.body.get("version") != BODY_VERSION:
            raise ValueError("another kind or version")
        return DatasetChange(str(entry.body.get("change")))
    except ValueError as error:
        raise DatasetError(
            f"Entry {entry.id} says nothing of a dataset that can be read here: {error}.",
            remedy="A newer version may have written it: upgrade; else run `governance ledger verify`.",
        ) from error


def _act(change: DatasetChange, audited: Entry, by: Principal, comment: str) -> Record:
    if change_of(audited) is not DatasetChange.AUDITED:
        raise DatasetError(f"Entry {audited.id} is no audit.", remedy="Name the entry of the audit.")
    if len(comment) > MAX_COMMENT:
        raise DatasetError(
            f"A comment of {len(comment)} characters is too long.", remedy=f"Use at most {MAX_COMMENT} characters."
        )
    body: dict[str, Json] = {"audited": audited.id, "root": audited.body["root"]}
    return _record(change, name_of(audited.subject), body, by, comment=comment)


def _record(
    change: DatasetChange,
    name: str,
    body: Mapping[str, Json],
    by: Principal,
    *,
    comment: str = "",
    documents: tuple[Document, ...] = (),
) -> Record:
    values: dict[str, Json] = {PRINCIPAL_FIELD: by.id}
    if comment:
        values[COMMENT_FIELD] = comment
    fields = tuple(PersonalField(name, new_salt(), value) for name, value in values.items())
    whole: dict[str, Json] = {
        "version": BODY_VERSION,
        "change": change.value,
        "name": name,
        **body,
        "principal": {"roles": list(by.roles), "issuer": by.issuer, "assurance": by.assurance.value},
        "fields": {each.name: commitment(each.name, each.value, each.salt) for each in fields},
    }
    return Record(Entry(EntryKind.DATASET, subject_of(name), whole), fields, documents)
