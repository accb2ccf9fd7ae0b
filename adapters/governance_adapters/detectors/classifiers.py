"""Image classifiers by local path: any of Hugging Face transformers, and the safety checker of diffusers.

Nothing is fetched and no code of the model's is run: the architecture comes with the installed packages, the weights are
safetensors (see `governance_adapters.detectors.weights`). Both keep a score for every class; none is turned into a
verdict here.
"""

from __future__ import annotations

import math
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from governance.canonical import Digest
from governance.errors import DetectorError, GovernanceError
from governance.types import Finding, Pixels
from governance_adapters.detectors.devices import torch_device
from governance_adapters.detectors.labels import MAX_CLASSES, labels_of
from governance_adapters.detectors.pictures import checked
from governance_adapters.detectors.weights import CONFIG, PROCESSOR, WeightsFolder

_CARE = 0.01
"""What the safety checker adds to every later score once a special concept was found."""


class _Classifier(ABC):
    """A detector over one model: each image by itself, one finding for each of its labels, in their order."""

    def __init__(self, name: str, digest: Digest, labels: tuple[str, ...]) -> None:
        self._name, self._digest, self._labels = name, digest, labels

    @property
    def name(self) -> str:
        """The name that the settings give it."""
        return self._name

    @property
    def digest(self) -> Digest:
        """The digest of its folder."""
        return self._digest

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its findings, in their order."""
        return self._labels

    def detect(self, images: Sequence[Pixels]) -> Sequence[tuple[Finding, ...]]:
        """One finding per label for each image.

        Raises:
            DetectorError: an image is not (H, W, 3) uint8, or the model gave no usable scores for it.
        """
        return [self._findings(index, checked(index, image)) for index, image in enumerate(images)]

    def _findings(self, index: int, pixels: Pixels) -> tuple[Finding, ...]:
        try:
            scores = self._scores(Image.fromarray(pixels))
        except GovernanceError:
            raise
        except Exception as error:  # torch, Pillow and the models raise many kinds; an unscored image is an error
            raise DetectorError(
                f"{self._name} could not score image {index}: {error}.", remedy="Check that its folder is one model's."
            ) from error
        if len(scores) != len(self._labels) or not all(map(math.isfinite, scores)):
            raise DetectorError(
                f"{self._name} gave no number for some class of image {index}.", remedy="Replace its weights."
            )
        return tuple(
            Finding(self._name, self._digest, label, min(1.0, max(0.0, score)))
            for label, score in zip(self._labels, scores, strict=True)
        )

    @abstractmethod
    def _scores(self, picture: Image.Image) -> list[float]:
        """A risk in [0, 1] for each label, but for the last bit of a sum."""


class ImageClassifier(_Classifier):
    """Any `AutoModelForImageClassification`: the probability of each class as a risk.

    Softmax over the classes; sigmoid for each where `problem_type` is `multi_label_classification`, and for a model of
    one class. A class named in `benign` is no risk when it is likely: its label begins with `not_`, its score is 1 minus
    the probability.
    """

    def __init__(self, name: str, path: Path | str, *, digest: str, benign: Sequence[str] = ()) -> None:
        """Load the model in `path`, pinned by `digest` (see `WeightsFolder`).

        Raises:
            ConfigurationError: it is not pinned.
            DetectorError: it is another model, no image classifier, incomplete, or of more than 64 classes; `benign`
                names a class that it lacks; two classes have one label.
        """
        folder = WeightsFolder.read(Path(path)).pinned(digest)
        with _loading(folder):
            from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING as KINDS

            config, self._processor = _configured(folder)
            if type(config) not in KINDS:
                raise DetectorError(
                    f"A `{config.model_type}` model is no image classifier.", remedy="Name another folder."
                )
            self._model = _model(KINDS[type(config)], folder, config)
        classes = [str(config.id2label[index]) for index in range(len(config.id2label))]
        self._multiple = config.problem_type == "multi_label_classification" or len(classes) == 1
        if config.problem_type == "regression":
            raise DetectorError(f"The model in {path} is a regression.", remedy="Use one that tells classes apart.")
        if unknown := sorted(set(benign) - set(classes)):
            raise DetectorError(
                f"The model in {path} has no class {unknown[0]!r}.",
                remedy=f"It has: {', '.join(classes[:MAX_CLASSES])}.",
            )
        self._benign = [label in benign for label in classes]
        prefixed = [f"not {label}" if label in benign else label for label in classes]
        super().__init__(name, folder.digest, labels_of(name, prefixed))

    def _scores(self, picture: Image.Image) -> list[float]:
        import torch

        with torch.inference_mode():
            seen = self._processor(images=picture, return_tensors="pt").to(self._model.device)
            logits = self._model(**seen).logits[0].double()
            likely = torch.sigmoid(logits) if self._multiple else torch.softmax(logits, dim=0)
        return [1 - p if benign else p for p, benign in zip(likely.tolist(), self._benign, strict=True)]


class SafetyChecker(_Classifier):
    """The `StableDiffusionSafetyChecker` of diffusers, its scores kept and no pixel blacked out.

    For each concept the checker compares the cosine of image and concept with the concept's own threshold. The
    difference d, in [-2, 2], becomes the score (1 + d) / 2, cut to [0, 1]: it grows with d, and 0.5 is the checker's own
    threshold. As in the checker, d of everything after a special concept that was found grows by 0.01; unlike there,
    d is not rounded to 0.001. Labels are `concept_<n>` and `special_<n>`, from 0.
    """

    def __init__(self, name: str, path: Path | str, *, digest: str) -> None:
        """Load the checker in `path`, pinned by `digest`; the folder also holds the feature extractor's configuration.

        Raises:
            ConfigurationError: it is not pinned.
            DetectorError: it is another model, no safety checker, or incomplete.
        """
        folder = WeightsFolder.read(Path(path)).pinned(digest)
        with _loading(folder):
            from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

            config, self._processor = _configured(folder)
            if config.model_type != "clip":
                raise DetectorError(
                    f"A `{config.model_type}` model is no safety checker.", remedy="Name the folder `safety_checker`."
                )
            self._model = _model(StableDiffusionSafetyChecker, folder, config)
        special, concepts = len(self._model.special_care_embeds), len(self._model.concept_embeds)
        classes = [f"special {n}" for n in range(special)] + [f"concept {n}" for n in range(concepts)]
        super().__init__(name, folder.digest, labels_of(name, classes))

    def _scores(self, picture: Image.Image) -> list[float]:
        import torch
        from torch.nn.functional import cosine_similarity

        model = self._model
        with torch.inference_mode():
            seen = self._processor(images=picture, return_tensors="pt")["pixel_values"].to(model.device)
            embedding = model.visual_projection(model.vision_model(seen)[1])
            special = cosine_similarity(embedding, model.special_care_embeds) - model.special_care_embeds_weights
            concepts = cosine_similarity(embedding, model.concept_embeds) - model.concept_embeds_weights
        differences, care = [], 0.0
        for difference in special.tolist():
            differences.append(difference + care)
            care = _CARE if differences[-1] > 0 else care
        differences += [difference + care for difference in concepts.tolist()]
        return [(1 + difference) / 2 for difference in differences]


@contextmanager
def _loading(folder: WeightsFolder) -> Iterator[None]:
    try:
        yield
    except GovernanceError:
        raise
    except ImportError as error:
        raise DetectorError(
            f"The model in {folder.path} cannot be loaded: {error}.",
            remedy="Install what it needs: pip install 'diffusion-governance[detectors,diffusers]'.",
        ) from error
    except Exception as error:  # transformers, diffusers and safetensors raise many kinds; without a model, no check
        raise DetectorError(
            f"The model in {folder.path} cannot be loaded: {type(error).__name__}: {error}.",
            remedy="Get the files again, or use a model that the installed transformers knows.",
        ) from error


def _configured(folder: WeightsFolder) -> tuple[Any, Any]:
    """Configuration and image processor, from the very bytes that were hashed."""
    from transformers import AutoConfig, AutoImageProcessor

    with tempfile.TemporaryDirectory(prefix="governance-") as private:
        for name in (CONFIG, PROCESSOR):
            (Path(private) / name).write_bytes(folder.files[name])
        local = {"local_files_only": True, "trust_remote_code": False}
        configs: Any = AutoConfig  # typed in one version of transformers and not in another
        processors: Any = AutoImageProcessor
        return configs.from_pretrained(private, **local), processors.from_pretrained(private, **local)


def _model(kind: Any, folder: WeightsFolder, config: Any) -> Any:
    """A model in float32 whose every weight came from the folder, on the accelerator where there is one."""
    import safetensors.torch
    import torch

    tensors: dict[str, Any] = {}
    for name in folder.tensors:
        tensors |= safetensors.torch.load(folder.files[name])
    model, report = kind.from_pretrained(
        None, config=config, state_dict=tensors, dtype=torch.float32, output_loading_info=True
    )
    _refuse_gaps(folder, report)
    return model.eval().to(torch_device())


def _refuse_gaps(folder: WeightsFolder, report: Mapping[str, Any]) -> None:
    """What the weights lack would be made up at random, and score at random."""
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        if found := sorted(map(str, report[problem])):
            raise DetectorError(
                f"The weights in {folder.path} do not fit their {CONFIG}: {problem} {', '.join(found[:3])}.",
                remedy="Get the folder again: configuration and weights of one image classifier.",
            )
