"""The leaves of a dataset's tree: one per distinct content, and what of its records stands in it.

A leaf is 64 bytes: the SHA-256 of a content, then the SHA-256 of the RFC 8785 array of its records, in the order of their ids.
Its hash in the tree is that of RFC 9162, section 2.1.1: `SHA-256(0x00 || leaf)`. The leaves stand in strictly increasing order
of the content digest. A record stands there without its location, and each of `PERSONAL` as a salted commitment.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from governance.canonical import SALT_BYTES, Digest, Json, canonical_bytes, canonical_digest, commitment, new_salt
from governance.datasets.records import PERSONAL, DatasetRecord
from governance.errors import DatasetError
from governance.merkle import HASH_BYTES

LEAF_BYTES: Final = 2 * HASH_BYTES
COMMITMENT: Final = "commitment"
SALT_DOMAIN: Final = "dataset-salt/v1"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
UNCOMMITTED: Final = frozenset({"location"})
"""The fields of a record that are in no leaf."""


@dataclass(frozen=True, slots=True)
class SaltKey:
    """What the salts of one audit are made of: 32 secret bytes, and the dataset's name.

    Whoever has it can guess at what is committed. A salt is a function of it, so that an audit that is resumed commits to the
    same as one that was not interrupted.

    Raises:
        DatasetError: the secret does not have 32 bytes.
    """

    secret: bytes = field(repr=False)
    dataset: str

    def __post_init__(self) -> None:
        if len(self.secret) != SALT_BYTES:
            raise DatasetError(
                f"The key of an audit's salts has {len(self.secret)} bytes, not {SALT_BYTES}.",
                remedy="Restore `salts.key` from the backup, or audit the dataset again.",
            )

    @classmethod
    def generate(cls, dataset: str) -> SaltKey:
        """A fresh one."""
        return cls(new_salt(), dataset)

    def salt(self, content: str, record_id: str, name: str, value: str) -> bytes:
        """The salt (32 bytes) of the field `name` of a record.

        `HMAC-SHA-256(secret, RFC 8785 array of domain, dataset, content, id, name, value)`. The value is in it, so that two
        records of one id and content never share a salt that one of them discloses.
        """
        message = canonical_bytes([SALT_DOMAIN, self.dataset, content, record_id, name, value])
        return hmac.digest(self.secret, message, "sha256")


@dataclass(frozen=True, slots=True)
class SealedRecord(DatasetRecord):
    """A record of an audit in which somebody was forgotten, so that the key of its salts is destroyed.

    `seals` (32 bytes each, as `PERSONAL` has the fields) are the salts of its personal fields; of a record that is `erased`,
    the commitments themselves, and the fields are empty. There is nothing left then that opens them.
    """

    seals: tuple[bytes, ...] = ()
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Disclosed:
    """One personal field of one record in the clear, with its salt: whoever has the commitment can check it.

    `record` is the record's place among those of its content, from 0; `name` is one of `PERSONAL`.
    """

    record: int
    name: str
    value: str
    salt: bytes

    def as_json(self) -> dict[str, Json]:
        """For a proof; the salt in hexadecimal."""
        return {"record": self.record, "field": self.name, "value": self.value, "salt": self.salt.hex()}

    def commitment(self) -> Digest:
        """What must stand in the record.

        Raises:
            CanonicalError: the salt does not have 32 bytes, or the value is no valid Unicode.
        """
        return commitment(f"/{self.name}", self.value, self.salt)


def committed_record(record: DatasetRecord, salts: SaltKey | None) -> dict[str, Json]:
    """What of `record` stands in the leaf of its content: no location, and a commitment in place of what is personal.

    `salts` are None where the audit's key was destroyed, and its records are sealed.

    Raises:
        DatasetError: the record is not sealed, and there is no key.
    """
    said = {name: value for name, value in record.as_json().items() if name not in UNCOMMITTED}
    for place, name in enumerate(PERSONAL):
        if isinstance(record, SealedRecord) and record.erased:
            said[name] = {COMMITMENT: record.seals[place].hex()}
        else:
            said[name] = {COMMITMENT: disclosed(record, name, salts).commitment()}
    return said


def disclosed(record: DatasetRecord, name: str, salts: SaltKey | None, *, place: int = 0) -> Disclosed:
    """The personal field `name` of `record`, which stands at `place` among those of its content, with its salt.

    Raises:
        DatasetError: there is no such personal field, it was erased, or the record is not sealed and there is no key.
    """
    if name not in PERSONAL:
        raise DatasetError(f"{name!r} is no personal field.", remedy=f"Disclose some of: {', '.join(PERSONAL)}.")
    value = str(getattr(record, name))
    if isinstance(record, SealedRecord):
        if record.erased:
            raise DatasetError(
                f"The personal fields of record {record.id!r} were erased.", remedy="Disclose nothing of it."
            )
        return Disclosed(place, name, value, record.seals[PERSONAL.index(name)])
    if salts is None:
        raise DatasetError(
            f"Record {record.id!r} has no salt, and there is no key of salts.",
            remedy="Restore the audit's folder from its backup, or audit the dataset again.",
        )
    return Disclosed(place, name, value, salts.salt(str(record.content), record.id, name, value))


def order_of(record: Mapping[str, Json]) -> tuple[str, bytes]:
    """What committed records of one content are ordered by: their id, and among those of one id their canonical bytes."""
    return str(record.get("id")), canonical_bytes(record)


def in_order(records: Sequence[Mapping[str, Json]]) -> list[Mapping[str, Json]]:
    """Committed records in the order in which a leaf commits to them."""
    return sorted(records, key=order_of) if len(records) > 1 else list(records)


def records_digest(content: Digest | str, records: Sequence[Mapping[str, Json]]) -> Digest:
    """SHA-256 of the RFC 8785 array of the committed records of one content, which are put in order.

    Raises:
        DatasetError: there is none, or one is of another content.
        CanonicalError: one has no canonical form.
    """
    if not records:
        raise DatasetError("A leaf needs a record.", remedy="Audit the dataset again.")
    if any(record.get("content") != content for record in records):
        raise DatasetError(f"A record is not of the content {content}.", remedy="Audit the dataset again.")
    return canonical_digest(in_order(records))


def leaf_of(content: Digest | str, records: Sequence[Mapping[str, Json]]) -> bytes:
    """The leaf (64 bytes) of a content and its committed records, which are put in order.

    Raises:
        DatasetError: the content is no SHA-256 digest, there is no record, or one is of another content.
        CanonicalError: a record has no canonical form.
    """
    return content_bytes(content) + bytes.fromhex(records_digest(content, records))


def content_bytes(content: Digest | str) -> bytes:
    """The 32 bytes of a content digest.

    Raises:
        DatasetError: it is no SHA-256 digest in lowercase hexadecimal.
    """
    if not is_digest(content):
        raise DatasetError(
            f"{str(content)[:80]!r} is no SHA-256 digest.", remedy="Give 64 lowercase hexadecimal digits."
        )
    return bytes.fromhex(content)


def is_digest(value: object) -> bool:
    """Whether it is a SHA-256 digest in lowercase hexadecimal."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
