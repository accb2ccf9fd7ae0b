"""The rights of all records of an audit: tables, joins in Daft, and one decision for each distinct combination of facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from governance.datasets.combinations import Judged
from governance.datasets.policy_input import RecordFacts
from governance.datasets.rights import DoNotTrain
from governance_adapters.datasets.engine.codes import facts_of
from governance_adapters.datasets.engine.joining import KEY, RECORDS, combinations, join_rights, summed
from governance_adapters.datasets.engine.near import near_duplicates
from governance_adapters.datasets.engine.sorting import Joined, decisions_table
from governance_adapters.datasets.engine.tables import RightsTables, rights_tables
from governance_adapters.datasets.rights.signals import Signals

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_BYTES: Final = 64 * 1024 * 1024
"""How many bytes of parts are joined at once: what is interrupted is done again from the last chunk on."""

_CHUNK: Final = "chunk"


@dataclass(frozen=True, slots=True)
class Said:
    """What stands against training beside the records: the do-not-train lists, and what sites said."""

    listed: DoNotTrain
    signals: Signals | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """What follows for the records: the files that were joined, the tables, and the distinct combinations with their facts."""

    joined: Joined
    tables: RightsTables
    keys: pa.Table
    facts: tuple[RecordFacts, ...]

    def combinations(self) -> dict[RecordFacts, int]:
        """How many records have each combination of facts."""
        counted: dict[RecordFacts, int] = {}
        for facts, records in zip(self.facts, self.keys[RECORDS].to_pylist(), strict=True):
            counted[facts] = counted.get(facts, 0) + records
        return counted

    def decisions(self, judged: Judged) -> pa.Table:
        """What policy decided, by the numbers of `joining.KEY`."""
        found = {each.facts: each for each in judged.judgements}
        rows = [_row(facts, found[facts].outcome.value, found[facts].reasons) for facts in self.facts]
        return decisions_table(self.keys.select(list(KEY)), rows)


def find_rights(
    daft: Any,
    parts: Sequence[Path],
    said: Said,
    folder: Path,
    *,
    done: Callable[[int], None] = lambda _: None,
    found: Callable[[Iterable[RecordFacts]], None] = lambda _: None,
) -> Rights:
    """Join the records of `parts` (files of `reading`) with their rights, chunk by chunk, into `folder`.

    A chunk that is there already stays. `done` is told how many parts each chunk had, `found` the facts in it, so that they can
    be looked at while the next one is joined.

    Raises:
        DatasetError: the parts or the snapshots cannot be read.
    """
    folder.mkdir(exist_ok=True)
    tables = rights_tables(parts, folder, said.listed, said.signals, near_duplicates(parts, folder))
    named = _Named(tables.licences["licence"].to_pylist())
    files, counted = [], []
    for number, chunk in enumerate(_chunks(parts)):
        file = folder / f"{_CHUNK}-{number:05d}.parquet"
        if file.exists():
            joined = _read(file)
        else:
            joined = join_rights(daft, chunk, tables, said.signals)
            _write(joined, file)
        files.append(file)
        counted.append(combinations(joined))
        found(named.facts(counted[-1]))
        done(len(chunk))
    keys = summed(counted)
    return Rights(Joined(tuple(parts), tuple(files)), tables, keys, tuple(named.facts(keys)))


class _Named:
    """The facts that numbers stand for, each made once. `licences` are those of their codes."""

    def __init__(self, licences: Sequence[str]) -> None:
        self._licences = licences
        self._facts: dict[tuple[int, str, int, int], RecordFacts] = {}

    def facts(self, keys: pa.Table) -> Iterator[RecordFacts]:
        """The facts of each row of `keys`, which has the columns of `joining.KEY`."""
        for key in zip(*(keys[name].to_pylist() for name in KEY), strict=True):
            if key not in self._facts:
                number, personal, code, flags = key
                self._facts[key] = facts_of(number, personal, self._licences[code], flags)
            yield self._facts[key]


def _read(file: Path) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(file, columns=list(KEY))


def _write(joined: pa.Table, file: Path) -> None:
    """A file that is there for minutes, whole or not at all: plain numbers, of which compression would only cost time."""
    import pyarrow.parquet as pq

    pending = file.with_suffix(".tmp")
    pq.write_table(joined, pending, compression="none", use_dictionary=False, write_statistics=False)
    pending.replace(file)


def _chunks(parts: Sequence[Path]) -> list[list[Path]]:
    chunks: list[list[Path]] = []
    size = CHUNK_BYTES
    for part in parts:
        if size >= CHUNK_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(part)
        size += part.stat().st_size
    return chunks


def _row(facts: RecordFacts, outcome: str, reasons: Sequence[str]) -> dict[str, Any]:
    return {
        "basis": facts.basis.value,
        "licence": facts.licence,
        "source_kind": facts.source_kind.value,
        "consent": facts.consent.value,
        "synthetic": facts.synthetic.value,
        "opt_outs": list(facts.opt_outs),
        "nsfw": facts.nsfw,
        "personal": list(facts.personal),
        "similar": facts.similar,
        "work_action": facts.work_action,
        "problems": list(facts.problems),
        "outcome": outcome,
        "reasons": list(reasons),
    }
