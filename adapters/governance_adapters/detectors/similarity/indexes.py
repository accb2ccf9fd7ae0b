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
from governance_adapters.detectors.similarity import checked_file
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


def open_indexes(register: WorkReader, model: Digest, width: int, folder: Path | None) -> Indexes:
    """The indexes of the register as it stands, for embeddings of `model` with `width` dimensions.

    The revision is asked first: what changes meanwhile has another one, and is read at the next use. Files in `folder` are
    used only where digest and revision fit.

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
    hash_rows, hashes = _hash_index(register, _file(folder, "hashes"), _key(revision, PDQ_SIGNAL))
    vector_rows, vectors = _vector_index(register, width, _file(folder, "vectors"), _key(revision, signal), signal)
    places = {work_id: place for place, work_id in enumerate(vector_rows.work_ids)}
    return Indexes(revision, hash_rows, hashes, vector_rows, vectors, places)


def _hash_index(register: WorkReader, path: Path | None, key: Json) -> tuple[Rows, HashIndex]:
    if path is not None and (kept := checked_file.read(path, key)) is not None:
        rows = Rows.from_sections(kept, HASH_BYTES)
        return rows, HashIndex.from_bytes(kept["index"], len(rows))
    rows = read_rows(register.prints(PDQ_SIGNAL), HASH_BYTES)
    index = HashIndex.build(rows.values)
    if path is not None:
        checked_file.write(path, key, {**rows.to_sections(), "index": index.to_bytes()})
    return rows, index


def _vector_index(
    register: WorkReader, width: int, path: Path | None, key: Json, signal: str
) -> tuple[Rows, VectorIndex]:
    bytes_each = width * STORED.itemsize
    if path is not None and (kept := checked_file.read(path, key)) is not None:
        rows = Rows.from_sections(kept, bytes_each)
        return rows, VectorIndex.from_bytes(rows.values.view(STORED), kept["index"])
    rows = read_rows(register.prints(signal), bytes_each)
    index = VectorIndex.build(as_vectors(rows.values))
    if path is not None:
        checked_file.write(path, key, {**rows.to_sections(), "index": index.to_bytes()})
    return rows, index


def _file(folder: Path | None, name: str) -> Path | None:
    return None if folder is None else folder / f"{name}.checked"


def _key(revision: str, signal: str) -> Json:
    """What a file must have been made of, and by what."""
    return {"format": _FORMAT, "faiss": faiss.__version__, "revision": revision, "signal": signal}
