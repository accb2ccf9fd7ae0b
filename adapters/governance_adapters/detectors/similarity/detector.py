"""The similarity detector: how near a picture is to the works of a register."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Digest, canonical_digest
from governance.errors import DetectorError, WorkError
from governance.types import Finding, Pixels
from governance.works import WorkReader
from governance_adapters.detectors.pictures import checked
from governance_adapters.detectors.similarity import variants
from governance_adapters.detectors.similarity.contents import Rows
from governance_adapters.detectors.similarity.embedding import Embedder
from governance_adapters.detectors.similarity.hashes import packed
from governance_adapters.detectors.similarity.indexes import Indexes, open_indexes
from governance_adapters.detectors.similarity.pdq import BITS, MIN_QUALITY, Hash, seen_hashes

NAME: Final = "similarity"
COPY, COPY_UNSURE, DERIVATIVE, LOW_QUALITY = "copy", "copy_unsure", "derivative", "low_quality_hash"
NEAREST: Final = 3
"""At most so many works are named under each label."""

SAME_COLOURS: Final = 0.93
"""What the cosine must be at least where a hash of low quality fits. Such hashes are of flat drawings, and see no colour:
the same drawing in other colours reached 0.933 (99 % stay below 0.922), after JPEG 40 or a resize it keeps 0.973."""

_LOOKED_AT: Final = 64


@dataclass(frozen=True, slots=True)
class _Hit:
    """A row that a hash fits."""

    unsure: bool
    distance: int
    quality: int
    variant: str

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Lower is better: sure hashes first, then the nearer, then those of higher quality."""
        return self.unsure, self.distance, -self.quality


class SimilarityDetector:
    """Implements `governance.ports.Detector` over a register of works: PDQ for copies, an embedding for derivatives.

    Labels: `copy` (score 1 - distance / 256), `copy_unsure` (the same where either hash is of low quality), `derivative`
    (the cosine, at least 0), each about the nearest works, at most 3; `low_quality_hash` (1 - quality / 100) of a picture
    that PDQ cannot judge. Where neither kind of copy is found there is one `copy` of score 0 about no work. Safe to call from any
    thread. A changed register is read again at the next call, whoever changed it.
    """

    def __init__(self, register: WorkReader, embedder: Embedder, *, folder: Path | None = None) -> None:
        """Open the register's indexes; `folder` keeps them between starts.

        Raises:
            DetectorError: the register cannot be read, or holds works that could not be found.
        """
        self._register, self._embedder, self._folder = register, embedder, folder
        self._digest = canonical_digest({"version": 1, "variants": variants.VERSION, "embedding": embedder.code})
        self._lock = threading.Lock()
        self._indexes: Indexes | None = None
        self._current()

    @property
    def name(self) -> str:
        """`similarity`."""
        return NAME

    @property
    def digest(self) -> Digest:
        """Covers the bytes of the embedding and the version of our own variants. The works are in the ledger."""
        return self._digest

    def detect(self, images: Sequence[Pixels]) -> Sequence[tuple[Finding, ...]]:
        """Findings for each image.

        Raises:
            DetectorError: an image is not (H, W, 3) uint8, a model gave nothing usable, or the register cannot be read.
        """
        if not images:
            return []
        pictures = [checked(index, image) for index, image in enumerate(images)]
        indexes = self._current()
        return [self._findings(picture, indexes) for picture in pictures]

    def _current(self) -> Indexes:
        """The indexes of the register as it stands now. An older state would let through what was added since."""
        try:
            with self._lock:
                if self._indexes is None or self._indexes.revision != self._register.revision:
                    self._indexes = open_indexes(
                        self._register, self._embedder.model, self._embedder.width, self._folder, self._indexes
                    )
                return self._indexes
        except WorkError as error:
            raise DetectorError(f"Pictures cannot be compared with the protected works: {error}") from error

    def _findings(self, picture: Pixels, indexes: Indexes) -> tuple[Finding, ...]:
        if indexes.empty:
            return (self._finding(COPY, 0.0),)
        picture = variants.shrunk(picture)
        hashes = seen_hashes(picture)
        views = [(name, self._embedder.embed(view)) for name, view in variants.seen_views(picture)]
        copies = self._copies(hashes, [vector for _, vector in views], indexes)
        found = [*(copies or [self._finding(COPY, 0.0)]), *self._derivatives(views, indexes)]
        quality = max(one.quality for one in hashes)
        if quality < MIN_QUALITY:
            found.append(self._finding(LOW_QUALITY, 1 - quality / 100, evidence={"quality": quality}))
        return tuple(found)

    def _copies(self, hashes: Sequence[Hash], seen: Sequence[NDArray[np.float32]], indexes: Indexes) -> list[Finding]:
        rows = indexes.hash_rows
        nearest = sorted(_hits(hashes, indexes).items(), key=lambda item: (item[1].distance, rows.work_ids[item[0]]))
        sure = [(work, hit) for work, hit in nearest if not hit.unsure][:NEAREST]
        unsure: list[tuple[int, _Hit]] = []
        for work, hit in [item for item in nearest if item[1].unsure][:_LOOKED_AT]:
            if len(unsure) < NEAREST and _same_colours(rows.work_ids[work], seen, indexes):
                unsure.append((work, hit))
        return [
            self._finding(
                COPY_UNSURE if hit.unsure else COPY,
                1 - hit.distance / BITS,
                rows,
                work,
                {"hamming": hit.distance, "variant": hit.variant, "quality": hit.quality},
            )
            for work, hit in (*sure, *unsure)
        ]

    def _derivatives(self, views: Sequence[tuple[str, NDArray[np.float32]]], indexes: Indexes) -> list[Finding]:
        rows = indexes.vector_rows
        best: dict[int, tuple[float, str]] = {}
        for view, vector in views:
            for row, cosine in zip(*indexes.vectors.nearest(vector, _LOOKED_AT), strict=True):
                work = int(rows.works[row])
                if work not in best or best[work][0] < cosine:
                    best[work] = min(1.0, float(cosine)), _named(rows.names[rows.variants[row]], view)
        nearest = sorted(best.items(), key=lambda item: (-item[1][0], rows.work_ids[item[0]]))[:NEAREST]
        return [
            self._finding(
                DERIVATIVE,
                max(0.0, cosine),
                rows,
                work,
                {"cosine_millionths": round(cosine * 1_000_000), "variant": variant},
            )
            for work, (cosine, variant) in nearest
        ]

    def _finding(
        self,
        label: str,
        score: float,
        rows: Rows | None = None,
        work: int = 0,
        evidence: dict[str, int | str] | None = None,
    ) -> Finding:
        about = ("", "") if rows is None else (rows.work_ids[work], rows.actions[work])
        return Finding(NAME, self._digest, label, score, *about, evidence or {})


def _hits(hashes: Sequence[Hash], indexes: Indexes) -> dict[int, _Hit]:
    """The best hit of each work that any hash of the picture fits."""
    rows = indexes.hash_rows
    hits: dict[int, _Hit] = {}
    for one, (places, distances) in zip(hashes, indexes.hashes.within(packed([h.value for h in hashes])), strict=True):
        for row, distance in zip(places.tolist(), distances.tolist(), strict=True):
            quality = min(one.quality, int(rows.qualities[row]))
            hit = _Hit(quality < MIN_QUALITY, distance, quality, _named(rows.names[rows.variants[row]], one.variant))
            work = int(rows.works[row])
            if work not in hits or hit.rank < hits[work].rank:
                hits[work] = hit
    return hits


def _same_colours(work_id: str, seen: Sequence[NDArray[np.float32]], indexes: Indexes) -> bool:
    of_work = np.flatnonzero(indexes.vector_rows.works == indexes.vector_places[work_id])
    return max(float(indexes.vectors.cosines(of_work, vector).max()) for vector in seen) >= SAME_COLOURS


def _named(variant: str, view: str) -> str:
    """The variant of the work, and in parentheses that of the picture where it was not taken whole."""
    return f"{variant} ({view})" if view else variant
