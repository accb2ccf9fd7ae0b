"""What the contents of a dataset look like, written in one pass in the order of the leaves: hashes, and embeddings if any."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Digest
from governance.errors import DatasetError, StorageError
from governance_adapters.datasets.store.hashes import PDQ_BYTES, write_hashes
from governance_adapters.datasets.store.vectors import STORED, write_vectors

_LENGTH_SLACK: Final = 0.01
_BYTE: Final = np.dtype(np.uint8)
_PLACE: Final = np.dtype("<u4")
_STREAMS: Final = ("pdq", "pdq-places", "embeddings", "embeddings-places")
_REMEDY: Final = "Audit the dataset again."


class PrintsWriter:
    """Writes the searchable prints of a folder in little memory. A context manager: what is not finished is taken away.

    `model` is the digest of the model that makes the embeddings, so that none of another model is compared with them.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, folder: Path, model: Digest | str = "") -> None:
        self._folder, self._model, self._width, self._last = folder, model, 0, -1
        self._counts = dict.fromkeys(_STREAMS, 0)
        self._paths = {name: folder / f".{name}.part" for name in _STREAMS}
        self._files: dict[str, BinaryIO] = {}
        with ExitStack() as opened:
            for name, path in self._paths.items():
                try:
                    self._files[name] = opened.enter_context(path.open("wb"))
                except OSError as error:
                    raise _refused(path, error) from error
            self._opened = opened.pop_all()

    def add(self, index: int, pdq: bytes | None, embedding: NDArray[np.floating] | None = None) -> None:
        """Add what the content of the leaf `index` looks like: a PDQ hash of 32 bytes, a unit vector, or one of them.

        Raises:
            DatasetError: the index is not behind the one before, or a print is none.
            StorageError: the disk refuses.
        """
        if index <= self._last:
            raise DatasetError(f"Leaf {index} does not stand behind {self._last}.", remedy=_REMEDY)
        self._last = index
        place = index.to_bytes(4, "little")
        if pdq is not None:
            if len(pdq) != PDQ_BYTES:
                raise DatasetError(f"A PDQ hash has {PDQ_BYTES} bytes, not {len(pdq)}.", remedy=_REMEDY)
            self._write("pdq", pdq, place)
        if embedding is not None:
            self._write("embeddings", self._checked(embedding).astype(STORED).tobytes(), place)

    def finish(self) -> tuple[int, int]:
        """Make the prints searchable and durable; returns how many hashes and how many embeddings there are.

        Raises:
            StorageError: the disk refuses.
        """
        self._opened.close()
        hashes, vectors = self._counts["pdq"], self._counts["embeddings"]
        shape = hashes, PDQ_BYTES
        write_hashes(self._folder, self._read("pdq", _BYTE, shape), self._read("pdq-places", _PLACE, (hashes,)))
        if vectors:
            rows = self._read("embeddings", STORED, (vectors, self._width))
            write_vectors(self._folder, rows, self._read("embeddings-places", _PLACE, (vectors,)), self._model)
        return hashes, vectors

    def close(self) -> None:
        """Take away what is not needed any more."""
        self._opened.close()
        for path in self._paths.values():
            path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _checked(self, embedding: NDArray[np.floating]) -> NDArray[np.floating]:
        """A unit vector of the width of those before: another would be near nothing, or near everything."""
        self._width = self._width or len(embedding)
        length = float(np.linalg.norm(embedding.astype(np.float32)))
        if embedding.shape != (self._width,) or not abs(length - 1) < _LENGTH_SLACK:  # a NaN is not below either
            raise DatasetError(f"An embedding is no unit vector of {self._width}.", remedy=_REMEDY)
        return embedding

    def _write(self, name: str, content: bytes, place: bytes) -> None:
        try:
            self._files[name].write(content)
            self._files[f"{name}-places"].write(place)
        except OSError as error:
            raise _refused(self._folder, error) from error
        self._counts[name] += 1

    def _read(self, name: str, kind: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        if not all(shape):  # an empty file cannot be mapped
            return np.zeros(shape, kind)
        mapped: NDArray[Any] = np.memmap(self._paths[name], kind, mode="r", shape=shape)
        return mapped


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be written: {error.strerror or error}.",
        remedy="Check that the folder exists, is writable and that the disk has room.",
    )
