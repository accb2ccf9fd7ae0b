"""Reads one part of a source into one Parquet file: what is stated, what its images show, and the facts as numbers.

A part's file appears whole or not at all, and holds nothing of the time, the machine or the engine: read again, it is the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from governance.datasets.policy_input import Collected
from governance.datasets.records import Consent, Problem, SourceKind
from governance.datasets.rights import NO_HOST, URL_PATTERN, collected_at
from governance.registers.standing import ContractState
from governance_adapters.datasets.content.eyes import Eyes
from governance_adapters.datasets.content.looking import look, not_looked
from governance_adapters.datasets.engine import codes
from governance_adapters.datasets.sources.source import Source, SourcePart

if TYPE_CHECKING:
    import pyarrow as pa

ORDINAL_BITS: Final = 32
"""A record's ordinal is its part's number above these bits, and its row in the part below."""

SUFFIX: Final = ".parquet"
_STATED: Final = ("id", "location", "caption", "licence_stated", "source", "owner", "contract")
_FOUND: Final = ("content", "media_type", "width", "height", "size", "work", "pdq", "pdq_quality", "embedding")


@dataclass(frozen=True, slots=True)
class Reading:
    """How the parts of a source are read; a plain value that workers get.

    `eyes` None: no image is read. `contracts` are the states of those that the register has, by key.
    """

    source: Source
    folder: str
    as_of: str
    eyes: Eyes | None = None
    contracts: Mapping[str, ContractState] = field(default_factory=dict)

    def path(self, part: SourcePart) -> Path:
        """Where a part's file is."""
        return Path(self.folder) / f"{part.number:08d}{SUFFIX}"

    @property
    def stopped(self) -> Path:
        """A file that, once it is there, tells workers to read no more."""
        return Path(self.folder) / "stopped"

    def read(self, part: SourcePart) -> int:
        """Read one part, unless its file is there; returns how many records it has.

        Raises:
            GovernanceError: the source cannot be read, or nobody can look.
        """
        path = self.path(part)
        if not path.exists():
            rows = self.source.read(part)
            found = not_looked(rows) if self.eyes is None else look(rows, self.eyes, self.source.root)
            _write(_part_table(self, part, rows, found), path)
        return part.rows


def _part_table(reading: Reading, part: SourcePart, rows: pa.Table, found: pa.Table) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    collected, states, wrong_times = _times(rows["collected"], reading.as_of)
    contracts = _contract_states(rows["contract"], reading.contracts)
    said = codes.columns_code(
        {
            "source_kind": _stated(rows["source_kind"], SourceKind.UNKNOWN),
            "consent": _stated(rows["consent"], Consent.UNKNOWN),
            "contract": contracts,
            "collected": states,
            "synthetic": found["synthetic"],
            "basis": found["basis"],
            "work_action": found["work_action"],
        },
        {"opt_outs": found["opt_outs"], "problems": found["problems"]},
        {"nsfw": found["nsfw"], "similar": found["similar"]},
    )
    ordinals = np.arange(len(rows), dtype=np.int64) + (part.number << ORDINAL_BITS)
    columns: dict[str, Any] = {"ordinal": pa.array(ordinals)}
    columns |= {name: rows[name] for name in _STATED}
    columns |= {name: found[name] for name in _FOUND}
    columns |= {
        "collected": collected,
        "host": _hosts(rows["source"]),
        "id_hash": _hashes(rows["id"]),
        "personal": _kinds(found["personal"]),
        "said": pa.array(said | wrong_times | _unsourced(rows)),
    }
    return pa.table(columns)


def _stated(column: pa.ChunkedArray, unknown: str) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.if_else(pc.equal(column, ""), unknown, column)


def _times(column: pa.ChunkedArray, as_of: str) -> tuple[pa.Array, pa.Array, Any]:
    """Times in their one form, whether they are known, and the code of what is wrong with each."""
    import numpy as np
    import pyarrow as pa

    encoded = column.combine_chunks().dictionary_encode()
    read = [collected_at(text, as_of) for text in encoded.dictionary.to_pylist()]
    problems = {None: Problem.BAD_VALUE, Collected.FUTURE: Problem.FUTURE_TIME}
    named = [None if each is None else each[1] for each in read]
    wrong = np.array(
        [codes.set_code("problems", [problems[state]] if state in problems else []) for state in named] or [0], np.int64
    )
    texts = pa.array(["" if each is None else each[0] for each in read], pa.string())
    states = pa.array([(state or Collected.MISSING).value for state in named], pa.string())
    at = encoded.indices
    return texts.take(at), states.take(at), wrong[at.to_numpy(zero_copy_only=False)]


def _contract_states(column: pa.ChunkedArray, known: Mapping[str, ContractState]) -> pa.Array:
    import pyarrow as pa

    encoded = column.combine_chunks().dictionary_encode()
    states = [
        (known.get(key, ContractState.UNKNOWN) if key else ContractState.NONE).value
        for key in encoded.dictionary.to_pylist()
    ]
    return pa.array(states, pa.string()).take(encoded.indices)


def _hosts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The host of each URL as it stands there; empty without one, and `NO_HOST` of what is no URL."""
    import pyarrow.compute as pc

    host = pc.struct_field(pc.extract_regex(column, URL_PATTERN), "host")
    return pc.if_else(pc.equal(column, ""), "", pc.fill_null(host, NO_HOST))


def _unsourced(rows: pa.Table) -> Any:
    """The code of what is wrong with records that were crawled, nobody says from where: no site can be asked about them."""
    import numpy as np
    import pyarrow.compute as pc

    crawled = pc.and_(pc.equal(rows["source_kind"], SourceKind.CRAWLED.value), pc.equal(rows["source"], ""))
    missing = codes.set_code("problems", [Problem.BAD_URL])
    return np.where(crawled.to_numpy(zero_copy_only=False), np.int64(missing), np.int64(0))


def _hashes(column: pa.ChunkedArray) -> pa.Array:
    """64-bit hashes of ids: equal ids have equal ones."""
    from daft import Series

    return Series.from_arrow(column.combine_chunks()).hash().to_arrow()


def _kinds(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow.compute as pc

    return pc.binary_join(column.combine_chunks(), codes.PERSONAL_SEPARATOR)


def _write(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pending = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    pq.write_table(table, pending, compression="zstd", compression_level=1)
    pending.replace(path)
