"""The dwtDctSvd watermark of PyPI's `invisible-watermark`: 32 bits, for photographs of at least 256 x 256 px.

Kept for those whose tooling already reads it. It survives JPEG on photographs and nothing else; on flat, saturated art
it can lose bits with no attack at all, which the governor notices when it extracts the mark again. The 12-bit keyed
check of 32-bit payloads lets an unmarked picture pass once in about 1,400 times (3 candidates), so what it finds is only
worth something together with `governance.attribution`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from governance.errors import ConfigurationError, MarkError
from governance.pixels import require_pixels
from governance.types import Pixels
from governance.watermark import MarkKey, require_payload
from governance_adapters.marking.limits import STRENGTHS, fits, require_markable, require_strength, require_strengths

ALGORITHM: Final = "org.diffusion-governance.dwtdctsvd.1"
PAYLOAD_BITS: Final = 32

_SCALE: Final = 36.0
"""The library's own quantisation step of the U channel at strength 1."""

_REMEDY: Final = (
    "Install the extra `dwtdctsvd`, then `pip install --no-deps invisible-watermark`"
    " (its declared opencv-python would overwrite the headless OpenCV), or use the tiled watermark."
)
_OTHER: Final = "Use the tiled watermark."


class DwtDctSvdWatermarker:
    """Port `Watermarker` over `invisible-watermark`; the payload is whitened with a keyed stream.

    `strengths` multiply the library's default quantisation step; `extract` tries each.

    Raises:
        ConfigurationError: the library is missing, or strengths that do not rise from above zero.
    """

    algorithm = ALGORITHM
    payload_bits = PAYLOAD_BITS

    def __init__(self, key: MarkKey, strengths: tuple[float, ...] = STRENGTHS) -> None:
        self.strengths = require_strengths(strengths)
        self._whitening = int.from_bytes(key.derive("dwtdctsvd.1/whitening", PAYLOAD_BITS // 8))
        self._library = _load()

    def fits(self, height: int, width: int) -> bool:
        """Whether both sides have at least 256 px."""
        return fits(height, width)

    def embed(self, pixels: Pixels, payload: int, strength: float) -> Pixels:
        """`pixels` with `payload` in them; the library gives no promise that it reads back.

        Raises:
            ImageTooSmallError: a side has fewer than 256 px.
            MarkError: not pixels, not a payload, a strength that is not above zero, or the library failed.
        """
        image = require_markable(pixels)
        require_strength(strength)
        whitened = require_payload(payload, PAYLOAD_BITS) ^ self._whitening
        bits = [whitened >> shift & 1 for shift in reversed(range(PAYLOAD_BITS))]
        codec = self._codec(strength, bits)
        try:
            marked = codec.encode(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        except (cv2.error, ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            raise MarkError(f"invisible-watermark could not mark the picture: {error}.", remedy=_OTHER) from error
        return cast("Pixels", cv2.cvtColor(marked, cv2.COLOR_BGR2RGB))

    def extract(self, pixels: Pixels) -> Sequence[int]:
        """At most one candidate per strength, the most unanimous first; none from a picture below 256 px.

        Raises:
            MarkError: not pixels, or the library failed.
        """
        image = require_pixels(pixels)
        if not self.fits(*image.shape[:2]):
            return ()
        readings = []
        # Every strength is tried: under a wrong one a picture of few colours can read unanimously, and wrong.
        for strength in self.strengths:
            votes = self._votes(image, strength)
            agreement = float(np.abs(2 * votes - 1).mean())
            readings.append((agreement, self._payload(votes)))
        readings.sort(reverse=True)
        return tuple(dict.fromkeys(payload for _, payload in readings))

    def _votes(self, image: Pixels, strength: float) -> NDArray[np.float64]:
        """For each bit the share of its blocks that read 1."""
        scale = _SCALE * strength
        codec = self._codec(strength, [])
        try:
            # The library rounds the votes to bits; the votes themselves say how sure the reading is.
            luma_chroma = cv2.cvtColor(image, cv2.COLOR_RGB2YUV)
            height, width = (side // 4 * 4 for side in image.shape[:2])
            coarse, _ = self._library.pywt.dwt2(luma_chroma[:height, :width, 1], "haar")
            scores = codec.decode_frame(coarse, scale, [[] for _ in range(PAYLOAD_BITS)])
        except (cv2.error, ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            raise MarkError(f"invisible-watermark could not read the picture: {error}.", remedy=_OTHER) from error
        return np.array([np.mean(score) for score in scores])

    def _payload(self, votes: NDArray[np.float64]) -> int:
        word = 0
        for bit in votes > 0.5:
            word = word << 1 | int(bit)
        return word ^ self._whitening

    def _codec(self, strength: float, bits: list[int]) -> Any:
        return self._library.EmbedDwtDctSvd(watermarks=bits, wmLen=PAYLOAD_BITS, scales=[0, _SCALE * strength, 0])


def _load() -> ModuleType:
    """The library's one module that is needed. Its package also imports torch and a neural watermark."""
    package = importlib.util.find_spec("imwatermark")
    if package is None or not package.submodule_search_locations:
        raise ConfigurationError("The `dwtdctsvd` watermark needs the package invisible-watermark.", remedy=_REMEDY)
    path = f"{package.submodule_search_locations[0]}/dwtDctSvd.py"
    spec = importlib.util.spec_from_file_location("governance_adapters.marking._dwtdctsvd", path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} is not a Python module.", remedy=_REMEDY)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (ImportError, OSError) as error:
        raise ConfigurationError(f"invisible-watermark cannot be loaded: {error}.", remedy=_REMEDY) from error
    return module
