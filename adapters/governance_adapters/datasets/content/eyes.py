"""What looks at the images of a dataset. `Eyes` can be sent to a worker, which opens them once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Json
from governance.ports import Detector, Fingerprinter, ManifestReport
from governance.types import Pixels


class ManifestStoreReader(Protocol):
    """Reads everything that stands in a file's C2PA manifests."""

    def read_store(self, content: bytes) -> tuple[ManifestReport, Mapping[str, Any]]:
        """The report on the active manifest, and the manifest store as JSON; empty where there is none that can be read.

        Raises:
            SigningError: the trust root cannot be used.
        """


class MarkFinder(Protocol):
    """Finds our own watermark."""

    def finds(self, pixels: Pixels) -> bool:
        """Whether the picture carries a mark of ours and looks like the record of that mark.

        Raises:
            GovernanceError: nobody can tell now.
        """


@dataclass(frozen=True, slots=True)
class OpenEyes:
    """Everything that looks at an image. What is None or empty does not look, and no record says that it did.

    `detectors` score; `embed` makes the vector by which images are compared by what they show, and `model` is the digest of
    the model that makes it, empty without one.
    """

    fingerprinter: Fingerprinter
    manifests: ManifestStoreReader | None = None
    detectors: tuple[Detector, ...] = ()
    marks: MarkFinder | None = None
    embed: Callable[[Pixels], NDArray[np.float32]] | None = None
    model: str = ""

    def described(self) -> Sequence[Json]:
        """The detectors by name and digest, as a report names them."""
        return [{"name": each.name, "digest": each.digest} for each in self.detectors]


@dataclass(frozen=True, slots=True)
class Eyes:
    """A function of a module, and its arguments: what opens the eyes, in whichever process they are needed."""

    opener: Callable[..., OpenEyes]
    arguments: tuple[Hashable, ...] = ()

    def open(self) -> OpenEyes:
        """The open eyes of this process: opened at the first call, and again after a fork.

        Raises:
            GovernanceError: something of them cannot be opened.
        """
        key = (os.getpid(), self.opener, self.arguments)
        with _lock:
            if key not in _opened:
                _opened.clear()  # those of a parent process, or of an audit that is over
                _opened[key] = self.opener(*self.arguments)
            return _opened[key]


_opened: Final[dict[Hashable, OpenEyes]] = {}
_lock: Final = threading.Lock()
