"""The prints of a work: what is stored of it, and what a checked picture is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Digest
from governance.errors import DetectorError
from governance.types import Pixels
from governance.works import EMBEDDING_SIGNAL, PDQ_SIGNAL, WorkPrint
from governance_adapters.detectors.pictures import checked
from governance_adapters.detectors.similarity.embedding import Embedder
from governance_adapters.detectors.similarity.pdq import work_hashes
from governance_adapters.detectors.similarity.variants import embedded_variants, work_picture

STORED: Final = np.dtype("<f2")
"""Embeddings are stored in half precision: a cosine is then right to a thousandth."""

_LENGTH_SLACK: Final = 0.01


def embedding_signal(model: Digest) -> str:
    """The signal of the embeddings of a model."""
    return f"{EMBEDDING_SIGNAL}{model}"


class SimilarityPrinter:
    """Implements `governance.works.Printer`: PDQ hashes and embeddings of an image and of its variants."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @property
    def signals(self) -> tuple[str, ...]:
        """`pdq`, and the embedding's."""
        return PDQ_SIGNAL, embedding_signal(self._embedder.model)

    def prints(self, pixels: Pixels) -> Sequence[WorkPrint]:
        """38 hashes, 39 of an image with an even border, and 6 embeddings: about 0.13 s on one core.

        Raises:
            DetectorError: it is no image, too small or too narrow, or a model failed.
        """
        picture = work_picture(checked(0, pixels))
        hashes = [WorkPrint(PDQ_SIGNAL, one.variant, one.value, one.quality) for one in work_hashes(picture)]
        signal = embedding_signal(self._embedder.model)
        embedded = [
            WorkPrint(signal, variant, self._embedder.embed(view).astype(STORED).tobytes())
            for variant, view in embedded_variants(picture)
        ]
        return [*hashes, *embedded]


def as_vectors(values: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Stored embeddings, shape (n, bytes), as vectors (n, d).

    Raises:
        DetectorError: one is not a unit vector: it was damaged, and would be near nothing, or near everything.
    """
    vectors: NDArray[np.float16] = values.view(STORED)
    for start in range(0, len(vectors), 8192):
        lengths = np.linalg.norm(vectors[start : start + 8192].astype(np.float32), axis=1)
        if not np.all(np.abs(lengths - 1) < _LENGTH_SLACK):  # a NaN is not below either
            raise DetectorError(
                "An embedding in the register of works is no unit vector: it is damaged.",
                remedy="Run `governance works reindex`, or restore the register from its backup.",
            )
    return vectors
