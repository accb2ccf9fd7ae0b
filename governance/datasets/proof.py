"""The proof that a content is in the signed list of a dataset, or is not: its wire form, for a stranger.

Presence is an inclusion proof of the content's leaf. Absence is an inclusion proof of each of the two leaves between which
the content would stand; of one leaf, where it would stand before the first or behind the last; of none, where the list is
empty. Absence is proved only if the list is sorted, which a stranger cannot see from a proof: `ABSENT` says so.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from governance.canonical import Digest, Json
from governance.datasets.leaves import Disclosed, is_digest
from governance.entries import Receipt
from governance.errors import ProofError

PROOF_VERSION: Final = 1
MAX_PROOF_BYTES: Final = 64 * 1024 * 1024
PRESENT: Final = "these exact bytes are in the signed list"
ABSENT: Final = "these exact bytes are not in the signed list, if it is sorted"
_REMEDY: Final = "Ask whoever holds the dataset for a fresh proof."


@dataclass(frozen=True, slots=True)
class Presence:
    """The leaf of a content: its committed records, where it stands (from 0), and its inclusion proof, 32 bytes a node."""

    content: Digest
    records: tuple[Mapping[str, Json], ...]
    index: int
    path: tuple[bytes, ...]
    disclosed: tuple[Disclosed, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """The wire form."""
        return {
            "content": self.content,
            "records": list(self.records),
            "index": self.index,
            "path": _encoded(self.path),
            "disclosed": [each.as_json() for each in self.disclosed],
        }


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A leaf beside the place of an absent content: its two digests, where it stands (from 0), and its inclusion proof."""

    content: Digest
    records_digest: Digest
    index: int
    path: tuple[bytes, ...]

    @property
    def leaf(self) -> bytes:
        """Its 64 bytes."""
        return bytes.fromhex(self.content) + bytes.fromhex(self.records_digest)

    def as_json(self) -> dict[str, Json]:
        """The wire form."""
        return {
            "content": self.content,
            "records_digest": self.records_digest,
            "index": self.index,
            "path": _encoded(self.path),
        }


@dataclass(frozen=True, slots=True)
class Absence:
    """The neighbours of a content that is not there; None on a side where there is none."""

    content: Digest
    left: Neighbour | None
    right: Neighbour | None

    def as_json(self) -> dict[str, Json]:
        """The wire form; a side without a neighbour is left out."""
        sides = {"left": self.left, "right": self.right}
        return {"content": self.content, **{name: side.as_json() for name, side in sides.items() if side is not None}}


@dataclass(frozen=True, slots=True)
class DatasetProof:
    """What is said of one content, and all that is needed to check it but the log's key.

    `root` (32 bytes) and `size` are those of the dataset's tree; `audited` is the receipt of the ledger's entry that signs
    them. `found` says which is proved.
    """

    dataset: str
    root: bytes
    size: int
    audited: Receipt
    found: Presence | Absence

    @property
    def content(self) -> Digest:
        """The digest that it is about."""
        return self.found.content

    @property
    def statement(self) -> str:
        """What it proves, in the words that every document uses."""
        return PRESENT if isinstance(self.found, Presence) else ABSENT

    def as_json(self) -> dict[str, Json]:
        """The wire form as a value."""
        return {
            "version": PROOF_VERSION,
            "dataset": self.dataset,
            "root": self.root.hex(),
            "size": self.size,
            "audited": self.audited.as_json(),
            "presence" if isinstance(self.found, Presence) else "absence": self.found.as_json(),
            "statement": self.statement,
        }

    def to_json(self) -> str:
        """The wire form, as a stranger receives it."""
        return json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> DatasetProof:
        """Read the wire form. Whether it holds is asked of `governance.datasets.membership.verify_proof`.

        Raises:
            ProofError: it is no proof of version 1, or something stands in it that has no place there.
        """
        try:
            if len(text) > MAX_PROOF_BYTES:
                raise ValueError(f"it is longer than {MAX_PROOF_BYTES} characters")
            value = json.loads(text, object_pairs_hook=_once)
            proof = _parsed(value)
            if proof.as_json() != value:  # base64 has several spellings of the same bytes, and a receipt other members
                raise ValueError("it says something in another form than its own")
        except ProofError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ProofError(f"This is no proof of a dataset: {error}.", remedy=_REMEDY) from error
        return proof


def _parsed(value: Any) -> DatasetProof:
    kind = "presence" if "presence" in value else "absence"
    _members(value, "version", "dataset", "root", "size", "audited", kind, "statement")
    if value["version"] != PROOF_VERSION or type(value["version"]) is not int:
        raise ValueError(f"unknown version {value['version']!r}")
    found = _presence(value[kind]) if kind == "presence" else _absence(value[kind])
    proof = DatasetProof(
        _text(value["dataset"]),
        bytes.fromhex(_digest(value["root"])),
        _count(value["size"]),
        Receipt.from_json(json.dumps(value["audited"])),
        found,
    )
    if value["statement"] != proof.statement:
        raise ValueError(f"its statement is not {proof.statement!r}")
    return proof


def _presence(value: Any) -> Presence:
    _members(value, "content", "records", "index", "path", "disclosed")
    records = _listed(value["records"])
    if not all(isinstance(record, dict) for record in records):
        raise TypeError("a record is an object")
    return Presence(
        _digest(value["content"]),
        tuple(records),
        _count(value["index"]),
        _path(value["path"]),
        tuple(map(_disclosed, _listed(value["disclosed"]))),
    )


def _absence(value: Any) -> Absence:
    _members(value, "content", *(side for side in ("left", "right") if side in value))
    left, right = (_neighbour(value[side]) if side in value else None for side in ("left", "right"))
    return Absence(_digest(value["content"]), left, right)


def _neighbour(value: Any) -> Neighbour:
    _members(value, "content", "records_digest", "index", "path")
    return Neighbour(
        _digest(value["content"]), _digest(value["records_digest"]), _count(value["index"]), _path(value["path"])
    )


def _disclosed(value: Any) -> Disclosed:
    _members(value, "record", "field", "value", "salt")
    return Disclosed(
        _count(value["record"]), _text(value["field"]), _text(value["value"]), bytes.fromhex(_digest(value["salt"]))
    )


def _members(value: Any, *names: str) -> None:
    if not isinstance(value, dict) or value.keys() != set(names):
        raise ValueError(f"an object has other members than {', '.join(names)}")


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("a list is something else")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is something else")
    return value


def _digest(value: Any) -> Digest:
    if not is_digest(value):
        raise ValueError("a digest is not 64 lowercase hexadecimal digits")
    return Digest(value)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a count is no whole number from 0")
    return value


def _path(value: Any) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(_text(node), validate=True) for node in _listed(value))


def _encoded(path: tuple[bytes, ...]) -> list[Json]:
    return [base64.b64encode(node).decode() for node in path]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose members stand there once: readers differ in which of two they take."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object names a member twice")
    return members
