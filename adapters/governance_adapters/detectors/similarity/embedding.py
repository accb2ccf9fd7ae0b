"""Embeddings: what a network sees in a picture, as a unit vector. Any ONNX file can make them.

Where the network sees two pictures alike their cosine is near 1, whatever was done to the pixels.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from governance.canonical import Digest, digest
from governance.errors import DetectorError
from governance.types import Pixels
from governance_adapters.detectors.devices import onnx_providers
from governance_adapters.detectors.similarity.variants import resized

MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION: Final = np.array([0.229, 0.224, 0.225], np.float32)
"""ImageNet's mean and standard deviation of RGB in 0..1: what embedding networks are trained with."""

DEFAULT_SIDE: Final = 224
_WIDTHS: Final = range(16, 4097)
_SIDES: Final = range(32, 1025)
_BESIDE: Final = "session.model_external_initializers_file_folder_path"
"""ONNX Runtime's name of the folder where it looks for weights that a model keeps in a file of their own."""


class Embedder(Protocol):
    """Makes embeddings. Safe to call from any thread."""

    @property
    def model(self) -> Digest:
        """Which model this is: embeddings of one model are compared with each other only."""

    @property
    def code(self) -> Digest:
        """SHA-256 of the bytes that are run."""

    @property
    def width(self) -> int:
        """Dimensions of an embedding."""

    def embed(self, picture: Pixels) -> NDArray[np.float32]:
        """A unit vector of `width` dimensions.

        Raises:
            DetectorError: the model gave none.
        """


class OnnxEmbedder:
    """An ONNX model as an embedder.

    It takes one float32 tensor (1 or any, 3, H, W): RGB in 0..1, less ImageNet's mean, divided by its standard deviation;
    pictures are brought to H x W (32..1024 px; 224 where the model leaves them open) whatever their shape. Its first
    output is (1, d), d in 16..4096; it is brought to length 1 here. The bytes that are hashed are the bytes that are run: a
    model that keeps weights in another file is refused.
    """

    def __init__(self, content: bytes, what: str, *, model: Digest | None = None, threads: int = 1) -> None:
        """Load the file `content`; `what` names it in messages, `model` is its identity where the bytes' digest is not.

        Raises:
            DetectorError: ONNX Runtime is missing or refuses it, or it is no such model.
        """
        self._what, self._code = what, digest(content)
        self._model = model or self._code
        self._session = _session(content, what, threads)
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 else []
        if len(shape) != 4 or shape[1] != 3 or (isinstance(shape[0], int) and shape[0] != 1):
            raise self._unfit(f"takes {[(item.name, item.shape) for item in inputs]}, not one picture (1, 3, H, W)")
        self._input: str = inputs[0].name
        self._side = tuple(side if isinstance(side, int) else DEFAULT_SIDE for side in shape[2:])
        if any(side not in _SIDES for side in self._side):
            raise self._unfit(f"takes pictures of {self._side[0]} x {self._side[1]} px, not 32..1024 a side")
        grey = np.full((*self._side, 3), 127, np.uint8)
        made = self._run(grey)
        if made.ndim != 2 or made.shape[0] != 1 or made.shape[1] not in _WIDTHS:
            raise self._unfit(f"gives shape {made.shape}, not (1, d) with d in 16..4096")
        self._width = int(made.shape[1])

    @property
    def model(self) -> Digest:
        """The identity given, else the digest of the file."""
        return self._model

    @property
    def code(self) -> Digest:
        """SHA-256 of the file."""
        return self._code

    @property
    def width(self) -> int:
        """Dimensions of its output."""
        return self._width

    def embed(self, picture: Pixels) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        made = self._run(picture)
        if made.shape != (1, self._width):
            raise self._unfit(f"gave shape {made.shape} for a picture")
        return unit(made[0], self._what)

    def _run(self, picture: Pixels) -> NDArray[np.float32]:
        height, width = self._side
        scaled = resized(picture, (width, height)).astype(np.float32) / np.float32(255)
        tensor = ((scaled - MEAN) / DEVIATION).transpose(2, 0, 1)[np.newaxis]
        try:
            made = self._session.run(None, {self._input: np.ascontiguousarray(tensor)})[0]
        except Exception as error:  # ONNX Runtime has no common base; a picture without an embedding is an error
            raise DetectorError(
                f"The embedding {self._what} could not be run: {error}.", remedy="Name another model."
            ) from error
        return np.asarray(made, np.float32)

    def _unfit(self, how: str) -> DetectorError:
        return DetectorError(
            f"The embedding {self._what} {how}.",
            remedy="Name an ONNX file of an image embedding; see docs/similarity.md.",
        )


def unit(vector: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """`vector` at length 1.

    Raises:
        DetectorError: it is not finite, or has no length: a broken model.
    """
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if not np.isfinite(length) or length < 1e-12:
        raise DetectorError(
            f"The embedding {what} gave no usable vector for a picture (length {length}).", remedy="Replace the model."
        )
    return (vector / np.float32(length)).astype(np.float32)


def read_onnx(path: Path) -> bytes:
    """The bytes of the model file.

    Raises:
        DetectorError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DetectorError(
            f"The embedding {path} cannot be read: {error.strerror}.", remedy="Name a readable ONNX file."
        ) from error


def _session(content: bytes, what: str, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise DetectorError(
            f"Embeddings cannot be made: {error}.", remedy="Install it: pip install 'diffusion-governance[detectors]'."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    try:
        # Weights in a file beside the model would be looked for in the working folder, and be in no digest: none is found.
        with tempfile.TemporaryDirectory(prefix="governance-") as empty:
            options.add_session_config_entry(_BESIDE, empty)
            return onnxruntime.InferenceSession(content, options, providers=onnx_providers())
    except Exception as error:  # ONNX Runtime has no common base; without a session nothing is compared
        raise DetectorError(
            f"ONNX Runtime cannot load the embedding {what}: {error}.", remedy="Name another ONNX file."
        ) from error
