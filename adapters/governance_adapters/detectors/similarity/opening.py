"""Opens the embedding, the printer and the detector that the settings ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from governance.works import WorkReader
from governance_adapters.detectors.similarity.detector import SimilarityDetector
from governance_adapters.detectors.similarity.efficientnet import open_default
from governance_adapters.detectors.similarity.embedding import Embedder, OnnxEmbedder, read_onnx
from governance_adapters.detectors.similarity.prints import SimilarityPrinter

MODELS: Final = "models"
INDEXES: Final = "index"


def open_embedder(home: Path, embedding: Path | None = None, *, threads: int = 1) -> Embedder:
    """The default embedding, kept in `home`; or the ONNX file or transformers folder `embedding`.

    Raises:
        DetectorError: it cannot be loaded.
    """
    if embedding is None:
        return open_default(home / MODELS, threads=threads)
    if embedding.is_dir():
        from governance_adapters.detectors.similarity.vision import VisionEmbedder

        return VisionEmbedder(embedding)
    return OnnxEmbedder(read_onnx(embedding), str(embedding), threads=threads)


def open_printer(home: Path, embedding: Path | None = None, *, threads: int = 1) -> SimilarityPrinter:
    """What prints works; see `open_embedder`."""
    return SimilarityPrinter(open_embedder(home, embedding, threads=threads))


def open_similarity(
    register: WorkReader, home: Path, embedding: Path | None = None, *, threads: int = 1
) -> SimilarityDetector:
    """The detector over `register`, its indexes kept in `home`; see `open_embedder`.

    Raises:
        DetectorError: the embedding or the register cannot be used.
    """
    return SimilarityDetector(register, open_embedder(home, embedding, threads=threads), folder=home / INDEXES)
