"""Tiny image classifiers and safety checkers with random weights: for tests of loading, never of what they see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIDE = 32
CLASSES = ("Normal", "Not safe!", "Ünïcode  label")


def save_vit(folder: Path, classes: tuple[str, ...] = CLASSES, *, seed: int = 0, **config: Any) -> Path:
    """A ViT that tells `classes` apart, as `save_pretrained` leaves it."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(seed)
    names = dict(enumerate(classes))
    shape = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=SIDE,
        patch_size=8,
        id2label=names,
        label2id={name: index for index, name in names.items()},
        **config,
    )
    model = ViTForImageClassification(shape)
    with torch.no_grad():
        model.classifier.weight.normal_(std=4)
    model.save_pretrained(folder)
    _save_processor(folder, {"image_processor_type": "ViTImageProcessor", "size": {"height": SIDE, "width": SIDE}})
    return folder


def save_safety_checker(folder: Path, *, thresholds: float = 0.2) -> Path:
    """A safety checker whose concepts all have the same threshold."""
    import torch
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig

    torch.manual_seed(1)
    text = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    text |= {"vocab_size": 10, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    vision |= {"image_size": SIDE, "patch_size": 8}
    model = StableDiffusionSafetyChecker(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    with torch.no_grad():
        for embeddings in (model.concept_embeds, model.special_care_embeds):
            embeddings.normal_()
        for levels in (model.concept_embeds_weights, model.special_care_embeds_weights):
            levels.fill_(thresholds)
    model.save_pretrained(folder)
    crop = {"height": SIDE, "width": SIDE}
    _save_processor(
        folder, {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": SIDE}, "crop_size": crop}
    )
    return folder


def change_json(path: Path, **changes: Any) -> None:
    """Change keys of a file of JSON; None takes one away."""
    value = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: item for key, item in value.items() if item is not None}))


def _save_processor(folder: Path, value: dict[str, Any]) -> None:
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True, "do_resize": True, **value}))
