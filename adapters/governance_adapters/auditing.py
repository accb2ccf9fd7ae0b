"""Settings to eyes: what looks at the images of a dataset, opened in whichever process looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from governance.attribution import Grade
from governance.errors import MarkError
from governance.marks import MarkReader, found_marks, nearest
from governance.ports import Ledger
from governance.types import Pixels
from governance_adapters.datasets.content.eyes import Eyes, OpenEyes
from governance_adapters.detection import open_detector
from governance_adapters.marking.fingerprint import PdqFingerprinter
from governance_adapters.settings import DetectorName, Settings
from governance_adapters.wiring import open_ledger, open_manifest_reader, open_mark_reader

if TYPE_CHECKING:
    from governance_adapters.detectors.similarity.embedding import Embedder


def eyes_for(settings: Settings, *, detectors: bool = True, embedding: bool = True) -> Eyes:
    """Everything that this installation can look at images with, to be sent to workers.

    Without `detectors` none of them scores and no watermark is looked for; without `embedding` no vectors are made. What
    an image says of itself is always read.
    """
    chosen = settings.model_dump(mode="json")
    # A worker may work in another folder.
    chosen |= {name: str(value.absolute()) for name, value in settings if isinstance(value, Path)}
    return Eyes(open_eyes, (json.dumps(chosen, sort_keys=True), detectors, embedding))


def open_eyes(settings_json: str, detectors: bool, embedding: bool) -> OpenEyes:
    """The eyes that the settings name: the detectors that come with this package, as far as `detectors` has them.

    Classifiers of your own score what a model makes; no field of a record is theirs, so they are not opened.

    Raises:
        ConfigurationError: the keys are missing.
        DetectorError: a detector cannot be loaded.
        LedgerError: the ledger cannot be read.
    """
    settings = Settings.load(**json.loads(settings_json))
    shipped = {name.value for name in DetectorName}
    names = [name for name in settings.detectors if name in shipped] if detectors else []
    embedder = _embedder(settings) if embedding else None
    return OpenEyes(
        fingerprinter=PdqFingerprinter(),
        manifests=open_manifest_reader(settings),
        detectors=tuple(open_detector(settings, name) for name in names),
        marks=RecordedMarks(open_mark_reader(settings), open_ledger(settings)) if detectors else None,
        embed=None if embedder is None else embedder.embed,
        model="" if embedder is None else embedder.model,
    )


class RecordedMarks:
    """Implements `governance_adapters.datasets.content.eyes.MarkFinder` over the records of a ledger."""

    def __init__(self, marks: MarkReader, ledger: Ledger) -> None:
        self._marks, self._ledger = marks, ledger

    def finds(self, pixels: Pixels) -> bool:
        """Whether a mark in `pixels` leads to a record that the picture resembles in shapes and colours.

        A mark alone is not enough: it may have been copied onto another picture, and a short check passes by chance.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        try:
            found = list(found_marks(self._marks, pixels))
            seen = [self._marks.fingerprinter.fingerprint(pixels)] if found else []
        except MarkError:
            return False  # too few pixels to carry one
        for mark in found:
            record = self._ledger.find_mark(mark.watermarker.algorithm, self._marks.key.key_id, mark.mark_id)
            if record is not None and nearest(record.fingerprint, seen).grade is not Grade.DIFFERS:
                return True
        return False


def _embedder(settings: Settings) -> Embedder:
    from governance_adapters.detectors.similarity.opening import open_embedder

    return open_embedder(settings.home, settings.embedding, threads=settings.threads)
