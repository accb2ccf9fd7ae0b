"""The parts that an audit is divided into, and who does one: in this process, or in several.

A part is a short list: what is to be done, and of which share. What was found goes from process to process as JSON.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from governance.canonical import digest
from governance.checkpoint import LogKey
from governance.merkle import HASH_BYTES, TILE_WIDTH
from governance_adapters.storage.audit_erasures import ErasureAudit
from governance_adapters.storage.audit_holds import HoldAudit
from governance_adapters.storage.audit_pages import PageAudit
from governance_adapters.storage.audit_postings import SHARES, Expected, PostingAudit, Sums
from governance_adapters.storage.audit_tree import Doubt, SpanTree
from governance_adapters.storage.tables import DOCUMENT, ENTRY, MARK, PERSONAL_FIELD

SPAN: Final = 64 * TILE_WIDTH
"""Entries of one part: as many as a power of two, and whole tiles."""
_PAGE: Final = 64
_DIGITS: Final = "0123456789abcdef"

Part: TypeAlias = tuple[str, *tuple[int, ...]]
"""What is to be done, and of which share: `("entries", first, end)`, `("doubted", first, end)`, `("documents", digit)`,
`("strays",)`, `("holds",)`, `("erasures",)`, `("postings", share, pages)`, `("database",)`.
"""
BESIDE: Final[tuple[Part, ...]] = (
    *(("documents", digit) for digit in range(len(_DIGITS))),
    ("strays",),
    ("holds",),
    ("erasures",),
)
"""What stands beside the entries and is looked at from its own side, in order."""
DATABASE: Final[Part] = ("database",)


def spans(size: int, span: int) -> Iterator[Part]:
    """All entries, in order; at least one part, for the checkpoint of the empty tree."""
    for first in range(0, max(size, 1), span):
        yield ("entries", first, min(first + span, size))


def shares(pages: int) -> Iterator[Part]:
    """The index of searches."""
    for share in range(SHARES):
        yield ("postings", share, pages)


@dataclass(frozen=True, slots=True)
class Found:
    """What one part came to.

    `part` is what it was. `findings` are problems, in order. Where `stopped`, the last says why, and nothing behind it was
    checked. Of a span, `before` is what the stored tiles say stands before it (see `SpanTree`), `roots` are those of its
    whole tiles, `longer` subjects to look at once all spans are done, `expected` what it should have in the index. `seen`
    are the sums of a share of the index, with how many of its postings cannot be any.
    """

    part: Part
    findings: Sequence[str | Doubt] = ()
    stopped: bool = False
    before: Sequence[bytes] | None = None
    roots: Sequence[bytes] = ()
    longer: Sequence[str] = ()
    expected: Expected | None = None
    seen: tuple[Sums, int] | None = None

    def to_bytes(self) -> bytes:
        """As JSON."""
        expected, seen = self.expected, self.seen
        value = {
            "part": self.part,
            "before": None if self.before is None else b"".join(self.before).hex(),
            "findings": [each if isinstance(each, str) else _doubt_json(each) for each in self.findings],
            "stopped": self.stopped,
            "roots": b"".join(self.roots).hex(),
            "longer": list(self.longer),
            "expected": expected and [expected.first, _sums_json(expected.sums), list(expected.counts.items())],
            "seen": seen and [_sums_json(seen[0]), seen[1]],
        }
        return json.dumps(value).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Found:
        """What `to_bytes` wrote."""
        value = json.loads(content)
        expected, seen = value["expected"], value["seen"]
        return cls(
            tuple(value["part"]),
            [each if isinstance(each, str) else _doubt(*each) for each in value["findings"]],
            value["stopped"],
            None if value["before"] is None else _hashes(value["before"]),
            _hashes(value["roots"]),
            value["longer"],
            expected and Expected(expected[0], _sums(expected[1]), Counter({tuple(k): n for k, n in expected[2]})),
            seen and (_sums(seen[0]), seen[1]),
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What an audit asks of the database that it reads: the damage it knows of, and its errors in our words."""

    damage: Callable[[Connection], Iterator[str]]
    translated: Callable[[BaseException], object] = repr


class Auditor:
    """Does parts of one audit, on one connection, all in one snapshot. `keys` are of the sums of the index, if it is read."""

    def __init__(self, connection: Connection, key: LogKey | None, told: Told, keys: tuple[int, int] | None) -> None:
        self._connection = connection
        self._key = key
        self._told = told
        self._postings = PostingAudit(connection, keys) if keys else None
        self._pages = PageAudit(connection, key, self._postings.of_entries if self._postings else None)

    def do(self, part: Part) -> Found:
        """Do one part. A database that cannot be read, or holds what no program of ours wrote, stops it."""
        findings: list[str | Doubt] = []
        try:
            return replace(self._done(part, findings), findings=findings)
        except SQLAlchemyError as error:
            findings.append(f"The check stopped here: {self._told.translated(error)}")
        except (TypeError, ValueError, AttributeError) as error:
            # A column holds another type than its table says: no program of ours wrote it.
            findings.append(f"The check stopped at a value of a wrong type: {error}.")
        return Found(part, findings, stopped=True)

    def _done(self, part: Part, findings: list[str | Doubt]) -> Found:
        """What a part comes to, but for its findings, which are added to `findings`."""
        match part:
            case ("entries" | "doubted" as what, first, end):
                tree = SpanTree(self._connection, self._key, first, end, doubted=what == "doubted")
                findings.extend(self._pages.findings(tree, first, end))
                pages = first // TILE_WIDTH, -(-end // TILE_WIDTH)
                expected = self._postings.taken(*pages) if self._postings else None
                return Found(part, (), False, tree.before, tree.roots, self._pages.kept_longer(), expected)
            case ("documents", digit):
                findings.extend(_documents(self._connection, digit))
            case ("strays",):
                findings.extend(_strays(self._connection))
            case ("holds",):
                findings.extend(HoldAudit(self._connection).rows())
            case ("erasures",):
                findings.extend(ErasureAudit(self._connection).rows())
            case ("postings", share, pages) if self._postings:
                return Found(part, seen=self._postings.seen(share, pages))
            case ("database",):
                lines = self._told.damage(self._connection)
                findings.extend(f"The database file is damaged: {line}." for line in lines)
            case _:
                raise AssertionError(f"no such part: {part}")
        return Found(part)


def _documents(connection: Connection, digit: int) -> Iterator[str]:
    """The documents whose digests begin with one digit; the first and the last take whatever sorts before or behind."""
    column = DOCUMENT.c.digest
    query = select(DOCUMENT).order_by(column).limit(_PAGE)
    if digit < len(_DIGITS) - 1:
        query = query.where(column < _DIGITS[digit + 1])
    page = connection.execute(query.where(column >= _DIGITS[digit]) if digit else query).all()
    while page:
        for row in page:
            if digest(row.content) != row.digest:
                yield f"Document {row.digest} was altered."
        page = connection.execute(query.where(column > page[-1].digest)).all()


def _strays(connection: Connection) -> Iterator[str]:
    joined = PERSONAL_FIELD.outerjoin(ENTRY, ENTRY.c.id == PERSONAL_FIELD.c.entry_id)
    query = select(PERSONAL_FIELD).select_from(joined).where(ENTRY.c.id.is_(None))
    for row in connection.execute(query.order_by(PERSONAL_FIELD.c.entry_id, PERSONAL_FIELD.c.name)):
        yield f"Personal field {row.name!r} belongs to entry {row.entry_id}, which does not exist."
    joined = MARK.outerjoin(ENTRY, ENTRY.c.asset_digest == MARK.c.asset_digest)
    query = select(MARK).select_from(joined).where(ENTRY.c.id.is_(None))
    for row in connection.execute(query.order_by(MARK.c.algorithm, MARK.c.key_id, MARK.c.mark_id)):
        yield f"Watermark {row.mark_id} of {row.algorithm} leads to an asset that no entry released."


def _doubt_json(doubt: Doubt) -> list[Any]:
    return [doubt.size, doubt.root.hex(), b"".join(doubt.peaks).hex()]


def _doubt(size: int, root: str, peaks: str) -> Doubt:
    return Doubt(size, bytes.fromhex(root), tuple(_hashes(peaks)))


def _hashes(text: str) -> list[bytes]:
    content = bytes.fromhex(text)
    return [content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)]


def _sums_json(sums: Sums) -> str:
    return sums.astype("<u8").tobytes().hex()


def _sums(text: str) -> Sums:
    return np.frombuffer(bytes.fromhex(text), dtype="<u8").astype(np.uint64)
