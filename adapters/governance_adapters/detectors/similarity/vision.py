"""A vision model of Hugging Face transformers as an embedding, from a local folder.

Safetensors only, no code of the model's, nothing fetched (see `governance_adapters.detectors.weights`).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from governance.canonical import Digest
from governance.errors import DetectorError, GovernanceError
from governance.types import Pixels
from governance_adapters.detectors.similarity.embedding import unit
from governance_adapters.detectors.weights import CONFIG, PROCESSOR, WeightsFolder

_UNUSED = ("pooler.", "layernorm.", "post_layernorm.")
"""What may be missing of a model without its head: it stands behind the features that are used."""


class VisionEmbedder:
    """Implements `Embedder`: the mean of the last hidden features over the picture. Safe to call from any thread."""

    def __init__(self, path: Path) -> None:
        """Load the model in `path`: `config.json`, `preprocessor_config.json` and safetensors.

        Raises:
            DetectorError: the folder holds a pickle or a program, is incomplete, or is no vision model.
        """
        folder = WeightsFolder.read(path)
        self._path, self._digest = path, folder.digest
        try:
            self._model, self._processor = _loaded(folder)
        except GovernanceError:
            raise
        except Exception as error:  # transformers and safetensors raise many kinds; without a model nothing is compared
            raise DetectorError(
                f"The embedding in {path} cannot be loaded: {type(error).__name__}: {error}.",
                remedy="Get the files again, or use a vision model that the installed transformers knows.",
            ) from error
        self._width = len(self.embed(np.full((64, 64, 3), 127, np.uint8)))

    @property
    def model(self) -> Digest:
        """The digest of the folder's files."""
        return self._digest

    @property
    def code(self) -> Digest:
        """The digest of the folder's files: the bytes that are run."""
        return self._digest

    @property
    def width(self) -> int:
        """The width of its features."""
        return self._width

    def embed(self, picture: Pixels) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        import torch

        try:
            with torch.inference_mode():
                seen = self._processor(images=Image.fromarray(np.ascontiguousarray(picture)), return_tensors="pt")
                hidden = self._model(pixel_values=seen["pixel_values"]).last_hidden_state[0].float()
                features = hidden.mean(dim=(1, 2)) if hidden.ndim == 3 else hidden.mean(dim=0)
        except Exception as error:  # torch and Pillow raise many kinds; a picture without an embedding is an error
            raise DetectorError(
                f"The embedding in {self._path} could not be run: {error}.", remedy="Name another model."
            ) from error
        return unit(features.numpy(), str(self._path))


def _loaded(folder: WeightsFolder) -> tuple[Any, Any]:
    """The model in float32 and its image processor, from the very bytes that were hashed."""
    import safetensors.torch
    import torch
    from transformers import AutoConfig, AutoImageProcessor
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    with tempfile.TemporaryDirectory(prefix="governance-") as private:
        for name in (CONFIG, PROCESSOR):
            (Path(private) / name).write_bytes(folder.files[name])
        local = {"local_files_only": True, "trust_remote_code": False}
        config = AutoConfig.from_pretrained(private, **local)
        processors: Any = AutoImageProcessor
        processor = processors.from_pretrained(private, **local)
    config = getattr(config, "vision_config", config)  # of a model of pictures and texts, the half that sees
    tensors: dict[str, Any] = {}
    for name in folder.tensors:
        tensors |= safetensors.torch.load(folder.files[name])
    if type(config) not in MODEL_MAPPING:
        raise DetectorError(f"A `{config.model_type}` model makes no features.", remedy="Name a vision model.")
    kind: Any = MODEL_MAPPING[type(config)]
    model, report = kind.from_pretrained(
        None, config=config, state_dict=tensors, dtype=torch.float32, output_loading_info=True
    )
    wrong = [*report["missing_keys"], *report["mismatched_keys"], *report["error_msgs"]]
    if found := sorted(key for key in map(str, wrong) if not key.removeprefix("vision_model.").startswith(_UNUSED)):
        raise DetectorError(
            f"The weights in {folder.path} do not fit their {CONFIG}: {', '.join(found[:3])}.",
            remedy="Get the folder again: what they lack would be made up at random.",
        )
    return model.eval(), processor
