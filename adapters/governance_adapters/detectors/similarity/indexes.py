"""The indexes over one state of the register, kept on disk so that the next start need not read every print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import faiss

from governance.canonical import Digest, Json
from governance.errors import DetectorError
from governance.works import PDQ_SIGNAL, WorkReader
from governance_adapters.detectors.similarity import checked_file, hashes, vectors
from governance_adapters.detectors.similarity.contents import Rows, read_rows
from governance_adapters.detectors.similarity.hashes import HashIndex
from governance_adapters.detectors.similarity.pdq import HASH_BYTES
from governance_adapters.detectors.similarity.prints import STORED, as_vectors, embedding_signal
from governance_adapters.detectors.similarity.vectors import VectorIndex

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Indexes:
    """What pictures are compared with: the state `revision` of the register. Never changes.

    `vector_places` are the places of the works in `vector_rows.work_ids`.
    """

    revision: str
    hash_rows: Rows
    hashes: HashIndex
    vector_rows: Rows
    vectors: VectorIndex
    vector_places: Mapping[str, int]

    @property
    def empty(self) -> bool:
        """Whether nothing is registered."""
        return not self.hash_rows.work_ids and not self.vector_rows.work_ids


def open_indexes(
    register: WorkReader, model: Digest, width: int, folder: Path | None, before: Indexes | None = None
) -> Indexes:
    """The indexes of the register as it stands, for embeddings of `model` with `width` dimensions.

    The revision is asked first: what changes meanwhile has another one, and is read at the next use. Files in `folder` are
    used only where digest and revision fit. Where the prints of an earlier state, `before`, are all still there and few came
    behind them, its indexes are extended and not built anew; they are kept in `folder` when they are next built.

    Raises:
        DetectorError: a work has no prints of a signal, so that it could not be found; or prints are damaged.
        WorkError: the register cannot be read.
    """
    revision = register.revision
    signal = embedding_signal(model)
    for needed in (PDQ_SIGNAL, signal):
        if register.unprinted(needed, limit=1):
            raise DetectorError(
                f"Some protected works have no prints of the signal {needed}: they could not be found.",
                remedy="Run `governance works reindex`.",
            )
    hash_rows, hash_index = _hash_index(register, _file(folder, "hashes"), _key(revision, PDQ_SIGNAL), before)
    vector_rows, vector_index = _vector_index(
        register, width, _file(folder, "vectors"), _key(revision, signal), signal, before
    )
    places = {work_id: place for place, work_id in enumerate(vector_rows.work_ids)}
    return Indexes(revision, hash_rows, hash_index, vector_rows, vector_index, places)


def _hash_index(
    register: WorkReader, path: Path | None, key: dict[str, Json], before: Indexes | None
) -> tuple[Rows, HashIndex]:
    if path is not None and (kept := checked_file.read(path, key)) is not None:
        rows = Rows.from_sections(kept, HASH_BYTES)
        return rows, HashIndex.from_bytes(kept["index"], len(rows))
    rows = read_rows(register.prints(PDQ_SIGNAL), HASH_BYTES)
    if before is not None and _extends(rows, before.hash_rows, before.hashes.built, hashes.TAIL_ROWS):
        return rows, before.hashes.extended(rows.values)
    index = HashIndex.build(rows.values)
    _keep(register, path, key, rows, index)
    return rows, index


def _vector_index(
    register: WorkReader, width: int, path: Path | None, key: dict[str, Json], signal: str, before: Indexes | None
) -> tuple[Rows, VectorIndex]:
    bytes_each = width * STORED.itemsize
    if path is not None and (kept := checked_file.read(path, key)) is not None:
        rows = Rows.from_sections(kept, bytes_each)
        return rows, VectorIndex.from_bytes(rows.values.view(STORED), kept["index"])
    rows = read_rows(register.prints(signal), bytes_each)
    found = as_vectors(rows.values)
    if before is not None and _extends(rows, before.vector_rows, before.vectors.built, vectors.TAIL_ROWS):
        return rows, before.vectors.extended(found)
    index = VectorIndex.build(found)
    _keep(register, path, key, rows, index)
    return rows, index


def _extends(rows: Rows, earlier: Rows, built: int, most: int) -> bool:
    """Whether `rows` are those that an index was built of, and at most `most` behind them. A few are built in no time."""
    return built > most >= len(rows) - built and rows.begin_with(earlier, built)


def _keep(
    register: WorkReader, path: Path | None, key: dict[str, Json], rows: Rows, index: HashIndex | VectorIndex
) -> None:
    # What changed between the question for the revision and the reading must not stand under the older revision.
    if path is not None and register.revision == key["revision"]:
        checked_file.write(path, key, {**rows.to_sections(), "index": index.to_bytes()})


def _file(folder: Path | None, name: str) -> Path | None:
    return None if folder is None else folder / f"{name}.checked"


def _key(revision: str, signal: str) -> dict[str, Json]:
    """What a file must have been made of, and by what."""
    return {"format": _FORMAT, "faiss": faiss.__version__, "revision": revision, "signal": signal}
