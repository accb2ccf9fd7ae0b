"""Leaves of many records at once: what `governance.datasets.leaves.leaf_of` makes, column by column, in a fraction of its time.

Text without half characters, whole numbers and lists of text are all that a record holds, and its members have ASCII names:
Python's own encoder of strings then writes what RFC 8785 asks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final

from governance.canonical import MAX_SAFE_INTEGER
from governance.datasets.leaves import COMMITMENT, SALT_DOMAIN, UNCOMMITTED, SaltKey, content_bytes
from governance.datasets.records import PERSONAL, DatasetRecord
from governance.errors import DatasetError
from governance_adapters.datasets.store.records import ERASED

if TYPE_CHECKING:
    import pyarrow as pa

_FIELD_DOMAIN: Final = b"diffusion-governance/field/v1"
_MEMBERS: Final = tuple(sorted(field.name for field in fields(DatasetRecord) if field.name not in UNCOMMITTED))
_LISTS: Final = frozenset({"opt_outs", "personal", "problems", "reasons"})
_NUMBERS: Final = frozenset({"width", "height", "size", "nsfw", "similar"})
_PRINT: Final = "pdq"


@dataclass(frozen=True, slots=True)
class Committed:
    """A content, its leaf (64 bytes), and the PDQ hash of its first record where the table has one."""

    content: str
    leaf: bytes
    pdq: bytes | None = None


def committed_leaves(tables: Iterable[pa.Table], salts: SaltKey | None) -> Iterator[Committed]:
    """The leaf of each content of the tables, which follow each other in the order of content; those without one are left out.

    `salts` are None where the audit's key was destroyed, and its records are sealed.

    Raises:
        DatasetError: a content is no digest or comes again behind another one, or a value is none that a record can have.
    """
    current, records, pdq = "", list[tuple[str, str]](), None
    for table in tables:
        prints = table[_PRINT].to_pylist() if _PRINT in table.column_names else [None] * table.num_rows
        for content, identity, record, seen in zip(*_encoded(table, salts), prints, strict=True):
            if content != current:
                if current:
                    yield Committed(current, _leaf(current, records), pdq)
                if content < current:
                    raise DatasetError(
                        f"The content {content} does not stand behind {current}.", remedy="Audit the dataset again."
                    )
                current, records, pdq = content, [], seen
            records.append((identity, record))
    if current:
        yield Committed(current, _leaf(current, records), pdq)


def _leaf(content: str, records: list[tuple[str, str]]) -> bytes:
    if len(records) > 1:
        records.sort()  # characters order as their UTF-8 bytes do
    together = ",".join([record for _, record in records])
    return content_bytes(content) + hashlib.sha256(f"[{together}]".encode()).digest()


def _encoded(table: pa.Table, salts: SaltKey | None) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """The content, the id and the canonical JSON of the committed record of each row."""
    contents, identities = (_texts(table, name) for name in ("content", "id"))
    columns = [
        [f'{{"{COMMITMENT}":"{each}"}}' for each in commitments(table, name, salts)]
        if name in PERSONAL
        else _values(table, name)
        for name in _MEMBERS
    ]
    form = "{" + ",".join(f'"{name}":%s' for name in _MEMBERS) + "}"
    return contents, identities, [form % row for row in zip(*columns, strict=True)]


def _values(table: pa.Table, name: str) -> list[str]:
    if name in _NUMBERS:
        numbers = table[name].to_pylist()
        if not all(type(each) is int and abs(each) <= MAX_SAFE_INTEGER for each in numbers):
            raise DatasetError(f"A value of {name} is no whole number.", remedy="Audit the dataset again.")
        return list(map(str, numbers))
    return _lists(table[name]) if name in _LISTS else _encoded_texts(table[name])


def _encoded_texts(column: pa.ChunkedArray) -> list[str]:
    """The texts of a column in JSON: each different one is encoded once, for many are few."""
    found: list[str] = []
    for chunk in column.fill_null("").dictionary_encode().chunks:
        known = list(map(encode_basestring, chunk.dictionary.to_pylist()))
        found += [known[at] for at in chunk.indices.to_numpy().tolist()]
    return found


def _lists(column: pa.ChunkedArray) -> list[str]:
    """Lists of texts in JSON: most are empty."""
    import numpy as np
    from pyarrow import compute

    full = np.flatnonzero(compute.list_value_length(column).fill_null(0).to_numpy())
    found = ["[]"] * len(column)
    known: dict[tuple[str, ...], str] = {}
    for at, value in zip(full.tolist(), column.take(full).to_pylist(), strict=True):
        found[at] = _list(tuple(value), known)
    return found


def _list(value: tuple[str, ...], known: dict[tuple[str, ...], str]) -> str:
    found = known.get(value)
    if found is None:
        found = known[value] = f"[{','.join(map(encode_basestring, value))}]"
    return found


def seals(table: pa.Table, name: str, salts: SaltKey | None) -> Iterable[bytes]:
    """The seal of the personal field `name` of each row: its salt, or of a row that is erased the commitment itself.

    Raises:
        DatasetError: the records are not sealed, and there is no key.
    """
    if ERASED in table.column_names:
        found: list[bytes] = table[f"{name}_seal"].to_pylist()
        return found
    if salts is None:
        raise DatasetError(
            "The records have no salts, and there is no key of salts.",
            remedy="Restore the audit's folder from its backup.",
        )
    return _salts(table, name, salts)


def commitments(table: pa.Table, name: str, salts: SaltKey | None) -> list[str]:
    """The commitment to the personal field `name` of each row, in hexadecimal: `governance.canonical.commitment`.

    Raises:
        DatasetError: the records are not sealed, and there is no key.
    """
    prefix, sha256 = _FIELD_DOMAIN + f"\0/{name}\0".encode(), hashlib.sha256
    pairs = zip(seals(table, name, salts), _encoded_texts(table[name]), strict=True)
    found = [sha256(prefix + salt + value.encode()).hexdigest() for salt, value in pairs]
    if ERASED in table.column_names:
        for at, (seal, gone) in enumerate(zip(seals(table, name, salts), table[ERASED].to_pylist(), strict=True)):
            if gone:
                found[at] = seal.hex()
    return found


def _salts(table: pa.Table, name: str, salts: SaltKey) -> Iterator[bytes]:
    """The salt of the personal field `name` of each row; see `SaltKey.salt`."""
    begin, field = f'["{SALT_DOMAIN}",{encode_basestring(salts.dataset)},"', f',"{name}",'
    inner, outer = (bytes(pad ^ byte for byte in salts.secret.ljust(64, b"\0")) for pad in (0x36, 0x5C))
    sha256 = hashlib.sha256
    columns = _texts(table, "content"), _encoded_texts(table["id"]), _encoded_texts(table[name])
    for content, identity, value in zip(*columns, strict=True):
        # HMAC, RFC 2104, spelt out: the library's own sets itself up anew for each of these short messages.
        message = f'{begin}{content}",{identity}{field}{value}]'.encode()
        yield sha256(outer + sha256(inner + message).digest()).digest()


def _texts(table: pa.Table, name: str) -> list[Any]:
    texts: list[Any] = table[name].fill_null("").to_pylist()
    return texts
