"""Settings and a name to an audited dataset, and a picture to what it is searched by: where folder, ledger and models meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Digest
from governance.datasets.standing import dataset_standing
from governance.errors import MarkError
from governance.ports import Ledger
from governance_adapters.datasets.store.opened import OpenDataset
from governance_adapters.installation import ledger_for_reading
from governance_adapters.settings import Settings


def open_dataset(settings: Settings, name: str, *, ledger: Ledger | None = None) -> OpenDataset:
    """The newest audit of the dataset of this name, as the ledger says which that is.

    `ledger` takes the place of one opened for reading.

    Raises:
        NoDatasetError: no audit of this name is recorded, or its folder is gone.
        DatasetChangedError: what lies in its folder is not what was signed.
        ConfigurationError: the keys or the ledger are missing.
        LedgerError: the ledger cannot be read.
    """
    ledger = ledger or ledger_for_reading(settings)
    standing = dataset_standing(ledger, name)
    return OpenDataset(settings.datasets_path / standing.name / standing.audit, standing, ledger)


@dataclass(frozen=True, slots=True)
class PicturePrints:
    """What a picture looks like: its PDQ hash (32 bytes), None where it has too few pixels, and its embedding, if one was made.

    `model` is the digest of the model that made it.
    """

    pdq: bytes | None
    embedding: NDArray[np.float32] | None = None
    model: Digest | str = ""


def picture_prints(settings: Settings, content: bytes, *, embedding: bool) -> PicturePrints | None:
    """What the image file `content` looks like, read as an audit reads it; None where it is no picture.

    Raises:
        DetectorError: the model of embeddings cannot be loaded, or made none.
    """
    from governance_adapters.datasets.content.decoding import opened, quiet
    from governance_adapters.marking.fingerprint import PdqFingerprinter

    with quiet():
        pixels = opened(content).pixels
    if pixels is None:
        return None
    try:
        pdq = PdqFingerprinter().fingerprint(pixels).pdq
    except MarkError:
        return PicturePrints(None)
    if not embedding:
        return PicturePrints(pdq)
    from governance_adapters.detectors.similarity.opening import open_embedder

    embedder = open_embedder(settings.home, settings.embedding, threads=settings.threads)
    return PicturePrints(pdq, embedder.embed(pixels), embedder.model)
